/* A stream that plays a rack, while another thread switches engines, moves the target and asks whatever can be asked:
   built with -fsanitize=thread by test_realtime_safety.py. */

#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "kernels/kernels.h"
#include "rack.h"
#include "stream.h"

enum { CHANNELS = 4, SWITCHES = 24, VOICES = 3 };

static float noise[1024], silence[KEYS];

static wavenet_t *network(void)
{
    wavenet_config_t config = {.sample_rate = 16000, .gaussian = true, .layers = 1, .kernel_size = 2, .dilations = {1},
                               .residual_channels = CHANNELS, .skip_channels = CHANNELS, .head_channels = CHANNELS,
                               .control_period = 32, .outputs = 2};
    wavenet_tensors_t tensors = {.input_weight = noise, .input_bias = noise, .head_hidden_weight = noise,
                                 .head_hidden_bias = noise, .head_output_weight = noise, .head_output_bias = noise};
    tensors.gate_weight[0] = tensors.gate_bias[0] = tensors.skip_weight[0] = noise;
    return wavenet_create(&config, &tensors, FLOAT32, kernels_find("portable"));
}

static engine_t *engine(const wavenet_t *network)
{
    static float one[] = {1.0f}, ages_s[] = {0.0f, 1.0f}, envelope_db[] = {-20.0f, -40.0f};
    instrument_t instrument = {.timbres = 1, .keys = 1, .velocities = 1, .ages = 2, .envelope_keys = one,
                               .envelope_velocities = one, .envelope_ages_s = ages_s, .envelope_db = envelope_db,
                               .cents = noise, .stiffness = noise, .release_s = noise, .onset_phases = noise, .modes_hz = silence,
                               .temperature = noise, .onset_temperature = noise, .timbre = noise, .longest_age_s = noise};
    control_range_t controls[CONTROLS];
    for (int i = 0; i < CONTROLS; i++)
        controls[i] = (control_range_t){0.0f, 1000.0f, 1.0f};
    return engine_create(network, &instrument, controls, VOICES, 1, 7, NULL);
}

static void *produce(void *stream)
{
    stream_produce(stream);
    return NULL;
}

static void *play(void *stream)
{
    stream_clock(stream, 64);
    return NULL;
}

int main(void)
{
    for (int i = 0; i < 1024; i++)
        noise[i] = (float)(i * 2654435761u % 1000) / 5000.0f - 0.1f;
    const wavenet_t *shared = network();
    engine_t *engines[RACK_PLACES] = {0};
    rack_t *rack = rack_create(48000);
    stream_options_t options = {.source = {rack_render, rack, rack_voices, rack_polyphony, rack_limit},
                                .sample_rate = 48000, .channels = 2, .target_frames = 256, .record_frames = 4096};
    stream_t *stream = stream_create(&options);
    pthread_t producer, clock;
    pthread_create(&producer, NULL, produce, stream);
    pthread_create(&clock, NULL, play, stream);
    int joined = 0, left = 0, newest = -1;
    stream_counters_t counters;
    while (left < SWITCHES) {
        engine_t *next = joined <= SWITCHES ? engine(shared) : NULL;
        command_t note = {-1, 1, COMMAND_NOTE_ON, 0, 60 + joined % 12, 100, 0, 0.0f};
        int place = next && engine_push(next, &note, 1) ? rack_join(rack, next, VOICES, rack_frame(rack) + 100) : -1;
        if (place >= 0) {
            engines[place] = next;
            if (newest >= 0)
                rack_leave(rack, newest, rack_frame(rack) + 150);
            newest = place;
            joined++;
        } else {
            engine_destroy(next);
        }
        usleep(2000);
        rack_notice_t notice;
        while (rack_take_notice(rack, &notice))
            if (notice.what == RACK_LEFT) {
                engine_destroy(engines[notice.place]);
                left++;
            }
        float recorded[512];
        echo_t echo;
        while (engine_take_echo(engines[newest], &echo)) {
        }
        stream_set_target(stream, 200 + joined);
        stream_take_lowest_fill(stream);
        stream_take_recording(stream, recorded, 512);
        stream_take_peak(stream);
        stream_counters(stream, &counters);
        if (stream_frame_at(stream, counters.now_ns) < 0.0 || rack_heard(rack, newest) < 0)
            return 1;
    }
    stream_end_clock(stream);
    pthread_join(clock, NULL);
    stream_stop(stream);
    pthread_join(producer, NULL);
    stream_destroy(stream);
    rack_destroy(rack);
    engine_destroy(engines[newest]);
    return counters.frames == 0;
}
