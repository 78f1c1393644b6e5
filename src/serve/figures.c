#include "serve/figures.h"

#include <math.h>

#include "base/clock.h"

#define PREFIX "paligemma_"

void pg_figures_init(pg_figures *figures)
{
    *figures = (pg_figures){.started = pg_clock()};
    pthread_mutex_init(&figures->lock, NULL);
}

void pg_figures_reset(pg_figures *figures)
{
    pthread_mutex_destroy(&figures->lock);
}

void pg_figures_count_answer(pg_figures *figures, pg_finish finish)
{
    pthread_mutex_lock(&figures->lock);
    figures->answers[finish]++;
    pthread_mutex_unlock(&figures->lock);
}

void pg_figures_begin_request(pg_figures *figures)
{
    pthread_mutex_lock(&figures->lock);
    figures->active++;
    pthread_mutex_unlock(&figures->lock);
}

static void add_time(pg_times *times, double seconds)
{
    size_t bucket = 0;
    while (bucket < PG_TIME_BUCKETS - 1 && seconds > pg_time_bound(bucket))
        bucket++;
    times->buckets[bucket]++;
    times->sum += seconds;
    times->count++;
}

void pg_figures_end_request(pg_figures *figures, int status, double seconds, bool sent)
{
    pthread_mutex_lock(&figures->lock);
    figures->active--;
    figures->requests[status > 0 && status < PG_STATUS_CODES ? status : 0]++;
    figures->unsent += !sent;
    add_time(&figures->request_seconds, seconds);
    pthread_mutex_unlock(&figures->lock);
}

/* ---------------------------------------------------------------- text */

