"""The rack of rack.h, beside the engines that it holds; included by _engine.pyx."""

cdef extern from "rack.h":
    enum:
        RACK_PLACES
        RACK_LEFT
    ctypedef struct rack_t:
        pass
    ctypedef struct rack_notice_t:
        int32_t what, place
        int64_t frame
    rack_t *rack_create(int)
    void rack_destroy(rack_t *)
    bint rack_memory_locked(const rack_t *)
    int rack_join(rack_t *, engine_t *, int, int64_t)
    void rack_leave(rack_t *, int, int64_t)
    bint rack_take_notice(rack_t *, rack_notice_t *)
    int64_t rack_frame(const rack_t *)
    int64_t rack_heard(const rack_t *, int)
    void rack_render(void *, float *, int) noexcept nogil
    int rack_voices(void *) noexcept nogil
    int rack_polyphony(void *) noexcept nogil
    void rack_limit(void *, int) noexcept nogil


cdef class NativeRack:
    """The rack of rack.h at `sample_rate` Hz, and a NativeStream's source. One thread renders, one at a time does the
    rest: rtwave/engine/rack.py sees to that. The engines are kept alive until they have left."""

    cdef rack_t *handle
    cdef list engines
    cdef object rendering

    def __cinit__(self, int sample_rate):
        self.engines = [None] * RACK_PLACES
        self.rendering = threading.Lock()
        self.handle = rack_create(sample_rate)
        if self.handle == NULL:
            raise MemoryError

    def __dealloc__(self):
        rack_destroy(self.handle)

    @property
    def render_address(self):
        """Of the C function void (void *state, float *out, int frames) that renders the next frames."""
        return <uintptr_t>&rack_render

    @property
    def state_address(self):
        """What that function and those of `govern_addresses` take as their state."""
        return <uintptr_t>self.handle

    @property
    def govern_addresses(self):
        """Of `voices`, `polyphony` and `limit` of stream.h."""
        return <uintptr_t>&rack_voices, <uintptr_t>&rack_polyphony, <uintptr_t>&rack_limit

    @property
    def frame(self):
        return rack_frame(self.handle)

    @property
    def memory_locked(self):
        return rack_memory_locked(self.handle)

    def join(self, NativeEngine engine, int voices, int64_t frame):
        """Let an engine begin at `frame`; its place, or −1 when all are taken."""
        cdef int place = rack_join(self.handle, engine.handle, voices, frame)
        if place == -2:
            raise MemoryError
        if place >= 0:
            self.engines[place] = engine
        return place

    def leave(self, int place, int64_t frame):
        """Let the engine in `place` fade out from `frame` on; once."""
        rack_leave(self.handle, place, frame)

    def heard(self, int place):
        """The last frame at which its engine was heard."""
        return rack_heard(self.handle, place)

    def take_notices(self):
        """(place, frame, whether it left) of the engines that have joined and left since the last call."""
        cdef rack_notice_t notice
        notices = []
        while rack_take_notice(self.handle, &notice):
            left = notice.what == RACK_LEFT
            if left:
                self.engines[notice.place] = None
            notices.append((notice.place, notice.frame, left))
        return notices

    def limit(self, int voices):
        """Let no more than `voices` sound in all: what the governor does, for tests, while nobody renders."""
        with self.rendering:
            rack_limit(self.handle, voices)

    def render(self, Py_ssize_t frames):
        """The next samples, float32 (frames,); without the GIL."""
        result = np.empty(frames, np.float32)
        cdef float[::1] out = result
        cdef Py_ssize_t start, count
        with self.rendering:
            for start in range(0, frames, 8192):
                count = min(8192, frames - start)
                with nogil:
                    rack_render(self.handle, &out[start], <int>count)
                PyErr_CheckSignals()
        return result
