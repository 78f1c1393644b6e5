/*
 * The operations that models are made of. Each takes tensors [rows][width] and gives a new one in g's arena; NULL in,
 * NULL out (see tensor/context.h). B rows of heads x size are laid out head by head within a row.
 *
 * While g records (tensor/tape.h), an operation also leaves what it needs for the way back: its way back stands beside
 * it in the same file. Arrays that are passed by pointer (ids, rows, weights of a sum) must then live until the way
 * back is over; inputs are not const because they take derivatives.
 */
#ifndef PG_OPS_H
#define PG_OPS_H

#include "base/logit_parts.h"
#include "tensor/context.h"

/* x w^T + bias: [rows, inputs] -> [rows, outputs]; with a low-rank addition (pg_lora), that too. bias may be NULL. */
pg_tensor *pg_linear(pg_context *g, pg_tensor *x, const pg_parameter *w, const pg_parameter *bias);

/* Layers side by side: out[i] = pg_linear(g, x[i], w[i], NULL), the same bits; NULL where that is. On a device those of
 * one x are multiplied together. */
#define PG_LINEARS_MOST 3
void pg_linears(pg_context *g, pg_tensor **out, pg_tensor *const *x, const pg_parameter *const *w, int count);

/* Columns rows[0 .. count - 1], ascending, of pg_linear(g, x, w, NULL), the same bits: [rows, inputs] -> [rows, count].
 * Only these rows of the weight are read (of a quantised one, their groups). */
pg_tensor *pg_linear_rows(pg_context *g, pg_tensor *x, const pg_parameter *w, const int32_t *rows, int64_t count);

/* x / sqrt(mean(x^2) + epsilon) * (1 + w) */
pg_tensor *pg_rmsnorm(pg_context *g, pg_tensor *x, const pg_parameter *w, double epsilon);

/* (x - mean) / sqrt(variance + epsilon) * w + bias */
pg_tensor *pg_layernorm(pg_context *g, pg_tensor *x, const pg_parameter *w, const pg_parameter *bias, double epsilon);

/* The tanh form of GELU. */
pg_tensor *pg_gelu(pg_context *g, pg_tensor *x);

/* down(gelu(gate x) * (up x)): Gemma's GeGLU block. The wide middle exists for some rows at a time only. */
pg_tensor *pg_gated_mlp(pg_context *g, pg_tensor *x, const pg_parameter *gate, const pg_parameter *up,
                        const pg_parameter *down);

/* max(x, 0) */
pg_tensor *pg_relu(pg_context *g, pg_tensor *x);

/* gelu(x) y */
pg_tensor *pg_gelu_times(pg_context *g, pg_tensor *x, pg_tensor *y);

pg_tensor *pg_add(pg_context *g, pg_tensor *x, pg_tensor *y);

/* x + factor y */
pg_tensor *pg_add_scaled(pg_context *g, pg_tensor *x, pg_tensor *y, double factor);

/* factor x */
pg_tensor *pg_scaled(pg_context *g, pg_tensor *x, double factor);

/* While g records: every value is left out with probability `rate`, and the others grow by 1 / (1 - rate); else (or
 * with pg_tape.keep_all) x itself. `place` says where in the model this is, so that different places draw different
 * numbers (pg_place). */
pg_tensor *pg_dropout(pg_context *g, pg_tensor *x, double rate, uint64_t place);

/* The same with the rate that the tape has for what layers add to the residual stream (pg_tape.dropout), at the place
 * of the weight of that name. */
pg_tensor *pg_residual_dropout(pg_context *g, pg_tensor *x, const char *weight);

/* A number for a place in a model that has a name. */
uint64_t pg_place(const char *name);

/* Row t of the result is row ids[t] of the table times `scale`. The first `single` rows are marked as such. ids are in
 * range. */
pg_tensor *pg_embed(pg_context *g, const pg_parameter *table, const int32_t *ids, int64_t count, double scale,
                    int64_t single);

/* x with row rows[i] replaced by row i of `values`; rows in ascending order. */
pg_tensor *pg_place_rows(pg_context *g, pg_tensor *x, const int64_t *rows, pg_tensor *values);

/* Rows rows[0 .. count - 1] of x. They go through further products one by one, whatever they were before. */
pg_tensor *pg_take_rows(pg_context *g, pg_tensor *x, const int64_t *rows, int64_t count);

/* x plus row t % table->rows of the table in row t: learned positions of sequences of equal length. */
pg_tensor *pg_add_positions(pg_context *g, pg_tensor *x, const pg_parameter *table);

