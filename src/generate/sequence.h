/* One answer in the making: its tokens, its text as it streams out, and when to stop. */
#ifndef PG_GENERATE_SEQUENCE_H
#define PG_GENERATE_SEQUENCE_H

#include "base/buffer.h"
#include "base/clock.h"
#include "generate/session.h"
#include "generate/speculation.h"

/* What a request asks for once the model's own defaults are filled in. */
typedef struct pg_plan {
    pg_sampling sampling;
    int64_t limit, least; /* tokens to generate, at most and at least */
    int64_t beams, beams_returned;
    double length_penalty;
    int64_t speculate; /* tokens; negative: as many as pay */
} pg_plan;

pg_status pg_plan_make(pg_plan *out, const pg_session *session, const pg_request *request, const pg_input *input);

typedef struct pg_sequence {
    const pg_request *request;
    size_t index; /* of the request in its call */
    pg_input input;
    pg_plan plan;
    int64_t slot; /* cache rows; -1: waiting */
    bool done;
    pg_finish finish;

    int32_t *history;       /* prompt, then answer, then proposed tokens: [input.ids.count + plan.limit] */
    float *logprobs;        /* [plan.limit] */
    pg_candidate *top;      /* [plan.limit][top_count] */
    size_t top_count, made; /* tokens of the answer so far */

    pg_speculation speculation;
    pg_decoder *decoder;
    pg_buffer text; /* all of the answer; the first `shown` bytes were handed out */
    size_t shown;
    pg_beam *beams;                          /* [plan.beams_returned], after a beam search */
    double started, first_token, last_token; /* seconds, pg_clock() */
    pg_timings timings;
} pg_sequence;

/* Memory for an answer to the prompt, which the sequence takes over. */
pg_status pg_sequence_init(pg_sequence *out, const pg_session *session, const pg_request *request, size_t index);
void pg_sequence_free(pg_sequence *sequence);

/* What may follow the answer with `ahead` of the proposed tokens behind it. */
pg_status pg_sequence_permit(pg_permitted *out, const pg_sequence *sequence, pg_session *session, size_t ahead);

/* Proposes tokens, which go behind the history, and says in permitted[1] .. [proposals] what may follow each;
 * permitted[0], what may follow the answer so far, is given. */
pg_status pg_sequence_propose(pg_permitted permitted[PG_SPECULATE_MOST + 1], pg_sequence *sequence,
                              pg_session *session);

/* Chooses the next token from the step's logits, appends it, streams its text and decides whether the answer is
 * complete. */
pg_status pg_sequence_step(pg_sequence *sequence, pg_session *session, const pg_logits *logits);

/* Ends the answer where nothing may follow. */
pg_status pg_sequence_end(pg_sequence *sequence);

/* Makes the best of the beams the answer. */
pg_status pg_sequence_take_beam(pg_sequence *sequence, const pg_session *session);

/* The finished answer; what it holds is moved out of the sequence. */
pg_status pg_sequence_answer(pg_answer **out, pg_sequence *sequence);

/* True for the tokens that end an answer. */
bool pg_is_eos(const pg_model *model, int32_t id);

#endif
