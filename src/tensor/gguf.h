/*
 * GGUF files, version 3, as llama.cpp reads them: metadata, a list of tensors, then their bytes from multiples of 32
 * on. Little-endian; a tensor's lengths are listed from the one that runs fastest. (ggml's docs/gguf.md)
 */
#ifndef PG_TENSOR_GGUF_H
#define PG_TENSOR_GGUF_H

#include "base/buffer.h"
#include "tensor/array.h"

/* Metadata in the making. Starts as {0}; its bytes are freed with pg_buffer_free. */
typedef struct pg_gguf_metadata {
    pg_buffer bytes;
    uint64_t count;
} pg_gguf_metadata;

pg_status pg_gguf_put_text(pg_gguf_metadata *m, const char *key, const char *text);
pg_status pg_gguf_put_number(pg_gguf_metadata *m, const char *key, uint32_t number);
pg_status pg_gguf_put_real(pg_gguf_metadata *m, const char *key, float real);
pg_status pg_gguf_put_truth(pg_gguf_metadata *m, const char *key, bool truth);

/* Lists: `count` elements of the same kind follow. */
pg_status pg_gguf_begin_texts(pg_gguf_metadata *m, const char *key, size_t count);
pg_status pg_gguf_add_text(pg_gguf_metadata *m, const char *text, size_t size);
pg_status pg_gguf_put_reals(pg_gguf_metadata *m, const char *key, const float *reals, size_t count);
pg_status pg_gguf_put_numbers(pg_gguf_metadata *m, const char *key, const int32_t *numbers, size_t count);

/* A file in the making: arrays of F32, F16 or BF16 (their data may be NULL), then their bytes in the same order, in
 * pieces of any size. The file appears at commit, complete, or not at all. Commit and abort both end the writer; abort
 * accepts NULL. */
typedef struct pg_gguf_writer pg_gguf_writer;

pg_status pg_gguf_writer_open(pg_gguf_writer **out, const char *path, const pg_gguf_metadata *metadata,
                              const pg_array *arrays, size_t count);
pg_status pg_gguf_writer_write(pg_gguf_writer *writer, const void *bytes, size_t size);
pg_status pg_gguf_writer_commit(pg_gguf_writer *writer);
void pg_gguf_writer_abort(pg_gguf_writer *writer);

/* A file's tensors, mapped. Metadata is checked to be well formed and left aside. */
typedef struct pg_gguf pg_gguf;

/* Refuses other versions than 3, tensors of other kinds than F32, F16 and BF16, and what leaves the file. */
pg_status pg_gguf_open(pg_gguf **out, const char *path);

/* The same from memory, which is borrowed and outlives the object. `name` stands for the file in errors. */
pg_status pg_gguf_parse(pg_gguf **out, const void *bytes, size_t size, const char *name);

void pg_gguf_close(pg_gguf *file); /* NULL is allowed */

/* Tensors in the order of their names; NULL if there is none of this name. Borrowed. */
size_t pg_gguf_count(const pg_gguf *file);
const pg_array *pg_gguf_find(const pg_gguf *file, const char *name);

#endif
