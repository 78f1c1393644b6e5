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
#define PG_EOS_MAX 8
#define PG_SCORES_KEY "paligemma_scores"
typedef struct pg_generation_config {
    int32_t eos[PG_EOS_MAX];
    int eos_count;
    int64_t max_new_tokens, max_length, min_new_tokens, top_k, beams, no_repeat_ngram;
    double temperature, top_p, min_p, repetition_penalty, length_penalty; /* temperature 0: greedy */
    double score_slope, score_intercept; /* how scores of detected objects are corrected (pg_evaluation_fit_scores) */
} pg_generation_config;

struct pg_model {
    pg_weights *weights;
    pg_adapter *adapter;     /* in use; NULL: none */
    pg_tokenizer *tokenizer; /* NULL if the folder has none: then only what needs no text works */
    pg_processor processor;
    pg_generation_config generation;
    char *folder;
};

/* Each fills in defaults from `config` and reads the file if it exists. */
pg_status pg_processor_load(pg_processor *out, const pg_config *config, const char *path);
pg_status pg_generation_config_load(pg_generation_config *out, const pg_config *config, const char *path);

/* What PG_COMPUTE_AUTO means for products with floating-point weights. */
pg_compute pg_model_compute(const pg_model *model, bool bf16_products);

/* A clear failure for a model of another kind than an operation needs. */
pg_status pg_model_require(const pg_model *model, bool fits, const char *what);

/* A clear failure for a model without a tokenizer. */
pg_status pg_model_require_tokenizer(const pg_model *model);

#endif
