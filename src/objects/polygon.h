/* Polygons around masks, filled as pycocotools fills them. (pg_polygons_trace goes the other way.) */
#ifndef PG_OBJECTS_POLYGON_H
#define PG_OBJECTS_POLYGON_H

#include "objects/runs.h"

/* What lies inside a polygon of `count` corners x, y. */
pg_status pg_runs_from_polygon(pg_runs *out, size_t width, size_t height, const double *corners, size_t count);

#endif
