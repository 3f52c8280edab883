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


cdef extern from "governor.h":
    ctypedef struct governor_chunk_t:
        int64_t spent_ns, audio_ns, fill, target
        int voices, polyphony
    ctypedef struct governor_t:
        bint struck
        int64_t actions
        double load
    int governor_step(governor_t *, const governor_chunk_t *)


cdef extern from "timeline.h":
    ctypedef struct timeline_t:
        pass
    void timeline_mark(timeline_t *, int64_t, int64_t, int64_t, int)
    bint timeline_frame_at(timeline_t *, int64_t, double *)


cdef extern from "stream.h":
    enum:
        STREAM_TIME_BUCKETS
    ctypedef struct stream_t:
        pass
    ctypedef struct stream_source_t:
        void (*render)(void *, float *, int) noexcept nogil
        void *state
        int (*voices)(void *) noexcept nogil
        int (*polyphony)(void *) noexcept nogil
        void (*limit)(void *, int) noexcept nogil
    ctypedef struct stream_options_t:
        stream_source_t source
        int64_t first_frame
        int sample_rate, channels, target_frames, record_frames
    ctypedef struct stream_counters_t:
        int64_t callbacks, frames, underflows, starved_frames, lowest_fill_frames, target_frames
        int64_t record_dropped_frames, busy_ns, last_callback_ns, now_ns
        int64_t chunks[STREAM_TIME_BUCKETS]
        int64_t callback_times[STREAM_TIME_BUCKETS]
        double load
        int limit
        int64_t limited, producer_tid
        int priority
        bint memory_locked
    stream_t *stream_create(const stream_options_t *)
    void stream_destroy(stream_t *)
    void stream_produce(stream_t *) nogil
    void stream_clock(stream_t *, int) nogil
    void stream_end_clock(stream_t *)
    int rtwave_stream_callback(const void *, void *, unsigned long, const void *, unsigned long, void *) nogil
    void stream_fade_out(stream_t *)
    bint stream_is_silent(const stream_t *)
    void stream_stop(stream_t *)
    void stream_set_target(stream_t *, int)
    int64_t stream_take_lowest_fill(stream_t *)
    double stream_frame_at(stream_t *, int64_t)
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


cdef class Governor:
    """The state machine of governor.h, for tests."""

    cdef governor_t governor

    @property
    def actions(self):
        return self.governor.actions

    @property
    def load(self):
        return self.governor.load

    @property
    def struck(self):
        return self.governor.struck

    def step(self, *, spent_ns, audio_ns, fill, target, voices, polyphony):
        """Take in one chunk; how many voices may sound in the next."""
        cdef governor_chunk_t chunk
        chunk.spent_ns, chunk.audio_ns, chunk.fill, chunk.target = spent_ns, audio_ns, fill, target
        chunk.voices, chunk.polyphony = voices, polyphony
        return governor_step(&self.governor, &chunk)


cdef class Timeline:
    """The delay-locked loop of timeline.h, for tests."""

    cdef timeline_t timeline

    def mark(self, int64_t now_ns, int64_t position, int64_t frames, int rate):
        """A callback that came at `now_ns` sends `frames` from `position` on, nominally at `rate` Hz."""
        timeline_mark(&self.timeline, now_ns, position, frames, rate)

    def frame_at(self, int64_t time_ns):
        """The frame that leaves at `time_ns`, or None before the first callback."""
        cdef double frame
        return frame if timeline_frame_at(&self.timeline, time_ns, &frame) else None


cdef class NativeStream:
    """Producer, ring and callback around a source of samples.

    `source.render_address` is a C function `void (void *state, float *output, int frames)` that renders the next
    frames at `sample_rate` (Hz), and `source.state_address` its state; the source is kept alive as long as the stream.
    It may also have `frame`, that of its next sample, and `govern_addresses`: of the functions `voices`, `polyphony`
    and `limit` of stream.h, by which the governor keeps it within real time. The one who starts threads with
    `produce` and `clock` must see them end before letting go of the stream.
    """

    cdef stream_t *handle
    cdef int channels
    cdef readonly object source

    def __cinit__(self, source, *, int sample_rate, int channels, int target_frames, int record_frames=0):
        cdef stream_options_t options
        options.source.render = <void (*)(void *, float *, int) noexcept nogil><uintptr_t>source.render_address
        options.source.state = <void *><uintptr_t>source.state_address
        voices, polyphony, limit = getattr(source, "govern_addresses", (0, 0, 0))
        options.source.voices = <int (*)(void *) noexcept nogil><uintptr_t>voices
        options.source.polyphony = <int (*)(void *) noexcept nogil><uintptr_t>polyphony
        options.source.limit = <void (*)(void *, int) noexcept nogil><uintptr_t>limit
        options.first_frame = getattr(source, "frame", 0)
        options.sample_rate, options.channels = sample_rate, channels
        options.target_frames, options.record_frames = target_frames, record_frames
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
        """Drive the callback by the clock until `end_clock` or `stop`, without the GIL: the body of a thread."""
        with nogil:
            stream_clock(self.handle, block_frames)

    def end_clock(self):
        """End the `clock` that was started; once it has returned, a device may call back."""
        stream_end_clock(self.handle)

    def set_target(self, int frames):
        """Keep so many frames in the ring from now on, and never less than two of the host's blocks."""
        stream_set_target(self.handle, frames)

    def take_lowest_fill(self):
        """Lowest ring fill that a callback has met since this was last asked; −1: none came."""
        return stream_take_lowest_fill(self.handle)

    def frame_at(self, int64_t time_ns):
        """The source's frame, a float, that leaves for the device at `time_ns` of the monotonic clock.

        Smooth, whatever the callbacks' jitter, and never beyond what is rendered. Before the first callback: the frame
        rendered next. What starvation held back leaves late, and later frames with it.
        """
        return stream_frame_at(self.handle, time_ns)

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
        """The counters of stream_counters_t as a dict; `chunks` and `callback_times` are int64 arrays."""
        cdef stream_counters_t counters
        stream_counters(self.handle, &counters)
        cdef dict result = counters
        for name in ("chunks", "callback_times"):
            result[name] = np.array(result[name], np.int64)
        return result

    def take_peak(self):
        """Peak of the samples sent since it was last asked for."""
        return stream_take_peak(self.handle)
