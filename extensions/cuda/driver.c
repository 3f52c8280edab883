#include "driver.h"

#include <stdio.h>
#include <string.h>

#if defined(_WIN32)
#include <windows.h>
#define SYSTEM_LIBRARY "nvcuda.dll"
#else
#include <dlfcn.h>
#define SYSTEM_LIBRARY "libcuda.so.1"
#endif

static void *library_open(const char *path)
{
#if defined(_WIN32)
    return (void *)LoadLibraryA(path);
#else
    return dlopen(path, RTLD_NOW | RTLD_LOCAL);
#endif
}

/* Into `function`, a pointer to a function: ISO C has no conversion to one. */
static bool library_find(void *library, const char *name, void *function)
{
#if defined(_WIN32)
    FARPROC address = GetProcAddress((HMODULE)library, name);
#else
    void *address = dlsym(library, name);
#endif
    memcpy(function, &address, sizeof address);
    return address != NULL;
}

bool driver_open(driver_t *driver, const char *path, char *words)
{
    const char *where = path ? path : SYSTEM_LIBRARY;
    void *library = library_open(where);
    if (!library) {
        snprintf(words, DRIVER_WORDS, "no NVIDIA driver is installed: %s cannot be loaded", where);
        return false;
    }
#define FIND(member, name, parameters)                                                                        \
    if (!library_find(library, #name, &driver->member)) {                                                     \
        snprintf(words, DRIVER_WORDS, "the NVIDIA driver is too old: %s has no " #name, where);           \
        return false;                                                                                         \
    }
    DRIVER_FUNCTIONS(FIND)
#undef FIND
    CUresult result = driver->init(0);
    if (result != CUDA_SUCCESS)
        driver_explain(driver, "cuInit", result, words);
    return result == CUDA_SUCCESS;
}

void driver_explain(const driver_t *driver, const char *function, CUresult result, char *words)
{
    const char *name = NULL, *sentence = NULL;
    if (driver->error_name(result, &name) != CUDA_SUCCESS || !name)
        name = "no name";
    if (driver->error_words(result, &sentence) != CUDA_SUCCESS || !sentence)
        sentence = "unknown error";
    snprintf(words, DRIVER_WORDS, "%s: %s (%s, %d)", function, sentence, name, result);
}

bool driver_describe(const driver_t *driver, int ordinal, gpu_properties_t *properties, char *words)
{
    CUdevice device;
    CUresult result = driver->device_get(&device, ordinal);
    if (result == CUDA_SUCCESS)
        result = driver->device_name(properties->name, sizeof properties->name, device);
    const struct {
        int *value, attribute;
    } asked[] = {
        {&properties->major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR},
        {&properties->minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR},
        {&properties->multiprocessors, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT},
        {&properties->shared_bytes_per_block, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN},
        {&properties->cooperative, CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH},
        {&properties->clusters, CU_DEVICE_ATTRIBUTE_CLUSTER_LAUNCH},
    };
    for (size_t i = 0; i < sizeof asked / sizeof *asked && result == CUDA_SUCCESS; i++)
        result = driver->device_attribute(asked[i].value, asked[i].attribute, device);
    if (result != CUDA_SUCCESS)
        driver_explain(driver, "cuDeviceGetAttribute", result, words);
    return result == CUDA_SUCCESS;
}
