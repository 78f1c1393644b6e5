/*
 * How likely given texts are as answers to a prompt, which goes through the model once: its keys and values stay in the
 * cache, and the texts follow it there, one behind the other, each seeing the prompt and itself.
 */
#include <math.h>
#include <string.h>

#include "generate/session.h"
#include "ops/ops.h"

#define ROWS 32 /* of logits at a time: those of all texts would be larger than the model */

/* A text in the making of its score. */
typedef struct scored_text {
    int32_t *ids; /* with the end token */
    size_t count;
    int64_t row; /* in the cache, of the first one */
    size_t done; /* that the model has read; the last is not read */
} scored_text;

typedef struct scoring {
    pg_session *session;
    pg_input input;
    scored_text *texts;
    size_t count;
    pg_text_score *scores;
} scoring;

static pg_status add_end(scored_text *text, const pg_model *model, const char *words)
{
    int32_t end, *ids;
    size_t count;
    PG_TRY(pg_constraint_end(&end, model));
    PG_TRY(pg_tokenizer_encode(&ids, &count, model->tokenizer, words, SIZE_MAX, PG_ENCODE_PLAIN));
    text->ids = pg_alloc(count + 1, sizeof *text->ids);
    if (text->ids && count)
        memcpy(text->ids, ids, count * sizeof *ids);
    pg_free(ids);
    if (!text->ids)
        return PG_ERROR_MEMORY;
    text->ids[count] = end;
    text->count = count + 1;
    return PG_OK;
}

/* Ids that the model has, and room for them behind the prompt. */
static pg_status check_text(const scoring *run, const scored_text *text)
{
    const pg_session *session = run->session;
    int64_t vocabulary = session->model->weights->config.text.vocabulary;
    for (size_t i = 0; i < text->count; i++)
        if (text->ids[i] >= vocabulary)
            return pg_fail(PG_ERROR_FORMAT, "has token %d, the model knows %lld tokens", text->ids[i],
                           (long long)vocabulary);
    if (run->input.ids.count + text->count - 1 > (size_t)session->context)
        return pg_fail(PG_ERROR_LIMIT, "%zu tokens behind a prompt of %zu, the context holds %lld", text->count,
                       run->input.ids.count, (long long)session->context);
    return PG_OK;
}

static pg_status make_texts(scoring *run, const char *const *texts)
{
    run->texts = pg_alloc(run->count, sizeof *run->texts);
    if (!run->texts)
        return PG_ERROR_MEMORY;
    for (size_t i = 0; i < run->count; i++) {
        pg_status status = add_end(&run->texts[i], run->session->model, texts[i]);
        if (status == PG_OK)
            status = check_text(run, &run->texts[i]);
        if (status != PG_OK)
            return pg_fail_context(status, "text %zu", i);
        run->scores[i] = (pg_text_score){.tokens = run->texts[i].count};
    }
    return PG_OK;
}

/* Adds the log-probability of token `at` of a text. */
static pg_status add_token(const scoring *run, size_t text, size_t at, const pg_logits *logits, double total)
{
    PG_TRY(pg_check_finite(total, run->session));
    run->scores[text].logprob += (double)logits->values[run->texts[text].ids[at]] - total;
    return PG_OK;
}

/* The prompt, and the first token of every text. */
static pg_status read_prompt(scoring *run, const pg_request *request)
{
    pg_session *session = run->session;
    pg_logits logits;
    run->input.features =
        request->image_count ? pg_input_features(session, request->images, request->image_count) : NULL;
    if (session->g.status != PG_OK)
        return session->g.status;
    PG_TRY(pg_row_logits(session, &logits, pg_input_last(session, &run->input, 0), NULL));
    PG_TRY(pg_logits_fetch(&logits, session));
    double total = pg_log_sum_exp(&session->g, logits.values, logits.count);
    for (size_t i = 0; i < run->count; i++)
        PG_TRY(add_token(run, i, 0, &logits, total));
    return PG_OK;
}

