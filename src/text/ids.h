/* A growing list of token ids. */
#ifndef PG_TEXT_IDS_H
#define PG_TEXT_IDS_H

#include "base/memory.h"

typedef struct pg_ids {
    int32_t *data;
    size_t count, capacity;
} pg_ids;

static inline pg_status pg_ids_add(pg_ids *ids, int32_t id)
{
    if (ids->count == ids->capacity)
        PG_TRY(pg_grow((void **)&ids->data, &ids->capacity, ids->count + 1, sizeof *ids->data));
    ids->data[ids->count++] = id;
    return PG_OK;
}

static inline pg_status pg_ids_repeat(pg_ids *ids, int32_t id, size_t times)
{
    for (size_t i = 0; i < times; i++)
        PG_TRY(pg_ids_add(ids, id));
    return PG_OK;
}

static inline void pg_ids_free(pg_ids *ids)
{
    pg_free(ids->data);
    *ids = (pg_ids){0};
}

#endif
