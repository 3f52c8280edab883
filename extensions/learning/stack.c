#define _DEFAULT_SOURCE /* madvise */
#include "stack.h"

#include <string.h>

#include "../arena.h"
#include "../denormals.h"
#include "../memory.h"

enum { MOST_SEGMENTS = 65535 };

static int padded(int width)
{
    return (width + STRIP - 1) / STRIP * STRIP;
}

/* --- layout ----------------------------------------------------------------------------------------------------- */

static matrix_t add_matrix(stack_t *stack, int parameter, int depth, int halves, int columns, bool upright)
{
    const size_t size = (size_t)padded(depth) * halves * padded(columns), first = stack->items;
    stack->items += 2 * size;
    stack->gradients += size;
    return (matrix_t){
        .parameter = parameter, .taps = 1, .depth = depth, .columns = columns, .halves = halves,
        .depth_padded = padded(depth), .columns_padded = halves * padded(columns),
        .ahead = first, .back = first + size, .gradient = stack->gradients - size, .upright = upright,
    };
}

static vector_t add_vector(stack_t *stack, int parameter, int parts, int count)
{
    vector_t vector = {parameter, parts, count, padded(count), stack->values, stack->gradients};
    stack->values += (size_t)parts * vector.padded;
    stack->gradients += (size_t)parts * vector.padded;
    return vector;
}

/* Parameters are numbered as torch names them. */
static void lay_out(stack_t *stack)
{
    const shape_t *shape = &stack->shape;
    const int R = shape->residual, S = shape->skip;
    int next = 0;
    stack->input_weight = add_vector(stack, next++, shape->classes ? shape->classes : 1, R);
    stack->input_bias = add_vector(stack, shape->classes ? -1 : next++, 1, R);
    if (shape->excitation)
        stack->excite = add_matrix(stack, next++, shape->excitation, 1, R, false);
    for (int l = 0; l < shape->layers; l++) {
        layer_t *layer = &stack->layers[l];
        layer->reach = (shape->kernel_size - 1) * shape->dilations[l];
        for (int tap = 0; tap < shape->kernel_size; tap++) {
            layer->taps[tap] = add_matrix(stack, next, R, 2, R, false);
            layer->taps[tap].taps = shape->kernel_size;
            layer->taps[tap].tap = tap;
        }
        next++;
        layer->gate_bias = add_vector(stack, next++, 2, R);
        if (shape->conditioning)
            layer->conditioning = add_matrix(stack, next++, shape->conditioning, 2, R, false);
        if (l < shape->layers - 1) {
            layer->residual = add_matrix(stack, next++, R, 1, R, true);
            layer->residual_bias = add_vector(stack, next++, 1, R);
        }
        layer->skip = add_matrix(stack, next++, R, 1, S, true);
    }
    stack->to_hidden = add_matrix(stack, next++, S, 1, shape->head, false);
    stack->hidden_bias = add_vector(stack, next++, 1, shape->head);
    stack->to_output = add_matrix(stack, next++, shape->head, 1, shape->outputs, false);
    stack->output_bias = add_vector(stack, next++, 1, shape->outputs);
    stack->parameters = next;
}

/* Calls for every matrix and every vector of the network, numbered through; the other of the two is NULL. False past
   the last. */
static bool part(const stack_t *stack, int index, const matrix_t **matrix, const vector_t **vector)
{
    const vector_t *vectors[] = {&stack->input_weight, &stack->input_bias, &stack->hidden_bias, &stack->output_bias};
    const matrix_t *matrices[] = {&stack->excite, &stack->to_hidden, &stack->to_output};
    *matrix = NULL, *vector = NULL;
    if (index < 4)
        return *vector = vectors[index], true;
    if ((index -= 4) < 3)
        return *matrix = matrices[index], true;
    index -= 3;
    const layer_t *layer = &stack->layers[index / 8];
    const vector_t *of_layer[] = {&layer->gate_bias, &layer->residual_bias};
    const matrix_t *in_layer[] = {&layer->taps[0],      &layer->taps[1],  &layer->taps[2],
                                  &layer->conditioning, &layer->residual, &layer->skip};
    if (index % 8 < 2)
        *vector = of_layer[index % 8];
    else
        *matrix = in_layer[index % 8 - 2];
    return index / 8 < stack->shape.layers;
}

size_t stack_parameter(const stack_t *stack, int parameter)
{
    const matrix_t *matrix;
    const vector_t *vector;
    for (int i = 0; part(stack, i, &matrix, &vector); i++) {
        if (matrix && matrix->parameter == parameter && matrix->depth)
            return (size_t)matrix->taps * matrix->halves * matrix->columns * matrix->depth;
        if (vector && vector->parameter == parameter && vector->count)
            return (size_t)vector->parts * vector->count;
    }
    return 0;
}

