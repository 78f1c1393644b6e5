/* Memory of a step: handed out in order, given back all at once, down to a mark. Blocks are kept for the next step, so
 * that a session that has run once allocates nothing more. Nothing is written to them here: on machines with several
 * memory nodes a page lies near the thread that uses it first. An arena with a device has two heaps, one for the host
 * and one in the device's memory for values; a mark is a place in both. */
#ifndef PG_BASE_ARENA_H
#define PG_BASE_ARENA_H

#include "base/device.h"
#include "base/memory.h"

typedef struct pg_arena_block {
    char *data;
    size_t size, used;
} pg_arena_block;

typedef struct pg_arena_heap {
    pg_arena_block *blocks; /* filled in order up to `current` */
    size_t count, capacity, current;
} pg_arena_heap;

/* Starts as {0}, or with a device, borrowed. */
typedef struct pg_arena {
    pg_device *device; /* NULL: values lie in the host's memory too */
    pg_arena_heap host, values;
} pg_arena;

typedef struct pg_arena_place {
    size_t block, used;
} pg_arena_place;

typedef struct pg_arena_mark {
    pg_arena_place host, values;
} pg_arena_mark;

/* `bytes` of memory aligned to PG_ALIGNMENT, not cleared; NULL (error text set) if there is none. */
void *pg_arena_alloc(pg_arena *arena, size_t bytes);

/* The same where values lie. */
void *pg_arena_alloc_values(pg_arena *arena, size_t bytes);

/* Whether this is memory of the arena's on its device. */
bool pg_arena_has_values(const pg_arena *arena, const void *values);

pg_arena_mark pg_arena_get_mark(const pg_arena *arena);

/* Gives back everything handed out since the mark. */
void pg_arena_release(pg_arena *arena, pg_arena_mark mark);

/* Bytes held, in use or not. */
size_t pg_arena_size(const pg_arena *arena);

void pg_arena_free(pg_arena *arena);

#endif
