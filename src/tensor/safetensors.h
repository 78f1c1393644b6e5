/* Safetensors files: an 8-byte little-endian header length, a JSON header, then the tensors' bytes one after another.
 */
#ifndef PG_TENSOR_SAFETENSORS_H
#define PG_TENSOR_SAFETENSORS_H

#include "tensor/array.h"

/* An open file: its header checked, its tensors mapped and read only when touched. Immutable; any number of threads may
 * use one. The file must not be shortened while it is open. */
typedef struct pg_safetensors pg_safetensors;

/* Refuses a header that is malformed, tensors that leave the file, overlap or leave holes, a size that does not follow
 * from dtype and shape, and dtypes that pg_dtype does not have (PG_ERROR_UNSUPPORTED). */
pg_status pg_safetensors_open(pg_safetensors **out, const char *path);

/* The same from memory, which is borrowed and outlives the object. `name` stands for the file in errors. */
pg_status pg_safetensors_parse(pg_safetensors **out, const void *bytes, size_t size, const char *name);

void pg_safetensors_close(pg_safetensors *file); /* NULL is allowed */

/* Tensors in the order of their names. All that is returned is borrowed from `file`. */
size_t pg_safetensors_count(const pg_safetensors *file);
const pg_array *pg_safetensors_at(const pg_safetensors *file, size_t i);
const pg_array *pg_safetensors_find(const pg_safetensors *file, const char *name); /* NULL if there is none */

/* A value of __metadata__, such as "format"; NULL if there is none. */
const char *pg_safetensors_metadata(const pg_safetensors *file, const char *key);

/* A file in the making: the header is laid down first from the arrays' names, dtypes and shapes (their data may be
 * NULL), then the bytes follow in the same order, in pieces of any size. The file appears under its name at commit,
 * complete, or not at all. Commit and abort both end the writer; abort accepts NULL. */
typedef struct pg_safetensors_writer pg_safetensors_writer;

pg_status pg_safetensors_writer_open(pg_safetensors_writer **out, const char *path, const pg_array *arrays,
                                     size_t count, const char *const metadata[][2], size_t metadata_count);
pg_status pg_safetensors_writer_write(pg_safetensors_writer *writer, const void *bytes, size_t size);
pg_status pg_safetensors_writer_commit(pg_safetensors_writer *writer);
void pg_safetensors_writer_abort(pg_safetensors_writer *writer);

/* All in one call, for arrays whose data is at hand. */
pg_status pg_safetensors_save(const char *path, const pg_array *arrays, size_t count);

#endif