/* --- memory ----------------------------------------------------------------------------------------------------- */

static int most(int a, int b)
{
    return a > b ? a : b;
}

static void lay_out_scratch(const stack_t *stack, arena_t *arena, scratch_t *scratch)
{
    const size_t item = stack->learner->item_bytes, tile = item * TILE;
    const int R = stack->residual, S = stack->skip, H = stack->head, O = stack->outputs;
    const int E = stack->excitation, C = stack->conditioning;
    scratch->stream = arena_take_floats(arena, (size_t)TILE * R);
    scratch->sums = arena_take_floats(arena, (size_t)STRIP * most(most(2 * R, S), most(H, O)));
    scratch->inputs = arena_take(arena, tile * most(E, C));
    scratch->gated = arena_take(arena, tile * R * stack->shape.layers);
    scratch->d_outputs = arena_take(arena, tile * O);
    scratch->d_hidden = arena_take(arena, tile * H);
    scratch->d_skip = arena_take(arena, tile * S);
    scratch->d_stream = arena_take(arena, tile * R);
    for (int l = 0; l < stack->shape.layers; l++)
        scratch->d_gates[l] = arena_take(arena, item * (TILE + stack->layers[l].reach) * 2 * R);
    scratch->turned_skip = arena_take(arena, tile * S);
    scratch->turned = arena_take(arena, tile * most(most(R, S), most(H, most(E, C))));
    scratch->paired = arena_take(arena, tile * most(2 * R, most(H, O)));
}

static void lay_out_segment(const stack_t *stack, arena_t *arena, segment_t *segment)
{
    const size_t item = stack->learner->item_bytes, rows = (size_t)stack->rows, R = (size_t)stack->residual;
    for (int l = 0; l < stack->shape.layers; l++) {
        segment->stream[l] = arena_take(arena, item * (stack->layers[l].reach + rows) * R);
        segment->gates[l] = arena_take(arena, stack->learner->saved_bytes * rows * 2 * R);
    }
    segment->skipped = arena_take(arena, item * rows * stack->skip);
    segment->hidden = arena_take(arena, item * rows * stack->head);
    segment->biases = arena_take_floats(arena, (size_t)stack->periods_padded * stack->shape.layers * 2 * R);
    segment->gradients = arena_take_floats(arena, stack->gradients);
}

static void release_segments(stack_t *stack)
{
    for (int i = 0; i < stack->capacity; i++)
        memory_free(stack->segments[i].stream[0]);
    memory_free(stack->segments);
    stack->segments = NULL;
    stack->capacity = 0;
}

/* Room for a batch: what is there, where it fits. */
static bool reserve(stack_t *stack, const batch_t *batch)
{
    const int rows = padded(batch->length), periods = padded(batch->periods);
    if (batch->segments <= stack->capacity && rows == stack->rows && periods == stack->periods_padded)
        return true;
    release_segments(stack);
    stack->rows = rows;
    stack->periods_padded = periods;
    stack->segments = memory_allocate(sizeof(segment_t) * batch->segments);
    if (!stack->segments)
        return false;
    for (; stack->capacity < batch->segments; stack->capacity++) {
        segment_t segment;
        arena_t arena = {.fenced = true};
        lay_out_segment(stack, &arena, &segment);
        arena = (arena_t){.block = memory_allocate_large(arena.used), .fenced = true};
        if (!arena.block)
            return false;
        lay_out_segment(stack, &arena, &stack->segments[stack->capacity]);
    }
    return true;
}

static void work(void *context, int share);

static bool furnish(stack_t *stack)
{
    stack->weights = memory_allocate(stack->items * stack->learner->item_bytes);
    stack->vectors = memory_allocate(stack->values * sizeof(float));
    stack->scratch = memory_allocate(sizeof(scratch_t) * stack->threads);
    if (!stack->weights || !stack->vectors || !stack->scratch)
        return false;
    for (int i = 0; i < stack->threads; i++) {
        scratch_t scratch;
        arena_t arena = {.fenced = true};
        lay_out_scratch(stack, &arena, &scratch);
        arena = (arena_t){.block = memory_allocate_large(arena.used), .fenced = true};
        if (!arena.block)
            return false;
        lay_out_scratch(stack, &arena, &stack->scratch[i]);
    }
    return (stack->workers = workers_create(stack->threads, stack->threads, work, stack));
}

stack_t *stack_create(const shape_t *shape, const learner_t *learner, int threads)
{
    stack_t *stack = memory_allocate(sizeof *stack);
    if (!stack)
        return NULL;
    stack->shape = *shape;
    stack->learner = learner;
    stack->threads = threads;
    stack->residual = padded(shape->residual);
    stack->skip = padded(shape->skip);
    stack->head = padded(shape->head);
    stack->outputs = padded(shape->outputs);
    stack->excitation = padded(shape->excitation);
    stack->conditioning = padded(shape->conditioning);
    lay_out(stack);
    if (furnish(stack))
        return stack;
    stack_destroy(stack);
    return NULL;
}

