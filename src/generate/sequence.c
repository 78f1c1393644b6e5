#include "generate/sequence.h"

#include <string.h>

#include "base/random.h"
#include "generate/drawing.h"
#include "ops/ops.h"

#define USUAL_LIMIT 256 /* tokens, where neither the request nor the model says anything */

bool pg_is_eos(const pg_model *model, int32_t id)
{
    for (int i = 0; i < model->generation.eos_count; i++)
        if (model->generation.eos[i] == id)
            return true;
    return false;
}

/* ---------------------------------------------------------------- the plan */

/* Below, the best token has all of the probability, and logits / temperature have no room in floats. */
#define COLDEST 1e-6

static pg_status check_plan(const pg_plan *plan, const pg_session *session, const pg_request *request)
{
    if (!(plan->sampling.repetition_penalty > 0))
        return pg_fail(PG_ERROR_ARGUMENT, "repetition penalty %g: expected a positive number",
                       plan->sampling.repetition_penalty);
    if (plan->sampling.top_p > 1 || plan->sampling.min_p > 1)
        return pg_fail(PG_ERROR_ARGUMENT, "top_p %g, min_p %g: expected 0 to 1", plan->sampling.top_p,
                       plan->sampling.min_p);
    if (plan->beams > 1 &&
        (plan->sampling.temperature > 0 || request->stop_count || request->on_text || request->on_step))
        return pg_fail(PG_ERROR_ARGUMENT, "beam search goes with neither sampling nor stop texts nor callbacks");
    if (plan->beams > 1 && request->constraint)
        return pg_fail(PG_ERROR_ARGUMENT, "beam search does not go with a constraint");
    if (plan->beams > (int64_t)session->sequences)
        return pg_fail(PG_ERROR_ARGUMENT, "%lld beams need a session with as many sequences; this one has %zu",
                       (long long)plan->beams, session->sequences);
    if (plan->beams_returned > plan->beams)
        return pg_fail(PG_ERROR_ARGUMENT, "%lld answers wanted of %lld beams", (long long)plan->beams_returned,
                       (long long)plan->beams);
    return PG_OK;
}

/* How many tokens there may be: max_new_tokens, else max_length (which counts the prompt), within the context. */
static int64_t token_limit(const pg_session *session, const pg_request *request, int64_t prompt)
{
    const pg_generation_config *normal = &session->model->generation;
    int64_t room = session->context - prompt, limit = USUAL_LIMIT;
    if (request->max_new_tokens >= 0)
        limit = request->max_new_tokens;
    else if (request->max_length < 0 && normal->max_new_tokens >= 0)
        limit = normal->max_new_tokens;
    else if (request->max_length >= 0 || normal->max_length >= 0)
        limit = room;
    if (request->max_length >= 0 && request->max_length - prompt < limit)
        limit = request->max_length - prompt;
    else if (request->max_new_tokens < 0 && request->max_length < 0 && normal->max_new_tokens < 0 &&
             normal->max_length >= 0 && normal->max_length - prompt < limit)
        limit = normal->max_length - prompt;
    return limit < room ? limit : room;
}

pg_status pg_plan_make(pg_plan *out, const pg_session *session, const pg_request *request, const pg_input *input)
{
    pg_request full = *request;
    pg_request_complete(&full, session->model);
    out->sampling = (pg_sampling){
        .repetition_penalty = full.repetition_penalty,
        .no_repeat_ngram = full.no_repeat_ngram,
        .temperature = full.temperature < COLDEST ? 0 : full.temperature,
        .top_k = full.top_k,
        .top_p = full.top_p,
        .min_p = full.min_p,
        .seed = full.seed,
    };
    out->limit = token_limit(session, request, (int64_t)input->ids.count);
    out->least = full.min_new_tokens;
    out->beams = full.beams > 1 ? full.beams : 1;
    out->beams_returned = full.beams_returned > 0 ? full.beams_returned : 1;
    out->length_penalty = full.length_penalty;
    out->speculate = full.speculate;
    if (out->limit <= 0)
        return pg_fail(PG_ERROR_LIMIT, "the prompt has %zu tokens, which leaves no room for an answer",
                       input->ids.count);
    pg_status status = check_plan(out, session, request);
    if (status != PG_OK && out->beams > 1 && request->beams < 0)
        return pg_fail_context(status, "generation_config.json asks for %lld beams, where none are named",
                               (long long)out->beams);
    return status;
}

