/* The "segmentation" of COCO's records: polygons, or an object of "size" and "counts". */
#ifndef PG_OBJECTS_SEGMENTATION_H
#define PG_OBJECTS_SEGMENTATION_H

#include "base/json.h"
#include "objects/runs.h"

/* width and height: the picture's. */
pg_status pg_runs_from_json(pg_runs *out, size_t width, size_t height, const json_t *segmentation);

#endif
