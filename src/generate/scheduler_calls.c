/* What others call: everything that is not the scheduler's own thread. */
#include <string.h>

#include "base/clock.h"
#include "generate/scheduler.h"

#define USUAL_SEQUENCES 16
#define USUAL_QUEUE     64
#define USUAL_KEPT      ((size_t)256 << 20)
#define USUAL_SLICE     1.0

void pg_scheduler_options_init(pg_scheduler_options *options)
{
    *options = (pg_scheduler_options){0};
    pg_session_options_init(&options->session);
}

/* ---------------------------------------------------------------- from beginning to end */

static size_t kept_limit(size_t wanted)
{
    return wanted == SIZE_MAX ? 0 : wanted ? wanted : USUAL_KEPT;
}

/* What jobs are checked against by the threads that submit them, while the session belongs to the scheduler's. */
static void make_plain(pg_scheduler *s)
{
    const pg_session *session = s->session;
    s->plain = (pg_session){.model = session->model,
                            .context = session->context,
                            .sequences = session->sequences,
                            .resize_order = session->resize_order};
}

static pg_status make_parts(pg_scheduler *s, const pg_model *model, const pg_scheduler_options *options)
{
    pg_session_options session = options->session;
    session.sequences = session.sequences ? session.sequences : USUAL_SEQUENCES;
    PG_TRY(pg_model_require(model, pg_model_get_kind(model) != PG_MODEL_SIGLIP, "answer prompts"));
    if (!(options->slice >= 0))
        return pg_fail(PG_ERROR_ARGUMENT, "slice: %g, expected 0 (the default) or more", options->slice);
    PG_TRY(pg_session_new(&s->session, model, &session));
    make_plain(s);
    s->queue_limit = options->queue ? options->queue : USUAL_QUEUE;
    s->slice = options->slice > 0 ? options->slice : USUAL_SLICE;
    s->features.limit = kept_limit(options->feature_bytes);
    s->prefixes.limit = kept_limit(options->prefix_bytes);
    s->active = pg_alloc(s->plain.sequences, sizeof(pg_work *));
    s->taken = pg_alloc(s->plain.sequences, sizeof *s->taken);
    s->running = pg_alloc(s->plain.sequences, sizeof(pg_sequence *));
    if (!s->active || !s->taken || !s->running)
        return PG_ERROR_MEMORY;
    s->now.sequences = s->figures.sequences = s->plain.sequences;
    return pg_served_models_init(&s->models, model);
}

static void free_parts(pg_scheduler *s)
{
    pg_served_models_free(&s->models);
    pg_kept_free(&s->features);
    pg_kept_free(&s->prefixes);
    pg_session_free(s->session);
    pg_free(s->active);
    pg_free(s->taken);
    pg_free(s->running);
    pg_free(s);
}

static void init_waiting(pg_scheduler *s)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->wake, NULL);
    pthread_cond_init(&s->ended, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void free_waiting(pg_scheduler *s)
{
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->wake);
    pthread_cond_destroy(&s->ended);
}

pg_status pg_scheduler_new(pg_scheduler **out, const pg_model *model, const pg_scheduler_options *options)
{
    pg_scheduler_options defaults;
    pg_scheduler_options_init(&defaults);
    *out = NULL;
    pg_scheduler *s = pg_alloc(1, sizeof *s);
    if (!s)
        return PG_ERROR_MEMORY;
    pg_status status = make_parts(s, model, options ? options : &defaults);
    if (status != PG_OK) {
        free_parts(s);
        return status;
    }
    init_waiting(s);
    if (pthread_create(&s->thread, NULL, pg_scheduler_run, s) != 0) {
        free_waiting(s);
        free_parts(s);
        return pg_fail(PG_ERROR_LIMIT, "no thread for the scheduler: the system allows no more of them");
    }
    *out = s;
    return PG_OK;
}

void pg_scheduler_free(pg_scheduler *scheduler)
{
    if (!scheduler)
        return;
    pthread_mutex_lock(&scheduler->lock);
    scheduler->stop = true;
    pthread_cond_signal(&scheduler->wake);
    pthread_mutex_unlock(&scheduler->lock);
    pthread_join(scheduler->thread, NULL);
    free_waiting(scheduler);
    free_parts(scheduler);
}

/* Cancels everything that is there or on its way into the queue; under the lock. */
static void cancel_all(pg_scheduler *s)
{
    s->cancelling = true;
    for (pg_work *work = s->queue.first; work; work = work->next)
        work->cancelled = true;
    for (size_t i = 0; i < s->active_count; i++)
        s->active[i]->cancelled = true;
}