/* ---------------------------------------------------------------- a sequence */

pg_status pg_sequence_init(pg_sequence *out, const pg_session *session, const pg_request *request, size_t index)
{
    *out = (pg_sequence){.request = request, .index = index, .slot = -1};
    PG_TRY(pg_input_make(&out->input, session, request));
    PG_TRY(pg_model_require_tokenizer(session->model));
    PG_TRY(pg_plan_make(&out->plan, session, request, &out->input));
    size_t limit = (size_t)out->plan.limit;
    out->top_count = request->top_logits;
    if (out->top_count > (size_t)session->model->weights->config.text.vocabulary)
        return pg_fail(PG_ERROR_ARGUMENT, "top logits: %zu wanted, the vocabulary has %lld tokens", out->top_count,
                       (long long)session->model->weights->config.text.vocabulary);
    out->history = pg_alloc(out->input.ids.count + limit, sizeof *out->history);
    out->logprobs = pg_alloc(limit, sizeof *out->logprobs);
    out->top = pg_alloc(limit, out->top_count * sizeof *out->top);
    if (!out->history || !out->logprobs || !out->top)
        return PG_ERROR_MEMORY;
    memcpy(out->history, out->input.ids.data, out->input.ids.count * sizeof *out->history);
    pg_speculation_init(&out->speculation, out->plan.speculate);
    return pg_decoder_new(&out->decoder, session->model->tokenizer, true);
}

static void free_beams(pg_beam *beams, size_t count)
{
    for (size_t i = 0; beams && i < count; i++) {
        pg_free(beams[i].text);
        pg_free(beams[i].tokens);
    }
    pg_free(beams);
}

void pg_sequence_free(pg_sequence *sequence)
{
    pg_input_free(&sequence->input);
    pg_free(sequence->history);
    pg_free(sequence->logprobs);
    pg_free(sequence->top);
    pg_decoder_free(sequence->decoder);
    pg_buffer_free(&sequence->text);
    free_beams(sequence->beams, (size_t)sequence->plan.beams_returned);
    *sequence = (pg_sequence){0};
}

/* ---------------------------------------------------------------- text and its end */

/* Cuts the text where a stop text begins, if one is there; only text from `from` on can be new. */
static bool cut_at_stop(pg_sequence *sequence, size_t from)
{
    const pg_request *request = sequence->request;
    size_t end = SIZE_MAX;
    for (size_t i = 0; i < request->stop_count; i++) {
        size_t length = strlen(request->stop[i]);
        size_t start = from > length ? from - length : 0;
        const char *found =
            length && sequence->text.data
                ? memmem(sequence->text.data + start, sequence->text.size - start, request->stop[i], length)
                : NULL;
        if (found && (size_t)(found - sequence->text.data) < end)
            end = (size_t)(found - sequence->text.data);
    }
    if (end == SIZE_MAX)
        return false;
    sequence->text.size = end;
    sequence->text.data[end] = 0;
    return true;
}

/* Bytes at the end of the text that may be the beginning of a stop text. */
static size_t held_back(const pg_sequence *sequence)
{
    size_t most = 0;
    for (size_t i = 0; i < sequence->request->stop_count; i++) {
        const char *stop = sequence->request->stop[i];
        size_t length = strlen(stop);
        for (size_t n = length ? length - 1 : 0; n > most; n--)
            if (n <= sequence->text.size && !memcmp(sequence->text.data + sequence->text.size - n, stop, n))
                most = n;
    }
    return most;
}

