/* Inside the tasks: a run of a model over the cases of an evaluation. */
#ifndef PG_TASKS_EVALUATION_RUN_H
#define PG_TASKS_EVALUATION_RUN_H

#include <stdio.h>

#include "tasks/evaluation.h"

typedef struct pg_eval_run {
    pg_evaluation *evaluation;
    pg_session *session;
    const pg_evaluation_run_options *options;
    pg_constraint *constraint; /* of text answers; NULL: none */
    FILE *file;                /* predictions are added to; NULL: none */
    size_t done;               /* cases that have a prediction */
    bool cancelled;
} pg_eval_run;

/* Asks whoever started the run. */
bool pg_eval_run_goes_on(pg_eval_run *run);

/* Adds lines for cases to the file, if there is one. */
pg_status pg_eval_run_save(const pg_eval_run *run, pg_eval_item *const *items, size_t count);

/* The pictures of a case. */
typedef struct pg_eval_pictures {
    pg_image **images;
    size_t count;
} pg_eval_pictures;

pg_status pg_eval_run_load(pg_eval_pictures *out, const pg_eval_run *run, const pg_eval_item *item);
void pg_eval_pictures_free(pg_eval_pictures *pictures);

/* A case that cannot be answered: the thread's error becomes the case's. Without memory, the status comes back. */
pg_status pg_eval_item_fail(pg_eval_item *item, pg_status status);

/* Classes: those of the options, of the data set, or all right answers. */
pg_status pg_eval_classes(pg_text_list *out, const pg_eval_run *run);

/* With SigLIP. */
pg_status pg_eval_run_classify(pg_eval_run *run);
pg_status pg_eval_run_retrieve(pg_eval_run *run);

#endif
