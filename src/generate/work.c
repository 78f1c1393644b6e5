#include "generate/work.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "image/image.h"
#include "text/tokenizer.h"

void pg_job_init(pg_job *job)
{
    *job = (pg_job){.answers = 1};
    pg_request_init(&job->request);
}

/* ---------------------------------------------------------------- a copy of a job */

static pg_status check_job(const pg_job *job, const pg_session *plain)
{
    pg_request full = job->request;
    pg_request_complete(&full, plain->model);
    if (!job->on_event)
        return pg_fail(PG_ERROR_ARGUMENT, "a job needs on_event: nobody would hear its answer");
    if (job->request.on_text)
        return pg_fail(PG_ERROR_ARGUMENT, "a job's request has on_text; the scheduler tells of text by on_event");
    if (full.beams > 1)
        return pg_fail(PG_ERROR_ARGUMENT, "%lld beams: a scheduler makes no beam search; ask for 1",
                       (long long)full.beams);
    if (!(job->deadline >= 0))
        return pg_fail(PG_ERROR_ARGUMENT, "deadline: %g seconds, expected 0 (none) or more", job->deadline);
    if (job->answers > plain->sequences)
        return pg_fail(PG_ERROR_LIMIT, "%zu answers to one job; the scheduler makes at most %zu at the same time",
                       job->answers, plain->sequences);
    return PG_OK;
}

static pg_status copy_texts(pg_work *work)
{
    pg_request *request = &work->job.request;
    work->prompt = pg_copy_text(request->prompt ? request->prompt : "", SIZE_MAX);
    work->stop = pg_alloc(request->stop_count, sizeof *work->stop);
    if (!work->prompt || !work->stop)
        return PG_ERROR_MEMORY;
    for (size_t i = 0; i < request->stop_count; i++) {
        work->stop[i] = pg_copy_text(request->stop[i], SIZE_MAX);
        if (!work->stop[i])
            return PG_ERROR_MEMORY;
    }
    request->prompt = work->prompt;
    request->stop = (const char *const *)work->stop;
    return PG_OK;
}

/* Pictures of the model's size: later ones with the same pixels need nothing more. */
static pg_status resize_pictures(pg_work *work, const pg_session *plain)
{
    const pg_request *request = &work->job.request;
    size_t side = (size_t)plain->model->processor.side;
    for (size_t i = 0; i < request->image_count; i++) {
        pg_image *resized;
        PG_TRY(pg_image_resize(&resized, request->images[i], side, side, plain->resize_order));
        work->pictures[i].image = resized;
    }
    return PG_OK;
}

/* Memory that the text will need, so that tokens take none. */
static pg_status reserve_text(pg_sequence *sequence, const pg_tokenizer *tokenizer)
{
    return pg_buffer_reserve(&sequence->text, (size_t)sequence->plan.limit * pg_decoder_most(tokenizer));
}

static pg_status make_answers(pg_work *work, const pg_session *plain)
{
    for (size_t i = 0; i < work->job.answers; i++) {
        pg_sequence *sequence = &work->answers[i].sequence;
        PG_TRY(pg_sequence_init(sequence, plain, &work->job.request, i));
        PG_TRY(reserve_text(sequence, plain->model->tokenizer));
        sequence->plan.sampling.seed += i;
        sequence->started = work->submitted;
    }
    return PG_OK;
}

static void find_keys(pg_work *work)
{
    const pg_input *input = &work->answers[0].sequence.input;
    size_t pictures = work->job.request.image_count;
    work->parts[0] = (pg_kept_part){&input->prefix, sizeof input->prefix};
    work->parts[1] = (pg_kept_part){input->ids.data, input->ids.count * sizeof *input->ids.data};
    for (size_t i = 0; i < pictures; i++) {
        const pg_image *image = work->pictures[i].image;
        work->parts[2 + i] = (pg_kept_part){image->pixels, image->width * image->height * 3};
        work->hashes[i] = pg_kept_hash(&work->parts[2 + i], 1);
    }
    const pg_kept_part all[] = {work->parts[0], work->parts[1], {work->hashes, pictures * sizeof *work->hashes}};
    work->hashes[pictures] = pg_kept_hash(all, sizeof all / sizeof *all);
}

static pg_status fill_in(pg_work *work, const pg_session *plain)
{
    pg_request *request = &work->job.request;
    work->job.answers = work->job.answers ? work->job.answers : 1;
    PG_TRY(check_job(&work->job, plain));
    PG_TRY(copy_texts(work));
    work->pictures = pg_alloc(request->image_count, sizeof *work->pictures);
    work->parts = pg_alloc(2 + request->image_count, sizeof *work->parts);
    work->hashes = pg_alloc(1 + request->image_count, sizeof *work->hashes);
    work->answers = pg_alloc(work->job.answers, sizeof *work->answers);
    if (!work->pictures || !work->parts || !work->hashes || !work->answers)
        return PG_ERROR_MEMORY;
    PG_TRY(make_answers(work, plain));
    PG_TRY(resize_pictures(work, plain));
    find_keys(work);
    request->images = NULL; /* the caller's; ours are in work->pictures */
    return PG_OK;
}

static void pass_step(void *user, size_t index, const pg_step *step)
{
    const pg_work *work = user;
    work->on_step(work->step_user, index, step);
}