/* Hands out what is new and certain. */
static void show(pg_sequence *sequence, size_t keep)
{
    size_t end = sequence->text.size - keep;
    if (end <= sequence->shown)
        return;
    const pg_request *request = sequence->request;
    if (request->on_text && !request->on_text(request->user, sequence->index, sequence->text.data + sequence->shown,
                                              end - sequence->shown)) {
        sequence->done = true;
        sequence->finish = PG_FINISH_CANCELLED;
    }
    sequence->shown = end;
}

static void finish(pg_sequence *sequence, pg_finish why)
{
    sequence->done = true;
    sequence->finish = why;
}

/* Adds text, looks for stop texts and for the end. */
static pg_status add_text(pg_sequence *sequence, const char *text, size_t size)
{
    size_t before = sequence->text.size;
    PG_TRY(pg_buffer_append(&sequence->text, text, size));
    if (cut_at_stop(sequence, before))
        finish(sequence, PG_FINISH_STOP);
    return PG_OK;
}

/* Hands out what was held back; `whole`: the bytes of an unfinished character as well. */
static pg_status show_rest(pg_sequence *sequence, bool whole)
{
    const char *text;
    size_t size;
    PG_TRY(pg_decoder_finish(sequence->decoder, &text, &size));
    if (whole)
        PG_TRY(add_text(sequence, text, size));
    show(sequence, 0);
    return PG_OK;
}

static pg_status add_token_text(pg_sequence *sequence, const pg_model *model, int32_t id)
{
    const char *text;
    size_t size;
    PG_TRY(pg_decoder_push(sequence->decoder, id, &text, &size));
    PG_TRY(add_text(sequence, text, size));
    if (!sequence->done && pg_is_eos(model, id))
        finish(sequence, PG_FINISH_STOP);
    if (!sequence->done && (int64_t)sequence->made == sequence->plan.limit)
        finish(sequence, PG_FINISH_LENGTH);
    if (!sequence->done) {
        show(sequence, held_back(sequence));
        return PG_OK;
    }
    return show_rest(sequence, sequence->finish != PG_FINISH_STOP || pg_is_eos(model, id));
}

/* ---------------------------------------------------------------- a step */

pg_status pg_sequence_permit(pg_permitted *out, const pg_sequence *sequence, pg_session *session, size_t ahead)
{
    return pg_permitted_make(out, &session->g, sequence->request->constraint,
                             session->model->weights->config.text.vocabulary,
                             sequence->history + sequence->input.ids.count, sequence->made + ahead);
}

/* The token that probably comes behind the proposals so far; -1: nobody knows. */
static int32_t guess_next(int *run, const pg_sequence *sequence, const pg_permitted *permitted)
{
    *run = 0;
    if (permitted->ids && permitted->count == 1)
        return permitted->ids[0];
    int32_t id = pg_lookup_next(run, sequence->history,
                                sequence->input.ids.count + sequence->made + sequence->speculation.count);
    return pg_permitted_has(permitted, id) ? id : -1;
}

pg_status pg_sequence_propose(pg_permitted permitted[PG_SPECULATE_MOST + 1], pg_sequence *sequence, pg_session *session)
{
    pg_speculation *speculation = &sequence->speculation;
    size_t length = sequence->input.ids.count + sequence->made;
    size_t room = (size_t)sequence->plan.limit - sequence->made - 1;
    speculation->count = speculation->checked = 0;
    while (speculation->count < room && pg_speculation_wants(speculation)) {
        int run;
        int32_t id = guess_next(&run, sequence, &permitted[speculation->count]);
        if (id < 0 || pg_is_eos(session->model, id))
            break;
        sequence->history[length + speculation->count] = id;
        pg_permitted *behind = &permitted[speculation->count + 1];
        PG_TRY(pg_sequence_permit(behind, sequence, session, speculation->count + 1));
        if (pg_permitted_none(behind))
            break;
        pg_speculation_add(speculation, id, run);
    }
    return PG_OK;
}

