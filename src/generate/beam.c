/*
 * Beam search with the rules of the reference (transformers 4.57, _beam_search), so that its scores and answers are the
 * same: every step takes the best (1 + end tokens) * beams continuations of all running beams; those that end and are
 * among the first `beams` compete for the finished answers by sum of log-probabilities / length^length_penalty; the
 * best that do not end run on.
 */
#include "generate/beam.h"

#include <math.h>
#include <string.h>

#include "ops/ops.h"

#define NEVER -1e9 /* the score of a place that is still empty */

typedef struct hypothesis {
    int32_t *tokens; /* [limit] */
    int64_t parent;  /* running beam that it continues */
    double score;
    bool ended;
} hypothesis;

typedef struct search {
    pg_session *session;
    pg_sequence *sequence;
    int64_t beams, width, limit, length; /* width: continuations kept per step; length: tokens of the running beams */
    hypothesis *running, *next, *finished, *merged;
    size_t running_count;
    size_t *finished_length, *merged_length;
    pg_candidate *best;
    bool improving;
} search;

/* `count` hypotheses with room for all their tokens. */
static hypothesis *make_hypotheses(search *s, int64_t count)
{
    hypothesis *all = pg_scratch(&s->session->g, (size_t)count * sizeof *all);
    int32_t *tokens = pg_scratch(&s->session->g, (size_t)(count * s->limit) * sizeof *tokens);
    for (int64_t i = 0; tokens && i < count; i++)
        all[i] = (hypothesis){tokens + i * s->limit, 0, NEVER, false};
    return tokens ? all : NULL;
}

/* Copies what a hypothesis says into another one's memory. */
static void copy_hypothesis(hypothesis *to, const hypothesis *from, int64_t tokens)
{
    int32_t *own = to->tokens;
    memcpy(own, from->tokens, (size_t)tokens * sizeof *own);
    *to = *from;
    to->tokens = own;
}

/* Log-probabilities of the next token of a beam, penalised, in session->logits. */
static void score_tokens(search *s, const hypothesis *beam, pg_logits *logits)
{
    pg_session *session = s->session;
    if (pg_logits_fetch(logits, session) != PG_OK)
        return;
    int64_t vocabulary = session->model->weights->config.text.vocabulary;
    int32_t *history = s->sequence->history;
    float *scores = session->logits, total = (float)pg_log_sum_exp(&session->g, logits->values, vocabulary);
    if (session->g.status == PG_OK)
        session->g.status = pg_check_finite(total, session);
    for (int64_t i = 0; i < vocabulary; i++)
        scores[i] = logits->values[i] - total;
    memcpy(history + s->sequence->input.ids.count, beam->tokens, (size_t)s->length * sizeof *history);
    pg_sampling_penalize(scores, logits, total, &s->sequence->plan.sampling, history,
                         s->sequence->input.ids.count + (size_t)s->length);
    for (int i = 0; s->length < s->sequence->plan.least && i < session->model->generation.eos_count; i++)
        if (session->model->generation.eos[i] < vocabulary)
            scores[session->model->generation.eos[i]] = -INFINITY;
}

/* Puts a continuation into its place among the best `width`. */
static size_t insert_continuation(search *s, size_t have, int64_t parent, int32_t token, double score)
{
    hypothesis *next = s->next;
    if (have == (size_t)s->width && !(score > next[have - 1].score))
        return have;
    size_t at = have < (size_t)s->width ? have++ : have - 1;
    int32_t *memory = next[at].tokens;
    for (; at > 0 && score > next[at - 1].score; at--)
        next[at] = next[at - 1];
    memcpy(memory, s->running[parent].tokens, (size_t)s->length * sizeof *memory);
    memory[s->length] = token;
    bool ended = pg_is_eos(s->session->model, token) || s->length + 1 == s->limit;
    next[at] = (hypothesis){memory, parent, score, ended};
    return have;
}

