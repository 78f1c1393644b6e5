/* A decoder and its tokenizer as a GGUF file, and the file compared with them. */
#ifndef PG_TASKS_GGUF_EXPORT_H
#define PG_TASKS_GGUF_EXPORT_H

#include "generate/model.h"
#include "model/gguf_layout.h"

typedef struct pg_gguf_export {
    const pg_model *model;
    const pg_dtype *dtype; /* of matrices; NULL: as stored */
    int threads;
    bool (*on_progress)(void *user, size_t done, size_t total);
    void *user;
} pg_gguf_export;

/* The file appears complete or not at all. */
pg_status pg_gguf_export_write(const pg_gguf_export *job, const char *path);

/* Every value in the file is that of the model, rounded to the file's dtype; else PG_ERROR_FORMAT. */
pg_status pg_gguf_export_compare(const pg_gguf_export *job, const char *path);

#endif
