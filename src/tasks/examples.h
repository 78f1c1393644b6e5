/*
 * Examples of what a decoder is asked and answers, from a data set: what quantised models are made and judged with.
 *
 * Rows are prompts with answers, whatever kind of file they come from; of JSON lines, the answer may be missing. Texts
 * alone (plain text with blank lines between documents) are for Gemma. What is predicted is the answer and <eos>;
 * without one, Gemma predicts the prompt, and PaliGemma, whose prompts see themselves both ways, its own greedy answer.
 */
#ifndef PG_TASKS_EXAMPLES_H
#define PG_TASKS_EXAMPLES_H

#include "generate/session.h"

typedef struct pg_example {
    pg_ids ids;
    int64_t prefix;   /* ids that see each other both ways */
    int32_t first;    /* position of the first id */
    size_t predicted; /* ids predicted .. ids.count - 1 are predicted; at least one */
    pg_data_row *row; /* has the pictures */
} pg_example;

typedef struct pg_examples {
    pg_example *items;
    size_t count, capacity;
    pg_dataset *dataset;
} pg_examples;

/* Reads all examples; the session's model answers those that have no answer. Errors name the file and the place. */
pg_status pg_examples_load(pg_examples *out, pg_session *session, const char *path);
void pg_examples_free(pg_examples *examples);

/* Hidden states of all ids but the last, after the final norm: [ids.count - 1, D] in the session's arena; NULL on
 * failure (g->status). */
pg_tensor *pg_example_forward(pg_session *session, const pg_example *example);

/* The rows first .. first + count - 1 of these as logits. */
pg_tensor *pg_example_logits(pg_session *session, pg_tensor *hidden, int64_t first, int64_t count);

/* How well a model predicts. */
typedef struct pg_prediction {
    size_t tokens, agreed; /* agreed: the likeliest token is the one in `best` */
    double nll;            /* sum, in nats */
    int32_t *best;         /* of every token the likeliest one; freed with pg_free */
    size_t capacity;
} pg_prediction;

/* Predicts an example, and adds to the counts. `reference`: whose `best` is compared with; NULL: they are stored. */
pg_status pg_example_predict(pg_prediction *out, pg_session *session, const pg_example *example,
                             const pg_prediction *reference);

#endif
