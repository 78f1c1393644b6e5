/* What a repository holds, and what its files are: short answers, before anything is fetched. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "hub/hub_job.h"

#define LARGEST_LISTING ((size_t)64 << 20)

/* ---------------------------------------------------------------- headers */

bool pg_hub_etag_read(char out[PG_HUB_SUM_SIZE], const char *header)
{
    if (!strncmp(header, "W/", 2))
        header += 2;
    header += *header == '"';
    size_t size = strcspn(header, "\"");
    if (size >= PG_HUB_SUM_SIZE)
        return false;
    for (size_t i = 0; i < size; i++)
        out[i] = (char)tolower((unsigned char)header[i]);
    out[size] = 0;
    return pg_hub_sum_kind(out) != NULL;
}

int64_t pg_hub_size_read(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    return digits && digits < 19 && !text[digits] ? strtoll(text, NULL, 10) : -1;
}

/* Digits up to a character; -1 where it is something else. */
static int64_t read_part(const char **text, char end)
{
    char digits[20];
    size_t size = strspn(*text, "0123456789");
    if (size >= sizeof digits || (*text)[size] != end)
        return -1;
    memcpy(digits, *text, size);
    digits[size] = 0;
    *text += size + (end != 0);
    return pg_hub_size_read(digits);
}

bool pg_hub_range_read(int64_t *from, int64_t *total, const char *header)
{
    if (strncmp(header, "bytes ", 6))
        return false;
    header += 6;
    *from = read_part(&header, '-');
    int64_t to = *from < 0 ? -1 : read_part(&header, '/');
    if (to < *from || to < 0)
        return false;
    bool unknown = !strcmp(header, "*");
    *total = unknown ? -1 : read_part(&header, 0);
    return unknown || *total > to;
}

/* ---------------------------------------------------------------- a question */

typedef struct question {
    pg_hub_job *job;
    pg_hub_file *file; /* NULL: the listing */
    pg_buffer url, body;
    pg_hub_patience patience;
    bool asked, answered;
} question;

static bool on_body(void *user, const pg_http_answer *answer, const void *bytes, size_t size)
{
    question *q = user;
    (void)answer;
    if (q->job->status != PG_OK)
        return false;
    if (q->body.size + size > LARGEST_LISTING)
        q->job->status = pg_fail(PG_ERROR_LIMIT, "%s: the hub's list of files is larger than %zu bytes",
                                 q->job->repository, LARGEST_LISTING);
    else
        q->job->status = pg_buffer_append(&q->body, bytes, size);
    return q->job->status == PG_OK;
}

static pg_status read_metadata(pg_hub_file *file, const char *repository, const pg_http_answer *answer)
{
    const char *linked = answer->headers[PG_HTTP_LINKED_ETAG], *size = answer->headers[PG_HTTP_LINKED_SIZE];
    if (!pg_hub_etag_read(file->etag, *linked ? linked : answer->headers[PG_HTTP_ETAG]))
        return pg_fail(PG_ERROR_FORMAT,
                       "%s: %s: the hub gives \"%.80s\" as its etag; expected a SHA-256 or git's SHA-1", repository,
                       file->name, *linked ? linked : answer->headers[PG_HTTP_ETAG]);
    file->size = pg_hub_size_read(*size ? size : answer->headers[PG_HTTP_LENGTH]);
    if (file->size < 0)
        return pg_fail(PG_ERROR_FORMAT, "%s: %s: the hub does not say its size", repository, file->name);
    return PG_OK;
}

static bool is_answer(const question *q, const pg_http_answer *answer)
{
    bool elsewhere = q->file && answer->code >= 300 && answer->code < 400;
    return !answer->trouble && !answer->stopped && (answer->code == 200 || elsewhere);
}

