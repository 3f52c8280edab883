#if defined(__x86_64__)
#define WIDTH 16
#define ACCUMULATORS 24
#define FASTEST {BFLOAT16, INT8, FLOAT32}
#define KERNELS kernels_avx512
#define KERNELS_NAME "avx512"
#include "body.h"
#endif
