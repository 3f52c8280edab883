#define _DEFAULT_SOURCE
#include "gpu.h"

#include <stdio.h>
#include <string.h>

#include "arena.h"
#include "launch.h"
#include "memory.h"
#include "realtime.h"

_Static_assert((int)WAVENET_FRAMES == DEVICE_FRAMES && sizeof(wavenet_told_t) == sizeof(device_told_t) &&
                   offsetof(wavenet_told_t, temperature) == offsetof(device_told_t, temperature) &&
                   offsetof(wavenet_told_t, ordinal) == offsetof(device_told_t, ordinal),
               "the kernel reads what the engine tells as it is");

enum {
    PORTABLE_CLUSTER = 8,  /* blocks; more must be asked for */
    BOUNDARY_BYTES = 256,  /* of each part of the GPU's memory */
};

/* Shared memory as the host sees it: the arrays of device_chunk_t, with room for `told` = slots x DEVICE_TELLINGS. */
typedef struct {
    int32_t *slots;          /* (slots) */
    device_told_t *tellings; /* (told) */
    float *conditioning;     /* (told, C) */
    float *phasors;          /* (told, 2K) */
    float *rotation;         /* (told, 2K) */
    float *forced;           /* (slots, DEVICE_FRAMES) */
    float *drawn;            /* (slots, DEVICE_FRAMES) */
    _Atomic uint32_t *done;
} shared_t;

struct gpu {
    device_t device; /* what the engine is given */
    driver_t driver;
    gpu_plan_t plan;
    int64_t process; /* that opened it: a fork cannot use it */
    CUdevice ordinal;
    CUcontext context;
    CUmodule module;
    CUdeviceptr memory;    /* weights, silence, state */
    void *block, *outputs; /* shared with the GPU; the latter once it is asked for */
    shared_t shared;
    wavenet_launch_t parameter; /* where the GPU sees it all; a chunk fills in the rest */
    launcher_t launcher;
    atomic_bool failed; /* for good; the launcher's trouble says why */
};

static bool good(gpu_t *gpu, const char *function, CUresult result)
{
    return launcher_good(&gpu->launcher, function, result);
}

/* Zeroed memory that the GPU sees at the address returned, 0 if there is none. */
static CUdeviceptr share(gpu_t *gpu, size_t bytes, void **block)
{
    CUdeviceptr on_device = 0;
    if (!good(gpu, "cuMemHostAlloc", gpu->driver.host_allocate(block, bytes, CU_MEMHOSTALLOC_DEVICEMAP)) ||
        !good(gpu, "cuMemHostGetDevicePointer", gpu->driver.host_on_device(&on_device, *block, 0)))
        return 0;
    memset(*block, 0, bytes);
    return on_device;
}

/* --- rendering ------------------------------------------------------------------------------------------------- */

static bool have_outputs(gpu_t *gpu)
{
    const size_t bytes = sizeof(float) * gpu->plan.slots * DEVICE_FRAMES * gpu->plan.outputs;
    if (!gpu->parameter.outputs)
        gpu->parameter.outputs = (float *)(uintptr_t)share(gpu, bytes, &gpu->outputs);
    return gpu->parameter.outputs != NULL;
}

static void copy_floats(float *to, const float *from, size_t floats)
{
    if (floats)
        memcpy(to, from, sizeof(float) * floats);
}

/* `used` floats of the row of each voice in the chunk. */
static void copy_rows(float *to, const float *from, const device_chunk_t *chunk, size_t row, size_t used)
{
    for (int i = 0; i < chunk->active; i++)
        copy_floats(to + chunk->slots[i] * row, from + chunk->slots[i] * row, used);
}

static void tell(const gpu_t *gpu, const device_chunk_t *chunk)
{
    const shared_t *shared = &gpu->shared;
    const size_t told = chunk->told;
    memcpy(shared->slots, chunk->slots, sizeof(int32_t) * chunk->active);
    memcpy(shared->tellings, chunk->tellings, sizeof(device_told_t) * told);
    copy_floats(shared->conditioning, chunk->conditioning, told * gpu->plan.conditioning);
    copy_floats(shared->phasors, chunk->phasors, told * gpu->plan.excitation);
    copy_floats(shared->rotation, chunk->rotation, told * gpu->plan.excitation);
    if (chunk->forced)
        copy_rows(shared->forced, chunk->forced, chunk, DEVICE_FRAMES, chunk->frames);
}

static void take_back(const gpu_t *gpu, const device_chunk_t *chunk)
{
    const size_t rows = gpu->plan.outputs;
    copy_rows(chunk->drawn, gpu->shared.drawn, chunk, DEVICE_FRAMES, chunk->frames);
    if (chunk->outputs)
        copy_rows(chunk->outputs, gpu->outputs, chunk, DEVICE_FRAMES * rows, chunk->frames * rows);
}

