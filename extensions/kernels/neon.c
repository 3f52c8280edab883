#if defined(__aarch64__)
#define WIDTH 4
#define ACCUMULATORS 16
#define FASTEST {BFLOAT16, INT8, FLOAT32}
#define KERNELS kernels_neon
#define KERNELS_NAME "neon"
#include "body.h"
#endif
