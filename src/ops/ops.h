/*
 * The operations that models are made of. Each takes tensors [rows][width] and gives a new one in g's arena; NULL in,
 * NULL out (see tensor/context.h). B rows of heads x size are laid out head by head within a row.
 */
#ifndef PG_OPS_H
#define PG_OPS_H

#include "tensor/context.h"

/* x w^T + bias: [rows, inputs] -> [rows, outputs]. bias may be NULL. */
pg_tensor *pg_linear(pg_context *g, const pg_tensor *x, const pg_parameter *w, const pg_parameter *bias);

/* Columns rows[0 .. count - 1], ascending, of pg_linear(g, x, w, NULL), the same bits: [rows, inputs] -> [rows, count].
 * Only these rows of the weight are read (of a quantised one, their groups). */
pg_tensor *pg_linear_rows(pg_context *g, const pg_tensor *x, const pg_parameter *w, const int32_t *rows, int64_t count);

/* x / sqrt(mean(x^2) + epsilon) * (1 + w) */
pg_tensor *pg_rmsnorm(pg_context *g, const pg_tensor *x, const pg_parameter *w, double epsilon);

/* (x - mean) / sqrt(variance + epsilon) * w + bias */
pg_tensor *pg_layernorm(pg_context *g, const pg_tensor *x, const pg_parameter *w, const pg_parameter *bias,
                        double epsilon);

/* The tanh form of GELU. */
pg_tensor *pg_gelu(pg_context *g, const pg_tensor *x);

/* down(gelu(gate x) * (up x)): Gemma's GeGLU block. The wide middle exists for some rows at a time only. */
pg_tensor *pg_gated_mlp(pg_context *g, const pg_tensor *x, const pg_parameter *gate, const pg_parameter *up,
                        const pg_parameter *down);

pg_tensor *pg_add(pg_context *g, const pg_tensor *x, const pg_tensor *y);

/* Row t of the result is row ids[t] of the table times `scale`. The first `single` rows are marked as such. ids are in
 * range. */
pg_tensor *pg_embed(pg_context *g, const pg_parameter *table, const int32_t *ids, int64_t count, double scale,
                    int64_t single);

/* x with row rows[i] replaced by row i of `values`. */
pg_tensor *pg_place_rows(pg_context *g, const pg_tensor *x, const int64_t *rows, const pg_tensor *values);

/* Rows rows[0 .. count - 1] of x. They go through further products one by one, whatever they were before. */
pg_tensor *pg_take_rows(pg_context *g, const pg_tensor *x, const int64_t *rows, int64_t count);

/* x plus row t % table->rows of the table in row t: learned positions of sequences of equal length. */
pg_tensor *pg_add_positions(pg_context *g, const pg_tensor *x, const pg_parameter *table);

/* Cosines, then sines, of position * theta^(-2i / size): [count, size] for i < size / 2 each. */
pg_tensor *pg_rope_angles(pg_context *g, const int32_t *positions, int64_t count, int64_t size, double theta);

/* Rotates every head of x, [rows, heads * size], by its row's angles: halves (i, i + size / 2). */
pg_tensor *pg_rope(pg_context *g, const pg_tensor *x, const pg_tensor *angles);

/* Writes row t of x into row slots[t] of a cache matrix. */
void pg_store_rows(pg_context *g, const pg_tensor *cache, const int64_t *slots, const pg_tensor *x);

/* softmax(q k^T / sqrt(size)) v for every segment of the batch and each head: q [rows, heads * size]; k, v [any,
 * kv_heads * size], of which the segments' spans name the rows; query head h reads key head h / (heads / kv_heads). */
pg_tensor *pg_attention(pg_context *g, const pg_tensor *q, const pg_tensor *k, const pg_tensor *v, int64_t heads,
                        int64_t kv_heads, const pg_batch *batch);

/* Pictures [count][channels][side][side] cut into patches, row by row: [count * (side / patch)^2, channels * patch *
 * patch], so that the patch convolution is pg_linear. A rest of the side that fills no patch is left out. */
pg_tensor *pg_patches(pg_context *g, const float *pixels, int64_t count, int64_t channels, int64_t side, int64_t patch);

/* log(sum of exp(x)) of one row of logits: what turns a logit into a log-probability. */
double pg_log_sum_exp(const pg_context *g, const float *logits, int64_t count);

/* losses[t] = -log softmax(row t of logits)[targets[t]], in nats. */
void pg_token_losses(pg_context *g, float *losses, const pg_tensor *logits, const int32_t *targets);

/* x with every row divided by its length. */
pg_tensor *pg_unit_rows(pg_context *g, const pg_tensor *x);

#endif
