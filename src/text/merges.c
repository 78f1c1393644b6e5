#include "text/merges.h"

pg_status pg_merges_add(pg_merges *merges, pg_merge merge)
{
    if (merges->count == merges->capacity)
        PG_TRY(pg_grow((void **)&merges->list, &merges->capacity, merges->count + 1, sizeof *merges->list));
    merges->list[merges->count++] = merge;
    return PG_OK;
}

pg_status pg_merges_index(pg_merges *merges, const pg_vocab *vocab)
{
    PG_TRY(pg_index_new(&merges->index, merges->count));
    for (uint32_t rank = 0; rank < merges->count; rank++) {
        pg_merge merge = merges->list[rank];
        if (pg_vocab_flags(vocab, merge.result) & PG_PIECE_CONTROL)
            continue;
        uint32_t earlier = pg_merges_find(merges, merge.left, merge.right);
        if (earlier != PG_INDEX_NONE)
            merges->list[earlier].left = -1;
        if (!pg_index_add(&merges->index, pg_merges_hash(merge.left, merge.right), rank))
            return pg_fail(PG_ERROR_FORMAT, "%s: the merges are made to be slow", vocab->name);
    }
    return PG_OK;
}

void pg_merges_free(pg_merges *merges)
{
    pg_free(merges->list);
    pg_index_free(&merges->index);
    *merges = (pg_merges){0};
}
