/* The few functions of the CUDA driver that playing needs, found when it runs: rtwave is built without CUDA's headers
   and starts without its libraries.

   Types, numbers and names are those of the CUDA Driver API (cuda.h), where all of this is documented; opaque handles
   are void pointers here. */

#ifndef RTWAVE_CUDA_DRIVER_H
#define RTWAVE_CUDA_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef int CUresult;
typedef int CUdevice;
typedef unsigned long long CUdeviceptr;
typedef void *CUcontext, *CUmodule, *CUfunction, *CUstream;

enum {
    CUDA_SUCCESS = 0,
    CUDA_ERROR_OUT_OF_MEMORY = 2,
    CUDA_ERROR_NO_DEVICE = 100,
    CUDA_ERROR_NOT_READY = 600, /* no error: the stream still works */
    CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE = 720,
};

enum { /* CUdevice_attribute */
    CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT = 16,
    CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR = 75,
    CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR = 76,
    CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH = 95,
    CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN = 97,
    CU_DEVICE_ATTRIBUTE_CLUSTER_LAUNCH = 120,
};

enum { /* CUfunction_attribute */
    CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES = 8,
    CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED = 14,
};

enum { CU_STREAM_NON_BLOCKING = 1 };
enum { CU_MEMHOSTALLOC_DEVICEMAP = 2 };

enum { /* CUlaunchAttributeID */
    CU_LAUNCH_ATTRIBUTE_COOPERATIVE = 2,
    CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION = 4,
};

typedef union {
    char pad[64];
    int cooperative;
    struct {
        unsigned int x, y, z;
    } clusterDim;
} CUlaunchAttributeValue;

typedef struct {
    int id;
    char pad[4];
    CUlaunchAttributeValue value;
} CUlaunchAttribute;

typedef struct {
    unsigned int gridDimX, gridDimY, gridDimZ;
    unsigned int blockDimX, blockDimY, blockDimZ;
    unsigned int sharedMemBytes;
    CUstream hStream;
    CUlaunchAttribute *attrs;
    unsigned int numAttrs;
} CUlaunchConfig;

/* Every function: its name in the table, as the library exports it (with its version), and its parameters. */
#define DRIVER_FUNCTIONS(FUNCTION)                                                                                    \
    FUNCTION(init, cuInit, (unsigned int flags))                                                                      \
    FUNCTION(driver_version, cuDriverGetVersion, (int *version))                                                      \
    FUNCTION(device_count, cuDeviceGetCount, (int *count))                                                            \
    FUNCTION(device_get, cuDeviceGet, (CUdevice * device, int ordinal))                                               \
    FUNCTION(device_name, cuDeviceGetName, (char *name, int length, CUdevice device))                                 \
    FUNCTION(device_attribute, cuDeviceGetAttribute, (int *value, int attribute, CUdevice device))                    \
    FUNCTION(context_retain, cuDevicePrimaryCtxRetain, (CUcontext * context, CUdevice device))                        \
    FUNCTION(context_release, cuDevicePrimaryCtxRelease_v2, (CUdevice device))                                        \
    FUNCTION(context_set, cuCtxSetCurrent, (CUcontext context))                                                       \
    FUNCTION(module_load, cuModuleLoadDataEx,                                                                         \
             (CUmodule * module, const void *image, unsigned int count, int *options, void **values))                 \
    FUNCTION(module_unload, cuModuleUnload, (CUmodule module))                                                        \
    FUNCTION(module_function, cuModuleGetFunction, (CUfunction * function, CUmodule module, const char *name))        \
    FUNCTION(function_set, cuFuncSetAttribute, (CUfunction function, int attribute, int value))                       \
    FUNCTION(memory_allocate, cuMemAlloc_v2, (CUdeviceptr * block, size_t bytes))                                     \
    FUNCTION(memory_free, cuMemFree_v2, (CUdeviceptr block))                                                          \
    FUNCTION(memory_set, cuMemsetD8_v2, (CUdeviceptr block, unsigned char value, size_t bytes))                       \
    FUNCTION(memory_write, cuMemcpyHtoD_v2, (CUdeviceptr block, const void *source, size_t bytes))                    \
    FUNCTION(host_allocate, cuMemHostAlloc, (void **block, size_t bytes, unsigned int flags))                         \
    FUNCTION(host_free, cuMemFreeHost, (void *block))                                                                 \
    FUNCTION(host_on_device, cuMemHostGetDevicePointer_v2, (CUdeviceptr * on_device, void *block, unsigned int flags)) \
    FUNCTION(stream_create, cuStreamCreate, (CUstream * stream, unsigned int flags))                                  \
    FUNCTION(stream_destroy, cuStreamDestroy_v2, (CUstream stream))                                                   \
    FUNCTION(stream_query, cuStreamQuery, (CUstream stream))                                                          \
    FUNCTION(stream_synchronize, cuStreamSynchronize, (CUstream stream))                                              \
    FUNCTION(launch, cuLaunchKernelEx,                                                                                \
             (const CUlaunchConfig *config, CUfunction function, void **parameters, void **extra))                    \
    FUNCTION(clusters_at_once, cuOccupancyMaxActiveClusters,                                                          \
             (int *clusters, CUfunction function, const CUlaunchConfig *config))                                      \
    FUNCTION(error_name, cuGetErrorName, (CUresult result, const char **name))                                        \
    FUNCTION(error_words, cuGetErrorString, (CUresult result, const char **words))

typedef struct {
#define DRIVER_MEMBER(member, name, parameters) CUresult(*member) parameters;
    DRIVER_FUNCTIONS(DRIVER_MEMBER)
#undef DRIVER_MEMBER
} driver_t;

enum { DRIVER_WORDS = 256 }; /* bytes of a line that says what went wrong */

/* Fill the table from the library at `path` (NULL: the system's own) and start the driver. False, with the reason in
   `words` (DRIVER_WORDS): no library, a function it lacks, no driver. The library stays loaded. */
bool driver_open(driver_t *driver, const char *path, char *words);

/* "cuMemAlloc: out of memory (CUDA_ERROR_OUT_OF_MEMORY, 2)" into `words`. */
void driver_explain(const driver_t *driver, const char *function, CUresult result, char *words);

typedef struct {
    char name[128];
    int major, minor; /* compute capability */
    int multiprocessors;
    int shared_bytes_per_block; /* the most that a kernel may ask for */
    int cooperative, clusters;  /* whether it launches so */
} gpu_properties_t;

/* False, with the reason in `words`, when the driver does not tell. */
bool driver_describe(const driver_t *driver, int ordinal, gpu_properties_t *properties, char *words);

#endif
