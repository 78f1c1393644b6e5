#include "cuda_runtime.h"

#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#include <vector>

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

/* ---------------------------------------------------------------- fibers */

enum fiber_state { RUNS, WAITS_FOR_WARP, WAITS_FOR_BLOCK, DONE };

#define STACK (96 << 10)

struct fiber {
    fiber_state state;
    uint3 index;
    char *stack;
#if defined(__x86_64__)
    void *top;
#else
    ucontext_t context;
#endif
};

static std::vector<fiber> fibers;
static size_t running;
static const std::function<void()> *job;
static std::vector<char> shared_memory, warp_rooms;

#if defined(__x86_64__)
/* Saves what a callee must keep and goes on with the other stack. */
extern "C" void emulate_switch(void **from, void *to);
asm(".text\n.globl emulate_switch\nemulate_switch:\n"
    "push %rbp\npush %rbx\npush %r12\npush %r13\npush %r14\npush %r15\n"
    "mov %rsp, (%rdi)\nmov %rsi, %rsp\n"
    "pop %r15\npop %r14\npop %r13\npop %r12\npop %rbx\npop %rbp\nret\n");
static void *scheduler;

static void to_scheduler()
{
    emulate_switch(&fibers[running].top, scheduler);
}

static void to_fiber(size_t i)
{
    emulate_switch(&scheduler, fibers[i].top);
}
#else
static ucontext_t scheduler;

static void to_scheduler()
{
    swapcontext(&fibers[running].context, &scheduler);
}

static void to_fiber(size_t i)
{
    swapcontext(&scheduler, &fibers[i].context);
}
#endif

static void fiber_main()
{
    (*job)();
    fibers[running].state = DONE;
    to_scheduler();
    abort();
}

static void start(fiber *f)
{
    if (!f->stack)
        f->stack = static_cast<char *>(mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    f->state = RUNS;
#if defined(__x86_64__)
    void **top = reinterpret_cast<void **>(f->stack + STACK - 64);
    *--top = NULL; /* where a return address would be: the stack is as behind a call */
    *--top = reinterpret_cast<void *>(fiber_main);
    f->top = top - 6;
#else
    getcontext(&f->context);
    f->context.uc_stack.ss_sp = f->stack;
    f->context.uc_stack.ss_size = STACK;
    makecontext(&f->context, fiber_main, 0);
#endif
}

static void wait_as(fiber_state state)
{
    fibers[running].state = state;
    to_scheduler();
}

void emulate_block_barrier()
{
    wait_as(WAITS_FOR_BLOCK);
}

void emulate_warp_barrier()
{
    wait_as(WAITS_FOR_WARP);
}

void *emulate_warp_room(size_t bytes, unsigned lane)
{
    size_t warp = running / 32, whole = 32 * 64;
    if (bytes > 64)
        abort();
    return &warp_rooms[warp * whole + lane * 64];
}

void *emulate_shared()
{
    return shared_memory.data();
}

/* Lets those go on who have all come to the same barrier: threads first .. end - 1. True if somebody does. */
static bool release(size_t first, size_t end, fiber_state barrier)
{
    size_t waiting = 0, done = 0;
    for (size_t i = first; i < end; i++) {
        waiting += fibers[i].state == barrier;
        done += fibers[i].state == DONE;
    }
    if (waiting == 0 || waiting + done != end - first)
        return false;
    for (size_t i = first; i < end; i++)
        if (fibers[i].state == barrier)
            fibers[i].state = RUNS;
    return true;
}

static void run_block(size_t count)
{
    for (size_t left = count; left;) {
        bool moved = false;
        for (size_t i = 0; i < count; i++)
            while (fibers[i].state == RUNS) {
                running = i;
                threadIdx = fibers[i].index;
                to_fiber(i);
                left -= fibers[i].state == DONE;
                moved = true;
            }
        for (size_t first = 0; first < count; first += 32)
            moved |= release(first, std::min(first + 32, count), WAITS_FOR_WARP);
        moved |= release(0, count, WAITS_FOR_BLOCK);
        if (left && !moved) {
            fprintf(stderr, "emulation: a barrier that not all threads reach\n");
            abort();
        }
    }
}

void emulate_launch(dim3 grid, dim3 block, size_t shared, const std::function<void()> &kernel)
{
    static std::mutex mutex;
    std::lock_guard<std::mutex> lock(mutex);
    emulate_access access;
    size_t count = static_cast<size_t>(block.x) * block.y * block.z;
    if (count > 1024 || shared > 227 << 10 || grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.y > 65535 ||
        grid.z > 65535) {
        fprintf(stderr, "emulation: no GPU launches %u x %u x %u blocks of %zu threads with %zu bytes\n", grid.x,
                grid.y, grid.z, count, shared);
        abort();
    }
    if (fibers.size() < count)
        fibers.resize(count);
    warp_rooms.resize((count + 31) / 32 * 32 * 64);
    job = &kernel;
    gridDim = grid;
    blockDim = block;
    for (unsigned z = 0; z < grid.z; z++)
        for (unsigned y = 0; y < grid.y; y++)
            for (unsigned x = 0; x < grid.x; x++) {
                blockIdx = {x, y, z};
                shared_memory.assign(shared, static_cast<char>(0xff)); /* NaN: nobody may read what nobody wrote */
                for (size_t i = 0; i < count; i++) {
                    unsigned at = static_cast<unsigned>(i);
                    fibers[i].index = {at % block.x, at / block.x % block.y, at / block.x / block.y};
                    start(&fibers[i]);
                }
                run_block(count);
            }
}

/* ---------------------------------------------------------------- streams */

struct emulated_graph {
    std::vector<std::function<void()>> work;
};

struct emulated_stream {
    emulated_graph *captured; /* NULL: what is asked for is done at once */
    bool refused;             /* something that cannot be captured has been asked for */
};

static thread_local emulated_stream *captured_here;

void emulate_do(cudaStream_t stream, const std::function<void()> &work)
{
    if (stream->captured)
        stream->captured->work.push_back(work);
    else
        work();
}

/* Whoever captures may neither take nor give back memory, nor wait: true, and the capture is worth nothing. */
static bool refuse_capture()
{
    if (captured_here)
        captured_here->refused = true;
    return captured_here != NULL;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned)
{
    *out = new emulated_stream();
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    delete stream;
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t)
{
    return refuse_capture() ? cudaErrorStreamCaptureUnsupported : cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode)
{
    if (captured_here || stream->captured)
        return cudaErrorInvalidValue;
    stream->captured = new emulated_graph();
    stream->refused = false;
    captured_here = stream;
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *out)
{
    *out = NULL;
    if (captured_here != stream)
        return cudaErrorInvalidValue;
    *out = stream->captured;
    stream->captured = NULL;
    captured_here = NULL;
    if (!stream->refused)
        return cudaSuccess;
    delete *out;
    *out = NULL;
    return cudaErrorStreamCaptureUnsupported;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *out, cudaGraph_t graph, unsigned long long)
{
    *out = new emulated_graph(*graph);
    return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream)
{
    for (const std::function<void()> &work : graph->work)
        emulate_do(stream, work);
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    delete graph;
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph)
{
    delete graph;
    return cudaSuccess;
}

/* ---------------------------------------------------------------- memory */

static std::map<char *, size_t> regions;
static std::recursive_mutex region_mutex;
static int accesses;

static void protect_all(int protection)
{
    for (const auto &region : regions)
        mprotect(region.first, region.second, protection);
}

/* With PG_EMULATION_OPEN in the environment the host may touch the memory, and everything is several times as fast. */
static bool is_open()
{
    static const bool open = getenv("PG_EMULATION_OPEN") != NULL;
    return open;
}

emulate_access::emulate_access()
{
    region_mutex.lock();
    if (accesses++ == 0 && !is_open())
        protect_all(PROT_READ | PROT_WRITE);
}

emulate_access::~emulate_access()
{
    if (--accesses == 0 && !is_open())
        protect_all(PROT_NONE);
    region_mutex.unlock();
}

cudaError_t cudaMalloc(void **out, size_t bytes)
{
    if (refuse_capture())
        return cudaErrorStreamCaptureUnsupported;
    std::lock_guard<std::recursive_mutex> lock(region_mutex);
    size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE)), whole = (bytes + page) / page * page;
    void *memory = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return cudaErrorMemoryAllocation;
    if (whole < 64 << 20)
        memset(memory, 0xff, whole); /* NaN */
    regions[static_cast<char *>(memory)] = whole;
    if (!is_open())
        mprotect(memory, whole, PROT_NONE);
    *out = memory;
    return cudaSuccess;
}

