/*
 * Models in the published layout, written from weights in memory: model.safetensors, or shards with
 * model.safetensors.index.json, and config.json. Weights are made and written some rows at a time, so that a model of
 * any size takes little memory.
 */
#ifndef PG_MODEL_MODEL_WRITER_H
#define PG_MODEL_MODEL_WRITER_H

#include "base/json.h"
#include "model/weights.h"
#include "tensor/safetensors.h"

#define PG_SHARD_BYTES ((size_t)5 * 1000 * 1000 * 1000) /* as transformers has it */

typedef struct pg_model_write_options {
    bool convert;       /* every weight becomes `dtype`; else each stays as it is, quantised ones become bf16 */
    pg_dtype dtype;     /* F32, F16 or BF16 */
    size_t shard_bytes; /* of a file, unless one weight alone has more; 0: PG_SHARD_BYTES */
    int threads;
    bool replace;     /* pg_model_write: a folder that exists is replaced */
    pg_weights *with; /* every weight becomes (1 - share) of itself + share of this model's; NULL: it stays */
    double share;
    /* Rows first .. first + count - 1 of a weight whose data is NULL, as floats; called by several threads. */
    void (*values)(void *user, float *out, const pg_weight_entry *entry, int64_t first, int64_t count);
    /* Called before `values` is asked for these rows; NULL: needs no preparation. */
    pg_status (*prepare)(void *user, const pg_weight_entry *entry, int64_t first, int64_t count);
    bool (*on_progress)(void *user, size_t done, size_t total); /* false: stop with PG_ERROR_CANCELLED */
    void *user;
} pg_model_write_options;

/* Options as users give them: dtype "F32", "BF16", "F16" or NULL; threads 0 for one per physical core. */
pg_status pg_model_write_options_read(pg_model_write_options *out, const char *dtype, int threads);

/* A new folder with the weights under their published names and everything else that the folder `from` has: config.json
 * with its dtype set, tokenizer, ... Low-rank additions become part of their weights: w + scale b a in f32, rounded
 * once. A tied output matrix is not written; one that no longer is the embedding is PG_ERROR_UNSUPPORTED. The folder
 * appears complete or not at all. */
pg_status pg_model_write(const char *folder, pg_weights *weights, const char *from,
                         const pg_model_write_options *options);

/* The same into a folder that exists, and the parts of it. */
pg_status pg_model_write_into(const char *folder, pg_weights *weights, const char *from,
                              const pg_model_write_options *options);
pg_status pg_model_write_weights(const char *folder, pg_weights *weights, const pg_model_write_options *options);
pg_status pg_model_write_config(const char *path, const char *from, const pg_weights *weights,
                                const pg_model_write_options *options);
pg_status pg_model_copy_files(const char *folder, const char *from); /* all but weights, adapters and config.json */

/* The values of one weight in a dtype of floats, low-rank addition included. */
pg_status pg_weight_write(pg_safetensors_writer *file, const pg_parameter *p, pg_dtype dtype, int threads);

/* Rows first .. first + count - 1 of a weight with values as [count][width] of a dtype of floats, low-rank addition
 * included. The pages of the files that they were read from are given back: not after pg_checkpoint_copy. */
pg_status pg_weight_rows(void *out, const pg_parameter *p, pg_dtype dtype, int64_t first, int64_t count, int threads);

/* "float32", "float16" or "bfloat16" in config.json, here and in the parts that say it too. */
pg_status pg_config_set_dtype(json_t *config, pg_dtype dtype);

#endif
