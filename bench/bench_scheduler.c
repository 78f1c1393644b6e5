/*
 * How a scheduler bears its load: bench_scheduler MODEL [PICTURE|- [TOKENS [THREADS [STREAMS]]]]
 *
 * Answers of TOKENS tokens (64) to different prompts, about a picture if one is named. First one at a time with
 * pg_generate; then with a scheduler, whose answers must be the same: 1, 4, 16 and 64 (or at most STREAMS) at once, and
 * again as they come in an open loop, at random moments whatever is still running, four fifths as many a second as it
 * can do. With a picture, last, what its arrival does to the stream of another answer. Prints one line of JSON for
 * each. Nothing is kept between requests and no token is proposed. Linked to the shared library: only the public header
 * is used.
 */
#include <math.h>
#include <string.h>
#include <time.h>

#include "stopwatch.h"

#define LOAD          0.8 /* of what a scheduler can do, in the open loop */
#define ROUNDS        3   /* jobs in the open loop, as a multiple of those at once */
#define PROMPTS_FIRST 1e9 /* a slice in which all prompts are computed: then all streams run together */
#define STREAM_PART   4   /* the stream that is disturbed is so many times as long as the others */

typedef struct settings {
    pg_model *model;
    pg_image *picture; /* NULL: none */
    int64_t tokens;
    int threads;
} settings;

/* One job: when its tokens came. */
typedef struct record {
    char prompt[64];
    double submitted, *times; /* [tokens] */
    int32_t *ids;             /* the same */
    size_t count;
    bool failed;
} record;

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (!memory) {
        perror("bench_scheduler");
        exit(1);
    }
    return memory;
}

static record *make_records(size_t count, int64_t tokens)
{
    record *records = allocate(count, sizeof *records);
    for (size_t i = 0; i < count; i++) {
        snprintf(records[i].prompt, sizeof records[i].prompt, "answer en How many of %zu are there?", i % 64 + 2);
        records[i].times = allocate((size_t)tokens, sizeof(double));
        records[i].ids = allocate((size_t)tokens, sizeof(int32_t));
    }
    return records;
}

static void free_records(record *records, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(records[i].times);
        free(records[i].ids);
    }
    free(records);
}

static pg_request request_of(const settings *s, const record *r, bool picture, int64_t tokens)
{
    pg_request request;
    pg_request_init(&request);
    request.prompt = r->prompt;
    request.images = (const pg_image *const *)&s->picture;
    request.image_count = picture && s->picture;
    request.max_new_tokens = request.min_new_tokens = tokens;
    request.temperature = 0;
    request.beams = 1;
    request.speculate = 0;
    return request;
}

/* ---------------------------------------------------------------- with a scheduler */

static bool note(void *user, const pg_event *event)
{
    record *r = user;
    if (event->kind == PG_EVENT_TOKEN && event->token >= 0) {
        r->ids[r->count] = event->token;
        r->times[r->count] = now();
        __atomic_store_n(&r->count, r->count + 1, __ATOMIC_RELEASE);
    }
    if (event->kind == PG_EVENT_END && event->status != PG_OK) {
        fprintf(stderr, "bench_scheduler: %s\n", event->reason);
        r->failed = true;
    }
    return true;
}

/* slice: as in pg_scheduler_options. */
static pg_scheduler *new_scheduler(const settings *s, size_t sequences, size_t jobs, double slice)
{
    pg_scheduler_options options;
    pg_scheduler *scheduler;
    pg_scheduler_options_init(&options);
    options.session.threads = s->threads;
    options.session.sequences = sequences;
    options.queue = jobs;
    options.slice = slice;
    options.feature_bytes = options.prefix_bytes = SIZE_MAX;
    stop_on(pg_scheduler_new(&scheduler, s->model, &options));
    return scheduler;
}

static void submit(pg_scheduler *scheduler, const settings *s, record *r, bool picture, int64_t tokens)
{
    pg_job job;
    uint64_t ticket;
    pg_job_init(&job);
    job.request = request_of(s, r, picture, tokens);
    job.on_event = note;
    job.user = r;
    r->submitted = now();
    stop_on(pg_scheduler_submit(&ticket, scheduler, &job));
}

static void finish(pg_scheduler *scheduler, const record *records, size_t count)
{
    stop_on(pg_scheduler_drain(scheduler, -1));
    pg_scheduler_free(scheduler);
    for (size_t i = 0; i < count; i++)
        if (records[i].failed)
            exit(1);
}

/* ---------------------------------------------------------------- figures */

