/*
 * The requests of one call: they wait for a free sequence, go through prefill one by one, and then make their tokens
 * together. A request that ends makes room for the next one. (Requests that come and go: scheduler.c.)
 */
#include <string.h>

#include "generate/beam.h"
#include "generate/pass.h"

typedef struct generation {
    pg_session *session;
    pg_sequence *sequences;
    size_t count, next;   /* the first that has not started */
    pg_sequence **active; /* [session->sequences] by slot; NULL: free */
    size_t active_count;
} generation;

/* The logits of the prompt's last token, as far as they are permitted. */
static pg_status prefill(pg_logits *out, pg_session *session, pg_sequence *sequence, const pg_permitted *permitted)
{
    const pg_request *request = sequence->request;
    double start = pg_clock();
    sequence->input.features =
        request->image_count ? pg_input_features(session, request->images, request->image_count) : NULL;
    double pictures = pg_clock();
    pg_tensor *hidden = pg_input_last(session, &sequence->input, sequence->slot);
    pg_status status = pg_row_logits(session, out, hidden, permitted);
    sequence->timings.pictures = request->image_count ? pictures - start : 0;
    sequence->timings.prefill = pg_clock() - pictures;
    return status;
}

static pg_status begin(pg_session *session, pg_sequence *sequence)
{
    pg_permitted permitted;
    pg_logits logits;
    PG_TRY(pg_sequence_permit(&permitted, sequence, session, 0));
    if (pg_permitted_none(&permitted))
        return pg_sequence_end(sequence);
    PG_TRY(prefill(&logits, session, sequence, &permitted));
    if (sequence->plan.beams > 1)
        return pg_beam_search(session, sequence, &logits);
    return pg_sequence_step(sequence, session, &logits);
}

static void release(generation *run, pg_sequence *sequence)
{
    if (!sequence->done)
        return;
    run->active[sequence->slot] = NULL;
    run->active_count--;
}

static pg_status start(generation *run, pg_sequence *sequence)
{
    pg_session *session = run->session;
    pg_arena_mark mark = pg_arena_get_mark(&session->g.arena);
    sequence->slot = 0;
    while (run->active[sequence->slot])
        sequence->slot++;
    pg_status status = begin(session, sequence);
    pg_arena_release(&session->g.arena, mark);
    run->active[sequence->slot] = sequence;
    run->active_count++;
    release(run, sequence);
    return status;
}

/* Starts what fits. Beams use the rows of all sequences, so a beam search waits until it is alone. */
static pg_status start_waiting(generation *run)
{
    while (run->next < run->count && run->active_count < run->session->sequences) {
        if (run->sequences[run->next].plan.beams > 1 && run->active_count)
            return PG_OK;
        PG_TRY(start(run, &run->sequences[run->next++]));
    }
    return PG_OK;
}

/* All of a call's requests fail together. */
static pg_status hear(void *user, pg_sequence *sequence, pg_status status)
{
    (void)user;
    (void)sequence;
    return status;
}

/* A token for every running sequence; those that end make room. */
static pg_status step(generation *run)
{
    pg_arena_mark mark = pg_arena_get_mark(&run->session->g.arena);
    pg_sequence **running = pg_scratch(&run->session->g, run->active_count * sizeof *running);
    size_t count = 0;
    for (size_t s = 0; running && s < run->session->sequences; s++)
        if (run->active[s])
            running[count++] = run->active[s];
    pg_status status = running ? pg_pass_run(run->session, running, count, hear, NULL) : run->session->g.status;
    for (size_t i = 0; i < count; i++)
        release(run, running[i]);
    pg_arena_release(&run->session->g.arena, mark);
    return status;
}

static pg_status run_all(generation *run)
{
    for (size_t i = 0; i < run->count; i++)
        run->sequences[i].started = pg_clock();
    PG_TRY(start_waiting(run));
    while (run->active_count) {
        PG_TRY(step(run));
        PG_TRY(start_waiting(run));
    }
    return PG_OK;
}

static pg_status make_sequences(generation *run, const pg_request *requests)
{
    for (size_t i = 0; i < run->count; i++) {
        pg_status status = pg_sequence_init(&run->sequences[i], run->session, &requests[i], i);
        if (status != PG_OK)
            return run->count == 1 ? status : pg_fail_context(status, "request %zu", i);
    }
    return PG_OK;
}

pg_status pg_generate(pg_answer **answers, pg_session *session, const pg_request *requests, size_t count)
{
    generation run = {.session = session, .count = count};
    run.sequences = pg_alloc(count, sizeof *run.sequences);
    run.active = pg_alloc(session->sequences, sizeof *run.active);
    pg_status status = run.sequences && run.active ? PG_OK : PG_ERROR_MEMORY;
    session->g.status = PG_OK;
    memset(answers, 0, count * sizeof *answers);
    PG_TRY_GOTO(status);
    PG_TRY_GOTO(make_sequences(&run, requests));
    PG_TRY_GOTO(run_all(&run));
    for (size_t i = 0; i < count; i++)
        PG_TRY_GOTO(pg_sequence_answer(&answers[i], &run.sequences[i]));
done:
    for (size_t i = 0; i < count; i++) {
        if (run.sequences)
            pg_sequence_free(&run.sequences[i]);
        if (status != PG_OK) {
            pg_answer_free(answers[i]);
            answers[i] = NULL;
        }
    }
    pg_free(run.sequences);
    pg_free(run.active);
    return status;
}

pg_status pg_ask(char **out, const pg_model *model, const char *image, const char *prompt)
{
    pg_image *picture = NULL;
    pg_session *session = NULL;
    pg_answer *answer = NULL;
    pg_request request;
    pg_status status = PG_OK;
    *out = NULL;
    pg_request_init(&request);
    request.prompt = prompt;
    request.temperature = 0;
    request.beams = 1;
    if (image) {
        PG_TRY_GOTO(pg_image_load(&picture, image, NULL));
        request.images = (const pg_image *const *)&picture;
        request.image_count = 1;
    }
    PG_TRY_GOTO(pg_session_new(&session, model, NULL));
    PG_TRY_GOTO(pg_generate(&answer, session, &request, 1));
    *out = answer->text;
    answer->text = NULL;
done:
    pg_answer_free(answer);
    pg_session_free(session);
    pg_image_free(picture);
    return status;
}