static pg_status print_head(pg_buffer *out, const char *name, const char *type, const char *help)
{
    return pg_buffer_print(out, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", name, help, name, type);
}

static pg_status print_one(pg_buffer *out, const char *name, const char *type, const char *help, double value)
{
    PG_TRY(print_head(out, name, type, help));
    return pg_buffer_print(out, PREFIX "%s %.17g\n", name, value);
}

static pg_status print_times(pg_buffer *out, const char *name, const char *help, const pg_times *times)
{
    uint64_t below = 0;
    PG_TRY(print_head(out, name, "histogram", help));
    for (size_t i = 0; i < PG_TIME_BUCKETS; i++) {
        double bound = pg_time_bound(i);
        below += times->buckets[i];
        if (isinf(bound))
            PG_TRY(pg_buffer_print(out, PREFIX "%s_bucket{le=\"+Inf\"} %llu\n", name, (unsigned long long)below));
        else
            PG_TRY(
                pg_buffer_print(out, PREFIX "%s_bucket{le=\"%.6g\"} %llu\n", name, bound, (unsigned long long)below));
    }
    PG_TRY(pg_buffer_print(out, PREFIX "%s_sum %.9g\n", name, times->sum));
    return pg_buffer_print(out, PREFIX "%s_count %llu\n", name, (unsigned long long)times->count);
}

static pg_status print_scheduler(pg_buffer *out, const pg_scheduler_figures *of)
{
    const struct {
        const char *name, *type, *help;
        double value;
    } rows[] = {
        {"num_requests_running", "gauge", "Requests that are being answered.", (double)(of->starting + of->running)},
        {"num_requests_waiting", "gauge", "Requests in the queue.", (double)of->waiting},
        {"num_sequences", "gauge", "Answers that may be in the making together.", (double)of->sequences},
        {"num_sequences_used", "gauge", "Answers that are.", (double)of->sequences_used},
        {"prompt_tokens_total", "counter", "Tokens of prompts, pictures included.", (double)of->prompt_tokens},
        {"generation_tokens_total", "counter", "Tokens of answers.", (double)of->answer_tokens},
        {"pictures_total", "counter", "Pictures that were looked at.", (double)of->pictures},
        {"scheduler_steps_total", "counter", "Times that tokens went through the model together.", (double)of->steps},
        {"speculation_proposed_total", "counter", "Tokens that were computed ahead.", (double)of->proposed},
        {"speculation_accepted_total", "counter", "Those of them that came true.", (double)of->accepted},
        {"picture_cache_hits_total", "counter", "Pictures that had been seen before.", (double)of->feature_hits},
        {"picture_cache_misses_total", "counter", "Pictures that had not.", (double)of->feature_misses},
        {"picture_cache_bytes", "gauge", "Memory of pictures that have been seen.", (double)of->feature_bytes},
        {"prefix_cache_hits_total", "counter", "Requests whose whole prompt was known.", (double)of->prefix_hits},
        {"prefix_cache_misses_total", "counter", "Requests whose prompt was not.", (double)of->prefix_misses},
        {"prefix_cache_bytes", "gauge", "Memory of prompts that are known.", (double)of->prefix_bytes},
        {"requests_refused_total", "counter", "Requests that found the queue full.", (double)of->refused},
        {"requests_cancelled_total", "counter", "Requests whose client went away.", (double)of->cancelled},
        {"requests_expired_total", "counter", "Requests that took too long.", (double)of->expired},
        {"requests_failed_total", "counter", "Requests that failed while they were answered.", (double)of->failed},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        PG_TRY(print_one(out, rows[i].name, rows[i].type, rows[i].help, rows[i].value));
    PG_TRY(print_times(out, "request_queue_time_seconds", "From arrival until it took part.", &of->queued));
    PG_TRY(print_times(out, "time_to_first_token_seconds", "From arrival to the first token.", &of->first_token));
    PG_TRY(print_times(out, "inter_token_latency_seconds", "Between tokens of an answer.", &of->between_tokens));
    return print_times(out, "e2e_request_latency_seconds", "From arrival to the last token.", &of->total);
}

static pg_status print_requests(pg_buffer *out, const pg_figures *of)
{
    PG_TRY(print_head(out, "request_success_total", "counter", "Answers by the reason of their end."));
    for (int i = 0; i < 3; i++)
        PG_TRY(pg_buffer_print(out, PREFIX "request_success_total{finished_reason=\"%s\"} %llu\n",
                               pg_finish_name((pg_finish)i), (unsigned long long)of->answers[i]));
    PG_TRY(print_head(out, "http_requests_total", "counter", "HTTP requests by status."));
    for (int i = 0; i < PG_STATUS_CODES; i++)
        if (of->requests[i])
            PG_TRY(pg_buffer_print(out, PREFIX "http_requests_total{code=\"%d\"} %llu\n", i,
                                   (unsigned long long)of->requests[i]));
    PG_TRY(print_one(out, "http_requests_unsent_total", "counter", "Clients that went before they had their answer.",
                     (double)of->unsent));
    PG_TRY(print_one(out, "http_requests_active", "gauge", "HTTP requests that are not over.", (double)of->active));
    return print_times(out, "http_request_seconds", "HTTP requests from their head to the end.", &of->request_seconds);
}

pg_status pg_figures_print(pg_buffer *out, pg_figures *figures, const pg_scheduler_figures *scheduler)
{
    pthread_mutex_lock(&figures->lock);
    pg_status status = print_requests(out, figures);
    pthread_mutex_unlock(&figures->lock);
    return status == PG_OK && scheduler ? print_scheduler(out, scheduler) : status;
}

/* ---------------------------------------------------------------- JSON */

/* The bound below which the share of the times lies; between bounds, as if they were spread evenly. NULL of none. */
static json_t *quantile(const pg_times *times, double share)
{
    double wanted = share * (double)times->count, below = 0, low = 0;
    for (size_t i = 0; i < PG_TIME_BUCKETS && times->count; i++) {
        double here = (double)times->buckets[i], bound = pg_time_bound(i);
        if (below + here >= wanted && here > 0)
            return json_real(isinf(bound) ? low : low + (bound - low) * (wanted - below) / here);
        below += here;
        low = bound;
    }
    return json_null();
}

static json_t *describe_times(const pg_times *times)
{
    return json_pack("{s:I, s:f, s:o, s:o, s:o}", "count", (json_int_t)times->count, "mean",
                     times->count ? times->sum / (double)times->count : 0, "p50", quantile(times, 0.5), "p95",
                     quantile(times, 0.95), "p99", quantile(times, 0.99));
}

static json_t *describe_scheduler(const pg_scheduler_figures *of)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o}", "waiting",
                     (json_int_t)of->waiting, "running", (json_int_t)of->starting + (json_int_t)of->running,
                     "sequences", (json_int_t)of->sequences, "sequences_used", (json_int_t)of->sequences_used,
                     "prompt_tokens", (json_int_t)of->prompt_tokens, "generation_tokens", (json_int_t)of->answer_tokens,
                     "pictures", (json_int_t)of->pictures, "picture_cache_hits", (json_int_t)of->feature_hits,
                     "prefix_cache_hits", (json_int_t)of->prefix_hits, "refused", (json_int_t)of->refused,
                     "queue_seconds", describe_times(&of->queued), "first_token_seconds",
                     describe_times(&of->first_token), "inter_token_seconds", describe_times(&of->between_tokens),
                     "request_seconds", describe_times(&of->total));
}

json_t *pg_figures_describe(pg_figures *figures, const pg_scheduler_figures *scheduler)
{
    pthread_mutex_lock(&figures->lock);
    json_t *document =
        json_pack("{s:f, s:I, s:o}", "uptime_seconds", pg_clock() - figures->started, "active",
                  (json_int_t)figures->active, "http_seconds", describe_times(&figures->request_seconds));
    pthread_mutex_unlock(&figures->lock);
    if (document && json_object_set_new(document, "scheduler", scheduler ? describe_scheduler(scheduler) : json_null()))
        json_decref(document), document = NULL;
    return document;
}