pg_status pg_work_new(pg_work **out, const pg_session *plain, pg_served_model *model, const pg_job *job)
{
    pg_work *work = *out = pg_alloc(1, sizeof *work);
    if (!work)
        return PG_ERROR_MEMORY;
    work->job = *job;
    work->on_step = job->request.on_step;
    work->step_user = job->request.user;
    work->job.request.on_step = work->on_step ? pass_step : NULL;
    work->job.request.user = work;
    work->model = model;
    work->submitted = pg_clock();
    work->expires = job->deadline > 0 ? work->submitted + job->deadline : 0;
    snprintf(work->key, sizeof work->key, "%s", job->key ? job->key : "");
    pg_status status = fill_in(work, plain);
    if (status != PG_OK) {
        pg_work_free(work);
        *out = NULL;
    }
    return status;
}

void pg_work_free(pg_work *work)
{
    if (!work)
        return;
    pg_prefill_free(&work->prefill);
    for (size_t i = 0; work->answers && i < work->job.answers; i++)
        pg_sequence_free(&work->answers[i].sequence);
    for (size_t i = 0; work->pictures && i < work->job.request.image_count; i++)
        pg_image_free((pg_image *)work->pictures[i].image);
    for (size_t i = 0; work->stop && i < work->job.request.stop_count; i++)
        pg_free(work->stop[i]);
    pg_free(work->stop);
    pg_free(work->prompt);
    pg_free(work->pictures);
    pg_free(work->parts);
    pg_free(work->hashes);
    pg_free(work->answers);
    pg_free(work);
}

pg_work *pg_work_of(const pg_sequence *sequence)
{
    return sequence->request->user;
}

pg_kept_key pg_work_picture_key(const pg_work *work, size_t picture)
{
    return (pg_kept_key){work->model->number, &work->parts[2 + picture], 1, work->hashes[picture]};
}

pg_kept_key pg_work_prompt_key(const pg_work *work)
{
    size_t pictures = work->job.request.image_count;
    return (pg_kept_key){work->model->number, work->parts, 2 + pictures, work->hashes[pictures]};
}

/* ---------------------------------------------------------------- events */

void pg_work_end(pg_work *work, pg_status status, const char *text)
{
    if (work->ended)
        return;
    work->ended = true;
    work->status = status;
    snprintf(work->reason, sizeof work->reason, "%s", text);
    for (size_t i = 0; i < work->job.answers; i++)
        work->answers[i].sequence.done = true;
}

static pg_event event_of(const pg_work *work, const pg_work_answer *answer, pg_event_kind kind)
{
    return (pg_event){.kind = kind,
                      .ticket = work->ticket,
                      .index = answer ? (size_t)(answer - work->answers) : 0,
                      .text = "",
                      .reason = ""};
}

static bool send(const pg_work *work, const pg_event *event)
{
    return work->job.on_event(work->job.user, event);
}

/* The latest token, if it is new, and what of the text became certain with it. */
static bool tell_token(const pg_work *work, pg_work_answer *answer, pg_times *between)
{
    const pg_sequence *sequence = &answer->sequence;
    pg_event event = event_of(work, answer, PG_EVENT_TOKEN);
    event.token = -1;
    if (answer->told < sequence->made) {
        size_t at = sequence->made - 1;
        event.token = sequence->history[sequence->input.ids.count + at];
        event.logprob = sequence->logprobs[at];
        event.top = sequence->top + at * sequence->top_count;
        event.top_count = sequence->top_count;
        if (answer->told)
            pg_times_add(between, sequence->last_token - answer->told_at);
        answer->told = sequence->made;
        answer->told_at = sequence->last_token;
    }
    if (sequence->shown > answer->told_text) {
        event.text = sequence->text.data + answer->told_text;
        event.size = sequence->shown - answer->told_text;
        answer->told_text = sequence->shown;
    }
    return (event.token < 0 && !event.size) || send(work, &event);
}

static bool tell_answer(pg_work *work, pg_work_answer *answer)
{
    pg_event event = event_of(work, answer, PG_EVENT_ANSWER);
    pg_answer *made;
    pg_sequence *sequence = &answer->sequence;
    sequence->timings.pictures = work->usage.pictures;
    sequence->timings.prefill = work->usage.prefill;
    pg_status status = pg_sequence_answer(&made, sequence);
    if (status != PG_OK) {
        pg_work_end(work, status, pg_error_last());
        return true;
    }
    event.answer = made;
    answer->given = true;
    bool wanted = send(work, &event);
    pg_answer_free(made);
    return wanted;
}

bool pg_work_tell(pg_work *work, pg_work_answer *answer, pg_times *between)
{
    bool wanted = tell_token(work, answer, between);
    if (wanted && answer->sequence.done && !answer->given && !work->ended)
        wanted = tell_answer(work, answer);
    return wanted;
}

/* The first of its answers to begin, and the last one to end, say when the job made tokens. */
static void sum_up(pg_work *work)
{
    pg_usage *usage = &work->usage;
    double first = INFINITY, last = 0;
    for (size_t i = 0; i < work->job.answers; i++) {
        const pg_sequence *sequence = &work->answers[i].sequence;
        usage->answer_tokens += sequence->made;
        if (sequence->made && sequence->first_token < first)
            first = sequence->first_token;
        if (sequence->made && sequence->last_token > last)
            last = sequence->last_token;
    }
    usage->first_token = last > 0 ? first - work->submitted : 0;
    usage->decode = last > 0 ? last - first : 0;
    usage->prompt_tokens = work->answers[0].sequence.input.ids.count;
    usage->total = pg_clock() - work->submitted;
    if (work->state == PG_WORK_WAITING)
        usage->queued = usage->total;
}

void pg_work_tell_end(pg_work *work)
{
    sum_up(work);
    pg_event event = event_of(work, NULL, PG_EVENT_END);
    event.status = work->status;
    event.reason = work->reason;
    event.usage = work->usage;
    send(work, &event);
}
