#if defined(__x86_64__)
#define WIDTH 8
#define BLOCK 4
#define LEARNER learner_avx2
#define LEARNER_NAME "avx2"
#include "body.h"
#endif