/* The best continuations of all running beams, best first, in s->next. */
static void find_continuations(search *s, pg_logits *logits)
{
    int64_t vocabulary = s->session->model->weights->config.text.vocabulary;
    size_t have = 0;
    for (size_t b = 0; s->session->g.status == PG_OK && b < s->running_count; b++) {
        score_tokens(s, &s->running[b], &logits[b]);
        pg_best_logits(s->best, (size_t)s->width, s->session->logits, vocabulary);
        for (int64_t i = 0; i < s->width; i++)
            have = insert_continuation(s, have, (int64_t)b, s->best[i].id, s->running[b].score + s->best[i].logit);
    }
}

/* Keeps the best of the answers so far and of those that ended now. */
static void update_finished(search *s)
{
    double length = pow((double)(s->length + 1), s->sequence->plan.length_penalty);
    bool full = s->sequence->request->early_stopping;
    for (int64_t i = 0; i < s->beams; i++)
        full &= s->finished[i].ended;
    int64_t old = 0, new = 0;
    for (int64_t i = 0; i < s->beams; i++) {
        while (new < s->beams && (!s->next[new].ended || full || !s->improving))
            new ++;
        double score = new < s->beams ? s->next[new].score / length : -INFINITY;
        bool take_new = score > s->finished[old].score;
        s->merged_length[i] = take_new ? (size_t)s->length + 1 : s->finished_length[old];
        copy_hypothesis(&s->merged[i], take_new ? &s->next[new ++] : &s->finished[old++], (int64_t)s->merged_length[i]);
        if (take_new)
            s->merged[i].score = score;
    }
    hypothesis *swap = s->finished;
    s->finished = s->merged;
    s->merged = swap;
    size_t *swap_length = s->finished_length;
    s->finished_length = s->merged_length;
    s->merged_length = swap_length;
}

/* Cache rows of the beams' own tokens follow their parents: gathered aside, then put in place. */
static void follow_parents(search *s)
{
    pg_context *g = &s->session->g;
    const pg_cache *cache = &s->session->cache;
    pg_arena_mark mark = pg_arena_get_mark(&g->arena);
    size_t row = (size_t)cache->width * pg_dtype_size(cache->dtype), bytes = (size_t)s->length * row;
    char *aside = pg_scratch_values(g, s->running_count * bytes);
    for (int64_t m = 0; aside && m < 2 * cache->layers; m++) {
        pg_tensor matrix = m % 2 ? pg_cache_values(cache, m / 2) : pg_cache_keys(cache, m / 2);
        char *tails = (char *)matrix.data + s->sequence->input.ids.count * row;
        size_t stride = (size_t)s->session->context * row;
        for (size_t b = 0; b < s->running_count; b++)
            pg_values_move(g->device, aside + b * bytes, tails + (size_t)s->running[b].parent * stride, bytes);
        for (size_t b = 0; b < s->running_count; b++)
            pg_values_move(g->device, tails + b * stride, aside + b * bytes, bytes);
    }
    pg_arena_release(&g->arena, mark);
}

/* The best continuations that did not end run on. */
static void choose_running(search *s)
{
    s->running_count = 0;
    for (int64_t i = 0; i < s->width && s->running_count < (size_t)s->beams; i++)
        if (!s->next[i].ended)
            copy_hypothesis(&s->running[s->running_count++], &s->next[i], s->length + 1);
    if (s->length > 0)
        follow_parents(s);
    s->length++;
}

/* Whether a running beam could still get into the finished ones. */
static bool can_improve(const search *s)
{
    double worst = INFINITY;
    bool full = true;
    for (int64_t i = 0; i < s->beams; i++) {
        worst = s->finished[i].score < worst ? s->finished[i].score : worst;
        full &= s->finished[i].ended;
    }
    if (full && s->sequence->request->early_stopping)
        return false;
    double hope = s->running[0].score / pow((double)s->length, s->sequence->plan.length_penalty);
    return s->improving && (!full || hope > worst);
}

