/* Masks as PNG files: white on black. */
#ifndef PG_DATA_MASKS_H
#define PG_DATA_MASKS_H

#include "objects/mask.h"

bool pg_masks_is_png(const char *name);

/* What is white, and the box around it. Freed with pg_mask_free, also after a failure. A picture without white is
 * PG_ERROR_FORMAT. */
pg_status pg_masks_read_png(pg_mask *out, double box[4], const char *path);

#endif
