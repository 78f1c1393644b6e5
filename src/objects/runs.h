/* Masks as COCO's runs: how many pixels are outside, inside, outside, ... by turns, counted down the columns from the
 * upper left. The operations, and the text that files hold, are pycocotools'. */
#ifndef PG_OBJECTS_RUNS_H
#define PG_OBJECTS_RUNS_H

#include "base/buffer.h"

typedef struct pg_runs {
    size_t width, height;
    uint32_t *lengths; /* their sum is width * height; the even ones are outside. NULL: there is no mask */
    size_t count;
} pg_runs;

/* Largest picture that a mask may belong to: 100,000 pixels a side, 2^28 in all. */
pg_status pg_runs_check_size(size_t width, size_t height);

/* A copy of run lengths, checked against the picture's size. */
pg_status pg_runs_new(pg_runs *out, size_t width, size_t height, const int64_t *lengths, size_t count);
void pg_runs_free(pg_runs *runs);

/* From a strictly ascending list of the places (column * height + row) where outside and inside change. */
pg_status pg_runs_from_changes(pg_runs *out, size_t width, size_t height, const uint32_t *places, size_t count);

/* COCO's compressed text ("counts"), both ways; printing appends. */
pg_status pg_runs_parse(pg_runs *out, size_t width, size_t height, const char *text, size_t size);
pg_status pg_runs_print(pg_buffer *out, const pg_runs *runs);

/* Pixels inside. */
uint64_t pg_runs_area(const pg_runs *runs);

/* The smallest box around what is inside: x, y, width, height in pixels, as in COCO's files; all 0 without any. */
void pg_runs_box(double box[4], const pg_runs *runs);

/* Pixels inside both; the masks have the same size. Those in either are the areas together less this. */
uint64_t pg_runs_shared(const pg_runs *a, const pg_runs *b);

/* Adds what is inside `other`, of the same size. */
pg_status pg_runs_add(pg_runs *runs, const pg_runs *other);

#endif
