/* Masks of objects as COCO files store them, decoded into a byte a pixel. The values are pycocotools'. */
#ifndef PG_OBJECTS_MASK_H
#define PG_OBJECTS_MASK_H

#include "base/json.h"
#include "base/memory.h"

typedef struct pg_mask {
    size_t width, height;
    uint8_t *pixels; /* [height, width], 0 or 1 */
} pg_mask;

/* An empty mask. */
pg_status pg_mask_new(pg_mask *out, size_t width, size_t height);
void pg_mask_free(pg_mask *mask);

/* Sets what lies inside a polygon of `count` corners x, y. */
pg_status pg_mask_add_polygon(pg_mask *mask, const double *corners, size_t count);

/* Sets the odd ones of runs that go down the columns: numbers, or COCO's text of them. */
pg_status pg_mask_add_runs(pg_mask *mask, const int64_t *runs, size_t count);
pg_status pg_mask_add_run_text(pg_mask *mask, const char *text, size_t size);

/* A "segmentation": a list of polygons, or an object of "size" and "counts". */
pg_status pg_mask_add_json(pg_mask *mask, const json_t *segmentation);

#endif