static void on_done(void *user, const pg_http_answer *answer)
{
    question *q = user;
    pg_hub_job *job = q->job;
    q->asked = false;
    if (job->status != PG_OK)
        return;
    q->answered = is_answer(q, answer);
    if (!q->answered) {
        pg_buffer_reset(&q->body);
        job->status = pg_hub_be_patient(&q->patience, job, q->file ? q->file->name : NULL, answer);
    } else if (q->file)
        job->status = read_metadata(q->file, job->repository, answer);
}

static pg_status ask(question *q)
{
    const pg_http_request request = {
        .url = q->url.data,
        .head = q->file != NULL,
        .timeout = q->job->place.answer_timeout,
        .on_body = on_body,
        .on_done = on_done,
        .user = q,
    };
    PG_TRY(pg_http_start(q->job->http, &request));
    q->asked = true;
    return PG_OK;
}

/* Asks those whose time has come. */
static pg_status ask_some(bool *finished, pg_hub_job *job, question *questions, size_t count)
{
    size_t asked = 0, answered = 0,
           most = (size_t)(job->options->connections ? job->options->connections : PG_HUB_CONNECTIONS);
    for (size_t i = 0; i < count; i++)
        asked += questions[i].asked;
    for (size_t i = 0; i < count; i++) {
        question *q = &questions[i];
        answered += q->answered;
        if (q->answered || q->asked || asked >= most || q->patience.until > pg_clock())
            continue;
        PG_TRY(ask(q));
        asked++;
    }
    job->progress.waiting = !asked;
    *finished = answered == count;
    return PG_OK;
}

static pg_status ask_all(pg_hub_job *job, question *questions, size_t count)
{
    for (;;) {
        bool finished;
        PG_TRY(ask_some(&finished, job, questions, count));
        if (finished)
            return PG_OK;
        PG_TRY(pg_http_wait(job->http, 100));
        PG_TRY(job->status);
        PG_TRY(pg_hub_report(job, false));
    }
}

static pg_status ask_and_wait(pg_hub_job *job, question *questions, size_t count)
{
    pg_status status = ask_all(job, questions, count);
    pg_http_drop(job->http); /* what a failure left on its way */
    return status;
}

/* ---------------------------------------------------------------- all questions */

static pg_status listing_url(pg_buffer *out, const pg_hub_job *job)
{
    PG_TRY(pg_buffer_print(out, "%s/api/models/%s/revision/", job->place.endpoint.data, job->repository));
    return pg_http_quote(out, job->revision, false);
}

pg_status pg_hub_file_url(pg_buffer *out, const pg_hub_job *job, const pg_hub_file *file)
{
    PG_TRY(pg_buffer_print(out, "%s/%s/resolve/%s/", job->place.endpoint.data, job->repository, job->listing.commit));
    return pg_http_quote(out, file->name, true);
}

pg_status pg_hub_ask_listing(pg_hub_job *job)
{
    question q = {.job = job};
    pg_status status = listing_url(&q.url, job);
    if (status == PG_OK)
        status = ask_and_wait(job, &q, 1);
    if (status == PG_OK)
        status = pg_hub_listing_parse(&job->listing, q.body.data ? q.body.data : "", q.body.size, job->repository);
    pg_buffer_free(&q.url);
    pg_buffer_free(&q.body);
    return status;
}

pg_status pg_hub_ask_files(pg_hub_job *job)
{
    size_t count = job->listing.files.count;
    question *questions = pg_alloc(count, sizeof *questions);
    if (!questions)
        return PG_ERROR_MEMORY;
    pg_status status = PG_OK;
    for (size_t i = 0; status == PG_OK && i < count; i++) {
        questions[i].job = job;
        questions[i].file = &job->files[i];
        questions[i].answered = job->files[i].linked;
        status = pg_hub_file_url(&questions[i].url, job, &job->files[i]);
    }
    if (status == PG_OK)
        status = ask_and_wait(job, questions, count);
    for (size_t i = 0; i < count; i++)
        pg_buffer_free(&questions[i].url);
    pg_free(questions);
    return status;
}
