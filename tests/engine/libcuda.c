/* A CUDA driver without a GPU, for the ways in which one can fail. The GPU's memory is the computer's own, and its one
   kernel draws, for frame t of the voice in slot s at temperature v, (100 s + t) / 1024 + v; as the one output of
   each frame it gives back what it was forced to hear.

   FAKE_CUDA lists what is not as it should be: "cuMemAlloc_v2=2" lets a function answer 2; "driver=12040", "devices=0",
   "major=7" and "clusters=0" change what there is; "kernel=never", "kernel=late" (by 20 ms), "kernel=ends" (without an
   answer) and "kernel=dies" are what becomes of a launch, "trial=never" and so on of one that has no voices. */

#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cuda/driver.h"
#include "cuda/kernel.h"

enum { LAUNCH_FAILED = 719, LATE_US = 20000 };

int fake_live;                /* allocations, streams, modules and contexts that were not given back */
wavenet_launch_t fake_launch; /* the latest */

static CUresult stream_state = CUDA_SUCCESS;

/* What FAKE_CUDA says of a name, or `otherwise`. */
static const char *told(const char *name, const char *otherwise)
{
    static char value[64];
    const char *list = getenv("FAKE_CUDA");
    for (size_t length = strlen(name); list && *list; list += strcspn(list, " "), list += *list == ' ')
        if (!strncmp(list, name, length) && list[length] == '=') {
            snprintf(value, sizeof value, "%.*s", (int)strcspn(list + length + 1, " "), list + length + 1);
            return value;
        }
    return otherwise;
}

#define RETURN(result)                                    \
    do {                                                  \
        const char *failure = told(__func__, NULL);       \
        return failure ? atoi(failure) : (int)(result);   \
    } while (0)

#define FAIL_IF_TOLD                                      \
    do {                                                  \
        const char *failure = told(__func__, NULL);       \
        if (failure)                                      \
            return atoi(failure);                         \
    } while (0)

CUresult cuInit(unsigned int flags)
{
    (void)flags;
    RETURN(CUDA_SUCCESS);
}

CUresult cuDriverGetVersion(int *version)
{
    *version = atoi(told("driver", "13000"));
    RETURN(CUDA_SUCCESS);
}

CUresult cuDeviceGetCount(int *count)
{
    *count = atoi(told("devices", "1"));
    RETURN(CUDA_SUCCESS);
}

CUresult cuDeviceGet(CUdevice *device, int ordinal)
{
    *device = ordinal;
    RETURN(CUDA_SUCCESS);
}

CUresult cuDeviceGetName(char *name, int length, CUdevice device)
{
    (void)device;
    snprintf(name, (size_t)length, "Paper GPU");
    RETURN(CUDA_SUCCESS);
}

CUresult cuDeviceGetAttribute(int *value, int attribute, CUdevice device)
{
    (void)device;
    switch (attribute) {
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR:
        *value = atoi(told("major", "9"));
        break;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR:
        *value = 0;
        break;
    case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT:
        *value = 132;
        break;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN:
        *value = 232448;
        break;
    default:
        *value = 1;
    }
    RETURN(CUDA_SUCCESS);
}

CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device)
{
    (void)device;
    FAIL_IF_TOLD;
    *context = &fake_live;
    fake_live++;
    return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device)
{
    (void)device;
    fake_live--;
    RETURN(CUDA_SUCCESS);
}

CUresult cuCtxSetCurrent(CUcontext context)
{
    (void)context;
    RETURN(CUDA_SUCCESS);
}

CUresult cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned int count, int *options, void **values)
{
    (void)image, (void)count, (void)options, (void)values;
    FAIL_IF_TOLD;
    *module = &fake_live;
    fake_live++;
    return CUDA_SUCCESS;
}

CUresult cuModuleUnload(CUmodule module)
{
    (void)module;
    fake_live--;
    RETURN(CUDA_SUCCESS);
}

CUresult cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name)
{
    (void)module;
    *function = &fake_live;
    RETURN(strcmp(name, "wavenet_render") ? 500 : CUDA_SUCCESS);
}

CUresult cuFuncSetAttribute(CUfunction function, int attribute, int value)
{
    (void)function, (void)attribute, (void)value;
    RETURN(CUDA_SUCCESS);
}

CUresult cuMemAlloc_v2(CUdeviceptr *block, size_t bytes)
{
    FAIL_IF_TOLD;
    *block = (CUdeviceptr)(uintptr_t)aligned_alloc(256, (bytes + 255) / 256 * 256);
    fake_live++;
    return CUDA_SUCCESS;
}

