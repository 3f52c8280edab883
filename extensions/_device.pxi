"""Devices of device.h: native ones by their address, others by a Python method; included by _engine.pyx."""

from _thread import interrupt_main
from collections import namedtuple

LONGEST_CHUNK, MOST_TELLINGS = DEVICE_FRAMES, DEVICE_TELLINGS
STARTS_SILENT, STARTS_ZERO = c_starts_silent, c_starts_zero

TOLD = np.dtype(
    [("slot", np.int32), ("frame", np.int32), ("starts", np.int32), ("temperature", np.float32), ("age", np.int64),
     ("ordinal", np.uint64)], align=True)
"""device_told_t."""

Chunk = namedtuple(
    "Chunk", "frames seed slots tellings conditioning phasors rotation forced outputs drawn")
"""device_chunk_t: what has a shape there is an array here, to be read, and `outputs` and `drawn` to be filled, before
`render` returns."""


cdef object _array(const void *memory, tuple shape, object dtype):
    """The memory at an address as an array, None for NULL."""
    cdef Py_ssize_t size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if memory == NULL:
        return None
    if size == 0:
        return np.empty(shape, dtype)
    cdef char[::1] view = <char[:size]>(<char *>memory)
    return np.asarray(view).view(dtype).reshape(shape)


cdef c_bool _render_in_python(device_t *device, const device_chunk_t *chunk) noexcept with gil:
    """What a native renderer calls where the device is a Python object; any exception is a failure for good."""
    cdef Device self = <Device>device.context
    try:
        self.renderer.render(self.chunk(chunk))
        return True
    except KeyboardInterrupt:
        interrupt_main()  # raised again where the renderer looks for signals
        self.exception = "interrupted"
    except BaseException as error:
        self.exception = f"{type(error).__name__}: {error}".splitlines()[0]
    return False


cdef class Device:
    """A device_t of `slots` voices of a network: `renderer` has an `address`, or a method `render(chunk)`.

    Such a method takes the GIL, and is called by the thread that renders.
    """

    cdef device_t *handle
    cdef device_t own
    cdef object config, renderer, exception
    cdef int slots

    def __cinit__(self, renderer, config, int slots):
        self.renderer, self.config, self.slots = renderer, config, slots
        address = getattr(renderer, "address", None)
        if address is None:
            self.own.render = _render_in_python
            self.own.context = <void *>self
            self.handle = &self.own
        else:
            self.handle = <device_t *><uintptr_t>address

    @property
    def problem(self):
        """Why it failed, where that is known."""
        return self.exception or getattr(self.renderer, "problem", None)

    cdef object chunk(self, const device_chunk_t *native):
        told, config, rows = native.told, self.config, (self.slots, DEVICE_FRAMES)
        return Chunk(
            native.frames,
            native.seed,
            _array(native.slots, (native.active,), np.int32),
            _array(native.tellings, (told,), TOLD),
            _array(native.conditioning, (told, config.conditioning_channels), np.float32),
            _array(native.phasors, (told, config.excitation_channels), np.float32),
            _array(native.rotation, (told, config.excitation_channels), np.float32),
            _array(native.forced, rows, np.float32),
            _array(native.outputs, (*rows, config.outputs), np.float32),
            _array(native.drawn, rows, np.float32),
        )

    def teacher_force(self, samples, conditioning, excitation):
        """Outputs (V, T, outputs) float32 of the first V slots, from zero rings; as Network.teacher_force has it.

        Raises RuntimeError when the device fails. Nothing else may use it meanwhile.
        """
        voices, frames, outputs = samples.shape[0], samples.shape[1], self.config.outputs
        if voices > self.slots:
            raise ValueError(f"{voices} voices on {self.slots} slots")
        forced = np.zeros((self.slots, DEVICE_FRAMES), np.float32)
        given = np.zeros((self.slots, DEVICE_FRAMES, outputs), np.float32)
        result = np.empty((voices, frames, outputs), np.float32)
        for start in range(0, frames, DEVICE_TELLINGS):
            steps = slice(start, min(start + DEVICE_TELLINGS, frames))
            count = steps.stop - start
            forced[:voices, :count] = samples[:, steps]
            self.force(count, _forced_tellings(voices, start, count), np.ascontiguousarray(conditioning[:, steps]),
                       np.ascontiguousarray(excitation[:, steps]), forced, given)
            result[:, steps] = given[:voices, :count]
        return result

    cdef object force(self, int frames, tellings, conditioning, excitation, forced, outputs):
        """One chunk; arrays as in device_chunk_t."""
        cdef device_chunk_t chunk
        cdef c_bool good
        slots, drawn = np.unique(tellings["slot"]), np.empty_like(forced)
        memset(&chunk, 0, sizeof(chunk))
        chunk.frames, chunk.active, chunk.told = frames, <int>len(slots), <int>len(tellings)
        chunk.slots = <const int32_t *>_address(slots)
        chunk.tellings = <const device_told_t *>_address(tellings)
        chunk.conditioning = <const float *>_address(conditioning)
        chunk.phasors = chunk.rotation = <const float *>_address(excitation)  # told anew before it could turn
        chunk.forced = <const float *>_address(forced)
        chunk.outputs, chunk.drawn = <float *>_address(outputs), <float *>_address(drawn)
        with nogil:
            good = self.handle.render(self.handle, &chunk)
        if not good:
            raise RuntimeError(self.problem)


cdef void *_address(array) except NULL:
    return <void *><uintptr_t>array.ctypes.data


def _forced_tellings(voices, start, count):
    """Of `voices` that hear other things at every sample, from the mean: TOLD (voices * count,)."""
    tellings = np.zeros((voices, count), TOLD)
    tellings["slot"] = np.arange(voices)[:, None]
    tellings["frame"] = np.arange(count)
    tellings["age"] = start + tellings["frame"]
    tellings["starts"] = np.where(tellings["age"] == 0, c_starts_zero, 0)
    return tellings.reshape(-1)
