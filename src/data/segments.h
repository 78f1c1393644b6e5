/* Rows of segmentation, whatever file their masks come from: "segment A" and "<loc>x4<seg>x16 A", several objects with
 * " ; " between them. */
#ifndef PG_DATA_SEGMENTS_H
#define PG_DATA_SEGMENTS_H

#include "data/dataset.h"

/* Whether the data set has what makes <seg> tokens; PG_ERROR_UNSUPPORTED if not. */
pg_status pg_segments_check(const pg_dataset *dataset);

/* Appends an object to the answer; PG_ERROR_FORMAT where its box is empty in <loc> steps. */
pg_status pg_segments_add(pg_buffer *suffix, const pg_dataset *dataset, const pg_mask_view *mask, const char *name);

/* Sets prompt and answer. */
pg_status pg_segments_finish(pg_data_row *row, const pg_buffer *suffix, const char *name);

#endif