void stack_destroy(stack_t *stack)
{
    if (!stack)
        return;
    workers_destroy(stack->workers);
    release_segments(stack);
    for (int i = 0; stack->scratch && i < stack->threads; i++)
        memory_free(stack->scratch[i].stream);
    memory_free(stack->scratch);
    memory_free(stack->vectors);
    memory_free(stack->weights);
    memory_free(stack);
}

/* --- work ------------------------------------------------------------------------------------------------------- */

/* A thread's share: task after task, until none is left. */
static void work(void *context, int share)
{
    stack_t *stack = context;
    const denormals_t before = denormals_flush();
    for (int i; (i = atomic_fetch_add(&stack->next, 1)) < stack->tasks;)
        stack->task(stack, &stack->scratch[share], i);
    denormals_restore(before);
}

static void run(stack_t *stack, void (*task)(stack_t *, scratch_t *, int), int tasks)
{
    stack->task = task;
    stack->tasks = tasks;
    atomic_store(&stack->next, 0);
    workers_run(stack->workers, stack->threads);
}

static int parts(const stack_t *stack)
{
    const matrix_t *matrix;
    const vector_t *vector;
    int count = 0;
    while (part(stack, count, &matrix, &vector))
        count++;
    return count;
}

static void pack(stack_t *stack, scratch_t *scratch, int index)
{
    const matrix_t *matrix;
    const vector_t *vector;
    (void)scratch;
    part(stack, index, &matrix, &vector);
    if (matrix && matrix->depth)
        stack->learner->pack(stack->weights, matrix, stack->sources[matrix->parameter]);
    if (vector && vector->count && vector->parameter >= 0)
        for (int i = 0; i < vector->parts; i++)
            memcpy(stack->vectors + vector->value + (size_t)i * vector->padded,
                   stack->sources[vector->parameter] + (size_t)i * vector->count, sizeof(float) * vector->count);
}

static void forward(stack_t *stack, scratch_t *scratch, int index)
{
    stack->learner->forward(stack, &stack->segments[index], scratch, index);
}

static void backward(stack_t *stack, scratch_t *scratch, int index)
{
    stack->learner->backward(stack, &stack->segments[index], scratch, index);
}

/* Add up what the segments have, in their order, in the first one's place. */
static const float *total(const stack_t *stack, size_t at, size_t count)
{
    float *sums = stack->segments[0].gradients + at;
    for (int i = 1; i < stack->batch.segments; i++) {
        const float *more = stack->segments[i].gradients + at;
        for (size_t k = 0; k < count; k++)
            sums[k] += more[k];
    }
    return sums;
}

static void gather_matrix(const stack_t *stack, const matrix_t *matrix)
{
    const int columns_padded = matrix->columns_padded, half_padded = columns_padded / matrix->halves;
    const float *sums = total(stack, matrix->gradient, (size_t)matrix->depth_padded * columns_padded);
    float *to = stack->targets[matrix->parameter] + matrix->tap;
    for (int half = 0; half < matrix->halves; half++)
        for (int i = 0; i < matrix->columns; i++)
            for (int k = 0; k < matrix->depth; k++, to += matrix->taps) {
                const size_t column = (size_t)half * half_padded + i;
                *to = sums[matrix->upright ? column * matrix->depth_padded + k : (size_t)k * columns_padded + column];
            }
}

static void gather(stack_t *stack, scratch_t *scratch, int index)
{
    const matrix_t *matrix;
    const vector_t *vector;
    (void)scratch;
    part(stack, index, &matrix, &vector);
    if (matrix && matrix->depth)
        gather_matrix(stack, matrix);
    if (vector && vector->count && vector->parameter >= 0) {
        const float *sums = total(stack, vector->gradient, (size_t)vector->parts * vector->padded);
        for (int i = 0; i < vector->parts; i++)
            memcpy(stack->targets[vector->parameter] + (size_t)i * vector->count, sums + (size_t)i * vector->padded,
                   sizeof(float) * vector->count);
    }
}

bool stack_forward(stack_t *stack, const batch_t *batch, const float *const *parameters)
{
    if (!reserve(stack, batch))
        return false;
    stack->batch = *batch;
    stack->sources = parameters;
    run(stack, pack, parts(stack));
    run(stack, forward, batch->segments);
    return true;
}

void stack_backward(stack_t *stack, const batch_t *batch, float *const *gradients)
{
    stack->batch = *batch;
    stack->targets = gradients;
    run(stack, backward, batch->segments);
    run(stack, gather, parts(stack));
}
