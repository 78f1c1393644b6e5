/* Referring expressions (RefCOCO): one box and one mask a phrase; and classes of pixels. */
#ifndef PG_METRICS_REFERRING_H
#define PG_METRICS_REFERRING_H

#include "objects/mask.h"

/* What was found for one phrase against what is there. */
typedef struct pg_referring_case {
    bool valid; /* something was found */
    double iou, box_iou;
    uint64_t shared, either; /* pixels in both masks, in one or the other; nothing found: those of the true one */
} pg_referring_case;

/* Boxes: x, y, width, height, both in pixels or both in fractions. Masks have one size; both are NULL where only boxes
 * are compared. found_box NULL: nothing was found. */
void pg_referring_compare(pg_referring_case *out, const double truth_box[4], const pg_mask *truth,
                          const double *found_box, const pg_mask *found);

/* Over all cases. */
void pg_referring_average(pg_referring_scores *out, const pg_referring_case *cases, size_t count);

/* Semantic segmentation: adds to the pixels of each class that both pictures of classes have (shared), and that one or
 * the other has (either); places where the truth is `ignored` (-1: none) count nowhere. PG_ERROR_FORMAT names the first
 * class out of range. */
pg_status pg_class_pixels_add(uint64_t *shared, uint64_t *either, size_t classes, const uint8_t *truth,
                              const uint8_t *found, size_t pixels, int ignored);

/* Mean of shared / either over the classes that occur; -1 if none does. */
double pg_class_pixels_iou(const uint64_t *shared, const uint64_t *either, size_t classes);

#endif
