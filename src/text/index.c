#include "text/index.h"

/* Half-filled tables of a good hash have runs of some dozens of taken slots. */
#define LONGEST_RUN 4096

pg_status pg_index_new(pg_index *out, size_t count)
{
    *out = (pg_index){0};
    if (count > PG_INDEX_MAX)
        return pg_fail(PG_ERROR_LIMIT, "%zu entries, at most %u are possible", count, (unsigned)PG_INDEX_MAX);
    size_t slots = 16;
    while (slots < 2 * count)
        slots *= 2;
    out->slots = pg_alloc(slots, sizeof *out->slots);
    out->mask = (uint32_t)slots - 1;
    return out->slots ? PG_OK : PG_ERROR_MEMORY;
}

void pg_index_free(pg_index *index)
{
    pg_free(index->slots);
    *index = (pg_index){0};
}

bool pg_index_add(pg_index *index, uint64_t hash, uint32_t number)
{
    uint32_t at = (uint32_t)hash;
    for (int run = 0; run < LONGEST_RUN; run++, at++) {
        uint32_t *slot = &index->slots[at & index->mask];
        if (!*slot) {
            *slot = ((uint32_t)(hash >> 32) >> PG_INDEX_BITS) << PG_INDEX_BITS | (number + 1);
            return true;
        }
    }
    return false;
}
