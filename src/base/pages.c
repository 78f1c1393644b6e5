#include "base/pages.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

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

void pg_pages_release(const void *data, size_t bytes)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), first = ((uintptr_t)data + page - 1) / page * page;
    uintptr_t end = ((uintptr_t)data + bytes) / page * page;
    if (end > first)
        madvise((void *)first, end - first, MADV_DONTNEED);
}
