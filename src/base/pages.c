#include "base/pages.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/threads.h"

#define PIECE ((size_t)16 << 20) /* of one task */

#if !defined(MADV_POPULATE_READ)
#define MADV_POPULATE_READ 22 /* Linux 5.14; older kernels say that they do not know it */
#endif

/* Whole pages. */
typedef struct page_range {
    char *first;
    size_t bytes, page;
} page_range;

static page_range whole_pages(const void *data, size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), before = (size_t)((uintptr_t)data % page);
    size_t rounded = (before + bytes + page - 1) / page * page;
    return (page_range){(char *)data - before, rounded, page};
}

static void prefault_piece(void *context, int64_t index, int worker)
{
    const page_range *range = context;
    size_t at = (size_t)index * PIECE, left = range->bytes - at, size = left < PIECE ? left : PIECE;
    (void)worker;
    if (madvise(range->first + at, size, MADV_POPULATE_READ) == 0)
        return;
    const volatile char *piece = range->first + at;
    for (size_t i = 0; i < size; i += range->page)
        (void)piece[i];
}

void pg_pages_prefault(const void *data, size_t bytes, int threads)
{
    page_range range = whole_pages(data, bytes);
    pg_parallel(threads, (int64_t)((range.bytes + PIECE - 1) / PIECE), prefault_piece, &range);
}

bool pg_pages_lock(const void *data, size_t bytes)
{
    page_range range = whole_pages(data, bytes);
    /* not mlock(): the sanitizers replace that with nothing, and what is tested should be what runs */
    return syscall(SYS_mlock, range.first, range.bytes) == 0;
}

/* ---------------------------------------------------------------- huge pages */

void pg_pages_want_huge(const void *data, size_t bytes)
{
    page_range range = whole_pages(data, bytes);
    if (bytes >= PG_HUGE_PAGE) /* all of less would come in with its first byte, for no gain */
        madvise(range.first, range.bytes, MADV_HUGEPAGE);
}

typedef struct copy_run {
    char *first; /* a huge page */
    size_t bytes;
    atomic_bool failed;
} copy_run;

/* Filled elsewhere and then moved here at once, pieces at a time: both copies in memory would be twice the weights. */
static void copy_piece(void *context, int64_t index, int worker)
{
    copy_run *run = context;
    char *to = run->first + (size_t)index * PIECE;
    size_t left = run->bytes - (size_t)index * PIECE, size = left < PIECE ? left : PIECE;
    (void)worker;
    char *room = pg_pages_alloc(size + PG_HUGE_PAGE);
    if (!room) {
        atomic_store(&run->failed, true);
        return;
    }
    char *made = pg_pages_align(room);
    madvise(made, size, MADV_HUGEPAGE);
    memcpy(made, to, size);
    if (mremap(made, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to) == MAP_FAILED) {
        atomic_store(&run->failed, true);
        pg_pages_free(room, size + PG_HUGE_PAGE);
        return;
    }
    pg_pages_free(room, (size_t)(made - room));
    pg_pages_free(made + size, PG_HUGE_PAGE - (size_t)(made - room));
}

pg_status pg_pages_copy(const void *data, size_t bytes, int threads)
{
    const char *end = (const char *)data + bytes;
    copy_run run = {.first = pg_pages_align(data)};
    if (end < run.first + PG_HUGE_PAGE)
        return PG_OK;
    run.bytes = (size_t)(end - run.first) / PG_HUGE_PAGE * PG_HUGE_PAGE;
    pg_parallel(threads, (int64_t)((run.bytes + PIECE - 1) / PIECE), copy_piece, &run);
    return run.failed ? pg_fail_memory(run.bytes) : PG_OK;
}

void pg_pages_release(const void *data, size_t bytes)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), first = ((uintptr_t)data + page - 1) / page * page;
    uintptr_t end = ((uintptr_t)data + bytes) / page * page;
    if (end > first)
        madvise((void *)first, end - first, MADV_DONTNEED);
}