static bool try_to_render(gpu_t *gpu, const device_chunk_t *chunk)
{
    if (!good(gpu, "cuCtxSetCurrent", gpu->driver.context_set(gpu->context)) || (chunk->outputs && !have_outputs(gpu)))
        return false;
    tell(gpu, chunk);
    wavenet_launch_t parameter = gpu->parameter;
    parameter.frames = chunk->frames;
    parameter.active = chunk->active;
    parameter.told = chunk->told;
    parameter.seed = chunk->seed;
    if (!chunk->forced)
        parameter.forced = NULL;
    if (!chunk->outputs)
        parameter.outputs = NULL;
    if (!launcher_run(&gpu->launcher, &parameter))
        return false;
    take_back(gpu, chunk);
    return true;
}

static bool render(device_t *device, const device_chunk_t *chunk)
{
    gpu_t *gpu = device->context;
    if (atomic_load(&gpu->failed) || gpu->process != process_id())
        return false;
    if (!try_to_render(gpu, chunk))
        atomic_store(&gpu->failed, true);
    return !atomic_load(&gpu->failed);
}

/* --- opening --------------------------------------------------------------------------------------------------- */

static bool load_kernel(gpu_t *gpu, const void *code)
{
    const driver_t *driver = &gpu->driver;
    launcher_t *launcher = &gpu->launcher;
    if (!good(gpu, "cuDeviceGet", driver->device_get(&gpu->ordinal, gpu->plan.ordinal)) ||
        !good(gpu, "cuDevicePrimaryCtxRetain", driver->context_retain(&gpu->context, gpu->ordinal)) ||
        !good(gpu, "cuCtxSetCurrent", driver->context_set(gpu->context)) ||
        !good(gpu, "cuStreamCreate", driver->stream_create(&launcher->stream, CU_STREAM_NON_BLOCKING)) ||
        !good(gpu, "cuModuleLoadDataEx", driver->module_load(&gpu->module, code, 0, NULL, NULL)) ||
        !good(gpu, "cuModuleGetFunction", driver->module_function(&launcher->function, gpu->module, "wavenet_render")))
        return false;
    const int shared_bytes = (int)gpu->plan.shared_bytes;
    CUresult result =
        driver->function_set(launcher->function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, shared_bytes);
    if (result == CUDA_SUCCESS && gpu->plan.cluster > PORTABLE_CLUSTER)
        result = driver->function_set(launcher->function, CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED, 1);
    return good(gpu, "cuFuncSetAttribute", result) && launcher_fits(launcher);
}

static size_t rounded_up(size_t bytes)
{
    return (bytes + BOUNDARY_BYTES - 1) / BOUNDARY_BYTES * BOUNDARY_BYTES;
}

static bool fill_memory(gpu_t *gpu, const gpu_load_t *load)
{
    const driver_t *driver = &gpu->driver;
    const size_t silence = rounded_up(load->weight_bytes), state = silence + rounded_up(load->silence_bytes);
    const size_t bytes = state + gpu->plan.state_bytes;
    CUresult result = driver->memory_allocate(&gpu->memory, bytes);
    if (result == CUDA_ERROR_OUT_OF_MEMORY) {
        snprintf(gpu->launcher.trouble, DRIVER_WORDS, "its memory has no room for %d voices (%zu MiB); ask for fewer",
                 gpu->plan.slots, (bytes >> 20) + 1);
        return false;
    }
    if (!good(gpu, "cuMemAlloc", result))
        return false;
    gpu->parameter.weights = (void *)(uintptr_t)gpu->memory;
    gpu->parameter.silence = (void *)(uintptr_t)(gpu->memory + silence);
    gpu->parameter.state = (void *)(uintptr_t)(gpu->memory + state);
    return good(gpu, "cuMemcpyHtoD", driver->memory_write(gpu->memory, load->weights, load->weight_bytes)) &&
           good(gpu, "cuMemcpyHtoD", driver->memory_write(gpu->memory + silence, load->silence, load->silence_bytes)) &&
           good(gpu, "cuMemsetD8", driver->memory_set(gpu->memory + state, 0, gpu->plan.state_bytes)) &&
           good(gpu, "cuStreamSynchronize", driver->stream_synchronize(NULL)); /* the kernel's own waits for no other */
}