/* The logits that follow the running beams' last tokens, in the arena; NULL on failure. */
static pg_logits *decode_beams(search *s)
{
    pg_session *session = s->session;
    const pg_input *input = &s->sequence->input;
    int64_t prompt = (int64_t)input->ids.count;
    pg_next *tokens = pg_scratch(&session->g, s->running_count * sizeof *tokens);
    pg_logits *logits = pg_scratch(&session->g, s->running_count * sizeof *logits);
    if (!logits)
        return NULL;
    for (size_t b = 0; b < s->running_count; b++) {
        int64_t tail = (int64_t)b * session->context + prompt;
        tokens[b] = (pg_next){.ids = &s->running[b].tokens[s->length - 1],
                              .count = 1,
                              .position = input->first + (int32_t)(prompt + s->length - 1),
                              .prefix = input->prefix,
                              .spans = {{s->sequence->slot * session->context, prompt}, {tail, s->length}},
                              .span_count = 2};
    }
    return pg_next_logits(session, logits, tokens, s->running_count) == PG_OK ? logits : NULL;
}

/* Moves the finished hypotheses into the sequence; the best one becomes its answer. */
static pg_status keep_answers(search *s, pg_beam **out)
{
    const pg_plan *plan = &s->sequence->plan;
    pg_beam *beams = *out = pg_alloc((size_t)plan->beams_returned, sizeof *beams);
    if (!beams)
        return PG_ERROR_MEMORY;
    for (int64_t i = 0; i < plan->beams_returned; i++) {
        beams[i].count = s->finished_length[i];
        beams[i].score = (float)s->finished[i].score;
        beams[i].tokens = pg_alloc(beams[i].count, sizeof *beams[i].tokens);
        if (!beams[i].tokens)
            return PG_ERROR_MEMORY;
        memcpy(beams[i].tokens, s->finished[i].tokens, beams[i].count * sizeof *beams[i].tokens);
        PG_TRY(
            pg_tokenizer_decode(&beams[i].text, s->session->model->tokenizer, beams[i].tokens, beams[i].count, true));
    }
    return PG_OK;
}

static pg_status search_beams(search *s, pg_logits *logits)
{
    pg_context *g = &s->session->g;
    for (;;) {
        pg_arena_mark mark = pg_arena_get_mark(&g->arena);
        if (s->length > 0) {
            logits = decode_beams(s);
            if (!logits)
                return g->status;
        }
        find_continuations(s, logits);
        if (g->status != PG_OK)
            return g->status;
        update_finished(s);
        choose_running(s);
        pg_arena_release(&g->arena, mark);
        if (g->status != PG_OK)
            return g->status;
        if (s->length == 1)
            s->sequence->first_token = pg_clock();
        s->sequence->last_token = pg_clock();
        if (s->running_count == 0 || s->length == s->limit || !(s->improving = can_improve(s)))
            return PG_OK;
    }
}

pg_status pg_beam_search(pg_session *session, pg_sequence *sequence, pg_logits *logits)
{
    search s = {.session = session,
                .sequence = sequence,
                .beams = sequence->plan.beams,
                .limit = sequence->plan.limit,
                .running_count = 1,
                .improving = true};
    int64_t ends = session->model->generation.eos_count, vocabulary = session->model->weights->config.text.vocabulary;
    s.width = (ends > 1 ? 1 + ends : 2) * s.beams;
    if (s.width > vocabulary)
        return pg_fail(PG_ERROR_ARGUMENT, "%lld beams are too many for a vocabulary of %lld tokens", (long long)s.beams,
                       (long long)vocabulary);
    s.running = make_hypotheses(&s, s.beams);
    s.next = make_hypotheses(&s, s.width);
    s.finished = make_hypotheses(&s, s.beams);
    s.merged = make_hypotheses(&s, s.beams);
    s.finished_length = pg_scratch(&session->g, (size_t)s.beams * sizeof *s.finished_length);
    s.merged_length = pg_scratch(&session->g, (size_t)s.beams * sizeof *s.merged_length);
    s.best = pg_scratch(&session->g, (size_t)s.width * sizeof *s.best);
    if (!s.best)
        return PG_ERROR_MEMORY;
    memset(s.finished_length, 0, (size_t)s.beams * sizeof *s.finished_length);
    s.running[0].score = 0;
    PG_TRY(search_beams(&s, logits));
    PG_TRY(keep_answers(&s, &sequence->beams));
    return pg_sequence_take_beam(sequence, session);
}
