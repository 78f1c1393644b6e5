/* NumPy's .npy files: one array with its dtype and shape. */
#ifndef PG_TENSOR_NPY_H
#define PG_TENSOR_NPY_H

#include "base/buffer.h"
#include "tensor/array.h"

/* Longer headers are refused. NumPy's own limit is 10,000 bytes of text. */
#define PG_NPY_LARGEST_HEADER 10012

/* Reads dtype and shape from the beginning of a file: formats 1.0, 2.0 and 3.0; f8 f4 f2 i8 i4 i1 u1 b1, little-endian,
 * in C order. bfloat16, which NumPy lacks, is stored by JAX as two raw bytes (V2) and by others as u2: both are read as
 * PG_BF16. Sets everything but `data`; `name` is kept, and stands for the file in errors. *header_size: where the data
 * starts. `bytes` may end anywhere behind the header. */
pg_status pg_npy_parse_header(pg_array *out, size_t *header_size, const void *bytes, size_t size, const char *name);

/* A whole file; out->data points into `bytes`. */
pg_status pg_npy_parse(pg_array *out, const void *bytes, size_t size, const char *name);

/* Appends what stands in front of the data. PG_BF16 is written as V2. */
pg_status pg_npy_print_header(pg_buffer *out, const pg_array *array);

/* Writes an array; nothing is left behind on failure. The size of its data follows from its shape. */
pg_status pg_npy_save(const char *path, const pg_array *array);

#endif
