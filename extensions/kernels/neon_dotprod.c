#if defined(__aarch64__)
#define WIDTH 4
#define ACCUMULATORS 16
#define FASTEST {INT8, BFLOAT16, FLOAT32}
#define KERNELS kernels_neon_dotprod
#define KERNELS_NAME "neon_dotprod"
#include "body.h"
#endif
