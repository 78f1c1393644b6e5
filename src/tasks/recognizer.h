/* Inside the tasks: what a recognizer holds. */
#ifndef PG_TASKS_RECOGNIZER_H
#define PG_TASKS_RECOGNIZER_H

#include "generate/session.h"
#include "model/classifier.h"

struct pg_recognizer {
    const pg_model *model;
    pg_classifier *head; /* NULL: names */
    pg_parameter rows;   /* of names: their embeddings [count][width], f32, owned */
    float scale, bias;   /* the same: what makes logits of cosines */
    char **labels;       /* [count]; the head's, or owned */
    size_t count;
};

/* The class of this name. False if there is none. */
bool pg_recognizer_find(size_t *out, const pg_recognizer *recognizer, const char *name);

/* Whether the session is one of the recognizer's model. */
pg_status pg_recognizer_check(const pg_recognizer *recognizer, const pg_session *session);

#endif
