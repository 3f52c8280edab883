#if defined(__x86_64__)
#define WIDTH 8
#define ACCUMULATORS 8
#define FASTEST {INT8, BFLOAT16, FLOAT32}
#define KERNELS kernels_avx2_vnni
#define KERNELS_NAME "avx2_vnni"
#include "body.h"
#endif
