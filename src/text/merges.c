#include "text/merges.h"

pg_status pg_merges_add(pg_merges *merges, pg_merge merge)
{
    if (merges->count == merges->capacity)
        PG_TRY(pg_grow((void **)&merges->list, &merges->capacity, merges->count + 1, sizeof *merges->list));
    merges->list[merges->count++] = merge;
    return PG_OK;
}

static void add_joint(const pg_merges *merges, pg_merge merge, uint32_t rank)
{
    pg_joint *joint = &merges->joints[merges->first[merge.result]];
    while (joint->left && joint->left != merge.left)
        joint++;
    *joint = (pg_joint){merge.left, rank};
}

pg_status pg_merges_index(pg_merges *merges, const pg_vocab *vocab)
{
    if (merges->count >= PG_RANK_NONE)
        return pg_fail(PG_ERROR_LIMIT, "%s: %zu merges, at most %u are possible", vocab->name, merges->count,
                       PG_RANK_NONE - 1);
    merges->first = pg_alloc(vocab->size + 1, sizeof *merges->first);
    merges->joints = pg_alloc(merges->count, sizeof *merges->joints);
    if (!merges->first || !merges->joints)
        return PG_ERROR_MEMORY;
    for (size_t i = 0; i < merges->count; i++)
        merges->first[merges->list[i].result + 1]++;
    for (size_t id = 0; id < vocab->size; id++)
        merges->first[id + 1] += merges->first[id];
    for (size_t rank = 0; rank < merges->count; rank++)
        add_joint(merges, merges->list[rank], (uint32_t)rank);
    pg_free(merges->list);
    merges->list = NULL;
    merges->count = merges->capacity = 0;
    return PG_OK;
}

void pg_merges_free(pg_merges *merges)
{
    pg_free(merges->list);
    pg_free(merges->first);
    pg_free(merges->joints);
    *merges = (pg_merges){0};
}
