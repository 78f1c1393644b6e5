/*
 * What this machine can do at most: arithmetic between registers, and reading memory. Measured, because no list of
 * processors knows what a machine gets of one; and measured again beside every figure that is held against it, because
 * on shared machines it changes from minute to minute (after Williams, Waterman and Patterson 2009).
 */
#ifndef PG_KERNELS_ROOFLINE_H
#define PG_KERNELS_ROOFLINE_H

#include "kernels/kernels.h"

/* Kinds of products. A table that has no instruction for a kind is measured with the one that it uses instead. */
typedef enum pg_peak { PG_PEAK_F32, PG_PEAK_BF16, PG_PEAK_I8, PG_PEAK_COUNT } pg_peak;

/* The part that is compiled for each instruction set. */
typedef struct pg_roofline_kernels {
    /* `rounds` times operations[kind] multiplications and additions, independent enough for the processor to be busy
     * all the time. */
    void (*chains[PG_PEAK_COUNT])(int64_t rounds);
    int64_t operations[PG_PEAK_COUNT];

    /* Reads `size` bytes (a multiple of 8,192) as `streams` (1, 2, 4 or 8) runs side by side; ahead > 0: asks for what
     * lies that many bytes further on. */
    uint64_t (*read)(const char *bytes, int64_t size, int streams, int64_t ahead);
} pg_roofline_kernels;

/* Multiplications and additions per second on all threads: the median of some tries, 0.2 seconds in all. */
double pg_roofline_peak(const pg_kernels *kernels, int threads, pg_peak peak);

/* Memory to read: much more than caches hold, in small and in huge pages. */
typedef struct pg_roofline_memory pg_roofline_memory;

/* Takes 1 GiB, less on small machines, and finds out which ways of reading are the fastest. */
pg_status pg_roofline_memory_new(pg_roofline_memory **out, const pg_kernels *kernels, int threads);
void pg_roofline_memory_free(pg_roofline_memory *memory);

/* Bytes per second on all threads: the median of some tries in the fastest way, some 0.2 seconds. */
double pg_roofline_read(const pg_roofline_memory *memory);

#endif
