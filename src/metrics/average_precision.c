/*
 * The method is that of COCO's challenges, and its details are those of pycocotools (cocoeval.py), on which published
 * figures stand. A category at a time, and in it a picture at a time: what was found, best score first and no more than
 * a hundred, takes the true object that it overlaps most among those that are left, at each of ten thresholds. True
 * objects outside of the range of areas in question do not count, nor does what was found there; nor do crowds, which
 * can be taken any number of times. Then all that was found in the category, best score first, is a curve of precision
 * over recall, which is made to fall, and read at 101 places.
 *
 * One difference: pycocotools takes a match with an annotation of id 0 for none. Here ids mean nothing.
 */
#include "metrics/average_precision.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define THRESHOLDS 10  /* 0.50 to 0.95 */
#define RECALLS    101 /* 0 to 1 */
#define RANGES     4   /* of areas: all, small, medium, large */
#define MOST       100 /* finds of a category in a picture */

static const double range_from[RANGES] = {0, 0, 32 * 32, 96 * 96};
static const double range_to[RANGES] = {1e10, 32 * 32, 96 * 96, 1e10};

/* numpy's linspace, to the bit: an overlap may be a threshold exactly. */
static double threshold_at(int i)
{
    return i == THRESHOLDS - 1 ? 0.95 : 0.5 + i * ((0.95 - 0.5) / (THRESHOLDS - 1));
}

static double recall_at(int i)
{
    return i == RECALLS - 1 ? 1 : i * (1.0 / (RECALLS - 1));
}

double pg_box_overlap(const double truth[4], const double found[4], bool crowd)
{
    double width = fmin(found[2] + found[0], truth[2] + truth[0]) - fmax(found[0], truth[0]);
    double height = fmin(found[3] + found[1], truth[3] + truth[1]) - fmax(found[1], truth[1]);
    if (width <= 0 || height <= 0)
        return 0;
    double shared = width * height, area = found[2] * found[3];
    return shared / (crowd ? area : area + truth[2] * truth[3] - shared);
}

/* ---------------------------------------------------------------- objects in their order */

typedef struct subject {
    const pg_ap_object *object;
    double bounds[4]; /* x, y, width, height of the box or the mask, whichever is compared */
    uint64_t pixels;  /* of the mask */
} subject;

static int compare_subjects(const void *left, const void *right)
{
    const pg_ap_object *a = ((const subject *)left)->object, *b = ((const subject *)right)->object;
    if (a->category != b->category)
        return a->category < b->category ? -1 : 1;
    if (a->image != b->image)
        return a->image < b->image ? -1 : 1;
    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    return a < b ? -1 : a > b;
}

static subject *sort_objects(const pg_ap_object *objects, size_t count, bool masks)
{
    subject *subjects = pg_alloc(count, sizeof *subjects);
    for (size_t i = 0; i < count && subjects; i++) {
        subjects[i].object = &objects[i];
        if (masks) {
            pg_runs_box(subjects[i].bounds, &objects[i].mask);
            subjects[i].pixels = pg_runs_area(&objects[i].mask);
        } else
            memcpy(subjects[i].bounds, objects[i].box, sizeof subjects[i].bounds);
    }
    if (subjects && count)
        qsort(subjects, count, sizeof *subjects, compare_subjects);
    return subjects;
}

static double overlap_of(const subject *truth, const subject *found, bool masks)
{
    bool crowd = truth->object->crowd;
    double boxes = pg_box_overlap(truth->bounds, found->bounds, crowd);
    if (!masks || boxes == 0)
        return boxes;
    uint64_t shared = pg_runs_shared(&truth->object->mask, &found->object->mask);
    return (double)shared / (double)(crowd ? found->pixels : found->pixels + truth->pixels - shared);
}

/* ---------------------------------------------------------------- one picture */

/* What became of a find; a bit for each threshold. */
typedef struct outcome {
    double score;
    size_t place;  /* in the category, by picture and score */
    uint32_t rank; /* in its picture */
    uint16_t matched[RANGES], ignored[RANGES];
} outcome;

/* Objects of one category in one picture. */
typedef struct group {
    const subject *truth, *found;
    size_t truth_count, found_count;
    size_t counted;   /* true objects that count; they come first in order */
    size_t *order;    /* [truth] */
    bool *taken;      /* [truth] */
    double *overlaps; /* [found, truth] */
    size_t order_capacity, taken_capacity, overlap_capacity;
} group;

static void free_group(group *g)
{
    pg_free(g->order);
    pg_free(g->taken);
    pg_free(g->overlaps);
}

static bool in_range(const subject *s, int range)
{
    return s->object->area >= range_from[range] && s->object->area <= range_to[range];
}

static void order_truth(group *g, int range)
{
    size_t count = 0;
    for (int counts = 1; counts >= 0; counts--) {
        for (size_t i = 0; i < g->truth_count; i++)
            if ((!g->truth[i].object->crowd && in_range(&g->truth[i], range)) == counts)
                g->order[count++] = i;
        if (counts)
            g->counted = count;
    }
}

