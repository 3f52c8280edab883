/* Whatever the compiler's base target has: SSE2, NEON, or plain scalars. */
#define WIDTH 4
#define ACCUMULATORS 8
#define FASTEST {BFLOAT16, FLOAT32, INT8}
#define KERNELS kernels_portable
#define KERNELS_NAME "portable"
#include "body.h"
