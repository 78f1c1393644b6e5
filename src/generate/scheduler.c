#include "generate/scheduler.h"

#include <stdio.h>
#include <string.h>

#include "base/reals.h"
#include "generate/pass.h"

#define IDLE_SLICE  0.05 /* seconds for prompts before the next look at orders, while nobody waits for a token */
#define FIRST_SLICE 0.01 /* the same before the first step, while somebody does */
#define FULL_SLICE  0.8  /* of a slice: the rest is not worth another start */
#define LEARNING    0.2  /* weight of the latest step, or prompt, in what is known of their times */

/* ---------------------------------------------------------------- orders, under the lock */

static void end_if_due(const pg_scheduler *s, pg_work *work, double now)
{
    char reason[64];
    if (s->stop || work->cancelled)
        pg_work_end(work, PG_ERROR_CANCELLED, "cancelled");
    else if (work->expires > 0 && now >= work->expires) {
        pg_print(reason, sizeof reason, "not done within %g seconds", work->job.deadline);
        pg_work_end(work, PG_ERROR_DEADLINE, reason);
    }
}

/* Those that leave the queue without having taken part, in a list. */
static pg_work *take_ended(pg_scheduler *s, double now)
{
    pg_work *gone = NULL;
    for (pg_work *work = s->queue.first, *next; work; work = next) {
        next = work->next;
        end_if_due(s, work, now);
        if (!work->ended)
            continue;
        pg_job_queue_take(&s->queue, work, false);
        work->next = gone;
        gone = work;
    }
    return gone;
}

static void take_places(pg_scheduler *s, pg_work *work)
{
    int64_t slot = 0;
    for (size_t i = 0; i < work->job.answers; i++) {
        while (s->taken[slot])
            slot++;
        s->taken[slot] = true;
        work->answers[i].sequence.slot = slot;
    }
    s->taken_count += work->job.answers;
}

/* As many as there are places for, in their order: a job for which there are too few yet holds those behind it up, so
 * that it is not passed over for ever. */
static void admit(pg_scheduler *s)
{
    for (pg_work *work; (work = pg_job_queue_next(&s->queue)) != NULL;) {
        if (work->job.answers > s->plain.sequences - s->taken_count)
            return;
        pg_job_queue_take(&s->queue, work, true);
        take_places(s, work);
        s->active[s->active_count++] = work;
    }
}

/* Waits for something to do. False: there is nothing, and nothing will come. */
static bool take_orders(pg_scheduler *s, pg_work **gone)
{
    pthread_mutex_lock(&s->lock);
    while (!s->stop && !s->queue.count && !s->active_count)
        pthread_cond_wait(&s->wake, &s->lock);
    double now = pg_clock();
    *gone = take_ended(s, now);
    for (size_t i = 0; i < s->active_count; i++)
        end_if_due(s, s->active[i], now);
    admit(s);
    bool work = *gone || s->active_count;
    pthread_mutex_unlock(&s->lock);
    return work;
}

/* ---------------------------------------------------------------- answers */

static bool all_given(const pg_work *work)
{
    for (size_t i = 0; i < work->job.answers; i++)
        if (!work->answers[i].given)
            return false;
    return true;
}

/* A sequence has a token, or its end: what a pass calls. A failure is that job's alone. */
static pg_status hear(void *user, pg_sequence *sequence, pg_status status)
{
    pg_scheduler *s = user;
    pg_work *work = pg_work_of(sequence);
    pg_work_answer *answer = (pg_work_answer *)sequence;
    size_t told = answer->told;
    if (work->ended)
        return PG_OK;
    if (status != PG_OK)
        pg_work_end(work, status, pg_error_last());
    else if (!pg_work_tell(work, answer, &s->now.between_tokens))
        pg_work_end(work, PG_ERROR_CANCELLED, "cancelled by its callback");
    else if (all_given(work))
        pg_work_end(work, PG_OK, "");
    s->now.answer_tokens += answer->told - told;
    return PG_OK;
}

/* What a session's context holds of a failure is over with the job that failed. */
static void fail(pg_scheduler *s, pg_work *work, pg_status status)
{
    s->session->g.status = PG_OK;
    pg_work_end(work, status, pg_error_last());
}

static pg_status first_tokens(pg_scheduler *s, pg_work *work, pg_tensor *last)
{
    pg_session *session = s->session;
    pg_sequence *first = &work->answers[0].sequence;
    pg_permitted permitted;
    pg_logits logits;
    PG_TRY(pg_sequence_permit(&permitted, first, session, 0));
    bool none = pg_permitted_none(&permitted);
    if (!none)
        PG_TRY(pg_row_logits(session, &logits, last, &permitted));
    for (size_t i = 0; i < work->job.answers && !work->ended; i++) {
        pg_sequence *sequence = &work->answers[i].sequence;
        if (i && !none)
            pg_cache_copy_rows(&session->cache, sequence->slot * session->context, first->slot * session->context,
                               (int64_t)first->input.ids.count);
        hear(s, sequence, none ? pg_sequence_end(sequence) : pg_sequence_step(sequence, session, &logits));
    }
    return PG_OK;
}

