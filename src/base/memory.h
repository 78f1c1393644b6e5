/* The heap, with one door: sizes are checked for overflow, and tests can make the nth allocation fail. */
#ifndef PG_BASE_MEMORY_H
#define PG_BASE_MEMORY_H

#include "base/status.h"

/* Alignment of pg_alloc: a cache line, and the widest vector register. */
#define PG_ALIGNMENT 64

/* count * size bytes, zeroed, aligned to PG_ALIGNMENT; NULL (with the error text set) when there is no memory or the
 * product overflows. count or size may be 0: the result is then a valid pointer to nothing. Freed with pg_free. */
void *pg_alloc(size_t count, size_t size);

/* Makes room for at least `need` elements in a growing array of elements of `size` bytes; *capacity grows by half. */
pg_status pg_grow(void **array, size_t *capacity, size_t need, size_t size);

/* A copy of `size` bytes of text (SIZE_MAX: up to the NUL) with a NUL behind it, or NULL. */
char *pg_copy_text(const char *text, size_t size);

/* Whole pages, zero until written and taking no memory until touched; NULL as above. Freed with pg_pages_free. */
void *pg_pages_alloc(size_t bytes);
void pg_pages_free(void *pages, size_t bytes);

/* For tests: the allocation number `n` from now (1 is the next) and all after it fail; 0 turns this off. */
void pg_memory_fail_from(long n);

/* The same for allocation number `n` alone: those after it succeed, so a failure that is passed over shows. Returns
 * whether the failure that was asked for before has happened. */
bool pg_memory_fail_once(long n);

#endif