static double quantile(const double *sorted, size_t count, double q)
{
    return count ? sorted[(size_t)(q * (double)(count - 1) + 0.5)] : 0;
}

/* Times between two tokens of each record, sorted; freed by the caller. */
static double *gaps_of(const record *records, size_t count, size_t *gaps)
{
    size_t most = 1;
    for (size_t i = 0; i < count; i++)
        most += records[i].count;
    double *out = allocate(most, sizeof *out);
    *gaps = 0;
    for (size_t i = 0; i < count; i++)
        for (size_t t = 1; t < records[i].count; t++)
            out[(*gaps)++] = records[i].times[t] - records[i].times[t - 1];
    qsort(out, *gaps, sizeof *out, compare_doubles);
    return out;
}

/* Tokens behind the first ones, by the time from the last first token to the first last one: all streams run then. */
static double decode_speed(const record *records, size_t count)
{
    double start = 0, end = INFINITY;
    size_t tokens = 0;
    for (size_t i = 0; i < count; i++) {
        start = fmax(start, records[i].times[0]);
        end = fmin(end, records[i].times[records[i].count - 1]);
    }
    for (size_t i = 0; i < count; i++)
        for (size_t t = 0; t < records[i].count; t++)
            tokens += records[i].times[t] > start && records[i].times[t] <= end;
    return end > start ? (double)tokens / (end - start) : 0;
}

static double whole_time(const record *records, size_t count)
{
    double start = INFINITY, end = 0;
    for (size_t i = 0; i < count; i++) {
        start = fmin(start, records[i].submitted);
        end = fmax(end, records[i].times[records[i].count - 1]);
    }
    return end - start;
}

static void print_load(const char *name, size_t streams, const record *records, size_t count, double alone)
{
    size_t gap_count, tokens = 0;
    double *gaps = gaps_of(records, count, &gap_count), *first = allocate(count, sizeof *first);
    for (size_t i = 0; i < count; i++) {
        first[i] = records[i].times[0] - records[i].submitted;
        tokens += records[i].count;
    }
    qsort(first, count, sizeof *first, compare_doubles);
    printf("{\"load\": \"%s\", \"streams\": %zu, \"jobs\": %zu, \"tokens_per_second\": %.2f", name, streams, count,
           (double)tokens / whole_time(records, count));
    if (alone > 0)
        printf(", \"decode_tokens_per_second\": %.2f, \"times_one_at_a_time\": %.2f", decode_speed(records, count),
               decode_speed(records, count) / alone);
    printf(", \"first_token_p50\": %.4f, \"first_token_p95\": %.4f, \"between_p50\": %.5f, \"between_p95\": %.5f, "
           "\"between_p99\": %.5f}\n",
           quantile(first, count, .5), quantile(first, count, .95), quantile(gaps, gap_count, .5),
           quantile(gaps, gap_count, .95), quantile(gaps, gap_count, .99));
    fflush(stdout);
    free(gaps);
    free(first);
}

/* ---------------------------------------------------------------- the loads */

/* Tokens a second, behind the first, of answers that are made one after another. */
static double run_alone(const settings *s, record *records, size_t count)
{
    pg_session *session;
    pg_session_options options;
    double decode = 0, first = 0;
    size_t tokens = 0;
    pg_session_options_init(&options);
    options.threads = s->threads;
    stop_on(pg_session_new(&session, s->model, &options));
    for (size_t i = 0; i < count; i++) {
        pg_request request = request_of(s, &records[i], true, s->tokens);
        pg_answer *answer;
        stop_on(pg_generate(&answer, session, &request, 1));
        memcpy(records[i].ids, answer->tokens, answer->count * sizeof *answer->tokens);
        records[i].count = answer->count;
        decode += answer->timings.decode;
        first += answer->timings.first_token;
        tokens += answer->count - 1;
        pg_answer_free(answer);
    }
    pg_session_free(session);
    printf("{\"load\": \"one at a time\", \"decode_tokens_per_second\": %.2f, \"first_token\": %.4f}\n",
           (double)tokens / decode, first / (double)count);
    fflush(stdout);
    return (double)tokens / decode;
}

static void compare(const record *alone, const record *records, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (alone[i].count != records[i].count ||
            memcmp(alone[i].ids, records[i].ids, alone[i].count * sizeof *alone[i].ids) != 0) {
            fprintf(stderr, "bench_scheduler: answer %zu is not the one that the request gets alone\n", i);
            exit(1);
        }
}

