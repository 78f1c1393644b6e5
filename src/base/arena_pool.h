/* Arenas that are lent to whoever computes something, on any thread, and keep their memory for the next one. */
#ifndef PG_BASE_ARENA_POOL_H
#define PG_BASE_ARENA_POOL_H

#include <pthread.h>

#include "base/arena.h"

typedef struct pg_arena_pool {
    pthread_mutex_t lock;
    pg_arena *idle;
    size_t count, capacity;
} pg_arena_pool;

pg_status pg_arena_pool_new(pg_arena_pool **out);
void pg_arena_pool_free(pg_arena_pool *pool); /* all arenas are back; NULL is allowed */

/* An arena that nothing of is in use, perhaps a new one; as many are lent as are asked for. */
pg_arena pg_arena_pool_take(pg_arena_pool *pool);

/* Takes it back, with nothing of it in use any more. */
void pg_arena_pool_give(pg_arena_pool *pool, pg_arena arena);

#endif
