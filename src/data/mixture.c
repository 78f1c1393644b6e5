/*
 * Mixtures. The sequence is cut into blocks of `block` positions, in which part i has places[i] rows. Inside a block
 * the order is a permutation of its own, so which place of a block a position stands for, whose place that is, and how
 * many rows of that part came before it (those of earlier blocks, and the places before it in this one) are all
 * computed without looking at other positions. The running number of a row within its part gives the round over the
 * data set and the place in that round, which is permuted again.
 *
 * By size a block is one pass over everything; by weight it has BLOCK positions, and shares are rounded to 1 / BLOCK.
 */
#include <math.h>

#include "base/memory.h"
#include "data/permutation.h"

#define BLOCK      10000
#define PARTS_MAX  1024
#define REPEAT_MAX 1000000
#define FELT       8 /* 1 / 8 of its places: no part is to gain or lose more by rounding */

typedef struct mixture_part {
    const pg_dataset *dataset;
    uint64_t rows;          /* of the data set */
    uint64_t first, places; /* in a block */
} mixture_part;

struct pg_mixture {
    mixture_part *parts;
    size_t count;
    uint64_t block, pass, seed;
    bool shuffle;
};

/* Streams of random numbers: 0 orders the blocks, the rest the rounds of the parts. */
static uint64_t order(const pg_mixture *mixture, uint64_t count, uint64_t stream, uint64_t round, uint64_t place)
{
    if (!mixture->shuffle)
        return place;
    return pg_permutation_at(count, mixture->seed + stream * 0x9e3779b97f4a7c15u, round, place);
}

static pg_status check_part(const pg_mixture_part *part, bool weighted)
{
    const char *path = pg_dataset_path(part->dataset);
    if (pg_dataset_count(part->dataset) == 0)
        return pg_fail(PG_ERROR_ARGUMENT, "%s: has no rows", path);
    if (!(part->weight >= 0) || isinf(part->weight))
        return pg_fail(PG_ERROR_ARGUMENT, "%s: the weight is %g, expected a positive number", path, part->weight);
    if (weighted && part->weight <= 0)
        return pg_fail(PG_ERROR_ARGUMENT, "%s: has no weight, but other data sets have; give each one", path);
    if (weighted && part->repeat)
        return pg_fail(PG_ERROR_ARGUMENT, "%s: has a weight and a number of repeats; one of them decides", path);
    if (part->repeat > REPEAT_MAX)
        return pg_fail(PG_ERROR_LIMIT, "%s: is repeated %llu times, at most %d make sense", path,
                       (unsigned long long)part->repeat, REPEAT_MAX);
    return PG_OK;
}

static void place_by_size(pg_mixture *mixture, const pg_mixture_part *parts)
{
    for (size_t i = 0; i < mixture->count; i++)
        mixture->parts[i].places = mixture->parts[i].rows * (parts[i].repeat ? parts[i].repeat : 1);
}

static size_t find_largest(const pg_mixture *mixture)
{
    size_t largest = 0;
    for (size_t i = 1; i < mixture->count; i++)
        if (mixture->parts[i].places > mixture->parts[largest].places)
            largest = i;
    return largest;
}

/* What rounding leaves over or lacks is settled with the part that weighs most, or, of many parts, where that would be
 * felt, with one after the other. */
static void settle(pg_mixture *mixture, size_t largest, int64_t left)
{
    bool felt = (left < 0 ? -left : left) > (int64_t)mixture->parts[largest].places / FELT;
    for (; felt && left < 0; left++)
        mixture->parts[find_largest(mixture)].places--;
    for (size_t i = 0; felt && left > 0; left--)
        mixture->parts[i++ % mixture->count].places++;
    mixture->parts[largest].places = (uint64_t)((int64_t)mixture->parts[largest].places + left);
}

/* Everyone has at least one place. */
static void place_by_weight(pg_mixture *mixture, const pg_mixture_part *parts)
{
    double total = 0;
    size_t largest = 0;
    int64_t left = BLOCK;
    for (size_t i = 0; i < mixture->count; i++) {
        total += parts[i].weight;
        if (parts[i].weight > parts[largest].weight)
            largest = i;
    }
    for (size_t i = 0; i < mixture->count; i++) {
        double share = round(parts[i].weight / total * BLOCK);
        mixture->parts[i].places = share >= 1 ? (uint64_t)share : 1;
        left -= (int64_t)mixture->parts[i].places;
    }
    settle(mixture, largest, left);
}

static pg_status fill(pg_mixture *mixture, const pg_mixture_part *parts)
{
    bool weighted = false;
    for (size_t i = 0; i < mixture->count; i++)
        weighted |= parts[i].weight > 0;
    for (size_t i = 0; i < mixture->count; i++) {
        PG_TRY(check_part(&parts[i], weighted));
        mixture->parts[i].dataset = parts[i].dataset;
        mixture->parts[i].rows = pg_dataset_count(parts[i].dataset);
        mixture->pass += mixture->parts[i].rows;
    }
    (weighted ? place_by_weight : place_by_size)(mixture, parts);
    for (size_t i = 0; i < mixture->count; i++) {
        mixture->parts[i].first = mixture->block;
        mixture->block += mixture->parts[i].places;
    }
    if (!weighted)
        mixture->pass = mixture->block;
    return PG_OK;
}

pg_status pg_mixture_new(pg_mixture **out, const pg_mixture_part *parts, size_t count, uint64_t seed, bool shuffle)
{
    *out = NULL;
    if (count == 0 || count > PARTS_MAX)
        return pg_fail(PG_ERROR_ARGUMENT, "a mixture of %zu data sets, expected 1 to %d", count, PARTS_MAX);
    pg_mixture *mixture = pg_alloc(1, sizeof *mixture);
    if (!mixture)
        return PG_ERROR_MEMORY;
    mixture->count = count;
    mixture->seed = seed;
    mixture->shuffle = shuffle;
    mixture->parts = pg_alloc(count, sizeof *mixture->parts);
    pg_status status = mixture->parts ? fill(mixture, parts) : PG_ERROR_MEMORY;
    if (status == PG_OK)
        *out = mixture;
    else
        pg_mixture_free(mixture);
    return status;
}

void pg_mixture_free(pg_mixture *mixture)
{
    if (mixture)
        pg_free(mixture->parts);
    pg_free(mixture);
}

uint64_t pg_mixture_count(const pg_mixture *mixture)
{
    return mixture->pass;
}

size_t pg_mixture_parts(const pg_mixture *mixture)
{
    return mixture->count;
}

const pg_dataset *pg_mixture_dataset(const pg_mixture *mixture, size_t part)
{
    return mixture->parts[part].dataset;
}

void pg_mixture_at(size_t *part, size_t *row, const pg_mixture *mixture, uint64_t position)
{
    uint64_t block = position / mixture->block;
    uint64_t place = order(mixture, mixture->block, 0, block, position % mixture->block);
    size_t i = 0;
    while (place - mixture->parts[i].first >= mixture->parts[i].places)
        i++;
    const mixture_part *found = &mixture->parts[i];
    uint64_t number = block * found->places + place - found->first;
    *part = i;
    *row = (size_t)order(mixture, found->rows, i + 1, number / found->rows, number % found->rows);
}
