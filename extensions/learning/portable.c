/* Whatever the compiler's base target has: SSE2, NEON, or plain scalars. */
#define WIDTH 4
#define BLOCK 4
#define LEARNER learner_portable
#define LEARNER_NAME "portable"
#include "body.h"