/* The prompt is in the cache; `last` is its last token's row, where values lie (NULL: there is no memory for it). */
static void start_answers(pg_scheduler *s, pg_work *work, const float *last)
{
    pg_session *session = s->session;
    pg_arena_mark mark = pg_arena_get_mark(&session->g.arena);
    pg_tensor row = {.dtype = PG_F32,
                     .rows = 1,
                     .width = session->model->weights->config.text.width,
                     .data = (float *)last,
                     .single = 1};
    work->state = PG_WORK_RUNNING;
    pg_status status = last ? first_tokens(s, work, &row) : session->g.status;
    pg_arena_release(&session->g.arena, mark);
    if (status != PG_OK)
        fail(s, work, status);
}

/* ---------------------------------------------------------------- prompts */

/* A prompt is kept as its last token's row, [D], and the cache rows of all its tokens. */
static size_t last_row_bytes(const pg_scheduler *s)
{
    return (size_t)s->plain.model->weights->config.text.width * sizeof(float);
}

static size_t prefix_bytes(const pg_scheduler *s, const pg_sequence *sequence)
{
    return last_row_bytes(s) + pg_cache_rows_bytes(&s->session->cache, (int64_t)sequence->input.ids.count);
}

/* The host's last row; NULL: the prompt is not kept. */
static const float *find_prefix(pg_scheduler *s, pg_work *work)
{
    const pg_sequence *first = &work->answers[0].sequence;
    pg_kept_key key = pg_work_prompt_key(work);
    const char *kept = pg_kept_find(&s->prefixes, &key, prefix_bytes(s, first));
    if (kept)
        pg_cache_set_rows(&s->session->cache, first->slot * s->session->context, (int64_t)first->input.ids.count,
                          kept + last_row_bytes(s));
    *(kept ? &s->now.prefix_hits : &s->now.prefix_misses) += 1;
    work->usage.prefix_kept = kept != NULL;
    return (const float *)kept;
}

static void keep_prefix(pg_scheduler *s, const pg_work *work)
{
    const pg_sequence *first = &work->answers[0].sequence;
    pg_kept_key key = pg_work_prompt_key(work);
    char *kept = pg_kept_find(&s->prefixes, &key, prefix_bytes(s, first)) /* another job came to it at the same time */
                     ? NULL
                     : pg_kept_add(&s->prefixes, &key, prefix_bytes(s, first));
    if (!kept)
        return;
    pg_values_download(s->session->device, kept, work->prefill.last.data, last_row_bytes(s));
    pg_cache_get_rows(kept + last_row_bytes(s), &s->session->cache, first->slot * s->session->context,
                      (int64_t)first->input.ids.count);
}

static size_t feature_bytes(const pg_tensor *features)
{
    return (size_t)(features->rows * features->width) * sizeof(float);
}

static void find_features(pg_scheduler *s, pg_work *work)
{
    size_t count = work->job.request.image_count;
    work->usage.features_kept = count > 0;
    for (size_t i = 0; i < count; i++) {
        pg_tensor features = pg_prefill_features(&work->prefill, i);
        pg_kept_key key = pg_work_picture_key(work, i);
        const void *kept = pg_kept_find(&s->features, &key, feature_bytes(&features));
        if (kept)
            pg_values_upload(s->session->device, features.data, kept, feature_bytes(&features));
        work->pictures[i].known = kept != NULL;
        work->usage.features_kept &= kept != NULL;
        *(kept ? &s->now.feature_hits : &s->now.feature_misses) += 1;
    }
}

static void keep_features(pg_scheduler *s, const pg_work *work)
{
    for (size_t i = 0; i < work->job.request.image_count; i++) {
        pg_tensor features = pg_prefill_features(&work->prefill, i);
        pg_kept_key key = pg_work_picture_key(work, i);
        if (work->pictures[i].known || pg_kept_find(&s->features, &key, feature_bytes(&features)))
            continue;
        void *kept = pg_kept_add(&s->features, &key, feature_bytes(&features));
        if (kept)
            pg_values_download(s->session->device, kept, features.data, feature_bytes(&features));
    }
}

static void use_model(const pg_scheduler *s, const pg_work *work)
{
    s->session->model = work->model->model;
}

static void start_kept(pg_scheduler *s, pg_work *work, const float *kept)
{
    pg_context *g = &s->session->g;
    pg_arena_mark mark = pg_arena_get_mark(&g->arena);
    start_answers(s, work, pg_to_device(g, kept, last_row_bytes(s)));
    pg_arena_release(&g->arena, mark);
}