CUresult cuMemFree_v2(CUdeviceptr block)
{
    free((void *)(uintptr_t)block);
    fake_live--;
    RETURN(CUDA_SUCCESS);
}

CUresult cuMemsetD8_v2(CUdeviceptr block, unsigned char value, size_t bytes)
{
    memset((void *)(uintptr_t)block, value, bytes);
    RETURN(CUDA_SUCCESS);
}

CUresult cuMemcpyHtoD_v2(CUdeviceptr block, const void *source, size_t bytes)
{
    memcpy((void *)(uintptr_t)block, source, bytes);
    RETURN(CUDA_SUCCESS);
}

CUresult cuMemHostAlloc(void **block, size_t bytes, unsigned int flags)
{
    (void)flags;
    FAIL_IF_TOLD;
    *block = aligned_alloc(256, (bytes + 255) / 256 * 256);
    fake_live++;
    return CUDA_SUCCESS;
}

CUresult cuMemFreeHost(void *block)
{
    free(block);
    fake_live--;
    RETURN(CUDA_SUCCESS);
}

CUresult cuMemHostGetDevicePointer_v2(CUdeviceptr *on_device, void *block, unsigned int flags)
{
    (void)flags;
    *on_device = (CUdeviceptr)(uintptr_t)block;
    RETURN(CUDA_SUCCESS);
}

CUresult cuStreamCreate(CUstream *stream, unsigned int flags)
{
    (void)flags;
    FAIL_IF_TOLD;
    *stream = &fake_live;
    fake_live++;
    return CUDA_SUCCESS;
}

CUresult cuStreamDestroy_v2(CUstream stream)
{
    (void)stream;
    fake_live--;
    RETURN(CUDA_SUCCESS);
}

CUresult cuStreamQuery(CUstream stream)
{
    (void)stream;
    RETURN(__atomic_load_n(&stream_state, __ATOMIC_ACQUIRE));
}

CUresult cuStreamSynchronize(CUstream stream)
{
    (void)stream;
    RETURN(CUDA_SUCCESS);
}

/* What the kernel writes: of everything it is told, something. */
static void run(const wavenet_launch_t *launch)
{
    float temperature = 0.0f;
    for (int n = 0; n < launch->active; n++) {
        for (int t = 0; t < launch->told; t++)
            if (launch->tellings[t].slot == launch->slots[n])
                temperature = launch->tellings[t].temperature;
        const int row = launch->slots[n] * WAVENET_FRAMES;
        for (int t = 0; t < launch->frames; t++) {
            launch->drawn[row + t] = (float)(100 * launch->slots[n] + t) / 1024.0f + temperature;
            if (launch->outputs)
                launch->outputs[row + t] = launch->forced[row + t];
        }
    }
    __atomic_store_n(&stream_state, CUDA_SUCCESS, __ATOMIC_RELEASE);
    __atomic_store_n(launch->done, launch->sequence, __ATOMIC_RELEASE);
}

static void *run_late(void *argument)
{
    (void)argument;
    usleep(LATE_US);
    run(&fake_launch);
    return NULL;
}

CUresult cuLaunchKernelEx(const CUlaunchConfig *config, CUfunction function, void **parameters, void **extra)
{
    (void)config, (void)function, (void)extra;
    const wavenet_launch_t *launch = parameters[0];
    pthread_t thread;
    FAIL_IF_TOLD;
    const char *fate = told(launch->active ? "kernel" : "trial", "");
    stream_state = !strcmp(fate, "ends") ? CUDA_SUCCESS : !strcmp(fate, "dies") ? LAUNCH_FAILED : CUDA_ERROR_NOT_READY;
    fake_launch = *launch;
    if (!strcmp(fate, "late"))
        return pthread_create(&thread, NULL, run_late, NULL) || pthread_detach(thread);
    if (!*fate)
        run(launch);
    return CUDA_SUCCESS;
}

CUresult cuOccupancyMaxActiveClusters(int *clusters, CUfunction function, const CUlaunchConfig *config)
{
    (void)function, (void)config;
    *clusters = atoi(told("clusters", "16"));
    RETURN(CUDA_SUCCESS);
}

CUresult cuGetErrorName(CUresult result, const char **name)
{
    *name = result == CUDA_ERROR_OUT_OF_MEMORY ? "CUDA_ERROR_OUT_OF_MEMORY" : "CUDA_ERROR_OF_PAPER";
    return CUDA_SUCCESS;
}

CUresult cuGetErrorString(CUresult result, const char **words)
{
    *words = result == CUDA_ERROR_OUT_OF_MEMORY ? "out of memory" : "paper is torn";
    return CUDA_SUCCESS;
}