/* With a device, puts the batch's segments, positions and slots there, in one transfer into the arena; positions and
 * slots are then the device's. Nothing happens on the host, and to a batch that has been placed. */
void pg_batch_place(pg_context *g, pg_batch *batch);

/* Cosines, then sines, of position * theta^(-2i / size): [count, size] for i < size / 2 each. Positions lie where
 * operations read them (pg_batch_place, pg_to_device). */
pg_tensor *pg_rope_angles(pg_context *g, const int32_t *positions, int64_t count, int64_t size, double theta);

/* Rotates every head of x, [rows, heads * size], by its row's angles: halves (i, i + size / 2). */
pg_tensor *pg_rope(pg_context *g, pg_tensor *x, const pg_tensor *angles);

/* Writes row t of x into row slots[t] of a cache matrix (pg_cache has its layout). Slots lie where operations read them
 * (pg_batch_place, pg_to_device). */
void pg_store_rows(pg_context *g, const pg_tensor *cache, const int64_t *slots, const pg_tensor *x);

/* softmax(q k^T / sqrt(size)) v for every segment of the batch and each head: q [rows, heads * size]; k, v [any,
 * kv_heads * size], of which the segments' spans name the rows; query head h reads key head h / (heads / kv_heads). */
pg_tensor *pg_attention(pg_context *g, pg_tensor *q, pg_tensor *k, pg_tensor *v, int64_t heads, int64_t kv_heads,
                        const pg_batch *batch);

/* What pg_context.see_attention is shown: an attention as pg_attention has it, keys and values without a cache. On the
 * way back out->grad is there. */
typedef struct pg_attention_view {
    const pg_tensor *q, *k, *v, *out;
    int64_t heads, kv_heads;
    const pg_batch *batch;
    bool back;
} pg_attention_view;

/* Which weights of an attention: A = softmax(q k^T / sqrt(size)), or the positive part of A dA, dA being the derivative
 * of the loss (gradient x attention, Chefer, Gur and Wolf 2021); both as the mean over the heads. */
typedef enum pg_attention_weights { PG_ATTENTION_PLAIN, PG_ATTENTION_BY_GRADIENT } pg_attention_weights;

/* shares [n, rows of q] says what part each query row has in n results; the product with those weights, [n, rows of k],
 * says what part each key row has in them by way of this attention. The weights, [rows of q, rows of k], are computed
 * from q and k for some rows at a time; rows without a part in any result are left out. BY_GRADIENT needs a view of the
 * way back. Leaves nothing on the tape. */
pg_tensor *pg_attention_flow(pg_context *g, const pg_attention_view *view, const pg_tensor *shares,
                             pg_attention_weights weights);

/* Pictures of bytes, each [plane][3], as a model takes them, [count][3][plane]: every byte becomes what the table says
 * of its channel. The result lies where values do. */
const float *pg_pixel_values(pg_context *g, const uint8_t *const *pictures, int64_t count, int64_t plane,
                             const float levels[3][256]);

/* Pictures [count][channels][side][side] cut into patches, row by row: [count * (side / patch)^2, channels * patch *
 * patch], so that the patch convolution is pg_linear. A rest of the side that fills no patch is left out. */
pg_tensor *pg_patches(pg_context *g, const float *pixels, int64_t count, int64_t channels, int64_t side, int64_t patch);

/* log(sum of exp(x)) of one row of logits: what turns a logit into a log-probability. */
double pg_log_sum_exp(const pg_context *g, const float *logits, int64_t count);

/* losses[t] = -log softmax(row t of logits)[targets[t]], in nats; losses are the host's. */
void pg_token_losses(pg_context *g, float *losses, const pg_tensor *logits, const int32_t *targets);

/* losses[t] = -log softmax(w x_t + bias)[targets[t]]: [rows, 1], in nats. The logits exist for some rows at a time
 * only. A share `smoothing` of the target's probability is spread evenly over all outputs. hits[t] becomes 1 where the
 * target has the largest logit, else 0 (NULL: not wanted); hits lie where values do. bias may be NULL. */
pg_tensor *pg_output_losses(pg_context *g, pg_tensor *x, const pg_parameter *w, const pg_parameter *bias,
                            const int32_t *targets, double smoothing, float *hits);

/* The sum of all values of x times their weights [rows][width]: [1, 1]. */
pg_tensor *pg_weighted_sum(pg_context *g, pg_tensor *x, const float *weights);

/* ids[r] = the place of the largest of row r of the logits, of equal ones the first. log_probabilities[r] is its
 * logarithm, NULL where nobody wants it. Both are the host's. */
void pg_best_tokens(pg_context *g, int32_t *ids, float *log_probabilities, const pg_tensor *logits);

