#if defined(__x86_64__) && defined(__linux__)
#define WIDTH 16
#define ACCUMULATORS 24
#define FASTEST {INT8, BFLOAT16, FLOAT32}
#define TILES 1
#define KERNELS kernels_avx512_amx
#define KERNELS_NAME "avx512_amx"
#include "body.h"
#endif
