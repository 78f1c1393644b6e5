/* Beam search. */
#ifndef PG_GENERATE_BEAM_H
#define PG_GENERATE_BEAM_H

#include "generate/sequence.h"

/* Searches from the prompt's last logits on and leaves the best answer in the sequence, all returned ones in its beams.
 * The prompt lies in the cache rows of the sequence's slot; the beams' own tokens take the same rows of slots 0 ..
 * beams - 1, so nothing else may run meanwhile. */
pg_status pg_beam_search(pg_session *session, pg_sequence *sequence, pg_logits *logits);

#endif