cudaError_t cudaFree(void *memory)
{
    if (refuse_capture())
        return cudaErrorStreamCaptureUnsupported;
    std::lock_guard<std::recursive_mutex> lock(region_mutex);
    auto region = regions.find(static_cast<char *>(memory));
    if (region == regions.end())
        return cudaErrorInvalidValue;
    munmap(memory, region->second);
    regions.erase(region);
    return cudaSuccess;
}

static bool is_device(const void *memory)
{
    auto after = regions.upper_bound(static_cast<char *>(const_cast<void *>(memory)));
    if (after == regions.begin())
        return false;
    --after;
    return static_cast<const char *>(memory) < after->first + after->second;
}

/* A copy between the wrong kinds of memory is an error, as it is on a GPU. */
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream)
{
    emulate_access access;
    if (is_device(to) != (kind != cudaMemcpyDeviceToHost) || is_device(from) != (kind != cudaMemcpyHostToDevice))
        return cudaErrorInvalidValue;
    if (kind != cudaMemcpyDeviceToDevice && refuse_capture())
        return cudaErrorStreamCaptureUnsupported;
    emulate_do(stream, [=] {
        emulate_access inside;
        memmove(to, from, bytes);
    });
    return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void *memory, int value, size_t bytes, cudaStream_t stream)
{
    emulate_access access;
    if (!is_device(memory))
        return cudaErrorInvalidValue;
    emulate_do(stream, [=] {
        emulate_access inside;
        memset(memory, value, bytes);
    });
    return cudaSuccess;
}

cudaError_t cudaHostAlloc(void **out, size_t bytes, unsigned)
{
    *out = malloc(bytes);
    return *out ? cudaSuccess : cudaErrorMemoryAllocation;
}

cudaError_t cudaFreeHost(void *memory)
{
    free(memory);
    return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *out, unsigned)
{
    *out = static_cast<cudaEvent_t>(malloc(1));
    return *out ? cudaSuccess : cudaErrorMemoryAllocation;
}

cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t)
{
    return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t)
{
    return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    free(event);
    return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t *left, size_t *all)
{
    *left = *all = static_cast<size_t>(8) << 30;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int *out)
{
    *out = 1;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp *out, int number)
{
    *out = {};
    if (number != 0)
        return cudaErrorInvalidValue;
    snprintf(out->name, sizeof out->name, "emulated GPU");
    out->major = 9;
    out->multiProcessorCount = 4;
    out->totalGlobalMem = static_cast<size_t>(8) << 30;
    return cudaSuccess;
}

const char *cudaGetErrorString(cudaError_t error)
{
    static const char *const names[] = {"no error", "out of memory", "invalid argument", "not while capturing"};
    return names[error];
}
