#include "kernels/roofline.h"

#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/threads.h"

#define TRIES 5

/* ---------------------------------------------------------------- arithmetic */

#define TRY_SECONDS 0.04

typedef struct peak_run {
    void (*chains)(int64_t rounds);
    int64_t rounds;
} peak_run;

static void run_chains(void *context, int64_t index, int worker)
{
    (void)index;
    (void)worker;
    const peak_run *run = context;
    run->chains(run->rounds);
}

static double time_chains(peak_run *run, int threads)
{
    double start = pg_clock();
    pg_parallel(threads, threads, run_chains, run);
    return pg_clock() - start;
}

double pg_roofline_peak(const pg_kernels *kernels, int threads, pg_peak peak)
{
    peak_run run = {kernels->roofline->chains[peak], 10000};
    double spent, speeds[TRIES];
    while ((spent = time_chains(&run, threads)) < TRY_SECONDS / 10)
        run.rounds *= 2;
    run.rounds = (int64_t)((double)run.rounds * TRY_SECONDS / spent) + 1;
    double operations = (double)(kernels->roofline->operations[peak] * run.rounds * threads);
    for (int i = 0; i < TRIES; i++)
        speeds[i] = operations / time_chains(&run, threads);
    return pg_median(speeds, TRIES);
}

/* ---------------------------------------------------------------- memory */

#define MOST_BYTES ((int64_t)512 << 20) /* of each kind of pages */
#define AHEAD      2048

/* Which way is the fastest depends on the processor, and on what else the machine does. */
typedef struct reading {
    bool huge;
    int streams;
    int64_t ahead;
    double speed; /* bytes per second when the memory was made */
} reading;

#define READINGS 16
#define BEST     4 /* those that are measured again */

struct pg_roofline_memory {
    const pg_kernels *kernels;
    int threads;
    int64_t part;   /* bytes of each thread, of each kind of pages */
    char *pages[2]; /* small, huge */
    reading readings[READINGS];
};

typedef struct read_run {
    const pg_roofline_memory *memory;
    const reading *way;
    uint64_t *sums; /* [threads] */
} read_run;

static void read_part(void *context, int64_t index, int worker)
{
    (void)worker;
    const read_run *run = context;
    const pg_roofline_memory *memory = run->memory;
    const char *part = memory->pages[run->way->huge] + index * memory->part;
    run->sums[index] = memory->kernels->roofline->read(part, memory->part, run->way->streams, run->way->ahead);
}

static double read_speed(const pg_roofline_memory *memory, const reading *way, int tries)
{
    uint64_t sums[PG_THREADS_MAX];
    double speeds[TRIES];
    read_run run = {memory, way, sums};
    for (int i = 0; i < tries; i++) {
        double start = pg_clock();
        pg_parallel(memory->threads, memory->threads, read_part, &run);
        speeds[i] = (double)(memory->part * memory->threads) / (pg_clock() - start);
    }
    return pg_median(speeds, (size_t)tries);
}

/* A page that nobody wrote is the one page of zeros, which the cache holds. */
static void touch_part(void *context, int64_t index, int worker)
{
    (void)worker;
    const pg_roofline_memory *memory = context;
    memset(memory->pages[0] + index * memory->part, (int)index + 1, (size_t)memory->part);
    memset(memory->pages[1] + index * memory->part, (int)index + 1, (size_t)memory->part);
}

static void find_best(pg_roofline_memory *memory)
{
    for (int i = 0; i < READINGS; i++) {
        reading way = {i & 1, 1 << (i / 4), i & 2 ? AHEAD : 0, 0};
        way.speed = read_speed(memory, &way, 2);
        int at = i;
        for (; at > 0 && memory->readings[at - 1].speed < way.speed; at--)
            memory->readings[at] = memory->readings[at - 1];
        memory->readings[at] = way;
    }
}

/* All threads' bytes of one kind of pages. */
static size_t kind_bytes(const pg_roofline_memory *memory)
{
    return (size_t)(memory->part * memory->threads);
}

pg_status pg_roofline_memory_new(pg_roofline_memory **out, const pg_kernels *kernels, int threads)
{
    pg_roofline_memory *memory = *out = pg_alloc(1, sizeof *memory);
    if (!memory)
        return PG_ERROR_MEMORY;
    int64_t share = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE) / 16;
    int64_t bytes = share > 0 && share < MOST_BYTES ? share : MOST_BYTES;
    memory->kernels = kernels;
    memory->threads = threads < PG_THREADS_MAX ? threads : PG_THREADS_MAX;
    memory->part = bytes / memory->threads / 8192 * 8192;
    for (int huge = 0; huge < 2; huge++) {
        memory->pages[huge] = pg_pages_alloc(kind_bytes(memory));
        if (!memory->pages[huge]) {
            pg_roofline_memory_free(memory);
            *out = NULL;
            return PG_ERROR_MEMORY;
        }
        madvise(memory->pages[huge], kind_bytes(memory), huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    }
    pg_parallel(memory->threads, memory->threads, touch_part, memory);
    find_best(memory);
    return PG_OK;
}

void pg_roofline_memory_free(pg_roofline_memory *memory)
{
    if (!memory)
        return;
    for (int huge = 0; huge < 2; huge++)
        pg_pages_free(memory->pages[huge], kind_bytes(memory));
    pg_free(memory);
}

double pg_roofline_read(const pg_roofline_memory *memory)
{
    double best = 0;
    for (int i = 0; i < BEST; i++) {
        double speed = read_speed(memory, &memory->readings[i], TRIES);
        best = speed > best ? speed : best;
    }
    return best;
}
