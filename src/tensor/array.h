/* A named array as a file stores it: safetensors, npy and npz all describe their contents with this. */
#ifndef PG_TENSOR_ARRAY_H
#define PG_TENSOR_ARRAY_H

#include "base/dtype.h"

#define PG_ARRAY_DIMENSIONS 8

/* Borrowed: name and data belong to the file object that handed it out. Elements are little-endian, the last dimension
 * runs fastest. `data` may lie at any address: formats do not promise alignment, so it is read with unaligned loads. */
typedef struct pg_array {
    const char *name;
    pg_dtype dtype;
    int dimensions; /* 0 is a single value */
    int64_t shape[PG_ARRAY_DIMENSIONS];
    const void *data;
    size_t bytes;
} pg_array;

/* The bytes that the dtype and shape ask for; false if there are too many dimensions, a length is negative, or the size
 * does not fit into an int64_t. */
bool pg_array_size(size_t *out, const pg_array *array);

/* Room for "[2048, 2304]" with PG_ARRAY_DIMENSIONS of the longest numbers. */
#define PG_SHAPE_TEXT 192

/* Writes the shape as "[2048, 2304]" and returns `out`. */
const char *pg_array_shape_text(char out[PG_SHAPE_TEXT], const pg_array *array);

/* By name, as strcmp orders. pg_array_find needs this order and returns NULL if there is no such name. */
void pg_array_sort(pg_array *arrays, size_t count);
const pg_array *pg_array_find(const pg_array *arrays, size_t count, const char *name);

#endif
