/*
 * Examples of what a decoder is asked and answers, from a file: what quantised models are made and judged with.
 *
 *   JSON lines  {"prefix" or "prompt": text, "suffix": text, "image": path}; suffix and image may be missing or null.
 *               A path that is not absolute starts at the file's folder.
 *   plain text  each line is a text; Gemma only.
 *
 * The first line that is not blank says which of them it is. What is predicted is the suffix and <eos>; without a
 * suffix, Gemma predicts the prompt, and PaliGemma, whose prompts see themselves both ways, its own greedy answer.
 */
#ifndef PG_TASKS_EXAMPLES_H
#define PG_TASKS_EXAMPLES_H

#include "generate/session.h"

typedef struct pg_example {
    pg_ids ids;
    int64_t prefix;   /* ids that see each other both ways */
    int32_t first;    /* position of the first id */
    size_t predicted; /* ids predicted .. ids.count - 1 are predicted; at least one */
    char *image;      /* path, or NULL */
} pg_example;

typedef struct pg_examples {
    pg_example *items;
    size_t count, capacity;
} pg_examples;

/* Reads all examples; the session's model answers those that have no suffix. PG_ERROR_FORMAT and so on with the file
 * and the number of the line. */
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
