/* A model's weights on disk in the published layout: one safetensors file, or several with an index. */
#ifndef PG_TENSOR_CHECKPOINT_H
#define PG_TENSOR_CHECKPOINT_H

#include "tensor/array.h"

/* Open files seen as one set of tensors. Immutable; any number of threads may use one. */
typedef struct pg_checkpoint pg_checkpoint;

/* `path`: a folder with model.safetensors or, if there is none, model.safetensors.index.json; or one such file, the
 * index told by its ending .json. Index and shards must list the same tensors, and shards lie beside their index. */
pg_status pg_checkpoint_open(pg_checkpoint **out, const char *path);
void pg_checkpoint_close(pg_checkpoint *checkpoint); /* NULL is allowed */

/* Puts private memory in huge pages in the place of the mapped files. Nobody may read the tensors meanwhile. */
pg_status pg_checkpoint_copy(pg_checkpoint *checkpoint, int threads);

/* Then the tensors' pages must not be given back (pg_pages_release). */
bool pg_checkpoint_is_copied(const pg_checkpoint *checkpoint);

/* Tensors in the order of their names. All that is returned is borrowed from `checkpoint`. */
size_t pg_checkpoint_count(const pg_checkpoint *checkpoint);
const pg_array *pg_checkpoint_at(const pg_checkpoint *checkpoint, size_t i);
const pg_array *pg_checkpoint_find(const pg_checkpoint *checkpoint, const char *name); /* NULL if there is none */

/* Of all tensors together. */
size_t pg_checkpoint_bytes(const pg_checkpoint *checkpoint);

/* The file that holds tensor i, for error messages. */
const char *pg_checkpoint_file(const pg_checkpoint *checkpoint, size_t i);

#endif
