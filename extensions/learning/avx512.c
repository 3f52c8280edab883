#if defined(__x86_64__)
#define WIDTH 16
#define BLOCK 8
#define LEARNER learner_avx512
#define LEARNER_NAME "avx512"
#include "body.h"
#endif
