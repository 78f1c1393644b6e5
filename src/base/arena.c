#include "base/arena.h"

#include "base/numbers.h"

#define SMALLEST_BLOCK ((size_t)1 << 20)

/* Adds a block of at least `bytes`, twice as large as the last one. */
static pg_status add_block(pg_arena *arena, size_t bytes)
{
    size_t size = arena->count ? arena->blocks[arena->count - 1].size * 2 : SMALLEST_BLOCK;
    if (size < bytes)
        size = bytes;
    PG_TRY(pg_grow((void **)&arena->blocks, &arena->capacity, arena->count + 1, sizeof *arena->blocks));
    char *data = pg_pages_alloc(size);
    if (!data)
        return PG_ERROR_MEMORY;
    arena->blocks[arena->count++] = (pg_arena_block){data, size, 0};
    return PG_OK;
}

void *pg_arena_alloc(pg_arena *arena, size_t bytes)
{
    if (bytes > SIZE_MAX / 4) {
        pg_fail_memory(bytes);
        return NULL;
    }
    bytes = pg_align(bytes);
    size_t i = arena->current;
    while (i < arena->count && arena->blocks[i].size - arena->blocks[i].used < bytes)
        i++;
    if (i == arena->count && add_block(arena, bytes) != PG_OK)
        return NULL;
    arena->current = i;
    pg_arena_block *block = &arena->blocks[i];
    void *memory = block->data + block->used;
    block->used += bytes;
    return memory;
}

pg_arena_mark pg_arena_get_mark(const pg_arena *arena)
{
    if (arena->count == 0)
        return (pg_arena_mark){0, 0};
    return (pg_arena_mark){arena->current, arena->blocks[arena->current].used};
}

void pg_arena_release(pg_arena *arena, pg_arena_mark mark)
{
    if (arena->count == 0)
        return;
    for (size_t i = mark.block + 1; i <= arena->current; i++)
        arena->blocks[i].used = 0;
    arena->blocks[mark.block].used = mark.used;
    arena->current = mark.block;
}

size_t pg_arena_size(const pg_arena *arena)
{
    size_t size = 0;
    for (size_t i = 0; i < arena->count; i++)
        size += arena->blocks[i].size;
    return size;
}

void pg_arena_free(pg_arena *arena)
{
    for (size_t i = 0; i < arena->count; i++)
        pg_pages_free(arena->blocks[i].data, arena->blocks[i].size);
    pg_free(arena->blocks);
    *arena = (pg_arena){0};
}
