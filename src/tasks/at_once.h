/* How many pictures or texts go through a tower together. */
#ifndef PG_TASKS_AT_ONCE_H
#define PG_TASKS_AT_ONCE_H

#include <stddef.h>
#include <stdint.h>

/* Of `count` sequences of `rows` rows each: enough for small models to be fast, while the memory stays about that of
 * one long sequence. */
static inline size_t pg_at_once(size_t count, int64_t rows)
{
    size_t most = rows < 1024 ? (size_t)(1024 / rows) : 1;
    return count < most ? count : most;
}

#endif
