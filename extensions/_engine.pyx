"""The native engine held by Python objects: packed network, voices, command queue. Checks of values live in Python."""

import threading
from time import perf_counter

import numpy as np

from rtwave.wavenet.codec import class_values
from rtwave.wavenet.config import FEATURE_SIZES

from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t, uintptr_t
from libc.string cimport memset


cdef extern from "wavenet.h":
    enum:
        MAX_LAYERS
        BATCH
        PRECISIONS
    ctypedef int precision_t


cdef extern from "kernels/kernels.h":
    enum:
        DRAWS
    ctypedef struct kernels_t:
        const char *name
        precision_t fastest[PRECISIONS]
        void (*condition)(const wavenet_t *, wavenet_state_t **, int) noexcept nogil
        void (*excite)(const wavenet_t *, wavenet_state_t *, int) noexcept nogil
        void (*step)(const wavenet_t *, wavenet_state_t **, int) noexcept nogil
        int (*draw)(const float *, int, float, float) noexcept nogil
        void (*normals)(uint64_t, uint64_t, uint64_t, float *) noexcept nogil
        void (*phasors)(const double *, float *, float *, int) noexcept nogil
        void (*mix)(const float **, const float *, int, float, float *, int) noexcept nogil
        void (*weigh)(float *, const float *, float *, int, float, const float *, float *, float *, int, int) noexcept nogil
        float (*stream)(const char *, size_t) noexcept nogil
        double (*multiply)(precision_t, long) noexcept nogil
    const kernels_t *kernels_find(const char *)
    const char *kernels_name(int)


cdef extern from "wavenet.h":
    ctypedef struct wavenet_config_t:
        int sample_rate, quantization_channels, layers, kernel_size, residual_channels, skip_channels, head_channels
        int partials, control_period, conditioning_channels, feature_count, outputs
        bint gaussian, levelled, weighted
        float pre_emphasis
        int dilations[MAX_LAYERS]
        int features[16]
    ctypedef struct wavenet_tensors_t:
        const float *input_weight
        const float *input_bias
        const float *excitation_weight
        const float *gate_weight[MAX_LAYERS]
        const float *gate_bias[MAX_LAYERS]
        const float *conditioning_weight[MAX_LAYERS]
        const float *residual_weight[MAX_LAYERS]
        const float *residual_bias[MAX_LAYERS]
        const float *skip_weight[MAX_LAYERS]
        const float *class_values
        const float *head_hidden_weight
        const float *head_hidden_bias
        const float *head_output_weight
        const float *head_output_bias
        const float *activation_steps
    ctypedef struct wavenet_t:
        wavenet_config_t config
        int partials_padded
        size_t weight_bytes, multiplies
    ctypedef struct wavenet_state_t:
        float *phasors
        float *conditioning
        float *out
        float sample
        int class_index
    wavenet_t *wavenet_create(const wavenet_config_t *, const wavenet_tensors_t *, precision_t, const kernels_t *) nogil
    void wavenet_destroy(wavenet_t *)
    bint wavenet_state_create(const wavenet_t *, wavenet_state_t *, int)
    void wavenet_state_destroy(wavenet_state_t *)


cdef extern from "stdbool.h":
    ctypedef bint c_bool "bool"


cdef extern from "device.h":
    enum:
        DEVICE_FRAMES
        DEVICE_TELLINGS
    const int c_starts_silent "STARTS_SILENT"
    const int c_starts_zero "STARTS_ZERO"
    ctypedef struct device_told_t:
        pass
    ctypedef struct device_chunk_t:
        int32_t frames, active, told
        uint64_t seed
        const int32_t *slots
        const device_told_t *tellings
        const float *conditioning
        const float *phasors
        const float *rotation
        const float *forced
        float *outputs
        float *drawn
    ctypedef struct device_t:
        c_bool (*render)(device_t *, const device_chunk_t *) noexcept nogil
        void *context


