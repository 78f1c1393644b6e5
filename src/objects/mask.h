/* Masks of objects, a byte a pixel, and their ways to and from COCO's runs, polygons and records. */
#ifndef PG_OBJECTS_MASK_H
#define PG_OBJECTS_MASK_H

#include "base/json.h"
#include "objects/runs.h"

typedef struct pg_mask {
    size_t width, height;
    uint8_t *pixels; /* [height, width], 0 or 1 */
} pg_mask;

/* An empty mask. */
pg_status pg_mask_new(pg_mask *out, size_t width, size_t height);
void pg_mask_free(pg_mask *mask);

/* Sets what lies inside runs of the same size. */
void pg_mask_add_runs(pg_mask *mask, const pg_runs *runs);

/* Sets what a record's "segmentation" has inside (objects/segmentation.h). */
pg_status pg_mask_add_json(pg_mask *mask, const json_t *segmentation);

/* Runs of [height, width] pixels; what is not 0 is inside. */
pg_status pg_runs_from_pixels(pg_runs *out, const uint8_t *pixels, size_t width, size_t height);

#endif
