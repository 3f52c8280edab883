#if defined(__x86_64__) && defined(__linux__)
#define WIDTH 16
#define ROUGH 1
#define TILES 1
#define LEARNER learner_avx512_amx
#define LEARNER_NAME "avx512_amx"
#include "body.h"
#endif
