"""The stream's native half: the resampler, the ring and the stream of extensions/*.c, held by Python objects."""

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uintptr_t

import numpy as np


cdef extern from "resampler.h":
    ctypedef struct resampler_t:
        pass
    resampler_t *resampler_create(int, int)
    void resampler_destroy(resampler_t *)
    double resampler_delay_s(const resampler_t *)
    long long resampler_needed(const resampler_t *, long long)
    int resampler_feed(resampler_t *, const float *, int) nogil
    int resampler_read(resampler_t *, float *, int) nogil


cdef extern from "ring.h":
    ctypedef struct ring_t:
        size_t capacity
    bint ring_init(ring_t *, size_t)
    void ring_free(ring_t *)
    size_t ring_fill(const ring_t *)
    size_t ring_write(ring_t *, const float *, size_t)
    size_t ring_read(ring_t *, float *, size_t)


cdef extern from "stream.h":
    enum:
        STREAM_STEP_BUCKETS
    ctypedef struct stream_t:
        pass
    ctypedef void (*stream_source_t)(void *, float *, int) noexcept nogil
    ctypedef struct stream_options_t:
        stream_source_t source
        void *state
        int model_rate, device_rate, channels, target_frames, record_frames
    ctypedef struct stream_counters_t:
        int64_t callbacks, frames, underflows, starved_frames, lowest_fill_frames, target_frames
        int64_t record_dropped_frames, busy_ns, last_callback_ns, now_ns
        int64_t steps[STREAM_STEP_BUCKETS]
        int priority
        bint memory_locked
    stream_t *stream_create(const stream_options_t *)
    void stream_destroy(stream_t *)
    void stream_produce(stream_t *) nogil
    void stream_clock(stream_t *, int) nogil
    int rtwave_stream_callback(const void *, void *, unsigned long, const void *, unsigned long, void *) nogil
    void stream_fade_out(stream_t *)
    bint stream_is_silent(const stream_t *)
    void stream_stop(stream_t *)
    size_t stream_take_recording(stream_t *, float *, size_t)
    void stream_counters(const stream_t *, stream_counters_t *)
    float stream_take_peak(stream_t *)


cdef class Resampler:
    """Streaming polyphase filter from `model_rate` to `device_rate` (Hz); equal rates pass samples through untouched.

    Stateful: chunking does not change a bit of the output. Not thread-safe; computes without the GIL.
    """

    cdef resampler_t *handle
    cdef int model_rate, device_rate

    def __cinit__(self, int model_rate, int device_rate):
        if model_rate <= 0 or device_rate <= 0:
            raise ValueError(f"rates are {model_rate} and {device_rate}, expected more than 0 Hz")
        self.handle = resampler_create(model_rate, device_rate)
        if self.handle == NULL:
            raise MemoryError
        self.model_rate, self.device_rate = model_rate, device_rate

    def __dealloc__(self):
        resampler_destroy(self.handle)

    @property
    def delay_s(self):
        """How far the output lags behind the input, in seconds."""
        return resampler_delay_s(self.handle)

    def needed(self, long long frames):
        """Input frames that `process` must be given before it can return `frames`."""
        return resampler_needed(self.handle, frames)

    def process(self, samples, frames=None):
        """Feed `samples` (n,), and return the output that can be told, float32: all of it, or at most `frames`.

        What is not returned waits for the next call. Raises ValueError when too much waits already.
        """
        cdef const float[::1] source = np.ascontiguousarray(samples, np.float32)
        cdef long long possible = source.shape[0] * <long long>self.device_rate // self.model_rate + 4096 * (
            1 + self.device_rate // self.model_rate)
        result = np.empty(possible if frames is None else min(frames, possible), np.float32)
        cdef float[::1] target = result
        cdef Py_ssize_t fed = 0, count = 0, taken = -1, read = -1
        while fed < source.shape[0] or read != 0:
            taken = read = 0
            if fed < source.shape[0]:
                with nogil:
                    taken = resampler_feed(self.handle, &source[fed], min(source.shape[0] - fed, 1 << 20))
            if count < target.shape[0]:
                with nogil:
                    read = resampler_read(self.handle, &target[count], min(target.shape[0] - count, 1 << 20))
            fed += taken
            count += read
            if taken == 0 and read == 0 and fed < source.shape[0]:
                raise ValueError(f"{source.shape[0] - fed} samples found no room; feed only what needed() says")
        return result[:count]