/* A job takes part: with a prompt that is kept at once, else with one that is to be computed. Prompts are computed in
 * the order in which they would be done if all had equal shares of the time from their start on: a short one overtakes
 * a long one, but not for ever. */
static void begin(pg_scheduler *s, pg_work *work)
{
    const pg_sequence *first = &work->answers[0].sequence;
    work->state = PG_WORK_STARTING;
    work->usage.queued = pg_clock() - work->submitted;
    s->now.prompt_tokens += first->input.ids.count;
    s->now.pictures += work->job.request.image_count;
    use_model(s, work);
    const float *kept = find_prefix(s, work);
    if (kept) {
        start_kept(s, work, kept);
        return;
    }
    pg_status status = pg_prefill_init(&work->prefill, s->session, work->model->model, &first->input, first->slot,
                                       work->pictures, work->job.request.image_count);
    if (status != PG_OK) {
        fail(s, work, status);
        return;
    }
    find_features(s, work);
    work->turn = s->started_for + pg_prefill_work(&work->prefill) * s->second_of_work;
}

/* What the prompt took says what others will take. */
static void learn_pace(pg_scheduler *s, const pg_work *work)
{
    double seconds = work->prefill.seconds[0] + work->prefill.seconds[1];
    double made = seconds / pg_prefill_work(&work->prefill);
    s->second_of_work += (s->second_of_work > 0 ? LEARNING : 1) * (made - s->second_of_work);
}

static void end_prefill(pg_scheduler *s, pg_work *work)
{
    work->usage.pictures = work->prefill.seconds[0];
    work->usage.prefill = work->prefill.seconds[1];
    learn_pace(s, work);
    keep_features(s, work);
    keep_prefix(s, work);
    start_answers(s, work, work->prefill.last.data);
    pg_prefill_free(&work->prefill);
}

static pg_work *next_to_start(const pg_scheduler *s)
{
    pg_work *next = NULL;
    for (size_t i = 0; i < s->active_count; i++) {
        pg_work *work = s->active[i];
        if (work->state == PG_WORK_STARTING && !work->ended && (!next || work->turn < next->turn))
            next = work;
    }
    return next;
}

static void advance_prompt(pg_scheduler *s, pg_work *work, double seconds)
{
    pg_prefill *prefill = &work->prefill;
    use_model(s, work);
    pg_status status = pg_prefill_step(prefill, &s->pace, pg_prefill_rows(prefill, &s->pace, seconds));
    if (status != PG_OK)
        fail(s, work, status);
    else if (prefill->stage == PG_PREFILL_DONE)
        end_prefill(s, work);
}

static bool somebody_waits(const pg_scheduler *s)
{
    for (size_t i = 0; i < s->active_count; i++)
        if (s->active[i]->state == PG_WORK_RUNNING && !s->active[i]->ended)
            return true;
    return false;
}

/* Goes on with prompts for a slice of time. */
static void advance_prompts(pg_scheduler *s)
{
    double step = s->step > 0 ? s->step : FIRST_SLICE;
    double slice = somebody_waits(s) ? s->slice * step : IDLE_SLICE, start = pg_clock(), spent = 0;
    for (pg_work *work; spent < FULL_SLICE * slice && (work = next_to_start(s)) != NULL; spent = pg_clock() - start) {
        advance_prompt(s, work, slice - spent);
        if (somebody_waits(s)) /* the slice is over when the work is; a failure shows in the next step */
            pg_device_wait(s->session->device);
    }
    s->started_for += spent;
}

/* ---------------------------------------------------------------- tokens */

/* The answers of one model that go on. */
static size_t gather(const pg_scheduler *s, const pg_served_model *model)
{
    size_t count = 0;
    for (size_t i = 0; i < s->active_count; i++) {
        pg_work *work = s->active[i];
        if (work->model != model || work->state != PG_WORK_RUNNING || work->ended)
            continue;
        for (size_t a = 0; a < work->job.answers; a++)
            if (!work->answers[a].sequence.done)
                s->running[count++] = &work->answers[a].sequence;
    }
    return count;
}

static void pass(pg_scheduler *s, const pg_served_model *model)
{
    size_t count = gather(s, model);
    if (!count)
        return;
    s->session->model = model->model;
    pg_status status = pg_pass_run(s->session, s->running, count, hear, s);
    for (size_t i = 0; status != PG_OK && i < count; i++)
        fail(s, pg_work_of(s->running[i]), status);
}

/* True where an earlier one of the active jobs has the same model. */
static bool had_its_pass(const pg_scheduler *s, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (s->active[i]->model == s->active[index]->model)
            return true;
    return false;
}

