"""What segments to learn from are made of (learning/segments.c): sound, excitation and level, without Python's lock."""

import numpy as np

from libc.stddef cimport ptrdiff_t


cdef extern from "learning/segments.h":
    enum:
        MAX_PARTIALS_DRAWN
    ctypedef struct sinc_t:
        pass
    void segments_sinc(sinc_t *)
    void segments_resample(const sinc_t *, const float *, ptrdiff_t, const double *, float *, ptrdiff_t) nogil
    void segments_excite(const float *, ptrdiff_t, ptrdiff_t, const double *, int, int, double, ptrdiff_t, float *,
                         ptrdiff_t, const weights_t *) nogil
    ctypedef struct weights_t:
        const float *values
        ptrdiff_t first, frames
    void segments_level(const float *, ptrdiff_t, ptrdiff_t, float *) nogil


cdef sinc_t SINC
segments_sinc(&SINC)


def resample_at(const float[::1] samples, const double[::1] positions):
    """The band-limited wave through `samples` at fractional `positions`, float32 (T,); it is 0 beyond both ends.

    Sinc of 16 taps; at a whole position the sample itself.
    """
    cdef ptrdiff_t length = positions.shape[0]
    out = np.zeros(length, np.float32)
    cdef float[::1] found = out
    if length and samples.shape[0]:
        with nogil:
            segments_resample(&SINC, &samples[0], samples.shape[0], &positions[0], &found[0], length)
    return out


def excite(const float[:, ::1] deviations, const double[::1] turns, double pace, ptrdiff_t start, float[:, ::1] out,
           weights=None, ptrdiff_t first=0):
    """Writes e into `out` (T, 2K), sines then cosines of every partial's phase, from sample `start` of a note on.

    Partial k turns by `turns[k]` a sample and deviates by `deviations[:, k]` radians, `pace` of whose frames go by in
    a sample: linear between them, constant after the last. 0 before sample 0, and for partials that have no turns.
    With `weights`, complex64 (frames, audible), each partial is multiplied by those of its frame, linear between them;
    their first is that of frame `first`, their last goes on.
    """
    cdef const float[:, ::1] factors
    cdef weights_t weighting
    cdef ptrdiff_t length = out.shape[0], frames = deviations.shape[0], columns = deviations.shape[1]
    cdef int audible = <int>turns.shape[0], partials = <int>out.shape[1] // 2
    if not (audible <= partials <= MAX_PARTIALS_DRAWN and audible <= columns and frames and pace > 0.0):
        raise ValueError(f"{audible} turns, {frames} x {columns} deviations at {pace} a sample, {partials} partials")
    if out.shape[1] != 2 * partials:
        raise ValueError(f"{out.shape[1]} columns, expected an even number")
    if weights is not None and audible:
        if weights.dtype != np.complex64 or weights.shape[1] != audible or not len(weights) or not 0 <= first < frames:
            raise ValueError(f"weights {weights.dtype} {weights.shape} from frame {first}, expected complex64 (n, {audible})")
        factors = np.ascontiguousarray(weights).view(np.float32)
        weighting.values, weighting.first, weighting.frames = &factors[0, 0], first, factors.shape[0]
    else:
        weighting.values = NULL
    if length and partials:
        with nogil:
            segments_excite(&deviations[0, 0] if columns else NULL, frames, columns, &turns[0] if audible else NULL,
                            audible, partials, pace, start, &out[0, 0], length,
                            &weighting if weighting.values != NULL else NULL)


def running_level(const float[::1] signal, ptrdiff_t window):
    """Root mean square of the last `window` samples at each one, float32 (T,); 0 came before the first."""
    out = np.empty(signal.shape[0], np.float32)
    cdef float[::1] found = out
    if window < 1:
        raise ValueError(f"window is {window}, expected 1 or more")
    if signal.shape[0]:
        with nogil:
            segments_level(&signal[0], signal.shape[0], window, &found[0])
    return out