/* So many at once, all prompts first. Returns jobs a second. */
static double run_at_once(const settings *s, size_t streams, const record *checked, size_t checked_count, double alone)
{
    record *records = make_records(streams, s->tokens);
    pg_scheduler *scheduler = new_scheduler(s, streams, streams, PROMPTS_FIRST);
    for (size_t i = 0; i < streams; i++)
        submit(scheduler, s, &records[i], true, s->tokens);
    finish(scheduler, records, streams);
    compare(checked, records, streams < checked_count ? streams : checked_count);
    print_load("at once", streams, records, streams, alone);
    double jobs = (double)streams / whole_time(records, streams);
    free_records(records, streams);
    return jobs;
}

static void wait_for(double seconds)
{
    struct timespec time = {(time_t)seconds, (long)((seconds - floor(seconds)) * 1e9)};
    nanosleep(&time, NULL);
}

/* Jobs come at random: the times between two are distributed exponentially. */
static void run_open_loop(const settings *s, size_t streams, double jobs_a_second)
{
    size_t count = ROUNDS * streams;
    record *records = make_records(count, s->tokens);
    pg_scheduler *scheduler = new_scheduler(s, streams, count, 0);
    unsigned state = 1;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        submit(scheduler, s, &records[i], true, s->tokens);
        wait_for(-log(((state >> 8) + 0.5) / (1 << 24)) / (LOAD * jobs_a_second));
    }
    finish(scheduler, records, count);
    print_load("open loop", streams, records, count, 0);
    free_records(records, count);
}

/* A stream of text runs; in its middle somebody comes with a picture. */
static void run_disturbed(const settings *s)
{
    int64_t tokens = STREAM_PART * s->tokens;
    record *stream = make_records(1, tokens), *guest = make_records(1, s->tokens);
    pg_scheduler *scheduler = new_scheduler(s, 2, 2, 0);
    size_t calm = 0, disturbed = 0, after = 0;
    submit(scheduler, s, stream, false, tokens);
    while (__atomic_load_n(&stream->count, __ATOMIC_ACQUIRE) < (size_t)s->tokens)
        wait_for(0.001);
    submit(scheduler, s, guest, true, s->tokens);
    finish(scheduler, stream, 1);
    double *times = allocate((size_t)tokens, sizeof *times), *gaps = allocate((size_t)tokens, sizeof *gaps);
    for (size_t t = 1; t < stream->count; t++) {
        double gap = stream->times[t] - stream->times[t - 1];
        if (stream->times[t] < guest->submitted)
            times[calm++] = gap;
        else if (stream->times[t - 1] < guest->times[0])
            gaps[disturbed++] = gap;
        else
            after++;
    }
    qsort(times, calm, sizeof *times, compare_doubles);
    qsort(gaps, disturbed, sizeof *gaps, compare_doubles);
    printf("{\"load\": \"a picture arrives\", \"calm_p50\": %.5f, \"disturbed_tokens\": %zu, \"disturbed_p50\": %.5f, "
           "\"disturbed_p99\": %.5f, \"disturbed_most\": %.5f, \"picture_first_token\": %.4f, \"tokens_after\": %zu}\n",
           quantile(times, calm, .5), disturbed, quantile(gaps, disturbed, .5), quantile(gaps, disturbed, .99),
           quantile(gaps, disturbed, 1), guest->times[0] - guest->submitted, after);
    free(times);
    free(gaps);
    free_records(stream, 1);
    free_records(guest, 1);
}

int main(int count, char **arguments)
{
    static const size_t streams[] = {1, 4, 16, 64};
    enum { CHECKED = 4 };
    settings s = {.tokens = count > 3 ? strtol(arguments[3], NULL, 10) : 64,
                  .threads = count > 4 ? atoi(arguments[4]) : 0};
    if (count < 2 || s.tokens < 2) {
        fprintf(stderr, "bench_scheduler MODEL [PICTURE|- [TOKENS [THREADS [STREAMS]]]]\n");
        return 2;
    }
    stop_on(pg_model_open(&s.model, arguments[1]));
    if (count > 2 && strcmp(arguments[2], "-") != 0)
        stop_on(pg_image_load(&s.picture, arguments[2], NULL));
    record *checked = make_records(CHECKED, s.tokens);
    double alone = run_alone(&s, checked, CHECKED);
    size_t most = count > 5 ? strtoul(arguments[5], NULL, 10) : SIZE_MAX;
    for (size_t i = 0; i < sizeof streams / sizeof *streams && streams[i] <= most; i++)
        run_open_loop(&s, streams[i], run_at_once(&s, streams[i], checked, CHECKED, alone));
    if (s.picture)
        run_disturbed(&s);
    free_records(checked, CHECKED);
    pg_image_free(s.picture);
    pg_model_close(s.model);
    return 0;
}
