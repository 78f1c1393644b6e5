/* Inside the tasks: an index of pictures that is open, and one in the making. */
#ifndef PG_TASKS_PICTURE_INDEX_H
#define PG_TASKS_PICTURE_INDEX_H

#include "generate/session.h"
#include "tasks/picture_files.h"
#include "tensor/safetensors.h"

#define PG_INDEX_FORMAT  "paligemma picture index"
#define PG_INDEX_VERSION "1"

struct pg_picture_index {
    pg_safetensors *file;
    const pg_array *embeddings, *names, *offsets, *stamps;
    const char *model; /* its fingerprint */
    size_t count, width;
    pg_index_place place;
};

/* Checks a file in memory, which is borrowed until the index is closed; `path` stands for it. */
pg_status pg_picture_index_parse(pg_picture_index **out, const void *bytes, size_t size, const char *path);

/* Of picture i, borrowed from the file: its name, and what its file was. */
const char *pg_picture_index_stored(const pg_picture_index *index, size_t i);
pg_file_stamp pg_picture_index_stamp(const pg_picture_index *index, size_t i);

/* Row i as floats. */
void pg_picture_index_row(float *out, const pg_picture_index *index, size_t i);

/* PG_ERROR_ARGUMENT where another model made the index. */
pg_status pg_picture_index_check(const pg_picture_index *index, const pg_model *model);

#endif