static bool is_too_short(const pg_sequence *sequence)
{
    return (int64_t)sequence->made < sequence->plan.least;
}

/* Whether tokens are chosen from the logits as they are. */
static bool takes_raw(const pg_sequence *sequence)
{
    const pg_sampling *sampling = &sequence->plan.sampling;
    return sampling->repetition_penalty == 1 && sampling->no_repeat_ngram <= 0 && !is_too_short(sequence);
}

/* Whether it is enough to know the token and its share, and no other logits. */
static bool needs_token_only(const pg_sequence *sequence)
{
    return takes_raw(sequence) && !sequence->top_count && !sequence->request->on_step;
}

/* The logits to choose from: the raw ones, or a copy with penalties. */
static const float *processed_logits(const pg_sequence *sequence, pg_session *session, const pg_logits *logits)
{
    const pg_plan *plan = &sequence->plan;
    const pg_generation_config *generation = &session->model->generation;
    bool too_short = is_too_short(sequence);
    if (takes_raw(sequence))
        return logits->values;
    memcpy(session->logits, logits->values, (size_t)logits->count * sizeof *session->logits);
    pg_sampling_penalize(session->logits, logits, 0, &plan->sampling, sequence->history,
                         sequence->input.ids.count + sequence->made);
    for (int i = 0; too_short && i < generation->eos_count; i++) {
        int64_t place = pg_logits_place(logits, generation->eos[i]);
        if (place >= 0)
            session->logits[place] = -__builtin_inff();
    }
    return session->logits;
}

/* The best of the step's logits, as far as there are as many. */
static void keep_top(pg_sequence *sequence, const pg_logits *logits)
{
    pg_candidate *top = sequence->top + sequence->made * sequence->top_count;
    size_t count = sequence->top_count < (size_t)logits->count ? sequence->top_count : (size_t)logits->count;
    pg_best_logits(top, count, logits->values, logits->count);
    for (size_t i = 0; i < sequence->top_count; i++)
        top[i] = i < count ? (pg_candidate){pg_logits_id(logits, top[i].id), top[i].logit}
                           : (pg_candidate){-1, -__builtin_inff()};
}

static void tell_step(const pg_sequence *sequence, const pg_step *step)
{
    if (sequence->request->on_step)
        sequence->request->on_step(sequence->request->user, sequence->index, step);
}

/* Chooses among the step's logits; the logarithm of the token's probability goes to the sequence. */
static pg_status choose(int32_t *id, pg_sequence *sequence, pg_session *session, const pg_logits *logits)
{
    const float *processed = processed_logits(sequence, session, logits);
    int32_t place =
        pg_sampling_next(processed, logits->count, &sequence->plan.sampling, session->choices, 0, sequence->made);
    *id = pg_logits_id(logits, place);
    double total = pg_log_sum_exp(&session->g, logits->values, logits->count);
    PG_TRY(pg_check_finite(total, session));
    sequence->logprobs[sequence->made] = (float)(logits->values[place] - total);
    tell_step(sequence, &(pg_step){.token = *id,
                                   .logprob = sequence->logprobs[sequence->made],
                                   .logits = logits->values,
                                   .ids = logits->ids,
                                   .count = (size_t)logits->count,
                                   .total = total});
    keep_top(sequence, logits);
    return PG_OK;
}

/* The same where the logits are on the device, which has found the best one. */
static pg_status choose_there(bool *chosen, int32_t *id, pg_sequence *sequence, pg_session *session,
                              const pg_logits *logits)
{
    const pg_sampling *sampling = &sequence->plan.sampling;
    pg_drawn drawn = {true, logits->best, logits->best_logprob};
    PG_TRY(pg_check_finite(logits->best_logprob, session));
    if (sampling->temperature > 0)
        PG_TRY(pg_draw_on_device(&drawn, &session->g, logits, sampling,
                                 pg_random_uniform(sampling->seed, 0, sequence->made), session->choices));
    *chosen = drawn.found;
    *id = drawn.place;
    sequence->logprobs[sequence->made] = drawn.logprob;
    return PG_OK;
}