cdef extern from "engine.h":
    enum:
        CONTROLS
        SPARE_VOICES
    const uint32_t c_limit_tag "LIMIT_TAG"
    ctypedef struct engine_t:
        pass
    ctypedef struct control_range_t:
        float low, high, value
    ctypedef struct command_t:
        int64_t at
        uint32_t tag
        int32_t type, channel, note, velocity, id
        float value
    ctypedef struct echo_t:
        uint32_t tag
        int64_t frame
    ctypedef struct partial_axes_t:
        int key_count, velocity_count, age_count
        const float *keys
        const float *velocities
        const float *ages_s
    ctypedef struct instrument_t:
        int timbres, keys, velocities, ages
        const float *envelope_keys
        const float *envelope_velocities
        const float *envelope_ages_s
        const float *envelope_db
        const float *cents
        const float *stiffness
        const float *release_s
        const float *onset_phases
        const float *modes_hz
        const float *temperature
        const float *onset_temperature
        const float *timbre
        const float *longest_age_s
        partial_axes_t partial_axes
        const float *partial_db
    ctypedef struct engine_counters_t:
        int64_t faults, stolen_voices, dropped_commands, dropped_echoes, notes
    engine_t *engine_create(
        const wavenet_t *, const instrument_t *, const control_range_t *, int, int, uint64_t, device_t *
    ) nogil
    void engine_destroy(engine_t *)
    void engine_render(engine_t *, float *, int) noexcept nogil
    void engine_render_voices(engine_t *, float *, float *, size_t, int) noexcept nogil
    bint engine_failed(const engine_t *)
    void engine_limit(engine_t *, int)
    bint engine_push(engine_t *, const command_t *, int)
    bint engine_take_echo(engine_t *, echo_t *)
    int engine_sample_rate(const engine_t *)
    int64_t engine_frame(const engine_t *)
    int engine_active_voices(const engine_t *)
    int engine_limit_now(const engine_t *)
    bint engine_memory_locked(const engine_t *)
    engine_counters_t engine_counters(const engine_t *)


cdef extern from "realtime.h":
    int64_t clock_now_ns() noexcept nogil


cdef extern from "conditioning.h":
    enum:
        MAX_CONDITIONING
    ctypedef struct note_state_t:
        double note, velocity, loudness_db, age_s, release_age_s
        double knobs[4]
        double timbre
    int features_conditioning(const int *, int, const note_state_t *, float *)
    double features_level(double)
    double features_between_keys(const float *, double)
    double features_note_frequency(double, double)
    double features_partial_frequency(double, double, int)


cdef extern from "philox.h":
    ctypedef struct philox_t:
        uint32_t words[4]
    philox_t c_philox "philox"(uint64_t, uint64_t, uint64_t)


LIMIT_TAG = c_limit_tag
SPARE_SLOTS = SPARE_VOICES

_PRECISIONS = ["float32", "bfloat16", "int8"]  # in the order of precision_t


def instruction_sets():
    """Names of the kernels this machine can run, slowest first."""
    names = []
    while kernels_name(<int>len(names)) != NULL:
        names.append(kernels_name(<int>len(names)).decode())
    return names


def precisions(str instruction_set):
    """Names of the precisions in the order in which this instruction set steps them, fastest first."""
    cdef const kernels_t *kernels = kernels_find(instruction_set.encode())
    cdef int i
    return [_PRECISIONS[kernels.fastest[i]] for i in range(PRECISIONS)]


cdef enum:
    _RUNS = 9
    _STREAMED_BYTES = 100_000_000
    _MULTIPLY_ROUNDS = 200_000


