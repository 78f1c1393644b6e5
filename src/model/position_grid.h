/*
 * Learned positions of a vision tower's patches, [side * side, width] row by row of a square grid, for a grid of
 * another size: linear between the four nearest old ones, corners upon corners, without smoothing when it shrinks.
 *
 * As big_vision's resample_posemb (models/vit.py) does it with scipy.ndimage.zoom(order=1): new row i stands at old
 * row i (old - 1) / (new - 1). Where rounding pushes the last row beyond the edge (8 rows to 26, for one), scipy
 * gives zeros; here it is the edge.
 */
#ifndef PG_MODEL_POSITION_GRID_H
#define PG_MODEL_POSITION_GRID_H

#include "tensor/tensor.h"

/* out: [side * side][old->width], in the old ones' dtype. Their rows must be a square. */
pg_status pg_position_grid_resample(void *out, int64_t side, const pg_parameter *old);

#endif