/* The shared arrays one behind the other, at `block` or, with none yet, only counted. */
static size_t lay_out(const gpu_plan_t *plan, shared_t *shared, char *block)
{
    arena_t arena = {block, 0};
    const size_t told = (size_t)plan->slots * DEVICE_TELLINGS, samples = (size_t)plan->slots * DEVICE_FRAMES;
    shared->done = arena_take(&arena, sizeof *shared->done);
    shared->slots = arena_take(&arena, sizeof *shared->slots * plan->slots);
    shared->tellings = arena_take(&arena, sizeof *shared->tellings * told);
    shared->conditioning = arena_take_floats(&arena, told * plan->conditioning);
    shared->phasors = arena_take_floats(&arena, told * plan->excitation);
    shared->rotation = arena_take_floats(&arena, told * plan->excitation);
    shared->forced = arena_take_floats(&arena, samples);
    shared->drawn = arena_take_floats(&arena, samples);
    return arena.used;
}

static bool share_memory(gpu_t *gpu)
{
    shared_t seen; /* by the GPU */
    const size_t bytes = lay_out(&gpu->plan, &seen, NULL);
    CUdeviceptr on_device = share(gpu, bytes, &gpu->block);
    if (!on_device)
        return false;
    lay_out(&gpu->plan, &gpu->shared, gpu->block);
    lay_out(&gpu->plan, &seen, (char *)(uintptr_t)on_device);
    gpu->parameter.slots = seen.slots;
    gpu->parameter.tellings = (wavenet_told_t *)seen.tellings;
    gpu->parameter.conditioning = seen.conditioning;
    gpu->parameter.phasors = seen.phasors;
    gpu->parameter.rotation = seen.rotation;
    gpu->parameter.forced = seen.forced;
    gpu->parameter.drawn = seen.drawn;
    gpu->parameter.done = (uint32_t *)seen.done;
    gpu->launcher.done = gpu->shared.done;
    return true;
}

/* A launch without a voice: the driver now loads what it has put off, and what is wrong shows before the first note. */
static bool try_out(gpu_t *gpu)
{
    wavenet_launch_t nothing = gpu->parameter;
    nothing.forced = NULL;
    return launcher_run(&gpu->launcher, &nothing);
}

gpu_t *gpu_open(const driver_t *driver, const gpu_plan_t *plan, const gpu_load_t *load, char *words)
{
    gpu_t *gpu = memory_allocate(sizeof *gpu);
    if (!gpu) {
        snprintf(words, DRIVER_WORDS, "the computer's memory is full");
        return NULL;
    }
    gpu->device = (device_t){render, gpu};
    gpu->driver = *driver;
    gpu->plan = *plan;
    gpu->process = process_id();
    gpu->launcher = (launcher_t){
        .driver = &gpu->driver,
        .blocks = plan->blocks,
        .threads = plan->threads,
        .cluster = plan->cluster,
        .shared_bytes = plan->shared_bytes,
    };
    if (load_kernel(gpu, load->code) && fill_memory(gpu, load) && share_memory(gpu) && try_out(gpu))
        return gpu;
    memcpy(words, gpu->launcher.trouble, DRIVER_WORDS);
    gpu_close(gpu);
    return NULL;
}

/* --- the rest -------------------------------------------------------------------------------------------------- */

/* Whether no kernel can write any more: one that never answered may have ended since, or died. */
static bool is_idle(const gpu_t *gpu)
{
    const launcher_t *launcher = &gpu->launcher;
    return !launcher->in_flight || gpu->driver.stream_query(launcher->stream) != CUDA_ERROR_NOT_READY;
}

/* Nothing can be done about a refusal. */
static void give_back(gpu_t *gpu)
{
    const driver_t *driver = &gpu->driver;
    if (gpu->outputs)
        driver->host_free(gpu->outputs);
    if (gpu->block)
        driver->host_free(gpu->block);
    if (gpu->memory)
        driver->memory_free(gpu->memory);
    if (gpu->module)
        driver->module_unload(gpu->module);
    if (gpu->launcher.stream)
        driver->stream_destroy(gpu->launcher.stream);
    driver->context_set(NULL);
    driver->context_release(gpu->ordinal);
}

void gpu_close(gpu_t *gpu)
{
    if (!gpu)
        return;
    if (gpu->context && gpu->process == process_id()) {
        gpu->driver.context_set(gpu->context);
        if (is_idle(gpu))
            give_back(gpu);
    }
    memory_free(gpu);
}

device_t *gpu_device(gpu_t *gpu)
{
    return &gpu->device;
}

gpu_counters_t gpu_counters(gpu_t *gpu)
{
    launcher_t *launcher = &gpu->launcher;
    return (gpu_counters_t){
        .chunks = atomic_load_explicit(&launcher->chunks, memory_order_relaxed),
        .slept = atomic_load_explicit(&launcher->slept, memory_order_relaxed),
        .longest_ns = atomic_load_explicit(&launcher->longest_ns, memory_order_relaxed),
    };
}

const char *gpu_trouble(gpu_t *gpu)
{
    return atomic_load(&gpu->failed) ? gpu->launcher.trouble : "";
}
