"""The gate between an output device and a stream (outlet.c), held by a Python object; and overrun.c."""

from libc.stdint cimport uint32_t, uint64_t, uintptr_t


cdef extern from "outlet.h":
    enum:
        OUTLET_CHANNELS_MAX
    ctypedef struct outlet_t:
        pass
    ctypedef int (*outlet_callback_t)(
        const void *, void *, unsigned long, const void *, unsigned long, void *) noexcept nogil
    ctypedef int (*jack_get_cycle_times_t)(const void *, uint32_t *, uint64_t *, uint64_t *, float *) noexcept nogil
    ctypedef uint64_t (*jack_get_time_t)() noexcept nogil
    ctypedef struct outlet_jack_t:
        void *client
        void *(*get_buffer)(void *, uint32_t) noexcept nogil
        jack_get_cycle_times_t get_cycle_times
        jack_get_time_t get_time
    outlet_t *outlet_create(int)
    void outlet_destroy(outlet_t *)
    void outlet_admit(outlet_t *, outlet_callback_t, void *)
    void outlet_shut(outlet_t *) nogil
    int outlet_portaudio(const void *, void *, unsigned long, const void *, unsigned long, void *) nogil
    void outlet_set_jack(outlet_t *, const outlet_jack_t *, void **)
    int outlet_jack_process(uint32_t, void *) nogil
    int outlet_jack_late(void *) nogil
    void outlet_jack_down(void *) nogil
    bint outlet_is_down(const outlet_t *)
    void outlet_jack_hush(const char *) nogil


cdef extern from "overrun.h":
    bint overrun_guard(int, int, int)


PORTAUDIO = <uintptr_t>&outlet_portaudio
JACK_PROCESS = <uintptr_t>&outlet_jack_process
JACK_LATE = <uintptr_t>&outlet_jack_late
JACK_DOWN = <uintptr_t>&outlet_jack_down
JACK_HUSH = <uintptr_t>&outlet_jack_hush
"""What the audio libraries are given to call, with an Outlet's `address`."""


cdef class Outlet:
    """Lets one device's callbacks into a stream, or gives them silence: shut until `admit`, and again after `shut`.

    It must be kept until its device is closed; the stream, only until `shut`. `channels` 1..64.
    """

    cdef outlet_t *handle
    cdef readonly int channels
    cdef object stream

    def __cinit__(self, int channels):
        if not 1 <= channels <= OUTLET_CHANNELS_MAX:
            raise ValueError(f"channels is {channels}, expected 1 to {OUTLET_CHANNELS_MAX}")
        self.channels = channels
        self.handle = outlet_create(channels)
        if self.handle == NULL:
            raise MemoryError

    def __dealloc__(self):
        if self.handle != NULL:
            outlet_destroy(self.handle)

    @property
    def address(self):
        """What the callbacks take as their argument."""
        return <uintptr_t>self.handle

    def admit(self, stream):
        """Let the device call a NativeStream of as many channels."""
        self.stream = stream
        outlet_admit(self.handle, <outlet_callback_t><uintptr_t>stream.callback_address,
                     <void *><uintptr_t>stream.address)

    def shut(self):
        """Keep the device out: on return it does not touch the stream any more."""
        with nogil:
            outlet_shut(self.handle)
        self.stream = None

    def set_jack(self, client, get_buffer, get_cycle_times, get_time, ports):
        """Where JACK's samples go and when: addresses of the jack_client_t, of jack_port_get_buffer,
        jack_get_cycle_times and jack_get_time, and of one jack_port_t a channel."""
        cdef outlet_jack_t jack
        cdef void *addresses[OUTLET_CHANNELS_MAX]
        jack.client = <void *><uintptr_t>client
        jack.get_buffer = <void *(*)(void *, uint32_t) noexcept nogil><uintptr_t>get_buffer
        jack.get_cycle_times = <jack_get_cycle_times_t><uintptr_t>get_cycle_times
        jack.get_time = <jack_get_time_t><uintptr_t>get_time
        for channel in range(self.channels):
            addresses[channel] = <void *><uintptr_t>ports[channel]
        outlet_set_jack(self.handle, &jack, addresses)

    @property
    def down(self):
        """Whether the JACK server has ended."""
        return outlet_is_down(self.handle)


def guard_overrun(int thread, int soft_us, int hard_us):
    """Let the system's `thread` number lose its real-time priority after `soft_us` on a core, before `hard_us` kills.

    False where the system refuses. Holds for the whole process, which has one such thread at a time.
    """
    return overrun_guard(thread, soft_us, hard_us)
