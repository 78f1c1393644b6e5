/* A job inside the scheduler: a copy of what was asked for, its answers in the making, and what it tells. */
#ifndef PG_GENERATE_WORK_H
#define PG_GENERATE_WORK_H

#include "generate/kept.h"
#include "generate/prefill.h"
#include "generate/sequence.h"
#include "generate/served_models.h"

#define PG_WORK_KEY 64 /* bytes of a job's key, with its NUL */

typedef enum pg_work_state {
    PG_WORK_WAITING,  /* in the queue */
    PG_WORK_STARTING, /* its prompt is computed */
    PG_WORK_RUNNING,  /* its answers are made */
} pg_work_state;

/* One of its answers. */
typedef struct pg_work_answer {
    pg_sequence sequence;   /* first: a pass tells of sequences, and this is found by them */
    size_t told, told_text; /* tokens and bytes of text that events have told */
    double told_at;         /* when the last token came */
    bool given;             /* PG_EVENT_ANSWER has told of it */
} pg_work_answer;

typedef struct pg_work {
    pg_job job; /* points to copies, but for the constraint; request.user is this pg_work */
    uint64_t ticket;
    char key[PG_WORK_KEY];
    pg_served_model *model;
    pg_work_state state;
    pg_prefill_picture *pictures; /* [job.request.image_count] */
    pg_kept_part *parts;          /* what the prompt is kept by: its prefix, its ids, and the pixels of each picture */
    uint64_t *hashes;             /* of each picture, and of the whole prompt */
    pg_work_answer *answers;      /* [job.answers] */
    pg_step_callback *on_step;    /* the request's own, NULL: none, */
    void *step_user;              /* and its user */

    double submitted, expires; /* pg_clock(); expires 0: never */
    double turn;               /* prompts are computed in this order */
    bool cancelled;            /* under the scheduler's lock */
    bool ended;                /* nothing more is to be computed: status says how it went */
    pg_prefill prefill;        /* while STARTING */
    pg_usage usage;
    pg_status status;
    char reason[256];
    struct pg_work *next; /* in the queue */

    char *prompt, **stop; /* owned, as is what the job's other pointers say */
} pg_work;

/* A copy of a job for a model, checked against `plain`, a session's configuration without its memory: prompts are
 * tokenized and pictures resized. `model` is used, not owned. */
pg_status pg_work_new(pg_work **out, const pg_session *plain, pg_served_model *model, const pg_job *job);
void pg_work_free(pg_work *work); /* NULL is allowed */

/* The work that a sequence belongs to, as one of its answers. */
pg_work *pg_work_of(const pg_sequence *sequence);

/* By what a picture's features, and the whole prompt, are kept. */
pg_kept_key pg_work_picture_key(const pg_work *work, size_t picture);
pg_kept_key pg_work_prompt_key(const pg_work *work);

/* Nothing more is computed. The first reason counts; text: one line. */
void pg_work_end(pg_work *work, pg_status status, const char *text);

/* Tells of what is new in an answer: tokens or a rest of text, and the answer when it is complete. Returns false where
 * the callback wants no more. Times between two tokens are added to `between`. */
bool pg_work_tell(pg_work *work, pg_work_answer *answer, pg_times *between);

/* Tells the end, with what the whole job took. */
void pg_work_tell_end(pg_work *work);

/* Counts a time. */
void pg_times_add(pg_times *times, double seconds);

#endif
