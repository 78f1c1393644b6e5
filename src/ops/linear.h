/* The linear layer without memory of its own, for operations that are made of it. */
#ifndef PG_OPS_LINEAR_H
#define PG_OPS_LINEAR_H

#include "ops/ops.h"

/* out = x w^T + bias into a tensor that is there already; w's low-rank addition is left out. */
void pg_linear_into(pg_context *g, pg_tensor *out, const pg_tensor *x, const pg_parameter *w, const pg_parameter *bias);

/* Adds to dx (NULL: nobody asks; fresh: sets it) and to the gradients of w and bias what follows from dout, out's
 * derivative. bias may be NULL. */
void pg_linear_back(pg_context *g, const float *dout, const pg_tensor *x, float *dx, bool fresh, const pg_parameter *w,
                    const pg_parameter *bias);

/* The smaller factor of w's low-rank addition, scaled; its product with the larger one, lora->b, is what is added. NULL
 * where there is none or it is left out (pg_context.unadapted), and on failure. */
pg_tensor *pg_low_rank(pg_context *g, pg_tensor *x, const pg_parameter *w);

/* out += x w^T. On a tape there are no generated tokens, whose bits depend on how they are multiplied. */
void pg_add_linear(pg_context *g, pg_tensor *out, const pg_tensor *x, const pg_parameter *w);

#endif
