/* A model as users know it: weights, tokenizer, and how pictures and answers are made. */
#ifndef PG_GENERATE_MODEL_H
#define PG_GENERATE_MODEL_H

#include "model/adapter.h"
#include "model/weights.h"

/* preprocessor_config.json, or what published models do if there is none. */
typedef struct pg_processor {
    int64_t side;   /* pictures are resized to side x side */
    double rescale; /* byte -> 0..1 */
    double mean[3], deviation[3];
} pg_processor;

/* generation_config.json. Negative numbers: not said. */
#define PG_EOS_MAX    8
#define PG_SCORES_KEY "paligemma_scores"
typedef struct pg_generation_config {
    int32_t eos[PG_EOS_MAX];
    int eos_count;
    int64_t max_new_tokens, max_length, min_new_tokens, top_k, beams, no_repeat_ngram;
    double temperature, top_p, min_p, repetition_penalty, length_penalty; /* temperature 0: greedy */
    double score_slope, score_intercept; /* how scores of detected objects are corrected (pg_evaluation_fit_scores) */
} pg_generation_config;

struct pg_model {
    uint64_t number;   /* no other model of this process has had it */
    pg_device *device; /* where the weights are and sessions compute (each in a queue of its own); NULL: the host */
    pg_weights *weights;
    pg_adapter *adapter;     /* in use; NULL: none */
    pg_tokenizer *tokenizer; /* NULL if the folder has none: then only what needs no text works */
    pg_processor processor;
    pg_generation_config generation;
    char *folder;
};

/* The model of `base` again, with the adapter in a folder. On a device it uses the weights of `base`, which must then
 * be closed later. */
pg_status pg_model_open_adapted(pg_model **out, const pg_model *base, const char *adapter);

/* Each fills in defaults from `config` and reads the file if it exists. */
pg_status pg_processor_load(pg_processor *out, const pg_config *config, const char *path);
pg_status pg_generation_config_load(pg_generation_config *out, const pg_config *config, const char *path);

/* What PG_COMPUTE_AUTO means for products with floating-point weights. */
pg_compute pg_model_compute(const pg_model *model, bool bf16_products);

/* A clear failure for a model of another kind than an operation needs. */
pg_status pg_model_require(const pg_model *model, bool fits, const char *what);

/* A clear failure for a model on a device, where something ("an explanation") is made on the host only. */
pg_status pg_model_require_host(const pg_model *model, const char *what);

/* A clear failure for a model without a tokenizer. */
pg_status pg_model_require_tokenizer(const pg_model *model);

#endif