/* A token for every running answer: a pass for each model that has some. */
static void step(pg_scheduler *s)
{
    if (!somebody_waits(s))
        return;
    double start = pg_clock();
    for (size_t i = 0; i < s->active_count; i++)
        if (!had_its_pass(s, i))
            pass(s, s->active[i]->model);
    double seconds = pg_clock() - start;
    s->step += (s->step > 0 ? LEARNING : 1) * (seconds - s->step);
    s->now.steps++;
}

/* ---------------------------------------------------------------- the end of jobs */

static void count_end(pg_scheduler_figures *now, const pg_work *work)
{
    const pg_usage *usage = &work->usage;
    uint64_t *ends[] = {&now->finished, &now->cancelled, &now->expired, &now->failed};
    pg_status status = work->status;
    *ends[status == PG_OK ? 0 : status == PG_ERROR_CANCELLED ? 1 : status == PG_ERROR_DEADLINE ? 2 : 3] += 1;
    pg_times_add(&now->queued, usage->queued);
    pg_times_add(&now->total, usage->total);
    if (usage->first_token > 0)
        pg_times_add(&now->first_token, usage->first_token);
    for (size_t i = 0; i < work->job.answers; i++) {
        now->proposed += work->answers[i].sequence.speculation.proposed;
        now->accepted += work->answers[i].sequence.speculation.accepted;
    }
}

static void give_places(pg_scheduler *s, const pg_work *work)
{
    for (size_t i = 0; i < work->job.answers; i++)
        s->taken[work->answers[i].sequence.slot] = false;
    s->taken_count -= work->job.answers;
}

/* Figures for others, under the lock. */
static void publish(pg_scheduler *s)
{
    pg_scheduler_figures *now = &s->now;
    now->starting = now->running = 0;
    for (size_t i = 0; i < s->active_count; i++)
        *(s->active[i]->state == PG_WORK_RUNNING ? &now->running : &now->starting) += 1;
    now->sequences_used = s->taken_count;
    now->feature_bytes = s->features.bytes;
    now->prefix_bytes = s->prefixes.bytes;
    now->submitted = s->figures.submitted;
    now->refused = s->figures.refused;
    s->figures = *now;
}

/* The last event, and then, under the lock, the end of all that the job had. */
static void bury(pg_scheduler *s, pg_work *work)
{
    pg_work_tell_end(work);
    count_end(&s->now, work);
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < s->active_count; i++)
        if (s->active[i] == work) {
            memmove(&s->active[i], &s->active[i + 1], (--s->active_count - i) * sizeof(pg_work *));
            give_places(s, work);
        }
    pg_served_model *model = pg_served_models_leave(&s->models, work->model);
    s->unfinished--;
    publish(s); /* before those who drain look at them */
    pthread_cond_broadcast(&s->ended);
    pthread_mutex_unlock(&s->lock);
    pg_served_model_free(model);
    pg_work_free(work);
}

static void bury_ended(pg_scheduler *s)
{
    for (size_t i = 0; i < s->active_count;)
        if (s->active[i]->ended)
            bury(s, s->active[i]);
        else
            i++;
}

/* ---------------------------------------------------------------- the thread */

/* Runs the widest step once, on cache rows that nobody has yet: what it needs of memory is then there. */
static void warm_up(pg_scheduler *s)
{
    pg_context *g = &s->session->g;
    pg_arena_mark mark = pg_arena_get_mark(&g->arena);
    size_t count = s->plain.sequences;
    pg_next *next = pg_scratch(g, count * sizeof *next);
    pg_logits *logits = pg_scratch(g, count * sizeof *logits);
    static const int32_t any = 0;
    for (size_t i = 0; logits && i < count; i++)
        next[i] = (pg_next){.ids = &any, .count = 1, .spans = {{(int64_t)i * s->plain.context, 1}}, .span_count = 1};
    if (logits)
        pg_next_logits(s->session, logits, next, count);
    pg_arena_release(&g->arena, mark);
    g->status = PG_OK; /* without memory the jobs will say so */
}

static void round_of(pg_scheduler *s, pg_work *gone)
{
    while (gone) {
        pg_work *next = gone->next;
        bury(s, gone);
        gone = next;
    }
    for (size_t i = 0; i < s->active_count; i++)
        if (s->active[i]->state == PG_WORK_WAITING && !s->active[i]->ended)
            begin(s, s->active[i]);
    advance_prompts(s);
    step(s);
    bury_ended(s);
    pthread_mutex_lock(&s->lock);
    publish(s);
    pthread_mutex_unlock(&s->lock);
}

void *pg_scheduler_run(void *scheduler)
{
    pg_scheduler *s = scheduler;
    pg_work *gone;
    warm_up(s);
    while (take_orders(s, &gone))
        round_of(s, gone);
    return NULL;
}
