/* Losses and the choice of tokens on a device. Sums over a row are in double, in a fixed order: the same bits from run
 * to run. NaN among logits makes a loss NaN; it is never chosen, unless it comes first, as on the host. */
#ifndef PG_KERNELS_DEVICE_LOSSES_H
#define PG_KERNELS_DEVICE_LOSSES_H

#include "base/logit_parts.h"
#include "kernels/device_kernels.h"

typedef struct pg_device_losses {
    /* Of rows of logits [rows][width]: losses[r] = -log softmax[targets[r]], a share `smoothing` of the target's
     * probability spread evenly; log_sums[r] = log(sum of exp) and hits[r], 1 where the target has the largest logit,
     * else 0 (NULL: not wanted). */
    void (*cross_entropy)(pg_device *device, float *losses, float *log_sums, float *hits, const float *logits,
                          const int32_t *targets, int64_t rows, int64_t width, double smoothing);
    /* Logits become the derivatives of dlosses[r] losses[r]. */
    void (*cross_entropy_back)(pg_device *device, float *logits, const float *dlosses, const float *log_sums,
                               const int32_t *targets, int64_t rows, int64_t width, double smoothing);

    void (*weighted_sum)(pg_device *device, float *out, const float *x, const float *weights, int64_t count);
    void (*weighted_sum_back)(pg_device *device, float *dx, const float *dout, const float *weights, int64_t count);

    /* Of the cosines [rows][width] of pictures with texts first .. first + width - 1: sums[r] += the losses of row r;
     * scale and bias are single values. */
    void (*contrastive)(pg_device *device, double *sums, const float *cosines, int64_t rows, int64_t width,
                        int64_t first, const pg_device_matrix *scale, const pg_device_matrix *bias);
    /* Cosines become the derivatives of dout[0] / rows times all losses; those of scale and bias are added to
     * dscales[r] and dbiases[r]. */
    void (*contrastive_back)(pg_device *device, float *cosines, double *dscales, double *dbiases, const float *dout,
                             int64_t rows, int64_t width, int64_t first, const pg_device_matrix *scale,
                             const pg_device_matrix *bias);
    /* out[0] = the sum of x / divisor, or that much more */
    void (*sum)(pg_device *device, float *out, const double *x, int64_t count, double divisor, bool add);

    /* pg_preference_losses; hits may be NULL */
    void (*preference)(pg_device *device, float *losses, float *hits, const float *x, const float *reference,
                       int64_t pairs, double beta);
    void (*preference_back)(pg_device *device, float *dx, const float *dlosses, const float *x, const float *reference,
                            int64_t pairs, double beta);

    /* hits[r] = 1 where no value of row r is larger than that of column r, else 0 */
    void (*diagonal)(pg_device *device, float *hits, const float *x, int64_t rows, int64_t width);

    /* ids[r] = the place of the largest logit of row r, of equal ones the first; log_probabilities[r] its logarithm
     * (NULL: not wanted). */
    void (*best)(pg_device *device, int32_t *ids, float *log_probabilities, const float *logits, int64_t rows,
                 int64_t width);

    /* Of one row of logits, with y = (float)(logit / temperature): its pieces one after another. The weight of a logit
     * is exp(y - that of logit number `best`), which is the largest; of -infinity and NaN it is none. */
    void (*weigh)(pg_device *device, pg_weighed *out, const float *logits, int64_t width, double temperature,
                  int64_t best);
    /* Adds those logits whose y is `least` or more to what is in the list. */
    void (*list)(pg_device *device, pg_listed *out, const float *logits, int64_t width, double temperature,
                 float least);
} pg_device_losses;

#endif
