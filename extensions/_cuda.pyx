"""GPUs by the CUDA driver alone: which there are, and one that renders voices for the engine."""

from libc.stdint cimport int64_t, uint64_t, uintptr_t

cdef extern from "cuda/driver.h" nogil:
    enum:
        DRIVER_WORDS
    ctypedef struct driver_t:
        int (*driver_version)(int *version)
        int (*device_count)(int *count)
    ctypedef struct gpu_properties_t:
        char name[128]
        int major, minor, multiprocessors, shared_bytes_per_block, cooperative, clusters
    bint driver_open(driver_t *driver, const char *path, char *words)
    bint driver_describe(const driver_t *driver, int ordinal, gpu_properties_t *properties, char *words)

cdef extern from "cuda/gpu.h" nogil:
    ctypedef struct device_t:
        pass
    ctypedef struct gpu_t:
        pass
    ctypedef struct gpu_plan_t:
        int ordinal, slots, conditioning, excitation, outputs, blocks, threads, cluster
        size_t shared_bytes, state_bytes
    ctypedef struct gpu_load_t:
        const void *code
        const void *weights
        const float *silence
        size_t weight_bytes, silence_bytes
    ctypedef struct gpu_counters_t:
        uint64_t chunks, slept
        int64_t longest_ns
    gpu_t *gpu_open(const driver_t *driver, const gpu_plan_t *plan, const gpu_load_t *load, char *words)
    void gpu_close(gpu_t *gpu)
    device_t *gpu_device(gpu_t *gpu)
    gpu_counters_t gpu_counters(gpu_t *gpu)
    const char *gpu_trouble(gpu_t *gpu)


cdef driver_t load_driver(str library) except *:
    """The driver's functions, of `library` or, where that is None, of the system's own."""
    cdef driver_t driver
    cdef char words[DRIVER_WORDS]
    cdef const char *path = NULL
    if library is not None:
        encoded = library.encode()
        path = encoded
    if not driver_open(&driver, path, words):
        raise OSError(words.decode(errors="replace"))
    return driver


def list_gpus(str library=None):
    """(CUDA version of the driver as 1000 × major + 10 × minor, a dict of properties for each GPU in the driver's order).

    OSError with the reason in words where there is no driver, or it does not start. It starts once a process.
    """
    cdef driver_t driver = load_driver(library)
    cdef gpu_properties_t properties
    cdef char words[DRIVER_WORDS]
    cdef int version = 0, count = 0
    if driver.driver_version(&version) or driver.device_count(&count):
        raise OSError("the NVIDIA driver does not tell its GPUs")
    gpus = []
    for ordinal in range(count):
        if not driver_describe(&driver, ordinal, &properties, words):
            raise OSError(words.decode(errors="replace"))
        gpus.append({
            "name": properties.name.decode(errors="replace"),
            "compute_capability": (properties.major, properties.minor),
            "multiprocessors": properties.multiprocessors,
            "shared_bytes_per_block": properties.shared_bytes_per_block,
            "clusters": bool(properties.clusters),
        })
    return version, gpus


cdef class GpuDevice:
    """The first GPU with a compiled kernel, ready to render up to `slots` voices of a network.

    `config`: a WaveNetConfig; `plan`: a LaunchPlan; `weights` uint8 as the plan packs them; `silence` float32
    (layers, R); `code`: the cubin. `library` as in list_gpus. OSError with the reason in words. It must outlive the
    engine that is given its address.
    """

    cdef gpu_t *handle
    cdef readonly object plan

    def __cinit__(self, config, plan, int slots, const unsigned char[::1] weights, const float[:, ::1] silence,
                  const unsigned char[::1] code, str library=None):
        cdef driver_t driver = load_driver(library)
        cdef char words[DRIVER_WORDS]
        cdef gpu_plan_t planned
        self.plan = plan
        planned.ordinal = 0
        planned.slots = slots
        planned.conditioning = config.conditioning_channels
        planned.excitation = config.excitation_channels
        planned.outputs = config.outputs
        planned.blocks = plan.blocks
        planned.threads = plan.threads
        planned.cluster = plan.cluster
        planned.shared_bytes = plan.shared_bytes
        planned.state_bytes = plan.state_bytes
        cdef gpu_load_t load
        load.code = &code[0]
        load.weights = &weights[0]
        load.silence = &silence[0, 0]
        load.weight_bytes = weights.shape[0]
        load.silence_bytes = silence.shape[0] * silence.shape[1] * sizeof(float)
        with nogil:
            self.handle = gpu_open(&driver, &planned, &load, words)
        if self.handle is NULL:
            raise OSError(words.decode(errors="replace"))

    def __dealloc__(self):
        self.close()

    def close(self):
        """Give everything back; only when no engine renders with it any more."""
        gpu_close(self.handle)
        self.handle = NULL

    @property
    def address(self):
        """Where its device_t lies, for the engine; 0 once it is closed."""
        return 0 if self.handle is NULL else <uintptr_t>gpu_device(self.handle)

    def counters(self):
        """Since it was opened: chunks rendered, how many were waited for asleep, the longest wait in us. Any thread."""
        cdef gpu_counters_t counted
        if self.handle is NULL:
            return {}
        counted = gpu_counters(self.handle)
        return {"chunks": counted.chunks, "slept": counted.slept, "longest_us": counted.longest_ns // 1000}

    @property
    def problem(self):
        """Why it has failed for good, None while it has not. Any thread."""
        trouble = b"" if self.handle is NULL else gpu_trouble(self.handle)
        return trouble.decode(errors="replace") or None