/* For draws among a row of logits [1, width] on a device, in the host's memory: its pieces, one after another, with the
 * weights exp((logit - best) / temperature), `best` being the number of the largest; and those logits for which logit /
 * temperature, as a float, is `least` or more (base/logit_parts.h). NULL on failure. */
const pg_weighed *pg_weigh_logits(pg_context *g, const pg_tensor *logits, double temperature, int64_t best);
const pg_listed *pg_list_logits(pg_context *g, const pg_tensor *logits, double temperature, float least);

/* moments += x^T x over columns first .. first + count - 1 of x: the lower triangle of [count][count]. */
void pg_add_moments(pg_context *g, float *moments, const pg_tensor *x, int64_t first, int64_t count);

/* x with every row divided by its length. */
pg_tensor *pg_unit_rows(pg_context *g, pg_tensor *x);

/* Row s of the result is the sum, or the mean, of the rows of x that span s names: [count, width]. */
pg_tensor *pg_sum_rows(pg_context *g, pg_tensor *x, const pg_span *spans, int64_t count);
pg_tensor *pg_mean_rows(pg_context *g, pg_tensor *x, const pg_span *spans, int64_t count);

/* Rows of x, each followed by the same row of y: [rows, widths together]. */
pg_tensor *pg_concatenate(pg_context *g, pg_tensor *x, pg_tensor *y);

/* SigLIP's loss of n pictures and their n texts, rows of length one [n, width] each: [1, 1], the sum over all n n pairs
 * of -log sigmoid(m (e^scale cosine + bias)) / n, with m = 1 for a picture and its own text and -1 elsewhere. No matrix
 * of all pairs exists, only some of its columns at a time. */
pg_tensor *pg_contrastive_loss(pg_context *g, pg_tensor *images, pg_tensor *texts, const pg_parameter *scale,
                               const pg_parameter *bias);

/* hits[r] = 1 where no value of row r of x is larger than that of column r, else 0; hits lie where values do. */
void pg_largest_on_diagonal(pg_context *g, float *hits, const pg_tensor *x);

/* x [2 pairs, 1] are -log p of a chosen and a rejected answer, pair by pair, and reference [2 pairs] what another model
 * says of them: [pairs, 1], -log sigmoid(beta margin), the margin being how much more x prefers the chosen answer (in
 * log p) than the reference does. hits[i] becomes 1 where it is positive, else 0 (NULL: not wanted); hits lie where
 * values do. */
pg_tensor *pg_preference_losses(pg_context *g, pg_tensor *x, const float *reference, double beta, float *hits);

/* Squares of `size` points a side over pictures of height x width places: one begins at every `stride`-th point of each
 * axis, the first `padding` points outside. */
typedef struct pg_squares {
    int64_t height, width;
    int64_t size, stride, padding;
} pg_squares;

static inline int64_t pg_squares_down(const pg_squares *s)
{
    return (s->height + 2 * s->padding - s->size) / s->stride + 1;
}

static inline int64_t pg_squares_across(const pg_squares *s)
{
    return (s->width + 2 * s->padding - s->size) / s->stride + 1;
}

/* Pictures [count * height * width, channels] to their squares [count * down * across, size * size * channels], zero
 * outside the picture. */
pg_tensor *pg_unfold(pg_context *g, pg_tensor *x, const pg_squares *squares);

/* Squares to pictures: every point is the sum of what its squares have there. */
pg_tensor *pg_fold(pg_context *g, pg_tensor *x, const pg_squares *squares);

/* A convolution: [count * height * width, inputs] -> [count * down * across, outputs]; w [outputs, size * size *
 * inputs]. */
pg_tensor *pg_convolution(pg_context *g, pg_tensor *x, const pg_parameter *w, const pg_parameter *bias,
                          const pg_squares *squares);

/* A transposed one, `squares` over its result: [count * down * across, inputs] -> [count * height * width, outputs]; w
 * [size * size * outputs, inputs]. */
pg_tensor *pg_transposed_convolution(pg_context *g, pg_tensor *x, const pg_parameter *w, const pg_parameter *bias,
                                     const pg_squares *squares);

/* Every row replaced by the nearest row of the table, whose number goes to codes[row]: the first of equally near ones.
 * On the way back the derivative passes as if nothing had been replaced. */
pg_tensor *pg_nearest_code(pg_context *g, pg_tensor *x, const pg_parameter *table, int32_t *codes);

/* factor times the sum of (x - target)^2: [1, 1]. */
pg_tensor *pg_squared_difference(pg_context *g, pg_tensor *x, const float *target, double factor);

#endif
