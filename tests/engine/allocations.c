/* Counts what engine_render allocates and locks, on any thread, while notes come and go; prints the count.

   Arguments: threads; what renders, "kernels" or "device"; and where to plant a malloc and a free, if anywhere:
   "renderer", or "helper": inside a step that the engine's own threads make. */

#include <stdio.h>
#include <string.h>

#include "engine.h"
#include "kernels/kernels.h"
#include "watched.h"

static pthread_t renderer;

enum { R = 4, S = 4, H = 4, K = 2, LAYERS = 3, FRAMES = 64 };

static float noise[4096], silence[2 * KEYS * K];

static void step_and_allocate(const wavenet_t *network, wavenet_state_t *const *states, int count)
{
    kernels_find("portable")->step(network, states, count);
    if (!pthread_equal(pthread_self(), renderer))
        free(malloc(1 + count));
}

static wavenet_t *network(bool planted)
{
    static kernels_t kernels;
    kernels = *kernels_find("portable");
    if (planted)
        kernels.step = step_and_allocate;
    wavenet_config_t config = {.sample_rate = 16000, .gaussian = true, .layers = LAYERS, .kernel_size = 2,
                               .dilations = {1, 2, 4}, .residual_channels = R, .skip_channels = S, .head_channels = H,
                               .partials = K, .weighted = true, .control_period = 32, .conditioning_channels = 8, .feature_count = 1,
                               .outputs = 2};
    wavenet_tensors_t tensors = {.input_weight = noise, .input_bias = noise, .excitation_weight = noise,
                                 .head_hidden_weight = noise, .head_hidden_bias = noise, .head_output_weight = noise,
                                 .head_output_bias = noise};
    for (int i = 0; i < LAYERS; i++) {
        tensors.gate_weight[i] = tensors.gate_bias[i] = tensors.conditioning_weight[i] = tensors.skip_weight[i] = noise;
        tensors.residual_weight[i] = tensors.residual_bias[i] = i < LAYERS - 1 ? noise : NULL;
    }
    return wavenet_create(&config, &tensors, FLOAT32, &kernels);
}

/* A device that draws one sample for ever. */
static bool hum(device_t *device, const device_chunk_t *chunk)
{
    (void)device;
    for (int n = 0; n < chunk->active; n++)
        for (int i = 0; i < chunk->frames; i++)
            chunk->drawn[chunk->slots[n] * DEVICE_FRAMES + i] = 0.1f;
    return true;
}

int main(int count, char **arguments)
{
    const int threads = atoi(arguments[1]);
    const bool on_device = !strcmp(arguments[2], "device");
    const char *planted = count > 3 ? arguments[3] : "";
    renderer = pthread_self();
    for (int i = 0; i < 4096; i++)
        noise[i] = (float)(i * 2654435761u % 1000) / 5000.0f - 0.1f;
    static float one[] = {1.0f}, ages_s[] = {0.0f, 1.0f}, envelope_db[] = {-20.0f, -40.0f, -30.0f, -50.0f};
    static float partial_db[2 * 2 * K] = {-20.0f, -30.0f, -120.0f, -30.0f, -20.0f, -120.0f};
    instrument_t instrument = {.timbres = 2, .keys = 1, .velocities = 1, .ages = 2, .envelope_keys = one,
                               .envelope_velocities = one, .envelope_ages_s = ages_s, .envelope_db = envelope_db,
                               .cents = noise, .stiffness = noise + 8, .release_s = noise + 8, .onset_phases = noise, .modes_hz = silence,
                               .temperature = noise, .onset_temperature = noise, .timbre = noise, .longest_age_s = noise,
                               .partial_axes = {.key_count = 1, .velocity_count = 1, .age_count = 2, .keys = one,
                                                .velocities = one, .ages_s = ages_s},
                               .partial_db = partial_db};
    control_range_t controls[CONTROLS];
    for (int i = 0; i < CONTROLS; i++)
        controls[i] = (control_range_t){0.0f, 1000.0f, 1.0f};
    float out[FRAMES];
    device_t device = {.render = hum};
    engine_t *engine = engine_create(network(!strcmp(planted, "helper")), &instrument, controls, 3, threads, 7,
                                     on_device ? &device : NULL);
    for (int turn = 0; turn < 200; turn++) {
        command_t commands[] = {
            {-1, 1, COMMAND_NOTE_ON, 0, turn % 128, 100, 0, 0.0f},
            {turn * FRAMES + 5, 2, COMMAND_CONTROL, 0, 0, 0, turn % CONTROLS, 0.4f + 0.1f * (turn % 7)},
            {turn * FRAMES + 9, 3, turn % (COMMAND_LIMIT + 1), 0, turn % 128, 90, 0, 1.5f},
        };
        engine_push(engine, commands, 3);
        watching = 1;
        engine_render(engine, out, FRAMES);
        if (!strcmp(planted, "renderer"))
            free(malloc(turn + 1));
        watching = 0;
    }
    printf("%d\n", calls);
    bool played = engine_counters(engine).notes >= 200;
    engine_destroy(engine);
    return !played;
}
