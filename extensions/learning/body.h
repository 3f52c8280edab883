/* Forward and backward over one segment, included once per instruction set.

   The includer defines WIDTH (lanes in a vector), BLOCK (rows of sums kept in registers, two vectors each), ROUGH (gates
   need no more bits than bfloat16), TILES (products by matrix tiles, in bfloat16), LEARNER and LEARNER_NAME. */

#include "backward.h"
#include "forward.h"

const learner_t LEARNER = {LEARNER_NAME, sizeof(item_t), sizeof(saved_t), pack, forward, backward};
