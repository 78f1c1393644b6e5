/* NumPy's .npz files: a ZIP archive of .npy arrays, stored or deflated. */
#ifndef PG_TENSOR_NPZ_H
#define PG_TENSOR_NPZ_H

#include "tensor/array.h"

/* An open archive: every array's header checked, data inflated when asked for. One thread at a time. */
typedef struct pg_npz pg_npz;

/* Refuses arrays whose dtype or layout pg_npy_parse_header refuses, and sizes that the archive cannot hold. Members
 * that do not end in .npy are left out. The file must not be shortened while it is open. */
pg_status pg_npz_open(pg_npz **out, const char *path);

/* The same from memory, which is borrowed and outlives the object. `name` stands for the file in errors. */
pg_status pg_npz_parse(pg_npz **out, const void *bytes, size_t size, const char *name);

void pg_npz_close(pg_npz *npz); /* NULL is allowed */

/* Arrays in the order of their names, which lack the .npy of the archive's members. Their `data` is NULL. Borrowed. */
size_t pg_npz_count(const pg_npz *npz);
const pg_array *pg_npz_at(const pg_npz *npz, size_t i);
const pg_array *pg_npz_find(const pg_npz *npz, const char *name); /* NULL if there is none */

/* The data of an array from pg_npz_at or pg_npz_find: array->bytes bytes, freed with pg_free. */
pg_status pg_npz_load(void **out, pg_npz *npz, const pg_array *array);

/* An array read from its first byte to its last, in pieces of any size. Several may be open at the same time, in one
 * thread; all are closed before their archive. */
typedef struct pg_npz_stream pg_npz_stream;
pg_status pg_npz_stream_open(pg_npz_stream **out, pg_npz *npz, const pg_array *array);
pg_status pg_npz_stream_read(pg_npz_stream *stream, void *out, size_t size);
void pg_npz_stream_close(pg_npz_stream *stream); /* NULL is allowed */

/* Gives the pages of the mapped file back; they are read again when they are needed. */
void pg_npz_release(const pg_npz *npz);

/* Gives `size` bytes of array i, `offset` bytes behind its first one. */
typedef pg_status pg_npz_source(void *user, size_t i, size_t offset, void *out, size_t size);

/* Writes an archive of at least one array whose data comes from `source`: array after array, each from its first byte
 * to its last. The file appears complete or not at all. */
pg_status pg_npz_write(const char *path, const pg_array *arrays, size_t count, bool compress, pg_npz_source *source,
                       void *user);

/* The same for arrays whose data is at hand. */
pg_status pg_npz_save(const char *path, const pg_array *arrays, size_t count, bool compress);

#endif
