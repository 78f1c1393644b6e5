/*
 * Answering: requests wait for a free sequence, go through prefill one by one, and then take turns token by token, all
 * running ones in one ragged batch. A request that ends makes room for the next one.
 */
#include <string.h>

#include "generate/beam.h"
#include "generate/sequence.h"

typedef struct generation {
    pg_session *session;
    pg_sequence *sequences;
    size_t count, next;   /* the first that has not started */
    pg_sequence **active; /* [session->sequences] by slot; NULL: free */
    size_t active_count;
} generation;

/* The logits of the prompt's last token. */
static const float *prefill(pg_session *session, pg_sequence *sequence)
{
    pg_context *g = &session->g;
    const pg_request *request = sequence->request;
    double start = pg_clock();
    sequence->input.features =
        request->image_count ? pg_input_features(session, request->images, request->image_count) : NULL;
    double pictures = pg_clock();
    pg_tensor *logits = pg_input_logits(session, &sequence->input, sequence->slot);
    sequence->timings.pictures = request->image_count ? pictures - start : 0;
    sequence->timings.prefill = pg_clock() - pictures;
    return logits && g->status == PG_OK ? logits->data : NULL;
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
    const float *logits = prefill(session, sequence);
    pg_status status = logits ? PG_OK : session->g.status;
    if (status == PG_OK && sequence->plan.beams > 1)
        status = pg_beam_search(session, sequence, logits);
    else if (status == PG_OK)
        status = pg_sequence_step(sequence, session, logits);
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

/* One more token for every running sequence; *rows: whose they are. */
static pg_tensor *decode(generation *run, pg_sequence **rows)
{
    pg_session *session = run->session;
    size_t count = 0;
    pg_next *tokens = pg_scratch(&session->g, run->active_count * sizeof *tokens);
    if (!tokens)
        return NULL;
    for (size_t s = 0; s < session->sequences; s++) {
        pg_sequence *sequence = run->active[s];
        if (!sequence)
            continue;
        int64_t length = (int64_t)(sequence->input.ids.count + sequence->made);
        tokens[count] = (pg_next){.id = sequence->history[length - 1],
                                  .position = sequence->input.first + (int32_t)length - 1,
                                  .prefix = sequence->input.prefix,
                                  .spans = {{sequence->slot * session->context, length}},
                                  .span_count = 1};
        rows[count++] = sequence;
    }
    return pg_next_logits(session, tokens, count);
}

static pg_status step(generation *run, pg_sequence **rows)
{
    pg_session *session = run->session;
    pg_arena_mark mark = pg_arena_get_mark(&session->g.arena);
    size_t count = run->active_count;
    pg_tensor *logits = decode(run, rows);
    pg_status status = session->g.status;
    for (size_t i = 0; status == PG_OK && i < count; i++) {
        status = pg_sequence_step(rows[i], session, (const float *)logits->data + (int64_t)i * logits->width);
        release(run, rows[i]);
    }
    pg_arena_release(&session->g.arena, mark);
    return status;
}

static pg_status run_all(generation *run, pg_sequence **rows)
{
    for (size_t i = 0; i < run->count; i++)
        run->sequences[i].started = pg_clock();
    PG_TRY(start_waiting(run));
    while (run->active_count) {
        PG_TRY(step(run, rows));
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
    pg_sequence **rows = pg_alloc(session->sequences, sizeof *rows);
    run.sequences = pg_alloc(count, sizeof *run.sequences);
    run.active = pg_alloc(session->sequences, sizeof *run.active);
    pg_status status = rows && run.sequences && run.active ? PG_OK : PG_ERROR_MEMORY;
    session->g.status = PG_OK;
    memset(answers, 0, count * sizeof *answers);
    PG_TRY_GOTO(status);
    PG_TRY_GOTO(make_sequences(&run, requests));
    PG_TRY_GOTO(run_all(&run, rows));
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
    pg_free(rows);
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
