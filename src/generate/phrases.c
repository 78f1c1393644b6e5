#include "generate/phrases.h"

#include <stdlib.h>
#include <string.h>

pg_status pg_phrases_add(pg_phrases *phrases, const int32_t *ids, size_t count, int32_t last)
{
    PG_TRY(pg_grow((void **)&phrases->all, &phrases->capacity, phrases->count + 1, sizeof *phrases->all));
    size_t total = count + (last >= 0);
    int32_t *copy = pg_alloc(total, sizeof *copy);
    if (!copy)
        return PG_ERROR_MEMORY;
    if (count)
        memcpy(copy, ids, count * sizeof *copy);
    if (last >= 0)
        copy[count] = last;
    phrases->all[phrases->count++] = (pg_phrase){copy, total};
    return PG_OK;
}

/* Token by token; what begins another one goes in front of it. */
static int compare_phrases(const void *a, const void *b)
{
    const pg_phrase *x = a, *y = b;
    size_t shared = x->count < y->count ? x->count : y->count;
    for (size_t i = 0; i < shared; i++)
        if (x->ids[i] != y->ids[i])
            return x->ids[i] < y->ids[i] ? -1 : 1;
    return (x->count > y->count) - (x->count < y->count);
}

void pg_phrases_sort(pg_phrases *phrases)
{
    size_t kept = 0;
    if (phrases->count)
        qsort(phrases->all, phrases->count, sizeof *phrases->all, compare_phrases);
    for (size_t i = 0; i < phrases->count; i++)
        if (kept && compare_phrases(&phrases->all[kept - 1], &phrases->all[i]) == 0)
            pg_free(phrases->all[i].ids);
        else
            phrases->all[kept++] = phrases->all[i];
    phrases->count = kept;
}

void pg_phrases_free(pg_phrases *phrases)
{
    for (size_t i = 0; i < phrases->count; i++)
        pg_free(phrases->all[i].ids);
    pg_free(phrases->all);
    *phrases = (pg_phrases){0};
}

pg_phrase_range pg_phrases_root(const pg_phrases *phrases)
{
    return (pg_phrase_range){0, phrases->count, 0};
}

bool pg_phrases_ends(const pg_phrases *phrases, pg_phrase_range range)
{
    return range.first < range.end && phrases->all[range.first].count == range.depth;
}

/* The first phrase from `first` on whose next token is at least `id`. Only the first of a range may end there. */
static size_t lower_bound(const pg_phrases *phrases, size_t first, size_t end, size_t depth, int64_t id)
{
    while (first < end) {
        size_t middle = first + (end - first) / 2;
        if (phrases->all[middle].ids[depth] < id)
            first = middle + 1;
        else
            end = middle;
    }
    return first;
}

pg_phrase_range pg_phrases_step(const pg_phrases *phrases, pg_phrase_range range, int32_t id)
{
    size_t first = range.first + pg_phrases_ends(phrases, range);
    first = lower_bound(phrases, first, range.end, range.depth, id);
    return (pg_phrase_range){first, lower_bound(phrases, first, range.end, range.depth, (int64_t)id + 1),
                             range.depth + 1};
}

size_t pg_phrases_next(int32_t *ids, const pg_phrases *phrases, pg_phrase_range range)
{
    size_t count = 0, i = range.first + pg_phrases_ends(phrases, range);
    while (i < range.end) {
        ids[count] = phrases->all[i].ids[range.depth];
        i = lower_bound(phrases, i + 1, range.end, range.depth, (int64_t)ids[count++] + 1);
    }
    return count;
}