cdef class Ring:
    """The float ring of ring.h, for tests: one writer, one reader."""

    cdef ring_t ring

    def __cinit__(self, size_t frames):
        if not ring_init(&self.ring, frames):
            raise MemoryError

    def __dealloc__(self):
        ring_free(&self.ring)

    @property
    def capacity(self):
        return self.ring.capacity

    def __len__(self):
        return ring_fill(&self.ring)

    def write(self, samples):
        """Append what finds room of `samples` (n,); returns how many did."""
        cdef const float[::1] source = np.ascontiguousarray(samples, np.float32)
        return ring_write(&self.ring, &source[0], source.shape[0]) if source.shape[0] else 0

    def read(self, size_t frames):
        """Take up to `frames`, float32."""
        result = np.empty(frames, np.float32)
        cdef float[::1] target = result
        return result[:ring_read(&self.ring, &target[0], frames) if frames else 0]


cdef class NativeStream:
    """Producer, ring and callback around a source of samples.

    `source.render_address` is a C function `void (void *state, float *output, int frames)` that renders the next
    frames at `model_rate`, and `source.state_address` its state; the source is kept alive as long as the stream.
    The one who starts threads with `produce` and `clock` must see them end before letting go of the stream.
    """

    cdef stream_t *handle
    cdef int channels
    cdef readonly object source

    def __cinit__(self, source, *, int model_rate, int device_rate, int channels, int target_frames,
                  int record_frames=0):
        cdef stream_options_t options
        options.source = <stream_source_t><uintptr_t>source.render_address
        options.state = <void *><uintptr_t>source.state_address
        options.model_rate, options.device_rate = model_rate, device_rate
        options.channels, options.target_frames, options.record_frames = channels, target_frames, record_frames
        self.source, self.channels = source, channels
        self.handle = stream_create(&options)
        if self.handle == NULL:
            raise MemoryError

    def __dealloc__(self):
        if self.handle != NULL:
            stream_destroy(self.handle)

    @property
    def address(self):
        """What the callback takes as its user data."""
        return <uintptr_t>self.handle

    @property
    def callback_address(self):
        """The PaStreamCallback."""
        return <uintptr_t>&rtwave_stream_callback

    def produce(self):
        """Keep the ring filled until `stop`, without the GIL: the body of a thread."""
        with nogil:
            stream_produce(self.handle)

    def clock(self, int block_frames):
        """Drive the callback by the clock until `stop`, without the GIL: the body of a thread."""
        with nogil:
            stream_clock(self.handle, block_frames)

    def callback(self, Py_ssize_t frames, unsigned long status=0):
        """One call of the callback, for tests: what it sends, float32 (frames, channels)."""
        result = np.full((frames, self.channels), np.nan, np.float32)
        cdef float[:, ::1] output = result
        with nogil:
            rtwave_stream_callback(NULL, &output[0, 0], frames, NULL, status, self.handle)
        return result

    def fade_out(self):
        """Send silence from the next callback on, without a click."""
        stream_fade_out(self.handle)

    @property
    def silent(self):
        """Whether that fade is over."""
        return stream_is_silent(self.handle)

    def stop(self):
        """End `produce` and `clock`; the ring is not filled any more."""
        stream_stop(self.handle)

    def take_recording(self, size_t frames):
        """Up to `frames` of the samples that were sent, float32; only one thread at a time."""
        result = np.empty(frames, np.float32)
        cdef float[::1] target = result
        return result[:stream_take_recording(self.handle, &target[0], frames)]

    def counters(self):
        """The counters of stream_counters_t as a dict; `steps` is an int64 array."""
        cdef stream_counters_t counters
        stream_counters(self.handle, &counters)
        cdef dict result = counters
        result["steps"] = np.array(result["steps"], np.int64)
        return result

    def take_peak(self):
        """Peak of the samples sent since it was last asked for."""
        return stream_take_peak(self.handle)