def streaming_rate(str instruction_set, Py_ssize_t size):
    """Bytes a second at which one core reads a buffer of `size` bytes over and over; the median of several runs."""
    cdef const kernels_t *kernels = kernels_find(instruction_set.encode())
    cdef long rounds = max(1, _STREAMED_BYTES // size), i
    cdef const char[::1] memory = _aligned(size)
    cdef list rates = []
    cdef double began
    for _ in range(_RUNS):
        began = perf_counter()
        with nogil:
            for i in range(rounds):
                kernels.stream(&memory[0], size)
        rates.append(rounds * size / (perf_counter() - began))
    return sorted(rates)[_RUNS // 2]


def multiply_rate(str instruction_set, str precision):
    """Multiply-adds a second of one core that never waits for memory; the median of several runs."""
    cdef const kernels_t *kernels = kernels_find(instruction_set.encode())
    cdef precision_t number = _PRECISIONS.index(precision)
    cdef list rates = []
    cdef double began, each
    for _ in range(_RUNS):
        began = perf_counter()
        with nogil:
            each = kernels.multiply(number, _MULTIPLY_ROUNDS)
        rates.append(each * _MULTIPLY_ROUNDS / (perf_counter() - began))
    return sorted(rates)[_RUNS // 2]


cdef object _aligned(Py_ssize_t size):
    """An array of bytes that begins on a cache line."""
    block = np.ones(size + 64, np.int8)  # zeros would all be one page of memory, and in the nearest cache
    return block[-block.ctypes.data % 64 :][:size]


cdef const float *_pointer(object array, list keep):
    """Address of a float32 array's first element, NULL for None; `keep` holds on to what lives there."""
    if array is None:
        return NULL
    cdef const float[::1] view = np.ascontiguousarray(array, np.float32).reshape(-1)
    keep.append(view)
    return &view[0] if view.shape[0] else NULL


cdef wavenet_config_t _native_config(object config):
    cdef wavenet_config_t native
    memset(&native, 0, sizeof(native))
    native.sample_rate, native.quantization_channels = config.sample_rate, config.quantization_channels
    native.gaussian, native.pre_emphasis = config.output == "gaussian", config.pre_emphasis
    native.levelled = config.leveling == "loudness"
    native.layers, native.kernel_size = len(config.dilations), config.kernel_size
    for i, dilation in enumerate(config.dilations):
        native.dilations[<int>i] = dilation
    native.residual_channels, native.skip_channels = config.residual_channels, config.skip_channels
    native.head_channels, native.outputs = config.head_channels, config.outputs
    native.partials, native.weighted = config.excitation_channels // 2, config.excitation == "weighted"
    native.control_period, native.conditioning_channels = config.control_period, config.conditioning_channels
    native.feature_count = len(config.conditioning)
    for i, name in enumerate(config.conditioning):
        native.features[<int>i] = list(FEATURE_SIZES).index(name)
    return native


cdef class Network:
    """Weights packed for one instruction set and precision; constant: any number of engines and threads may share it.

    `steps`: of the activations (layers + 2,), float32, for int8; see precision.py. `weight_bytes` and `multiplies` are
    those of one step of one voice.
    """

    cdef wavenet_t *handle
    cdef const kernels_t *kernels
    cdef readonly str instruction_set, precision

    def __cinit__(self, weights, str instruction_set, str precision="float32", steps=None):
        cdef wavenet_config_t config = _native_config(weights.config)
        cdef wavenet_tensors_t tensors
        cdef int i
        cdef list keep = []
        weights.check_shapes()
        get = weights.tensors.get
        self.kernels = kernels_find(instruction_set.encode())
        if self.kernels == NULL:
            raise ValueError(f"no kernels {instruction_set!r}")
        if precision == "int8" and steps is None:
            raise ValueError("int8 without activation steps")
        self.instruction_set, self.precision = self.kernels.name.decode(), precision
        memset(&tensors, 0, sizeof(tensors))
        tensors.input_weight = _pointer(get("input.weight"), keep)
        tensors.input_bias = _pointer(get("input.bias"), keep)
        tensors.excitation_weight = _pointer(get("excitation.weight"), keep)
        for i in range(config.layers):
            tensors.gate_weight[i] = _pointer(get(f"layers.{i}.gate.weight"), keep)
            tensors.gate_bias[i] = _pointer(get(f"layers.{i}.gate.bias"), keep)
            tensors.conditioning_weight[i] = _pointer(get(f"layers.{i}.conditioning.weight"), keep)
            tensors.residual_weight[i] = _pointer(get(f"layers.{i}.residual.weight"), keep)
            tensors.residual_bias[i] = _pointer(get(f"layers.{i}.residual.bias"), keep)
            tensors.skip_weight[i] = _pointer(get(f"layers.{i}.skip.weight"), keep)
        if not config.gaussian:
            tensors.class_values = _pointer(class_values(config.quantization_channels), keep)
        tensors.head_hidden_weight = _pointer(get("head.hidden.weight"), keep)
        tensors.head_hidden_bias = _pointer(get("head.hidden.bias"), keep)
        tensors.head_output_weight = _pointer(get("head.output.weight"), keep)
        tensors.head_output_bias = _pointer(get("head.output.bias"), keep)
        tensors.activation_steps = _pointer(steps, keep)
        cdef precision_t number = _PRECISIONS.index(precision)
        with nogil:
            self.handle = wavenet_create(&config, &tensors, number, self.kernels)
        if self.handle == NULL:
            raise MemoryError

    def __dealloc__(self):
        wavenet_destroy(self.handle)

    @property
    def weight_bytes(self):
        return self.handle.weight_bytes

    @property
    def multiplies(self):
        return self.handle.multiplies

    def teacher_force(self, float[:, ::1] samples, float[:, :, ::1] conditioning, float[:, :, ::1] excitation):
        """Outputs (V, T, outputs) float32 of V voices stepped together, V at most BATCH.

        samples (V, T) float32, or classes as float32; conditioning (V, T, C);
        excitation (V, T, 2K). Starts from zero rings. Runs without the GIL.
        """
        cdef wavenet_state_t states[BATCH]
        cdef wavenet_state_t *pointers[BATCH]
        cdef const wavenet_config_t *config = &self.handle.config
        cdef int voices = <int>samples.shape[0], n, k, outputs = config.outputs
        cdef int partials = config.partials, padded = self.handle.partials_padded
        cdef Py_ssize_t t, frames = samples.shape[1]
        cdef bint good = True
        result = np.empty((voices, frames, outputs), np.float32)
        cdef float[:, :, ::1] out = result
        memset(states, 0, sizeof(states))
        for n in range(voices):
            pointers[n] = &states[n]
            good = good and wavenet_state_create(self.handle, &states[n], n)
        with nogil:
            for t in range(frames if good else 0):
                for n in range(voices):
                    states[n].sample = samples[n, t]
                    states[n].class_index = <int>samples[n, t]
                    for k in range(partials):
                        states[n].phasors[k] = excitation[n, t, k]
                        states[n].phasors[padded + k] = excitation[n, t, partials + k]
                    if partials:
                        self.kernels.excite(self.handle, &states[n], 1)
                    for k in range(config.conditioning_channels):
                        states[n].conditioning[k] = conditioning[n, t, k]
                if config.conditioning_channels:
                    self.kernels.condition(self.handle, pointers, voices)
                self.kernels.step(self.handle, pointers, voices)
                for n in range(voices):
                    for k in range(outputs):
                        out[n, t, k] = states[n].out[k]
        for n in range(voices):
            wavenet_state_destroy(&states[n])
        if not good:
            raise MemoryError
        return result


include "_device.pxi"


cdef class NativeEngine:
    """The engine of engine.h. Any thread may call anything, but only one renders: `render`, or who has its address."""

    cdef engine_t *handle
    cdef readonly Network network
    cdef readonly Device device
    cdef readonly int slots
    cdef object pushing, taking, rendering

    def __cinit__(
        self, Network network, weights, list controls, int voices, int threads, uint64_t seed, Device device=None
    ):
        """`controls`: (low, high, value) of each in the order of control_t; `weights`: those of the network; `device`: of
        voices + SPARE_VOICES slots, or None: the network's own kernels render."""
        cdef instrument_t tables
        cdef partial_axes_t *axes
        cdef control_range_t ranges[CONTROLS]
        cdef list keep = []
        weights.check_shapes()
        instrument = weights.instrument
        cdef dict arrays = instrument.arrays()
        for i, (low, high, value) in enumerate(controls):
            ranges[<int>i].low, ranges[<int>i].high, ranges[<int>i].value = low, high, value
        tables.timbres = instrument.timbres
        *_, tables.keys, tables.velocities, tables.ages = arrays["envelope_db"].shape
        tables.envelope_keys = _pointer(arrays["envelope_keys"], keep)
        tables.envelope_velocities = _pointer(arrays["envelope_velocities"], keep)
        tables.envelope_ages_s = _pointer(arrays["envelope_ages_s"], keep)
        tables.envelope_db = _pointer(arrays["envelope_db"], keep)
        tables.cents = _pointer(arrays["cents"], keep)
        tables.stiffness = _pointer(arrays["stiffness"], keep)
        tables.release_s = _pointer(arrays["release_s"], keep)
        tables.onset_phases = _pointer(arrays["onset_phases"], keep)
        tables.modes_hz = _pointer(arrays["modes_hz"], keep)
        tables.temperature = _pointer(arrays["temperature"], keep)
        tables.onset_temperature = _pointer(arrays["onset_temperature"], keep)
        tables.timbre = _pointer(arrays["timbre"], keep)
        tables.longest_age_s = _pointer(arrays["longest_age_s"], keep)
        axes = &tables.partial_axes
        *_, axes.key_count, axes.velocity_count, axes.age_count, _ = arrays["partial_db"].shape
        axes.keys = _pointer(arrays["partial_keys"], keep)
        axes.velocities = _pointer(arrays["partial_velocities"], keep)
        axes.ages_s = _pointer(arrays["partial_ages_s"], keep)
        tables.partial_db = _pointer(arrays["partial_db"], keep)
        cdef device_t *renderer = NULL if device is None else device.handle
        self.network, self.device, self.slots = network, device, voices + SPARE_VOICES
        self.pushing, self.taking, self.rendering = threading.Lock(), threading.Lock(), threading.Lock()
        with nogil:  # whoever plays another engine meanwhile needs it
            self.handle = engine_create(network.handle, &tables, ranges, voices, threads, seed, renderer)
        if self.handle == NULL:
            raise MemoryError

    def __dealloc__(self):
        engine_destroy(self.handle)

    @property
    def render_address(self):
        """Of the C function void (void *state, float *out, int frames) that renders the next frames."""
        return <uintptr_t>&engine_render

    @property
    def state_address(self):
        """What that function takes as its state."""
        return <uintptr_t>self.handle

    @property
    def sample_rate(self):
        return engine_sample_rate(self.handle)

    @property
    def frame(self):
        return engine_frame(self.handle)

    @property
    def active_voices(self):
        return engine_active_voices(self.handle)

    @property
    def memory_locked(self):
        return bool(engine_memory_locked(self.handle))

    @property
    def failed(self):
        """Whether its device has: from there on everything is silent."""
        return bool(engine_failed(self.handle))

    @property
    def limit(self):
        return engine_limit_now(self.handle)

    def set_limit(self, int voices):
        """As the renderer does it between two renderings; echoed as LIMIT_TAG | voices."""
        with self.rendering:
            engine_limit(self.handle, voices)

    def counters(self):
        return dict(engine_counters(self.handle))

    def push(self, list commands):
        """Queue (at, tag, type, channel, note, velocity, id, value) tuples as one batch; False when it does not fit."""
        cdef Py_ssize_t i, count = len(commands)
        cdef command_t[:] batch = np.empty(max(count, 1), _COMMAND)
        for i in range(count):
            at, tag, kind, channel, note, velocity, number, value = commands[i]
            batch[i].at, batch[i].tag, batch[i].type, batch[i].channel = at, tag, kind, channel
            batch[i].note, batch[i].velocity, batch[i].id, batch[i].value = note, velocity, number, value
        with self.pushing:
            return engine_push(self.handle, &batch[0], <int>count)

    def take_echoes(self):
        """(tag, frame) of the commands applied since the last call, in order."""
        cdef echo_t echo
        echoes = []
        with self.taking:
            while engine_take_echo(self.handle, &echo):
                echoes.append((echo.tag, echo.frame))
        return echoes

    def render(self, Py_ssize_t frames):
        """The next samples at the model's rate, float32 (frames,); without the GIL."""
        result = np.empty(frames, np.float32)
        cdef float[::1] out = result
        cdef Py_ssize_t start, count
        with self.rendering:
            for start in range(0, frames, 8192):
                count = min(8192, frames - start)
                with nogil:
                    engine_render(self.handle, &out[start], <int>count)
                PyErr_CheckSignals()
        return result

    def render_voices(self, Py_ssize_t frames):
        """What each slot's voice says by itself in the next samples: float32 (slots, frames); without the GIL."""
        result = np.empty((self.slots, frames), np.float32)
        cdef float[:, ::1] rows = result
        cdef float[::1] out = np.empty(8192, np.float32)
        cdef Py_ssize_t start, count
        with self.rendering:
            for start in range(0, frames, 8192):
                count = min(8192, frames - start)
                with nogil:
                    engine_render_voices(self.handle, &out[0], &rows[0, start], frames, <int>count)
                PyErr_CheckSignals()
        return result

    def time_blocks(self, Py_ssize_t count, int frames):
        """Render `count` blocks of `frames` samples (at least one each); returns what each took, int64 ns (count,).

        The clock is read natively, around the rendering alone.
        """
        cdef float[::1] out = np.empty(frames, np.float32)
        cdef int64_t start
        cdef Py_ssize_t i
        result = np.empty(count, np.int64)
        cdef int64_t[::1] times = result
        with self.rendering:
            for i in range(count):
                with nogil:
                    start = clock_now_ns()
                    engine_render(self.handle, &out[0], frames)
                    times[i] = clock_now_ns() - start
                PyErr_CheckSignals()
        return result


_COMMAND = np.dtype(
    [("at", np.int64), ("tag", np.uint32), ("type", np.int32), ("channel", np.int32), ("note", np.int32),
     ("velocity", np.int32), ("id", np.int32), ("value", np.float32)], align=True)


include "_rack.pxi"


# What follows lets tests hold the C arithmetic against NumPy's.

def philox(uint64_t key, uint64_t low, uint64_t high):
    """The four words of Philox4x32-10."""
    return tuple(c_philox(key, low, high).words)


def normals(str instruction_set, uint64_t key, uint64_t low, uint64_t high):
    """The standard normal variates, float32, of the DRAWS counters from (low, high) on."""
    cdef float out[DRAWS]
    kernels_find(instruction_set.encode()).normals(key, low, high, out)
    return np.array(out, np.float32)


def draw(str instruction_set, logits, float scale, float uniform):
    """The class that softmax(logits * scale) gives for `uniform` in 0..1; -1 when a logit is NaN, or the largest infinite."""
    cdef int classes = <int>len(logits)
    padded = _aligned((classes + 15) // 16 * 64).view(np.float32)
    padded[:classes], padded[classes:] = logits, -np.inf
    cdef const float[::1] view = padded
    return kernels_find(instruction_set.encode()).draw(&view[0], classes, scale, uniform)


def phasors(str instruction_set, const double[::1] turns):
    """Sines and cosines, float32 (2, K), of angles float64 (K,) in turns."""
    result = np.empty((2, turns.shape[0]), np.float32)
    cdef float[:, ::1] out = result
    kernels_find(instruction_set.encode()).phasors(&turns[0], &out[0, 0], &out[1, 0], <int>turns.shape[0])
    return result


def conditioning(
    names, double note, double velocity, double loudness_db, double age_s, double release_age_s, knobs, double timbre
):
    """The conditioning vector, float32 (C,), of one note state; see features.py."""
    cdef note_state_t state
    cdef int features[16]
    cdef float out[MAX_CONDITIONING]
    cdef int i, count
    for i, name in enumerate(names):
        features[i] = list(FEATURE_SIZES).index(name)
    for i in range(4):
        state.knobs[i] = knobs[i]
    state.note, state.velocity, state.loudness_db = note, velocity, loudness_db
    state.age_s, state.release_age_s, state.timbre = age_s, release_age_s, timbre
    count = features_conditioning(features, len(names), &state, out)
    return np.array([out[i] for i in range(count)], np.float32)


def level(double loudness_db):
    """Factor from a levelled network's output to sound; see features.py."""
    return features_level(loudness_db)


def note_frequency(double note, const float[::1] cents):
    """f0 in Hz; see features.py."""
    return features_note_frequency(note, features_between_keys(&cents[0], note))


def partial_frequencies(double f0, double stiffness, int partials):
    """f_k in Hz, float64 (K,); see features.py."""
    return np.array([features_partial_frequency(f0, stiffness, k + 1) for k in range(partials)])
