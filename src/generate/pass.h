/* One pass through the model for all answers in the making: a token for each, or several where proposals come true. */
#ifndef PG_GENERATE_PASS_H
#define PG_GENERATE_PASS_H

#include "generate/sequence.h"

/* Hears of a sequence that has one more token, has ended (done) or has failed (status; it is then done as well).
 * Returning a failure ends the whole pass with it. */
typedef pg_status pg_pass_callback(void *user, pg_sequence *sequence, pg_status status);

/* Runs `count` sequences whose prompts are in the cache, in one ragged batch with proposed tokens as further rows. A
 * failure that is not handed to `told` concerns all of them. What the session's context has computed is given back. */
pg_status pg_pass_run(pg_session *session, pg_sequence *const *sequences, size_t count, pg_pass_callback *told,
                      void *user);

#endif
