#include "metrics/referring.h"

#include "metrics/average_precision.h"

static void count_pixels(pg_referring_case *out, const pg_mask *truth, const pg_mask *found)
{
    for (size_t i = 0; i < truth->width * truth->height; i++) {
        bool there = truth->pixels[i], claimed = found && found->pixels[i];
        out->shared += there && claimed;
        out->either += there || claimed;
    }
    if (out->either)
        out->iou = (double)out->shared / (double)out->either;
}

void pg_referring_compare(pg_referring_case *out, const double truth_box[4], const pg_mask *truth,
                          const double *found_box, const pg_mask *found)
{
    *out = (pg_referring_case){.valid = found_box};
    if (found_box)
        out->box_iou = pg_box_overlap(truth_box, found_box, false);
    if (truth)
        count_pixels(out, truth, found_box ? found : NULL);
}

void pg_referring_average(pg_referring_scores *out, const pg_referring_case *cases, size_t count)
{
    uint64_t shared = 0, either = 0;
    *out = (pg_referring_scores){.cases = count};
    for (size_t i = 0; i < count; i++) {
        shared += cases[i].shared;
        either += cases[i].either;
        out->miou += cases[i].iou / (double)count;
        out->box_accuracy_50 += (cases[i].box_iou >= 0.5) / (double)count;
        out->box_accuracy_75 += (cases[i].box_iou >= 0.75) / (double)count;
        out->invalid += !cases[i].valid;
    }
    out->ciou = either ? (double)shared / (double)either : 0;
}

pg_status pg_class_pixels_add(uint64_t *shared, uint64_t *either, size_t classes, const uint8_t *truth,
                              const uint8_t *found, size_t pixels, int ignored)
{
    for (size_t i = 0; i < pixels; i++) {
        if (truth[i] == ignored)
            continue;
        if (truth[i] >= classes || found[i] >= classes)
            return pg_fail(PG_ERROR_FORMAT, "pixel %zu is of class %d, expected 0 to %zu", i,
                           truth[i] >= classes ? truth[i] : found[i], classes - 1);
        shared[truth[i]] += truth[i] == found[i];
        either[truth[i]]++;
        either[found[i]] += truth[i] != found[i];
    }
    return PG_OK;
}

double pg_class_pixels_iou(const uint64_t *shared, const uint64_t *either, size_t classes)
{
    double sum = 0;
    size_t count = 0;
    for (size_t i = 0; i < classes; i++) {
        sum += either[i] ? (double)shared[i] / (double)either[i] : 0;
        count += either[i] > 0;
    }
    return count ? sum / (double)count : -1;
}
