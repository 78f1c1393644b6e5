/*
 * A classifier on pooled features: the mean of the vision tower's last hidden states (after post_layernorm, before any
 * pooling head), followed by the mean of a decoder's last hidden states over a text (after the final norm, causally),
 * through one linear layer. Trained alone, over frozen features, it is a linear probe.
 */
#ifndef PG_MODEL_CLASSIFIER_H
#define PG_MODEL_CLASSIFIER_H

#include "model/weights.h"
#include "tensor/context.h"

/* The head, and the names of its outputs. */
typedef struct pg_classifier {
    pg_parameter weight, bias; /* [labels][features], [labels]; f32, their data owned */
    char **labels;
    size_t label_count;
} pg_classifier;

/* Small random weights that follow from the seed, and biases of zero. Labels are copied: at least two, none empty,
 * twice there, or with a line break. */
pg_status pg_classifier_new(pg_classifier **out, const char *const *labels, size_t count, int64_t features,
                            uint64_t seed);

/* Safetensors: head.weight, head.bias, and the labels, one a line, in the metadata. The file appears complete. */
pg_status pg_classifier_save(const pg_classifier *classifier, const char *path);
pg_status pg_classifier_load(pg_classifier **out, const char *path);
void pg_classifier_free(pg_classifier *classifier); /* NULL is allowed */

/* What is classified: a picture each, a text each, or both. */
typedef struct pg_pooled_batch {
    const float *pixels;       /* [count][3][side][side]; NULL: no pictures */
    const int32_t *const *ids; /* [count]; NULL: no texts */
    const int64_t *lengths;    /* [count], of the texts, each at least 1 */
    int64_t count;
} pg_pooled_batch;

/* Width of the features that a batch with or without pictures and texts has. */
int64_t pg_pooled_width(const pg_weights *vision, const pg_weights *text, bool pictures, bool texts);

/* [count, width]. `vision` is SigLIP's or PaliGemma's, `text` Gemma's or PaliGemma's: one folder or two. */
pg_tensor *pg_pooled_features(pg_context *g, const pg_weights *vision, const pg_weights *text,
                              const pg_pooled_batch *batch);

/* Each patch's last hidden state, alone: [count * P, vision's width]. A head that was trained on these fits the mean of
 * them too. */
pg_tensor *pg_patch_features(pg_context *g, const pg_weights *vision, const float *pixels, int64_t count);

/* Of features: one logit for each label. */
pg_tensor *pg_classifier_logits(pg_context *g, const pg_classifier *classifier, pg_tensor *features);

/* -log p(label) of every row of features: [rows, 1]; smoothing and hits as in pg_output_losses. */
pg_tensor *pg_classifier_losses(pg_context *g, const pg_classifier *classifier, pg_tensor *features,
                                const int32_t *targets, double smoothing, float *hits);

#endif
