/*
 * The table of all weights that models have: their names here and in published files, their shapes and where their
 * parameters lie in pg_weights. Adding a weight is a row of this table.
 */
#ifndef PG_MODEL_WEIGHT_RULES_H
#define PG_MODEL_WEIGHT_RULES_H

#include "base/buffer.h"
#include "model/weights.h"

/* A weight, or one of every layer. */
typedef struct pg_weight_rule pg_weight_rule;

/* A walk over the rules that apply to a model: the table from top to bottom, a layer's rules for each layer in turn.
 * Starts as {.config = config}. */
typedef struct pg_rule_walk {
    const pg_config *config;
    size_t next;
    int64_t layer;
} pg_rule_walk;

/* The next rule, and its layer; NULL at the end. */
const pg_weight_rule *pg_rule_next(pg_rule_walk *walk, int64_t *layer);

/* The parameter that a rule stands for. */
pg_parameter *pg_rule_place(const pg_weight_rule *rule, const pg_weights *weights, int64_t layer);

/* The shape as published; returns the number of dimensions. */
int pg_rule_shape(int64_t shape[PG_WEIGHT_DIMENSIONS], const pg_weight_rule *rule, const pg_config *config);

/* Bits of the weight where it is quantised, else 0. */
int pg_rule_bits(const pg_weight_rule *rule, const pg_config *config);

/* Names: ours, "text.layer.3.q"; the canonical one, which those of all files become,
 * "text.layers.3.self_attn.q_proj.weight"; and that of published files of this kind of model. Texts that do not fit are
 * cut short. */
void pg_rule_name(char *out, size_t size, const pg_weight_rule *rule, int64_t layer);
void pg_rule_canonical(char *out, size_t size, const pg_weight_rule *rule, int64_t layer);
pg_status pg_canonical_name(pg_buffer *out, const char *published);
void pg_published_name(char *out, size_t size, const char *canonical, pg_model_kind kind);

/* Whether a tensor of that canonical name follows from the configuration: buffers that older files carry. */
bool pg_is_derived(const char *canonical);

#endif
