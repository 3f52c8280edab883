#if defined(__x86_64__)
#define WIDTH 8
#define ACCUMULATORS 8
#define FASTEST {BFLOAT16, INT8, FLOAT32}
#define KERNELS kernels_avx2
#define KERNELS_NAME "avx2"
#include "body.h"
#endif
