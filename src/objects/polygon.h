/* Polygons around masks: filled as pycocotools fills them, and traced along the edges of pixels. */
#ifndef PG_OBJECTS_POLYGON_H
#define PG_OBJECTS_POLYGON_H

#include "objects/runs.h"

/* What lies inside a polygon of `count` corners x, y. */
pg_status pg_runs_from_polygon(pg_runs *out, size_t width, size_t height, const double *corners, size_t count);

/* Outlines of a mask. */
typedef struct pg_polygons {
    double *corners; /* x, y of all outlines one after the other */
    size_t *ends;    /* of each outline: corners (pairs) up to its end */
    size_t count;    /* outlines */
    size_t corner_capacity, capacity;
} pg_polygons;

/* One outline around each part of the mask whose pixels hang together by their sides, in the order of their upper left
 * pixels, clockwise, corners on the corners of pixels. COCO's polygons know no holes: a part that has some is cut open
 * from each hole to its outside by a cut without width. Filled again, the outlines give the mask back, pixel for pixel.
 */
pg_status pg_polygons_trace(pg_polygons *out, const uint8_t *pixels, size_t width, size_t height);
void pg_polygons_free(pg_polygons *polygons);

#endif