/* The place in order of the true object that a find takes; truth_count: none. */
static size_t choose_truth(const group *g, size_t found, double threshold)
{
    double best = fmin(threshold, 1 - 1e-10);
    size_t chosen = g->truth_count;
    for (size_t k = 0; k < g->truth_count; k++) {
        size_t i = g->order[k];
        if (g->taken[i] && !g->truth[i].object->crowd)
            continue;
        if (chosen < g->counted && k >= g->counted)
            break;
        if (g->overlaps[found * g->truth_count + i] < best)
            continue;
        best = g->overlaps[found * g->truth_count + i];
        chosen = k;
    }
    return chosen;
}

static void match(outcome *outcomes, group *g, int range)
{
    order_truth(g, range);
    for (int t = 0; t < THRESHOLDS; t++) {
        memset(g->taken, 0, g->truth_count);
        for (size_t i = 0; i < g->found_count; i++) {
            size_t k = choose_truth(g, i, threshold_at(t));
            if (k == g->truth_count)
                continue;
            g->taken[g->order[k]] = true;
            outcomes[i].matched[range] |= (uint16_t)(1 << t);
            outcomes[i].ignored[range] |= (uint16_t)((k >= g->counted) << t);
        }
    }
    for (size_t i = 0; i < g->found_count; i++)
        if (!in_range(&g->found[i], range))
            outcomes[i].ignored[range] |= (uint16_t)~outcomes[i].matched[range];
}

static pg_status measure_overlaps(group *g, bool masks)
{
    size_t pairs = g->truth_count * g->found_count;
    PG_TRY(pg_grow((void **)&g->order, &g->order_capacity, g->truth_count + 1, sizeof *g->order));
    PG_TRY(pg_grow((void **)&g->taken, &g->taken_capacity, g->truth_count + 1, sizeof *g->taken));
    PG_TRY(pg_grow((void **)&g->overlaps, &g->overlap_capacity, pairs + 1, sizeof *g->overlaps));
    for (size_t i = 0; i < pairs; i++)
        g->overlaps[i] = overlap_of(&g->truth[i % g->truth_count], &g->found[i / g->truth_count], masks);
    return PG_OK;
}

/* ---------------------------------------------------------------- one category */

typedef struct category {
    outcome *outcomes;
    size_t count, capacity;
    size_t counted[RANGES];     /* true objects */
    double *precision, *recall; /* room for the curve */
    size_t precision_capacity, recall_capacity;
    group group;
} category;

static void free_category(category *c)
{
    free_group(&c->group);
    pg_free(c->outcomes);
    pg_free(c->precision);
    pg_free(c->recall);
}

static pg_status match_group(category *c, bool masks)
{
    group *g = &c->group;
    PG_TRY(measure_overlaps(g, masks));
    PG_TRY(pg_grow((void **)&c->outcomes, &c->capacity, c->count + g->found_count + 1, sizeof *c->outcomes));
    outcome *outcomes = c->outcomes + c->count;
    for (size_t i = 0; i < g->found_count; i++)
        outcomes[i] = (outcome){.score = g->found[i].object->score, .place = c->count + i, .rank = (uint32_t)i};
    for (int range = 0; range < RANGES; range++) {
        match(outcomes, g, range);
        c->counted[range] += g->counted;
    }
    c->count += g->found_count;
    return PG_OK;
}

static size_t same_image(const subject *subjects, size_t count, int64_t image)
{
    size_t same = 0;
    while (same < count && subjects[same].object->image == image)
        same++;
    return same;
}

static pg_status match_pictures(category *c, const subject *truth, size_t truth_count, const subject *found,
                                size_t found_count, bool masks)
{
    c->count = 0;
    memset(c->counted, 0, sizeof c->counted);
    while (truth_count || found_count) {
        bool truth_first = truth_count && (!found_count || truth->object->image < found->object->image);
        int64_t image = truth_first ? truth->object->image : found->object->image;
        size_t trues = same_image(truth, truth_count, image), finds = same_image(found, found_count, image);
        c->group.truth = truth;
        c->group.truth_count = trues;
        c->group.found = found;
        c->group.found_count = finds < MOST ? finds : MOST;
        PG_TRY(match_group(c, masks));
        truth += trues;
        truth_count -= trues;
        found += finds;
        found_count -= finds;
    }
    return PG_OK;
}

static int compare_outcomes(const void *left, const void *right)
{
    const outcome *a = left, *b = right;
    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    return a->place < b->place ? -1 : a->place > b->place;
}

/* Precision and recall after each find that counts, best score first. Returns their number. */
static size_t draw_curve(category *c, int range, int threshold)
{
    size_t right = 0, wrong = 0, points = 0;
    for (size_t i = 0; i < c->count; i++) {
        if (c->outcomes[i].ignored[range] >> threshold & 1)
            continue;
        if (c->outcomes[i].matched[range] >> threshold & 1)
            right++;
        else
            wrong++;
        c->recall[points] = (double)right / (double)c->counted[range];
        c->precision[points++] = (double)right / ((double)(right + wrong) + DBL_EPSILON);
    }
    return points;
}

