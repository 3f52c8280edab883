#include "gpu.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <memory>
#include <vector>

#include "fibre.h"

namespace gpu {

dimensions thread_index, block_index, grid_size;
unsigned char *shared;

namespace {

enum { LANES = 32, STACK_BYTES = 1 << 16 };

struct warp_t {
    int arrived = 0;
    std::vector<int> waiting;
    unsigned char lanes[2][LANES][64]; /* of this meeting and of the last, which slow lanes still read */
};

struct freed {
    void operator()(unsigned char *memory) const
    {
        free(memory);
    }
};

struct block_t {
    std::unique_ptr<unsigned char, freed> shared;
    int arrived = 0, running;
    std::vector<int> waiting;
    std::vector<warp_t> warps;
};

struct cluster_t {
    int arrived = 0;
    std::vector<int> waiting;
};

/* How a barrier in shared memory stands, in its eight bytes. */
struct barrier_t {
    int16_t pending, arrivals;
    int32_t bytes_and_phase; /* bytes still to come, times two, and the phase's parity */
};

struct write_t {
    unsigned char value[16];
    size_t bytes;
    void *address, *barrier;
};

struct thread_t {
    fibre_t fibre;
    int block, index;
    int meetings; /* of its warp, that it took part in */
};

const launch_t *launched;
std::vector<thread_t> threads;
std::vector<block_t> blocks;
std::vector<cluster_t> clusters;
std::vector<int> ready, watching; /* can go on; wait for some memory to change */
std::vector<write_t> under_way;
std::vector<unsigned char *> stacks; /* kept from launch to launch */
int current;
uint64_t lot;
fibre_t scheduler;

unsigned draw(unsigned count)
{
    lot = lot * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)((lot >> 33) % count);
}

thread_t &running()
{
    return threads[current];
}

void leave()
{
    fibre_switch(&running().fibre, &scheduler);
}

void release(std::vector<int> &waiting)
{
    ready.insert(ready.end(), waiting.begin(), waiting.end());
    waiting.clear();
}

/* All of `count` must arrive before one goes on. */
void meet(int &arrived, std::vector<int> &waiting, int count)
{
    waiting.push_back(current);
    if (++arrived == count) {
        arrived = 0;
        release(waiting);
    }
    leave();
}

void advance(barrier_t *barrier)
{
    if (barrier->pending == 0 && barrier->bytes_and_phase >> 1 == 0) {
        barrier->pending = barrier->arrivals;
        barrier->bytes_and_phase ^= 1;
        changed();
    }
}

void deliver(size_t which)
{
    const write_t write = under_way[which];
    under_way[which] = under_way.back();
    under_way.pop_back();
    memcpy(write.address, write.value, write.bytes);
    barrier_t *barrier = (barrier_t *)write.barrier;
    barrier->bytes_and_phase -= 2 * (int)write.bytes;
    advance(barrier);
}

void body()
{
    fibre_begun(&running().fibre, &scheduler);
    launched->kernel(launched->parameter);
    blocks[running().block].running--;
    leave();
}

void resume(int thread)
{
    current = thread;
    thread_t &its = threads[thread];
    thread_index = {(unsigned)its.index, 0, 0};
    block_index = {(unsigned)its.block, 0, 0};
    shared = blocks[its.block].shared.get();
    fibre_switch(&scheduler, &its.fibre);
}

void set_up()
{
    const int count = launched->blocks * launched->threads;
    while ((int)stacks.size() < count) {
        void *stack = mmap(nullptr, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (stack == MAP_FAILED)
            abort();
        stacks.push_back((unsigned char *)stack);
    }
    grid_size = {(unsigned)launched->blocks, 1, 1};
    threads = std::vector<thread_t>(count);
    blocks = std::vector<block_t>(launched->blocks);
    clusters = std::vector<cluster_t>(launched->blocks / launched->cluster);
    ready.clear();
    watching.clear();
    under_way.clear();
    lot = launched->order * 2 + 1;
    for (block_t &block : blocks) {
        void *memory;
        if (posix_memalign(&memory, 128, launched->shared_bytes))
            abort();
        block.shared.reset((unsigned char *)memory);
        memset(block.shared.get(), 0xff, launched->shared_bytes);
        block.running = launched->threads;
        block.warps = std::vector<warp_t>(launched->threads / LANES);
    }
    for (int i = 0; i < count; i++) {
        threads[i].block = i / launched->threads;
        threads[i].index = i % launched->threads;
        fibre_make(&threads[i].fibre, stacks[i], STACK_BYTES, body);
        ready.push_back(i);
    }
}

}

bool run(const launch_t &launch)
{
    launched = &launch;
    set_up();
    for (;;) {
        if (!under_way.empty() && (ready.empty() || draw(4) == 0)) {
            deliver(draw((unsigned)under_way.size()));
            continue;
        }
        if (ready.empty())
            break;
        const unsigned which = draw((unsigned)ready.size());
        const int thread = ready[which];
        ready[which] = ready.back();
        ready.pop_back();
        resume(thread);
    }
    bool ended = true;
    for (const block_t &block : blocks)
        ended &= block.running == 0;
    blocks.clear();
    return ended;
}

void block_barrier(int number)
{
    block_t &block = blocks[running().block];
    if (number != launched->skipped_barrier)
        meet(block.arrived, block.waiting, launched->threads);
}

void cluster_barrier()
{
    cluster_t &cluster = clusters[running().block / launched->cluster];
    meet(cluster.arrived, cluster.waiting, launched->cluster * launched->threads);
}

const unsigned char (*exchange(const void *mine, size_t bytes))[64]
{
    thread_t &thread = running();
    warp_t &warp = blocks[thread.block].warps[thread.index / LANES];
    unsigned char (*lanes)[64] = warp.lanes[thread.meetings++ % 2];
    memcpy(lanes[thread.index % LANES], mine, bytes);
    meet(warp.arrived, warp.waiting, LANES);
    return lanes;
}

void wait_for_change()
{
    watching.push_back(current);
    leave();
}

void changed()
{
    release(watching);
}

unsigned char *remote(const void *pointer, int block)
{
    const int mine = running().block, cluster = launched->cluster;
    return blocks[mine / cluster * cluster + block].shared.get() + ((const unsigned char *)pointer - shared);
}

void barrier_make(void *barrier, int arrivals)
{
    *(barrier_t *)barrier = {(int16_t)arrivals, (int16_t)arrivals, 0};
}

void barrier_expect(void *barrier, int bytes)
{
    barrier_t *its = (barrier_t *)barrier;
    its->bytes_and_phase += 2 * bytes;
    its->pending--;
    advance(its);
}

void barrier_arrive(void *barrier)
{
    ((barrier_t *)barrier)->pending--;
    advance((barrier_t *)barrier);
}

bool barrier_ended(const void *barrier, int parity)
{
    return (((const barrier_t *)barrier)->bytes_and_phase & 1) != parity;
}

void write_later(void *address, const void *value, size_t bytes, void *barrier)
{
    write_t write = {{}, bytes, address, barrier};
    memcpy(write.value, value, bytes);
    under_way.push_back(write);
}

}
