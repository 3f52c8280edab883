/* A CUDA driver whose GPU is the model of gpu.h: what it loads as a cubin is the path of the kernel as run.cc makes it,
   its memory is the computer's, and launches run one behind another on a thread of their own. */

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <atomic>
#include <mutex>
#include <thread>

extern "C" {
#include "../driver.h"
#include "../kernel.h"

typedef bool kernel_t(const wavenet_launch_t *, int, int, int, size_t, uint64_t, int);
}

static const CUresult NOT_SUPPORTED = 801, LAUNCH_FAILED = 719;

enum { BOUNDARY = 256, SHARED_BYTES = 232448 };

struct stream_t {
    std::thread thread;
    std::atomic<CUresult> state{CUDA_SUCCESS};

    void wait()
    {
        if (thread.joinable())
            thread.join();
    }
};

static std::mutex one_at_a_time;
static std::atomic<uint64_t> order{1};

static void *allocate(size_t bytes)
{
    void *memory = nullptr;
    return posix_memalign(&memory, BOUNDARY, bytes ? bytes : 1) ? nullptr : memset(memory, 0xff, bytes);
}

static void run(stream_t *stream, kernel_t *kernel, wavenet_launch_t launch, CUlaunchConfig config, int cluster)
{
    const std::lock_guard<std::mutex> turn(one_at_a_time);
    const bool ended = kernel(&launch, (int)config.gridDimX, (int)config.blockDimX, cluster, config.sharedMemBytes,
                              order++, -1);
    stream->state = ended ? (CUresult)CUDA_SUCCESS : LAUNCH_FAILED;
}

extern "C" {

CUresult cuInit(unsigned int)
{
    return CUDA_SUCCESS;
}

CUresult cuDriverGetVersion(int *version)
{
    *version = 13000;
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetCount(int *count)
{
    *count = 1;
    return CUDA_SUCCESS;
}

CUresult cuDeviceGet(CUdevice *device, int ordinal)
{
    *device = ordinal;
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetName(char *name, int length, CUdevice)
{
    snprintf(name, (size_t)length, "Model GPU");
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetAttribute(int *value, int attribute, CUdevice)
{
    switch (attribute) {
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: *value = 9; break;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: *value = 0; break;
    case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: *value = 16; break;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN: *value = SHARED_BYTES; break;
    default: *value = 1;
    }
    return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice)
{
    *context = &one_at_a_time;
    return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRelease_v2(CUdevice)
{
    return CUDA_SUCCESS;
}

CUresult cuCtxSetCurrent(CUcontext)
{
    return CUDA_SUCCESS;
}

CUresult cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned int, int *, void **)
{
    *module = dlopen((const char *)image, RTLD_NOW | RTLD_LOCAL);
    return *module ? (CUresult)CUDA_SUCCESS : NOT_SUPPORTED;
}

CUresult cuModuleUnload(CUmodule module)
{
    return dlclose(module);
}

CUresult cuModuleGetFunction(CUfunction *function, CUmodule module, const char *)
{
    *function = dlsym(module, "wavenet_run");
    return *function ? (CUresult)CUDA_SUCCESS : NOT_SUPPORTED;
}

CUresult cuFuncSetAttribute(CUfunction, int, int)
{
    return CUDA_SUCCESS;
}

CUresult cuMemAlloc_v2(CUdeviceptr *block, size_t bytes)
{
    *block = (CUdeviceptr)(uintptr_t)allocate(bytes);
    return *block ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

CUresult cuMemFree_v2(CUdeviceptr block)
{
    free((void *)(uintptr_t)block);
    return CUDA_SUCCESS;
}

CUresult cuMemsetD8_v2(CUdeviceptr block, unsigned char value, size_t bytes)
{
    memset((void *)(uintptr_t)block, value, bytes);
    return CUDA_SUCCESS;
}

CUresult cuMemcpyHtoD_v2(CUdeviceptr block, const void *source, size_t bytes)
{
    memcpy((void *)(uintptr_t)block, source, bytes);
    return CUDA_SUCCESS;
}

CUresult cuMemHostAlloc(void **block, size_t bytes, unsigned int)
{
    *block = allocate(bytes);
    return *block ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

CUresult cuMemFreeHost(void *block)
{
    free(block);
    return CUDA_SUCCESS;
}

CUresult cuMemHostGetDevicePointer_v2(CUdeviceptr *on_device, void *block, unsigned int)
{
    *on_device = (CUdeviceptr)(uintptr_t)block;
    return CUDA_SUCCESS;
}

CUresult cuStreamCreate(CUstream *stream, unsigned int)
{
    *stream = new stream_t;
    return CUDA_SUCCESS;
}

CUresult cuStreamDestroy_v2(CUstream stream)
{
    ((stream_t *)stream)->wait();
    delete (stream_t *)stream;
    return CUDA_SUCCESS;
}

CUresult cuStreamQuery(CUstream stream)
{
    return ((stream_t *)stream)->state;
}

CUresult cuStreamSynchronize(CUstream stream)
{
    if (stream)
        ((stream_t *)stream)->wait();
    return CUDA_SUCCESS;
}

CUresult cuLaunchKernelEx(const CUlaunchConfig *config, CUfunction function, void **parameters, void **)
{
    stream_t *stream = (stream_t *)config->hStream;
    const CUlaunchAttribute *attribute = config->attrs;
    const bool clustered = attribute->id == CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION;
    stream->wait();
    stream->state = CUDA_ERROR_NOT_READY;
    stream->thread = std::thread(run, stream, (kernel_t *)function, *(const wavenet_launch_t *)parameters[0], *config,
                                 clustered ? (int)attribute->value.clusterDim.x : 1);
    return CUDA_SUCCESS;
}

CUresult cuOccupancyMaxActiveClusters(int *clusters, CUfunction, const CUlaunchConfig *)
{
    *clusters = 1;
    return CUDA_SUCCESS;
}

CUresult cuGetErrorName(CUresult result, const char **name)
{
    *name = result == LAUNCH_FAILED ? "CUDA_ERROR_LAUNCH_FAILED" : "CUDA_ERROR";
    return CUDA_SUCCESS;
}

CUresult cuGetErrorString(CUresult, const char **words)
{
    *words = "the model of a GPU refuses";
    return CUDA_SUCCESS;
}

}
