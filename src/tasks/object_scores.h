/* How sure a model is of the objects in its answer: from the logits of every step, seen as they come. */
#ifndef PG_TASKS_OBJECT_SCORES_H
#define PG_TASKS_OBJECT_SCORES_H

#include "generate/session.h"

#define PG_PLACES 1024

/* What is kept of a token. */
typedef struct pg_seen_token {
    double logprob;
    int place;     /* the number of a <loc> token; -1: another one */
    size_t masses; /* of a <loc> token: which of the rows */
} pg_seen_token;

/* The steps of one answer. */
typedef struct pg_seen_answer {
    int32_t first_place; /* id of <loc0000> */
    pg_seen_token *tokens;
    float (*masses)[PG_PLACES]; /* probability of each <loc> token, where one was chosen */
    size_t count, capacity, masses_count, masses_capacity;
    pg_status status; /* of keeping them */
} pg_seen_answer;

void pg_seen_answer_add(pg_seen_answer *seen, const pg_step *step);
void pg_seen_answer_free(pg_seen_answer *seen);

/* Sets the scores of objects that were read from the answer's text; what a score is stands at pg_detect. */
pg_status pg_objects_score(pg_objects *objects, const pg_seen_answer *seen, const pg_answer *answer,
                           const pg_model *model);

#endif