static double average_precision(category *c, int range, int threshold)
{
    size_t points = draw_curve(c, range, threshold), at = 0;
    double sum = 0;
    for (size_t i = points; i-- > 1;)
        c->precision[i - 1] = fmax(c->precision[i - 1], c->precision[i]);
    for (int r = 0; r < RECALLS; r++) {
        while (at < points && c->recall[at] < recall_at(r))
            at++;
        sum += at < points ? c->precision[at] : 0;
    }
    return sum / RECALLS;
}

static double recall_within(const category *c, int range, int threshold, size_t limit)
{
    size_t right = 0;
    for (size_t i = 0; i < c->count; i++)
        right += c->outcomes[i].rank < limit &&
                 (c->outcomes[i].matched[range] & ~c->outcomes[i].ignored[range]) >> threshold & 1;
    return (double)right / (double)c->counted[range];
}

static double mean_recall(const category *c, int range, size_t limit)
{
    double sum = 0;
    for (int t = 0; t < THRESHOLDS; t++)
        sum += recall_within(c, range, t, limit);
    return c->counted[range] ? sum / THRESHOLDS : -1;
}

static double mean_precision(double each[THRESHOLDS], category *c, int range)
{
    double sum = 0;
    for (int t = 0; t < THRESHOLDS; t++)
        sum += each[t] = c->counted[range] ? average_precision(c, range, t) : -1;
    return sum / THRESHOLDS;
}

static pg_status summarise(pg_coco_scores *out, category *c)
{
    double each[THRESHOLDS];
    PG_TRY(pg_grow((void **)&c->precision, &c->precision_capacity, c->count + 1, sizeof *c->precision));
    PG_TRY(pg_grow((void **)&c->recall, &c->recall_capacity, c->count + 1, sizeof *c->recall));
    if (c->count)
        qsort(c->outcomes, c->count, sizeof *c->outcomes, compare_outcomes);
    out->ap_small = mean_precision(each, c, 1);
    out->ap_medium = mean_precision(each, c, 2);
    out->ap_large = mean_precision(each, c, 3);
    out->ap = mean_precision(each, c, 0);
    out->ap50 = each[0];
    out->ap75 = each[5];
    out->ar1 = mean_recall(c, 0, 1);
    out->ar10 = mean_recall(c, 0, 10);
    out->ar100 = mean_recall(c, 0, MOST);
    out->ar_small = mean_recall(c, 1, MOST);
    out->ar_medium = mean_recall(c, 2, MOST);
    out->ar_large = mean_recall(c, 3, MOST);
    return PG_OK;
}

/* ---------------------------------------------------------------- all categories */

static size_t same_category(const subject *subjects, size_t count, uint32_t number)
{
    size_t same = 0;
    while (same < count && subjects[same].object->category == number)
        same++;
    return same;
}

static pg_status measure_categories(pg_coco_scores *by_category, size_t categories, const subject *truth,
                                    size_t truth_count, const subject *found, size_t found_count, bool masks)
{
    category c = {0};
    pg_status status = PG_OK;
    for (uint32_t i = 0; i < categories && status == PG_OK; i++) {
        size_t trues = same_category(truth, truth_count, i), finds = same_category(found, found_count, i);
        status = match_pictures(&c, truth, trues, found, finds, masks);
        if (status == PG_OK)
            status = summarise(&by_category[i], &c);
        truth += trues;
        truth_count -= trues;
        found += finds;
        found_count -= finds;
    }
    free_category(&c);
    return status;
}

/* Means over the categories that have a value; -1 without any. */
static void average(pg_coco_scores *out, const pg_coco_scores *each, size_t count)
{
    for (size_t field = 0; field < sizeof *out / sizeof(double); field++) {
        double sum = 0;
        size_t valued = 0;
        for (size_t i = 0; i < count; i++) {
            double value = ((const double *)&each[i])[field];
            sum += value >= 0 ? value : 0;
            valued += value >= 0;
        }
        ((double *)out)[field] = valued ? sum / (double)valued : -1;
    }
}

pg_status pg_average_precision(pg_coco_scores *out, pg_coco_scores *by_category, size_t categories,
                               const pg_ap_object *truth, size_t truth_count, const pg_ap_object *found,
                               size_t found_count, bool masks)
{
    subject *true_ones = sort_objects(truth, truth_count, masks), *found_ones = sort_objects(found, found_count, masks);
    pg_status status = PG_ERROR_MEMORY;
    if (true_ones && found_ones)
        status = measure_categories(by_category, categories, true_ones, truth_count, found_ones, found_count, masks);
    pg_free(true_ones);
    pg_free(found_ones);
    PG_TRY(status);
    average(out, by_category, categories);
    return PG_OK;
}
