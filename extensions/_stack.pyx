"""The network's forward and backward pass for training, held by a Python object. Checks of values live in Python."""

from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset


cdef extern from "learning/stack.h":
    enum:
        MOST_LAYERS
    ctypedef struct shape_t:
        int layers, kernel_size, residual, skip, head, outputs, excitation, conditioning, classes
        int dilations[MOST_LAYERS]
    ctypedef struct batch_t:
        int segments, length, periods
        const float *scalars
        const int64_t *classes
        const float *conditioning
        const float *excitation
        float *outputs
        const float *d_outputs
    ctypedef struct stack_t:
        int parameters
    ctypedef struct learner_t:
        const char *name
    stack_t *stack_create(const shape_t *, const learner_t *, int) nogil
    void stack_destroy(stack_t *) nogil
    size_t stack_parameter(const stack_t *, int)
    bint stack_forward(stack_t *, const batch_t *, const float **) nogil
    void stack_backward(stack_t *, const batch_t *, float **) nogil
    const learner_t *learner_find(const char *)
    const char *learner_name(int)


def instruction_sets():
    """Names of what this machine can run, slowest first; avx512_amx computes in bfloat16, all others in float32."""
    names = []
    while learner_name(<int>len(names)) != NULL:
        names.append(learner_name(<int>len(names)).decode())
    return names


cdef class Stack:
    """Scratch and packed weights of one network; one thread at a time may call it. Threads of its own help.

    Arrays are C order and float32. `parameters` and `gradients` are flat, in the order of torch's named_parameters().
    """

    cdef stack_t *handle
    cdef readonly str instruction_set
    cdef readonly list sizes
    cdef float **pointers

    def __cinit__(self, config, str instruction_set, int threads):
        cdef shape_t shape
        cdef const learner_t *learner = learner_find(instruction_set.encode())
        if learner == NULL:
            raise ValueError(f"no instruction set {instruction_set!r}")
        memset(&shape, 0, sizeof(shape))
        shape.layers, shape.kernel_size = len(config.dilations), config.kernel_size
        shape.residual, shape.skip = config.residual_channels, config.skip_channels
        shape.head, shape.outputs = config.head_channels, config.outputs
        shape.excitation, shape.conditioning = config.excitation_channels, config.conditioning_channels
        shape.classes = config.quantization_channels if config.output == "mulaw" else 0
        for i, dilation in enumerate(config.dilations):
            shape.dilations[<int>i] = dilation
        self.instruction_set = instruction_set
        with nogil:
            self.handle = stack_create(&shape, learner, threads)
        if self.handle == NULL:
            raise MemoryError
        self.sizes = [stack_parameter(self.handle, i) for i in range(self.handle.parameters)]
        self.pointers = <float **>malloc(sizeof(float *) * len(self.sizes))
        if self.pointers == NULL:
            raise MemoryError

    def __dealloc__(self):
        stack_destroy(self.handle)
        free(self.pointers)

    cdef batch_t batch(self, samples, conditioning, excitation) except *:
        """samples (B, T) float32 or int64; conditioning (B, P, C) or None; excitation (B, T, E) or None."""
        cdef batch_t batch
        cdef const float[:, ::1] scalars
        cdef const int64_t[:, ::1] classes
        cdef const float[:, :, ::1] rows
        memset(&batch, 0, sizeof(batch))
        batch.segments, batch.length, batch.periods = samples.shape[0], samples.shape[1], 1
        if samples.dtype.kind == "f":
            scalars = samples
            batch.scalars = &scalars[0, 0]
        else:
            classes = samples
            batch.classes = &classes[0, 0]
        if conditioning is not None:
            rows = conditioning
            batch.periods, batch.conditioning = rows.shape[1], &rows[0, 0, 0]
        if excitation is not None:
            rows = excitation
            batch.excitation = &rows[0, 0, 0]
        return batch

    cdef void point(self, list arrays) except *:
        cdef const float[::1] flat
        cdef int i
        for i, size in enumerate(self.sizes):
            flat = arrays[i]
            if flat.shape[0] != size:
                raise ValueError(f"parameter {i} has {flat.shape[0]} numbers, expected {size}")
            self.pointers[i] = <float *>&flat[0]

    def forward(self, samples, conditioning, excitation, list parameters, float[:, :, ::1] outputs):
        """Write outputs (B, T, O); keep what `backward` needs."""
        cdef batch_t batch = self.batch(samples, conditioning, excitation)
        cdef bint good
        self.point(parameters)
        batch.outputs = &outputs[0, 0, 0]
        with nogil:
            good = stack_forward(self.handle, &batch, <const float **>self.pointers)
        if not good:
            raise MemoryError

    def backward(self, samples, conditioning, excitation, const float[:, :, ::1] d_outputs, list gradients):
        """Write the gradients, of the batch that went forward last, with the same arguments."""
        cdef batch_t batch = self.batch(samples, conditioning, excitation)
        self.point(gradients)
        batch.d_outputs = &d_outputs[0, 0, 0]
        with nogil:
            stack_backward(self.handle, &batch, self.pointers)
