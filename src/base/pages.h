/* Pages of mapped files: brought into memory before somebody needs them, and kept there. */
#ifndef PG_BASE_PAGES_H
#define PG_BASE_PAGES_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define PG_HUGE_PAGE ((size_t)2 << 20) /* on x86-64, and on ARM with pages of 4 KiB */

/* The first huge page's beginning from an address on. */
static inline char *pg_pages_align(const void *address)
{
    return (char *)(((uintptr_t)address + PG_HUGE_PAGE - 1) / PG_HUGE_PAGE * PG_HUGE_PAGE);
}

/* Asks that what is not in memory yet comes in huge pages, which are read faster; nothing happens where the system or
 * the file system has none. */
void pg_pages_want_huge(const void *data, size_t bytes);

/* Reads `bytes` from `data` on into memory, with their places in the process's page tables. */
void pg_pages_prefault(const void *data, size_t bytes, int threads);

/* The same, and keeps them there as long as they are mapped. False, with errno, where the system does not allow it. */
bool pg_pages_lock(const void *data, size_t bytes);

/* Puts private memory in huge pages, where the system gives them, in the place of mapped pages of a file, with their
 * contents and at their addresses: nobody may use them meanwhile. What lies outside whole huge pages stays mapped.
 * PG_ERROR_MEMORY leaves some pages replaced and others not. */
pg_status pg_pages_copy(const void *data, size_t bytes, int threads);

/* Gives the whole pages among them back; they are read again when they are needed. For mapped files only: other memory
 * would lose its contents. */
void pg_pages_release(const void *data, size_t bytes);

#endif
