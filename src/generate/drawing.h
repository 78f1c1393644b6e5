/* Draws among logits that lie on a device: what the host needs for them comes from there, a few kilobytes instead of a
 * row. The token is that of pg_sampling_next; where no top_k limits the choice, the sum of all weights is the device's,
 * in double, and differs from the host's by its rounding. */
#ifndef PG_GENERATE_DRAWING_H
#define PG_GENERATE_DRAWING_H

#include "generate/sampling.h"
#include "tensor/context.h"

typedef struct pg_drawn {
    bool found; /* false: the row has to be fetched, because too many of its logits matter */
    int32_t place;
    float logprob; /* of the logits as they are */
} pg_drawn;

/* temperature > 0; all of the logits' values are finite or -infinity. `number`, from 0 to 1, decides; choices: scratch
 * for the vocabulary. */
pg_status pg_draw_on_device(pg_drawn *out, pg_context *g, const pg_logits *logits, const pg_sampling *sampling,
                            double number, pg_choice *choices);

#endif
