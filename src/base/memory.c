#include "base/memory.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/numbers.h"

static atomic_long until_failure; /* 0: never fails; 1: fails now */
static atomic_bool fails_once;    /* then 0 follows 1; else it fails from now on */

void pg_memory_fail_from(long n)
{
    atomic_store(&fails_once, false);
    atomic_store(&until_failure, n);
}

bool pg_memory_fail_once(long n)
{
    bool happened = atomic_load(&fails_once) && atomic_load(&until_failure) == 0;
    atomic_store(&fails_once, true);
    atomic_store(&until_failure, n);
    return happened;
}

static bool must_fail(void)
{
    long left = atomic_load(&until_failure);
    while (left > 1 || (left == 1 && atomic_load(&fails_once)))
        if (atomic_compare_exchange_weak(&until_failure, &left, left - 1))
            return left == 1;
    return left == 1;
}

void *pg_alloc(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX / 2) {
        pg_fail(PG_ERROR_MEMORY, "out of memory: %zu elements of %zu bytes", count, size);
        return NULL;
    }
    size_t rounded = bytes ? pg_align(bytes) : PG_ALIGNMENT;
    void *memory = must_fail() ? NULL : aligned_alloc(PG_ALIGNMENT, rounded);
    if (memory)
        return memset(memory, 0, rounded);
    pg_fail_memory(bytes);
    return NULL;
}

pg_status pg_grow(void **array, size_t *capacity, size_t need, size_t size)
{
    if (need <= *capacity)
        return PG_OK;
    size_t wanted = *capacity + *capacity / 2 + 16;
    if (wanted < need)
        wanted = need;
    size_t bytes;
    if (__builtin_mul_overflow(wanted, size, &bytes) || bytes > SIZE_MAX / 2)
        return pg_fail_memory(SIZE_MAX);
    void *larger = must_fail() ? NULL : realloc(*array, bytes);
    if (!larger)
        return pg_fail_memory(bytes);
    *array = larger;
    *capacity = wanted;
    return PG_OK;
}

void *pg_pages_alloc(size_t bytes)
{
    void *pages = MAP_FAILED;
    if (bytes && bytes < SIZE_MAX / 2 && !must_fail())
        pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pages != MAP_FAILED)
        return pages;
    pg_fail_memory(bytes);
    return NULL;
}

void pg_pages_free(void *pages, size_t bytes)
{
    if (pages)
        munmap(pages, bytes);
}

char *pg_copy_text(const char *text, size_t size)
{
    if (size == SIZE_MAX)
        size = strlen(text);
    char *copy = pg_alloc(size + 1, 1);
    if (copy && size)
        memcpy(copy, text, size);
    return copy;
}

void pg_free(void *memory)
{
    free(memory);
}
