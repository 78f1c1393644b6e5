#include "serve/telling.h"

#include <string.h>

#include "serve/moment.h"
#include "serve/server.h"

/* ---------------------------------------------------------------- the scheduler's thread */

static pg_status note_token(pg_told_answer *answer, const pg_event *event)
{
    size_t count = answer->count, top = event->top_count;
    if (event->token < 0) /* only text that had been held back */
        return pg_buffer_append(&answer->text, event->text, event->size);
    PG_TRY(pg_grow((void **)&answer->tokens, &answer->capacity, count + 1, sizeof *answer->tokens));
    PG_TRY(pg_grow((void **)&answer->top, &answer->top_capacity, (count + 1) * top, sizeof *answer->top));
    PG_TRY(pg_buffer_append(&answer->text, event->text, event->size));
    if (top)
        memcpy(answer->top + count * top, event->top, top * sizeof *answer->top);
    answer->top_count = top;
    answer->tokens[count] = (pg_told_token){event->token, event->logprob, answer->text.size};
    answer->count++;
    return PG_OK;
}

/* What the tokens said, and at its end what had been held back. */
static pg_status note_answer(pg_told_answer *answer, const pg_event *event)
{
    const pg_answer *whole = event->answer;
    if (whole->text_size > answer->text.size)
        PG_TRY(pg_buffer_append(&answer->text, whole->text + answer->text.size, whole->text_size - answer->text.size));
    answer->complete = true;
    answer->finish = whole->finish;
    return PG_OK;
}

static pg_status note(pg_telling *telling, const pg_event *event)
{
    if (event->kind == PG_EVENT_TOKEN)
        return note_token(&telling->answers[event->index], event);
    if (event->kind == PG_EVENT_ANSWER)
        return note_answer(&telling->answers[event->index], event);
    telling->ended = true;
    telling->usage = event->usage;
    if (telling->status == PG_OK) {
        telling->status = event->status;
        snprintf(telling->reason, sizeof telling->reason, "%s", event->reason);
    }
    return PG_OK;
}

static void fail(pg_telling *telling, pg_status status)
{
    if (telling->status != PG_OK)
        return;
    telling->status = status;
    snprintf(telling->reason, sizeof telling->reason, "%s", pg_error_last());
}

/* What turns the logits of the best tokens into probabilities. */
static void on_step(void *user, size_t index, const pg_step *step)
{
    pg_telling *telling = user;
    pg_told_answer *answer = &telling->answers[index];
    pthread_mutex_lock(&telling->lock);
    pg_status status =
        pg_grow((void **)&answer->totals, &answer->total_capacity, answer->total_count + 1, sizeof *answer->totals);
    if (status == PG_OK)
        answer->totals[answer->total_count++] = step->total;
    else
        fail(telling, status);
    pthread_mutex_unlock(&telling->lock);
}

static bool on_event(void *user, const pg_event *event)
{
    pg_telling *telling = user;
    pthread_mutex_lock(&telling->lock);
    pg_status status = note(telling, event);
    if (status != PG_OK)
        fail(telling, status);
    telling->events++;
    pthread_cond_signal(&telling->changed);
    pthread_mutex_unlock(&telling->lock);
    return status == PG_OK;
}

/* ---------------------------------------------------------------- the connection's thread */

static void free_telling(pg_telling *telling)
{
    for (size_t i = 0; telling->answers && i < telling->count; i++) {
        pg_buffer_free(&telling->answers[i].text);
        pg_free(telling->answers[i].tokens);
        pg_free(telling->answers[i].top);
        pg_free(telling->answers[i].totals);
    }
    pg_free(telling->answers);
    pthread_cond_destroy(&telling->changed);
    pthread_mutex_destroy(&telling->lock);
}

pg_status pg_telling_start(pg_telling *out, pg_exchange *exchange, const pg_job *job)
{
    pg_job mine = *job;
    *out = (pg_telling){.exchange = exchange, .scheduler = exchange->engine->scheduler, .count = job->answers};
    pthread_mutex_init(&out->lock, NULL);
    pthread_cond_init(&out->changed, NULL);
    out->answers = pg_alloc(out->count, sizeof *out->answers);
    if (job->request.top_logits) {
        mine.request.on_step = on_step;
        mine.request.user = out;
    }
    mine.key = exchange->client;
    mine.deadline = exchange->server->options.deadline;
    mine.on_event = on_event;
    mine.user = out;
    pg_status status = out->answers ? pg_scheduler_submit(&out->ticket, out->scheduler, &mine) : PG_ERROR_MEMORY;
    if (status != PG_OK)
        free_telling(out);
    return status;
}

static void cancel(pg_telling *telling)
{
    pthread_mutex_unlock(&telling->lock); /* the event of the end may come at once */
    pg_scheduler_cancel(telling->scheduler, telling->ticket);
    pthread_mutex_lock(&telling->lock);
}

void pg_telling_wait(pg_telling *telling, size_t seen)
{
    pthread_mutex_lock(&telling->lock);
    while (!telling->ended && telling->events <= seen) {
        pg_moment_wait(&telling->changed, &telling->lock);
        if (!telling->ended && pg_exchange_gone(telling->exchange))
            cancel(telling);
    }
}

void pg_telling_release(pg_telling *telling)
{
    pthread_mutex_unlock(&telling->lock);
}

static void keep_usage(pg_exchange *exchange, const pg_usage *usage)
{
    exchange->stages.queued += usage->queued;
    exchange->stages.pictures += usage->pictures;
    exchange->stages.prefill += usage->prefill;
    exchange->stages.decode += usage->decode;
    exchange->prompt_tokens += usage->prompt_tokens;
    exchange->answer_tokens += usage->answer_tokens;
}

static void wait_for_end(pg_telling *telling)
{
    pg_telling_wait(telling, SIZE_MAX);
    pg_telling_release(telling);
}

pg_status pg_telling_complete(pg_telling *telling)
{
    wait_for_end(telling);
    return telling->status == PG_OK ? PG_OK : pg_fail(telling->status, "%s", telling->reason);
}

void pg_telling_finish(pg_telling *telling)
{
    pg_scheduler_cancel(telling->scheduler, telling->ticket); /* one that has ended is passed over */
    wait_for_end(telling);
    keep_usage(telling->exchange, &telling->usage);
    for (size_t i = 0; i < telling->count; i++)
        if (telling->answers[i].complete)
            pg_figures_count_answer(&telling->exchange->server->figures, telling->answers[i].finish);
    free_telling(telling);
}
