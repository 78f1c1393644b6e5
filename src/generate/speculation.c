#include "generate/speculation.h"

#define FIRST_GUESS 0.5  /* of how often proposals are right */
#define LEARNING    0.15 /* weight of one more proposal in that */
#define HOPELESS    0.05 /* odds that are worth no row */
#define GAIN        1.02 /* more tokens a second than without, to be tried */

void pg_speculation_init(pg_speculation *out, int64_t most)
{
    *out = (pg_speculation){.adaptive = most < 0};
    out->most = most < 0 || most > PG_SPECULATE_MOST ? PG_SPECULATE_MOST : (size_t)most;
    for (int run = 1; run <= PG_LOOKUP_MOST; run++)
        out->hits[run] = FIRST_GUESS;
    out->hits[0] = 1;
}

int32_t pg_lookup_next(int *run, const int32_t *tokens, size_t count)
{
    const int32_t *last = tokens + count - 1, *best = NULL;
    *run = 0;
    for (const int32_t *at = last - 1; at >= tokens && *run < PG_LOOKUP_MOST; at--) {
        int same = 0;
        while (same < PG_LOOKUP_MOST && at - same >= tokens && at[-same] == last[-same])
            same++;
        if (same > *run) {
            *run = same;
            best = at;
        }
    }
    return best ? best[1] : -1;
}

bool pg_speculation_wants(const pg_speculation *s)
{
    if (s->count >= s->most)
        return false;
    return !s->adaptive || !s->count || s->proposals[s->count - 1].odds > HOPELESS;
}

void pg_speculation_add(pg_speculation *s, int32_t id, int run)
{
    double before = s->count ? s->proposals[s->count - 1].odds : 1;
    s->proposals[s->count++] = (pg_proposal){id, run, before * s->hits[run]};
}

double pg_speculation_decide(pg_speculation *s, const pg_pace *pace, int64_t rows, double tokens)
{
    double expected = 0, taken = 0, best = GAIN * tokens / pg_pace_seconds(pace, rows);
    s->checked = s->adaptive ? 0 : s->count;
    for (size_t i = 0; i < s->count; i++) {
        expected += s->proposals[i].odds;
        double speed = (tokens + expected) / pg_pace_seconds(pace, rows + (int64_t)i + 1);
        if (s->adaptive && speed > best) {
            best = speed;
            s->checked = i + 1;
        }
        if (i < s->checked)
            taken = expected;
    }
    s->proposed += s->checked;
    return taken;
}

bool pg_speculation_learn(pg_speculation *s, size_t at, int32_t id)
{
    if (at >= s->count)
        return false;
    const pg_proposal *proposal = &s->proposals[at];
    bool right = proposal->id == id;
    if (proposal->run)
        s->hits[proposal->run] += LEARNING * (right - s->hits[proposal->run]);
    s->accepted += right && at < s->checked;
    return right;
}
