#include "generate/pass.h"

typedef struct pass {
    pg_session *session;
    pg_sequence **sequences; /* [count] those that take part */
    pg_next *next;           /* the same */
    size_t count;
    int64_t rows;      /* one for every sequence, and one for each of its proposals */
    pg_logits *logits; /* [rows] */
    pg_pass_callback *told;
    void *user;
} pass;

static pg_status tell(const pass *now, pg_sequence *sequence, pg_status status)
{
    if (status != PG_OK)
        sequence->done = true;
    return now->told(now->user, sequence, status);
}

/* What the sequence could do: what may follow it, and its proposals. */
static pg_status prepare(pass *now, pg_sequence *sequence, pg_permitted *permitted)
{
    PG_TRY(pg_sequence_permit(permitted, sequence, now->session, 0));
    if (pg_permitted_none(permitted))
        return pg_sequence_end(sequence);
    PG_TRY(pg_sequence_propose(permitted, sequence, now->session));
    now->next[now->count] = (pg_next){.permitted = permitted};
    now->sequences[now->count++] = sequence;
    return PG_OK;
}

/* Takes a sequence into the pass; one that nothing may follow ends instead. */
static pg_status join(pass *now, pg_sequence *sequence)
{
    pg_context *g = &now->session->g;
    pg_permitted *permitted = pg_scratch(g, (PG_SPECULATE_MOST + 1) * sizeof *permitted);
    if (!permitted)
        return g->status;
    pg_status status = prepare(now, sequence, permitted);
    if (g->status != PG_OK)
        return g->status;
    return status != PG_OK || sequence->done ? tell(now, sequence, status) : PG_OK;
}

/* Decides how many proposals are checked. */
static void fill(pass *now)
{
    const pg_session *session = now->session;
    double tokens = (double)now->count;
    now->rows = (int64_t)now->count;
    for (size_t i = 0; i < now->count; i++) {
        pg_sequence *sequence = now->sequences[i];
        int64_t length = (int64_t)(sequence->input.ids.count + sequence->made);
        tokens += pg_speculation_decide(&sequence->speculation, &session->pace, now->rows, tokens);
        int64_t checked = (int64_t)sequence->speculation.checked;
        now->rows += checked;
        now->next[i] = (pg_next){.ids = sequence->history + length - 1,
                                 .count = 1 + checked,
                                 .position = sequence->input.first + (int32_t)length - 1,
                                 .prefix = sequence->input.prefix,
                                 .spans = {{sequence->slot * session->context, length + checked}},
                                 .span_count = 1,
                                 .permitted = now->next[i].permitted};
    }
}

static pg_status make(pass *now, pg_sequence *const *sequences, size_t count)
{
    pg_context *g = &now->session->g;
    now->sequences = pg_scratch(g, count * sizeof(pg_sequence *));
    now->next = pg_scratch(g, count * sizeof *now->next);
    if (!now->next)
        return g->status;
    for (size_t i = 0; i < count; i++)
        PG_TRY(join(now, sequences[i]));
    fill(now);
    now->logits = pg_scratch(g, (size_t)now->rows * sizeof *now->logits);
    return g->status;
}

/* Chooses tokens as long as their logits are there: behind the last token, and behind proposals that came true. */
static pg_status advance(const pass *now, pg_sequence *sequence, const pg_logits *logits)
{
    pg_speculation *speculation = &sequence->speculation;
    bool right = true;
    for (size_t at = 0; right && at <= speculation->checked && !sequence->done; at++) {
        PG_TRY(tell(now, sequence, pg_sequence_step(sequence, now->session, &logits[at])));
        right =
            pg_speculation_learn(speculation, at, sequence->history[sequence->input.ids.count + sequence->made - 1]);
    }
    return PG_OK;
}

static pg_status compute(pass *now)
{
    pg_session *session = now->session;
    double start = pg_clock();
    PG_TRY(pg_next_logits(session, now->logits, now->next, now->count));
    pg_pace_add(&session->pace, now->rows, pg_clock() - start);
    const pg_logits *logits = now->logits;
    for (size_t i = 0; i < now->count; i++) {
        PG_TRY(advance(now, now->sequences[i], logits));
        logits += now->next[i].count;
    }
    return PG_OK;
}

pg_status pg_pass_run(pg_session *session, pg_sequence *const *sequences, size_t count, pg_pass_callback *told,
                      void *user)
{
    pg_arena_mark mark = pg_arena_get_mark(&session->g.arena);
    pass now = {.session = session, .told = told, .user = user};
    pg_status status = make(&now, sequences, count);
    if (status == PG_OK && now.count)
        status = compute(&now);
    pg_arena_release(&session->g.arena, mark);
    return status;
}