pg_status pg_scheduler_drain(pg_scheduler *scheduler, double seconds)
{
    struct timespec until = pg_moment_after(CLOCK_MONOTONIC, seconds > 0 ? seconds : 0);
    int waited = 0;
    pthread_mutex_lock(&scheduler->lock);
    scheduler->draining = true;
    while (scheduler->unfinished && waited == 0)
        waited = seconds < 0 ? pthread_cond_wait(&scheduler->ended, &scheduler->lock)
                             : pthread_cond_timedwait(&scheduler->ended, &scheduler->lock, &until);
    size_t left = scheduler->unfinished;
    if (left)
        cancel_all(scheduler);
    while (scheduler->unfinished)
        pthread_cond_wait(&scheduler->ended, &scheduler->lock);
    pthread_mutex_unlock(&scheduler->lock);
    return left ? pg_fail(PG_ERROR_DEADLINE, "%zu jobs were not done within %g seconds and have been cancelled", left,
                          seconds)
                : PG_OK;
}

/* ---------------------------------------------------------------- jobs */

/* A place in the queue, and the model: what is taken before the job is copied. */
static pg_status reserve(pg_served_model **model, pg_scheduler *s, const char *adapter)
{
    pg_status status = PG_OK;
    pthread_mutex_lock(&s->lock);
    if (s->draining)
        status = pg_fail(PG_ERROR_BUSY, "the scheduler is shutting down and takes no more jobs");
    else if (s->queue.count + s->coming >= s->queue_limit)
        status = pg_fail(PG_ERROR_BUSY, "%zu jobs are waiting already; try again later", s->queue.count + s->coming);
    else if (!(*model = pg_served_models_use(&s->models, adapter)))
        status = pg_fail(PG_ERROR_ARGUMENT, "there is no adapter \"%s\"", adapter);
    s->figures.refused += status == PG_ERROR_BUSY;
    s->coming += status == PG_OK;
    s->unfinished += status == PG_OK;
    pthread_mutex_unlock(&s->lock);
    return status;
}

static void give_back(pg_scheduler *s, pg_served_model *model)
{
    pthread_mutex_lock(&s->lock);
    s->coming--;
    s->unfinished--;
    model = pg_served_models_leave(&s->models, model);
    pthread_cond_broadcast(&s->ended);
    pthread_mutex_unlock(&s->lock);
    pg_served_model_free(model);
}

pg_status pg_scheduler_submit(uint64_t *ticket, pg_scheduler *scheduler, const pg_job *job)
{
    pg_served_model *model = NULL;
    pg_work *work;
    pg_session plain = scheduler->plain;
    *ticket = 0;
    PG_TRY(reserve(&model, scheduler, job->adapter));
    plain.model = model->model;
    pg_status status = pg_work_new(&work, &plain, model, job);
    if (status != PG_OK) {
        give_back(scheduler, model);
        return status;
    }
    pthread_mutex_lock(&scheduler->lock);
    work->ticket = *ticket = ++scheduler->last_ticket;
    work->cancelled = scheduler->cancelling;
    scheduler->coming--;
    scheduler->figures.submitted++;
    pg_job_queue_put(&scheduler->queue, work);
    pthread_cond_signal(&scheduler->wake);
    pthread_mutex_unlock(&scheduler->lock);
    return PG_OK;
}

void pg_scheduler_cancel(pg_scheduler *scheduler, uint64_t ticket)
{
    pthread_mutex_lock(&scheduler->lock);
    for (pg_work *work = scheduler->queue.first; work; work = work->next)
        work->cancelled |= work->ticket == ticket;
    for (size_t i = 0; i < scheduler->active_count; i++)
        scheduler->active[i]->cancelled |= scheduler->active[i]->ticket == ticket;
    pthread_mutex_unlock(&scheduler->lock);
}

pg_status pg_scheduler_set_adapter(pg_scheduler *scheduler, const char *name, const char *folder)
{
    pg_served_model *model = NULL;
    if (!name || !*name)
        return pg_fail(PG_ERROR_ARGUMENT, "an adapter needs a name; without one jobs get the model as it is");
    if (folder)
        PG_TRY(pg_served_model_open(&model, scheduler->plain.model, name, folder));
    pthread_mutex_lock(&scheduler->lock);
    model = pg_served_models_set(&scheduler->models, name, model);
    pthread_mutex_unlock(&scheduler->lock);
    pg_served_model_free(model);
    return PG_OK;
}

void pg_scheduler_get_figures(pg_scheduler_figures *out, pg_scheduler *scheduler)
{
    pthread_mutex_lock(&scheduler->lock);
    *out = scheduler->figures;
    out->waiting = scheduler->queue.count;
    pthread_mutex_unlock(&scheduler->lock);
}
