/* A model's .npz of big_vision (model/jax_layout.h): written, read and compared block by block. */
#ifndef PG_MODEL_JAX_FILE_H
#define PG_MODEL_JAX_FILE_H

#include "model/jax_layout.h"
#include "model/model_writer.h"
#include "tensor/npz.h"

/* Values of weights in the order of the file, some at a time. Starts as {.plan, .threads}. */
typedef struct pg_jax_values {
    const pg_jax_plan *plan;
    int threads;
    bool (*on_progress)(void *user, size_t done, size_t total); /* NULL, or called at the beginning of each block */
    void *user;
    size_t array, first, size, done; /* what is in `bytes`: so many of that array, from that byte on; blocks begun */
    char *bytes, *rows;              /* in the array's order, and as published */
    size_t bytes_capacity, rows_capacity;
} pg_jax_values;

/* A pg_npz_source: bytes of the plan's array i, in its dtype. PG_ERROR_CANCELLED where on_progress says so. */
pg_status pg_jax_values_give(void *values, size_t i, size_t offset, void *out, size_t size);
void pg_jax_values_free(pg_jax_values *values);

/* An open file. Starts as {0}. */
typedef struct pg_jax_file {
    pg_npz *npz;
    const char *path; /* borrowed */
    pg_jax_style style;
    size_t others; /* arrays that are no parameters, such as an optimizer's */
} pg_jax_file;

pg_status pg_jax_file_open(pg_jax_file *out, const char *path);
void pg_jax_file_close(pg_jax_file *file);

/* Rows of the decoder's embedding; 0 where there is none. */
int64_t pg_jax_file_tokens(pg_jax_file *file);

/* A parameter's array, by its name without the prefix; NULL if there is none. `file` is a pg_jax_file: this is a
 * pg_jax_find. */
const pg_array *pg_jax_file_find(void *file, const char *name);

/* The file has the plan's arrays, in their shapes, and no other parameters. Weights take over the arrays' dtypes. */
pg_status pg_jax_file_check(pg_jax_plan *plan, pg_jax_file *file);

/* Reads weights for pg_model_write_weights, whose options it goes into: weights are asked for in the plan's order.
 * Starts as {.plan, .file}. */
typedef struct pg_jax_reader {
    const pg_jax_plan *plan;
    pg_jax_file *file;
    pg_npz_stream **streams; /* by array; NULL: not begun, or read to its end */
    size_t block;            /* whose rows are in `rows`, from row `first` on, as published, in the array's dtype */
    int64_t first;
    char *bytes, *rows; /* in the array's order, and as published */
    size_t bytes_capacity, rows_capacity;
    double *mean; /* of the embedding's rows in the file, which those that it lacks become */
} pg_jax_reader;

pg_status pg_jax_reader_init(pg_jax_reader *reader);
void pg_jax_reader_free(pg_jax_reader *reader);
pg_status pg_jax_reader_prepare(void *reader, const pg_weight_entry *entry, int64_t first, int64_t count);
void pg_jax_reader_values(void *reader, float *out, const pg_weight_entry *entry, int64_t first, int64_t count);

/* Every value in the file, rounded to the dtype of the plan's array, is that of the weights; else PG_ERROR_FORMAT. */
pg_status pg_jax_file_compare(pg_jax_file *file, pg_jax_values *values);

#endif