/* The next tokens of some texts, at most ROWS. */
typedef struct pass {
    pg_next next[ROWS];
    size_t texts[ROWS], firsts[ROWS]; /* which text, from which token */
    size_t count, rows;
} pass;

static void add_to_pass(pass *out, const scoring *run, size_t i)
{
    scored_text *text = &run->texts[i];
    size_t left = text->count - 1 - text->done, room = ROWS - out->rows, some = left < room ? left : room;
    int64_t prompt = (int64_t)run->input.ids.count;
    if (!some)
        return;
    out->next[out->count] = (pg_next){.ids = text->ids + text->done,
                                      .count = (int64_t)some,
                                      .position = run->input.first + (int32_t)(prompt + (int64_t)text->done),
                                      .prefix = run->input.prefix,
                                      .spans = {{0, prompt}, {text->row, (int64_t)(text->done + some)}},
                                      .span_count = 2};
    out->texts[out->count] = i;
    out->firsts[out->count++] = text->done;
    text->done += some;
    out->rows += some;
}

static pg_status run_pass(const scoring *run, const pass *now)
{
    pg_session *session = run->session;
    pg_logits logits[ROWS], *row = logits;
    PG_TRY(pg_next_logits(session, logits, now->next, now->count));
    for (size_t i = 0; i < now->count; i++)
        for (int64_t k = 0; k < now->next[i].count; k++, row++) {
            PG_TRY(pg_logits_fetch(row, session));
            PG_TRY(add_token(run, now->texts[i], now->firsts[i] + 1 + (size_t)k, row,
                             pg_log_sum_exp(&session->g, row->values, row->count)));
        }
    return PG_OK;
}

/* Texts first .. end - 1, which have room in the cache together. */
static pg_status read_texts(const scoring *run, size_t first, size_t end)
{
    pg_context *g = &run->session->g;
    while (first < end) {
        pass now = {.count = 0};
        while (first < end && now.rows < ROWS) {
            add_to_pass(&now, run, first);
            first += run->texts[first].done + 1 == run->texts[first].count;
        }
        if (!now.count)
            return PG_OK;
        pg_arena_mark mark = pg_arena_get_mark(&g->arena);
        pg_status status = run_pass(run, &now);
        pg_arena_release(&g->arena, mark);
        PG_TRY(status);
    }
    return PG_OK;
}

/* All texts, as many at a time as the cache takes. */
static pg_status read_all(const scoring *run)
{
    size_t first = 0;
    while (first < run->count) {
        int64_t row = (int64_t)run->input.ids.count;
        size_t end = first;
        for (; end < run->count; end++) {
            run->texts[end].row = row;
            row += (int64_t)run->texts[end].count - 1;
            if (row > run->session->context)
                break;
        }
        PG_TRY(read_texts(run, first, end));
        first = end;
    }
    return PG_OK;
}

/* Probabilities among the texts. */
static void normalise(pg_text_score *scores, size_t count)
{
    double best = -INFINITY, sum = 0;
    for (size_t i = 0; i < count; i++)
        best = fmax(best, scores[i].logprob);
    for (size_t i = 0; i < count; i++)
        sum += exp(scores[i].logprob - best);
    for (size_t i = 0; i < count; i++)
        scores[i].probability = exp(scores[i].logprob - best) / sum;
}

pg_status pg_score_texts(pg_text_score *out, pg_session *session, const pg_request *request, const char *const *texts,
                         size_t count)
{
    scoring run = {.session = session, .scores = out, .count = count};
    pg_context *g = &session->g;
    pg_arena_mark mark = pg_arena_get_mark(&g->arena);
    pg_status status;
    g->status = PG_OK;
    PG_TRY(pg_input_make(&run.input, session, request));
    PG_TRY_GOTO(make_texts(&run, texts));
    PG_TRY_GOTO(read_prompt(&run, request));
    PG_TRY_GOTO(read_all(&run));
    normalise(out, count);
done:
    for (size_t i = 0; run.texts && i < count; i++)
        pg_free(run.texts[i].ids);
    pg_free(run.texts);
    pg_input_free(&run.input);
    pg_arena_release(&g->arena, mark);
    return status;
}