pg_status pg_sequence_step(pg_sequence *sequence, pg_session *session, const pg_logits *logits)
{
    pg_logits own = *logits;
    int32_t id;
    bool chosen = false;
    if (logits->on_device && needs_token_only(sequence))
        PG_TRY(choose_there(&chosen, &id, sequence, session, logits));
    if (!chosen) {
        PG_TRY(pg_logits_fetch(&own, session));
        PG_TRY(choose(&id, sequence, session, &own));
    }
    sequence->history[sequence->input.ids.count + sequence->made++] = id;
    sequence->last_token = pg_clock();
    if (sequence->made == 1)
        sequence->first_token = sequence->last_token;
    return add_token_text(sequence, session->model, id);
}

pg_status pg_sequence_end(pg_sequence *sequence)
{
    if (!sequence->made)
        sequence->first_token = sequence->last_token = pg_clock();
    finish(sequence, PG_FINISH_STOP);
    return show_rest(sequence, true);
}

/* ---------------------------------------------------------------- the answer */

const char *pg_finish_name(pg_finish finish_reason)
{
    static const char *const names[] = {"stop", "length", "cancelled"};
    return names[finish_reason];
}

pg_status pg_sequence_take_beam(pg_sequence *sequence, const pg_session *session)
{
    const pg_beam *best = &sequence->beams[0];
    memcpy(sequence->history + sequence->input.ids.count, best->tokens, best->count * sizeof *best->tokens);
    sequence->made = best->count;
    bool ended = best->count && pg_is_eos(session->model, best->tokens[best->count - 1]);
    finish(sequence, ended ? PG_FINISH_STOP : PG_FINISH_LENGTH);
    return pg_buffer_append(&sequence->text, best->text, strlen(best->text));
}

pg_status pg_sequence_answer(pg_answer **out, pg_sequence *sequence)
{
    pg_answer *answer = pg_alloc(1, sizeof *answer);
    int32_t *tokens = pg_alloc(sequence->made, sizeof *tokens);
    PG_TRY(pg_buffer_append(&sequence->text, "", 0));
    if (!answer || !tokens) {
        pg_free(answer);
        pg_free(tokens);
        return PG_ERROR_MEMORY;
    }
    memcpy(tokens, sequence->history + sequence->input.ids.count, sequence->made * sizeof *tokens);
    sequence->timings.first_token = sequence->first_token - sequence->started;
    sequence->timings.decode = sequence->last_token - sequence->first_token;
    if (sequence->beams) { /* kept per token only where there is one path */
        pg_free(sequence->logprobs);
        pg_free(sequence->top);
        sequence->logprobs = NULL;
        sequence->top = NULL;
        sequence->top_count = 0;
    }
    *answer = (pg_answer){.text = sequence->text.data,
                          .text_size = sequence->text.size,
                          .tokens = tokens,
                          .logprobs = sequence->logprobs,
                          .count = sequence->made,
                          .finish = sequence->finish,
                          .prompt_tokens = sequence->input.ids.count,
                          .proposed = sequence->speculation.proposed,
                          .accepted = sequence->speculation.accepted,
                          .top = sequence->top,
                          .top_count = sequence->top_count,
                          .beams = sequence->beams,
                          .beam_count = sequence->beams ? (size_t)sequence->plan.beams_returned : 0,
                          .timings = sequence->timings};
    sequence->text = (pg_buffer){0};
    sequence->logprobs = NULL;
    sequence->top = NULL;
    sequence->beams = NULL;
    *out = answer;
    return PG_OK;
}

void pg_answer_free(pg_answer *answer)
{
    if (!answer)
        return;
    free_beams(answer->beams, answer->beam_count);
    pg_free(answer->text);
    pg_free(answer->tokens);
    pg_free(answer->logprobs);
    pg_free(answer->top);
    pg_free(answer);
}
