/* Random changes to a row's pictures and the boxes in its texts, as a function of seed and position. */
#ifndef PG_DATA_AUGMENT_H
#define PG_DATA_AUGMENT_H

#include "base/status.h"

pg_status pg_augmentation_check(const pg_augmentation *augmentation);

/* Crops and mirrors all pictures of a row in the same way, each of them replaced, and moves boxes in all its texts. */
pg_status pg_augment_place(pg_image **images, size_t count, pg_data_row *row, const pg_augmentation *augmentation,
                           uint64_t seed, uint64_t position);

/* Changes brightness, contrast and saturation of `count` pixels. */
void pg_augment_colour(uint8_t *rgb, size_t count, const pg_augmentation *augmentation, uint64_t seed,
                       uint64_t position);

#endif
