/* adapter_config.json of a PEFT adapter (LoRA): which modules have low-rank factors, and of what size. */
#ifndef PG_MODEL_ADAPTER_CONFIG_H
#define PG_MODEL_ADAPTER_CONFIG_H

#include "base/json.h"

typedef struct pg_adapter_config {
    json_t *document;
    const char *path; /* borrowed; for errors */
    int64_t rank;
    double alpha, dropout;
    bool rank_stabilised;                        /* scale = alpha / sqrt(rank) instead of alpha / rank */
    const json_t *targets, *excluded, *replaced; /* target_modules, exclude_modules, modules_to_save; NULL: none */
    const json_t *ranks, *alphas;                /* rank_pattern, alpha_pattern; NULL: none */
} pg_adapter_config;

/* Reads the file, or a document that is at hand (taken over in either case; *out holds it even after a failure, until
 * pg_adapter_config_free). Keys that are not known are passed over; known ones that change the result and are not
 * supported (DoRA, biases, ...) are PG_ERROR_UNSUPPORTED by name. */
pg_status pg_adapter_config_load(pg_adapter_config *out, const char *path);
pg_status pg_adapter_config_read(pg_adapter_config *out, json_t *document, const char *path);
void pg_adapter_config_free(pg_adapter_config *config);

/* What the configuration says about one linear module. */
typedef struct pg_adapter_choice {
    const char *module;
    bool output; /* the decoder's output matrix, which "all-linear" leaves out */
    bool targeted;
    int64_t rank;
    double alpha;
    bool own_rank, own_alpha; /* decided by a pattern */
} pg_adapter_choice;

/* Fills in what follows `output` in each. */
pg_status pg_adapter_config_choose(pg_adapter_choice *choices, size_t count, const pg_adapter_config *config);

/* Whether the whole module is replaced (modules_to_save). */
bool pg_adapter_config_replaces(const pg_adapter_config *config, const char *module);

double pg_adapter_scale(const pg_adapter_config *config, int64_t rank, double alpha);

#endif
