/*
 * Tokens proposed ahead of the model (prompt lookup: Saxena 2023; verification as in Leviathan et al. 2023, exact here
 * because a proposal counts only if the request would have chosen it anyway): what stood behind the last few tokens the
 * last time they came, and tokens without an alternative.
 */
#ifndef PG_GENERATE_SPECULATION_H
#define PG_GENERATE_SPECULATION_H

#include <stdbool.h>
#include <stddef.h>

#include "generate/pace.h"

#define PG_SPECULATE_MOST 15 /* tokens at a time */
#define PG_LOOKUP_MOST    4  /* tokens that are compared */

/* One proposal. */
typedef struct pg_proposal {
    int32_t id;
    int run;     /* tokens in front of it that had come before; 0: it has no alternative */
    double odds; /* that this proposal and those in front of it are right */
} pg_proposal;

typedef struct pg_speculation {
    size_t most;                     /* tokens at a time; 0: off */
    bool adaptive;                   /* only as many as are likely to pay */
    double hits[PG_LOOKUP_MOST + 1]; /* how often a proposal was right lately, by its run */
    pg_proposal proposals[PG_SPECULATE_MOST];
    size_t count;   /* proposals for this step, */
    size_t checked; /* of which so many are computed with it */
    size_t proposed, accepted;
} pg_speculation;

/* most < 0: adaptive. */
void pg_speculation_init(pg_speculation *out, int64_t most);

/* The token that stood behind the longest run of the last tokens that came before, the latest one among equals, and
 * *run, the length of that run; -1: the last token is new. */
int32_t pg_lookup_next(int *run, const int32_t *tokens, size_t count);

/* True if another proposal could still be worth its row. */
bool pg_speculation_wants(const pg_speculation *speculation);
void pg_speculation_add(pg_speculation *speculation, int32_t id, int run);

/* Decides how many proposals are checked in a step that has `rows` rows, this sequence's own included, and is expected
 * to make `tokens` tokens without them. Returns how many tokens are expected of them. */
double pg_speculation_decide(pg_speculation *speculation, const pg_pace *pace, int64_t rows, double tokens);

/* Token `at` behind the last one has been chosen; returns whether it was proposed (so that the next one, if it was
 * checked, has its logits). */
bool pg_speculation_learn(pg_speculation *speculation, size_t at, int32_t id);

#endif
