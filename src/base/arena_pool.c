#include "base/arena_pool.h"

pg_status pg_arena_pool_new(pg_arena_pool **out)
{
    *out = pg_alloc(1, sizeof **out);
    if (!*out)
        return PG_ERROR_MEMORY;
    pthread_mutex_init(&(*out)->lock, NULL); /* cannot fail with default attributes on Linux */
    return PG_OK;
}

void pg_arena_pool_free(pg_arena_pool *pool)
{
    if (!pool)
        return;
    for (size_t i = 0; i < pool->count; i++)
        pg_arena_free(&pool->idle[i]);
    pg_free(pool->idle);
    pthread_mutex_destroy(&pool->lock);
    pg_free(pool);
}

pg_arena pg_arena_pool_take(pg_arena_pool *pool)
{
    pg_arena arena = {0};
    pthread_mutex_lock(&pool->lock);
    if (pool->count)
        arena = pool->idle[--pool->count];
    pthread_mutex_unlock(&pool->lock);
    return arena;
}

void pg_arena_pool_give(pg_arena_pool *pool, pg_arena arena)
{
    pg_arena_release(&arena, (pg_arena_mark){{0, 0}, {0, 0}});
    pthread_mutex_lock(&pool->lock);
    bool kept = pg_grow((void **)&pool->idle, &pool->capacity, pool->count + 1, sizeof arena) == PG_OK;
    if (kept)
        pool->idle[pool->count++] = arena;
    pthread_mutex_unlock(&pool->lock);
    if (!kept) /* no memory for one more: this one's goes instead */
        pg_arena_free(&arena);
}
