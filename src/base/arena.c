#include "base/arena.h"

#include "base/numbers.h"

#define SMALLEST_BLOCK ((size_t)1 << 20)

/* Adds a block of at least `bytes`, twice as large as the last one. */
static pg_status add_block(pg_arena_heap *heap, pg_device *device, size_t bytes)
{
    size_t size = heap->count ? heap->blocks[heap->count - 1].size * 2 : SMALLEST_BLOCK;
    if (size < bytes)
        size = bytes;
    PG_TRY(pg_grow((void **)&heap->blocks, &heap->capacity, heap->count + 1, sizeof *heap->blocks));
    char *data = pg_values_alloc(device, size);
    if (!data)
        return PG_ERROR_MEMORY;
    heap->blocks[heap->count++] = (pg_arena_block){data, size, 0};
    return PG_OK;
}

static void *take(pg_arena_heap *heap, pg_device *device, size_t bytes)
{
    if (bytes > SIZE_MAX / 4) {
        pg_fail_memory(bytes);
        return NULL;
    }
    bytes = pg_align(bytes);
    size_t i = heap->current;
    while (i < heap->count && heap->blocks[i].size - heap->blocks[i].used < bytes)
        i++;
    if (i == heap->count && add_block(heap, device, bytes) != PG_OK)
        return NULL;
    heap->current = i;
    pg_arena_block *block = &heap->blocks[i];
    void *memory = block->data + block->used;
    block->used += bytes;
    return memory;
}

void *pg_arena_alloc(pg_arena *arena, size_t bytes)
{
    return take(&arena->host, NULL, bytes);
}

void *pg_arena_alloc_values(pg_arena *arena, size_t bytes)
{
    return arena->device ? take(&arena->values, arena->device, bytes) : take(&arena->host, NULL, bytes);
}

bool pg_arena_has_values(const pg_arena *arena, const void *values)
{
    const char *at = values;
    for (size_t i = 0; i < arena->values.count; i++) {
        const pg_arena_block *block = &arena->values.blocks[i];
        if (at >= block->data && at < block->data + block->size)
            return true;
    }
    return false;
}

static pg_arena_place place_in(const pg_arena_heap *heap)
{
    if (heap->count == 0)
        return (pg_arena_place){0, 0};
    return (pg_arena_place){heap->current, heap->blocks[heap->current].used};
}

pg_arena_mark pg_arena_get_mark(const pg_arena *arena)
{
    return (pg_arena_mark){place_in(&arena->host), place_in(&arena->values)};
}

static void release(pg_arena_heap *heap, pg_arena_place place)
{
    if (heap->count == 0)
        return;
    for (size_t i = place.block + 1; i <= heap->current; i++)
        heap->blocks[i].used = 0;
    heap->blocks[place.block].used = place.used;
    heap->current = place.block;
}

void pg_arena_release(pg_arena *arena, pg_arena_mark mark)
{
    release(&arena->host, mark.host);
    release(&arena->values, mark.values);
}

static size_t size_of(const pg_arena_heap *heap)
{
    size_t size = 0;
    for (size_t i = 0; i < heap->count; i++)
        size += heap->blocks[i].size;
    return size;
}

size_t pg_arena_size(const pg_arena *arena)
{
    return size_of(&arena->host) + size_of(&arena->values);
}

static void free_blocks(pg_arena_heap *heap, pg_device *device)
{
    for (size_t i = 0; i < heap->count; i++)
        pg_values_free(device, heap->blocks[i].data, heap->blocks[i].size);
    pg_free(heap->blocks);
}

void pg_arena_free(pg_arena *arena)
{
    free_blocks(&arena->host, NULL);
    free_blocks(&arena->values, arena->device);
    *arena = (pg_arena){.device = arena->device};
}
