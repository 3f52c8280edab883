/* Counts what a GPU's device allocates and locks while it renders; prints the count.

   Arguments: the driver's library, and "planted" for a malloc and a free at each of a hundred chunks. */

#include <stdio.h>

#include "cuda/gpu.h"
#include "watched.h"

enum { SLOTS = 3, C = 5, PARTIALS = 4 };

int main(int count, char **arguments)
{
    static char words[DRIVER_WORDS];
    static float floats[SLOTS * DEVICE_FRAMES];
    driver_t driver;
    const gpu_plan_t plan = {.slots = SLOTS, .conditioning = C, .excitation = 2 * PARTIALS, .outputs = 2, .blocks = 2,
                             .threads = 32, .cluster = 1, .shared_bytes = 1024, .state_bytes = 4096};
    const gpu_load_t load = {.code = "cubin", .weights = floats, .silence = floats, .weight_bytes = 64, .silence_bytes = 64};
    if (!driver_open(&driver, arguments[1], words))
        return 1;
    gpu_t *gpu = gpu_open(&driver, &plan, &load, words);
    if (!gpu)
        return 1;
    device_t *device = gpu_device(gpu);
    const int32_t slots[] = {0, 2};
    const device_told_t tellings[] = {{.slot = 0}, {.slot = 2}};
    const device_chunk_t chunk = {.frames = 32, .active = 2, .told = 2, .slots = slots, .tellings = tellings,
                                  .conditioning = floats, .phasors = floats, .rotation = floats, .drawn = floats};
    bool good = true;
    for (int turn = 0; turn < 100; turn++) {
        watching = 1;
        good = good && device->render(device, &chunk);
        if (count > 2)
            free(malloc((size_t)turn + 1));
        watching = 0;
    }
    gpu_close(gpu);
    printf("%d\n", calls);
    return !good;
}
