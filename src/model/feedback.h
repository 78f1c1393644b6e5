/*
 * From the second moments of a layer's inputs, H = x^T x, to how its weights' rounding errors are made good.
 *
 * Every window of inputs is taken for itself: the moments between windows are not known and count as zero. H gets a
 * hundredth of its mean diagonal added to its diagonal and is factored as U D U^T, U upper triangular with ones on its
 * diagonal: rounding w[i] - (sum over j < i of e[j] U[j][i]), e being the errors of those before, leaves the sum of
 * D[i] (error of rounding i)^2 of e H e^T. The inputs with the largest moments are rounded first, when most of the
 * others can still make their errors good.
 */
#ifndef PG_MODEL_FEEDBACK_H
#define PG_MODEL_FEEDBACK_H

#include "model/quantizer.h"

/* Windows, and bytes of their moments, of so many inputs. */
int64_t pg_feedback_windows(int64_t inputs, int64_t window);
size_t pg_feedback_bytes(int64_t inputs, int64_t window);

/* Room for moments: factors[k] is [window][window] zeros, of whose lower triangle the first rows and columns, as many
 * as window k has inputs, are laid out without gaps for pg_add_moments. */
pg_status pg_feedback_init(pg_feedback *out, int64_t inputs, int64_t window);
void pg_feedback_free(pg_feedback *feedback);

/* Inputs of window k. */
int64_t pg_feedback_count(const pg_feedback *feedback, int64_t k);

/* Turns the moments into factors, in place. PG_ERROR_FORMAT if they are not finite. */
pg_status pg_feedback_factor(pg_feedback *feedback, int threads);

#endif
