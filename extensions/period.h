/* A control period: what a note hears and how it sounds from one of its samples on, by the controls, the envelope and
   how the note is held.

   It may be begun ahead of the samples before it: nothing in it hangs on what they come to. */

#ifndef RTWAVE_PERIOD_H
#define RTWAVE_PERIOD_H

#include "voice.h"

/* At note-on: by what the note is judged until its first period begins. */
void period_foresee(voice_t *voice, const setting_t *setting);

/* At the voice's age: sets what its network hears (conditioning, phasors and their rotation, temperature), and returns
   what voice_enter is to be given when the samples before it are finished. */
period_t period_begin(voice_t *voice, const setting_t *setting);

#endif
