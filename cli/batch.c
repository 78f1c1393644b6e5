/*
 * Runs a file of requests in groups. Every line is checked before anything is computed; a request that fails alone
 * (an unreadable picture, a prompt that is too long) becomes a line with "error" and does not stop the others.
 *
 * The output file only grows, by whole lines in order, so the number of its lines says where to go on; each repeats
 * the request that it answers, so that a file of other requests is noticed.
 */
#include "batch.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "input.h"
#include "progress.h"

typedef struct batch_item {
    json_t *line;
    size_t number; /* of the line in the file */
    pg_cli_pictures pictures;
    pg_request request;
    pg_answer *answer;
    char *error; /* instead of an answer */
} batch_item;

typedef struct batch_run {
    const pg_cli_engine *engine;
    const pg_cli_answering *settings;
    const pg_cli_batch *batch;
    bool chat;
    pg_cli_jsonl lines;
    int output; /* descriptor; -1: stdout */
    size_t total, done, failed, tokens;
    batch_item *items; /* the group under way */
    size_t count;
    pg_cli_progress progress;
} batch_run;

const pg_cli_option pg_cli_batch_options[] = {
    {"batch", 0, "FILE", PG_CLI_TEXT, offsetof(pg_cli_batch, path),
     "answer all requests of a JSONL file; - is standard input", 0, 0},
    {"output", 'o', "FILE", PG_CLI_TEXT, offsetof(pg_cli_batch, output),
     "add the results to FILE, after those already there; - is standard output", 0, 0},
    {"parallel", 0, "N", PG_CLI_INTEGER, offsetof(pg_cli_batch, parallel), "requests at the same time (default: 8)", 1,
     1024},
    {0},
};

void pg_cli_batch_init(pg_cli_batch *batch)
{
    batch->parallel = 8;
}

static bool is_image(const json_t *image)
{
    size_t i;
    const json_t *entry;
    if (!image || json_is_null(image) || json_is_string(image))
        return true;
    json_array_foreach(image, i, entry) if (!json_is_string(entry)) return false;
    return json_is_array(image);
}

static int check_line(const pg_cli_jsonl *lines, const json_t *object)
{
    if (!json_is_string(json_object_get(object, "prompt")))
        return pg_cli_fail("%s: line %zu: \"prompt\": expected a text", lines->path, lines->line);
    if (!is_image(json_object_get(object, "image")))
        return pg_cli_fail("%s: line %zu: \"image\": expected a file name or a list of them", lines->path, lines->line);
    return PG_CLI_DONE;
}

/* Copies what identifies a request. */
static json_t *describe_request(const json_t *line, size_t index)
{
    static const char *const keys[] = {"image", "prompt"};
    json_t *object = pg_cli_json_object();
    pg_cli_json_set(object, "index", pg_cli_json_integer((int64_t)index));
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        json_t *value = json_object_get(line, keys[i]);
        if (value)
            pg_cli_json_set(object, keys[i], json_incref(value));
    }
    return object;
}

/* True if `result` holds everything in `request`. */
static bool answers_request(const json_t *result, const json_t *request)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)request, key,
                        value) if (!json_equal(json_object_get(result, key), value)) return false;
    return true;
}

/* Passes over the requests whose results are there. */
static int skip_results(batch_run *run, pg_cli_jsonl *results)
{
    json_t *result = NULL, *line = NULL, *request = NULL;
    int code;
    while ((code = pg_cli_jsonl_next(&result, results)) == PG_CLI_DONE && result) {
        PG_CLI_TRY(pg_cli_jsonl_next(&line, &run->lines));
        request = describe_request(line, run->done++);
        if (!line || !answers_request(result, request)) {
            code = pg_cli_fail("%s: line %zu does not answer request %zu of %s: choose another --output", results->path,
                               results->line, run->done - 1, run->batch->path);
            goto done;
        }
        run->failed += json_object_get(result, "error") != NULL;
        json_decref(request);
        json_decref(line);
        json_decref(result);
        request = line = result = NULL;
    }
done:
    json_decref(request);
    json_decref(line);
    json_decref(result);
    return code;
}

static int open_output(batch_run *run)
{
    const char *path = run->batch->output;
    struct stat about;
    run->output = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (run->output < 0 || fstat(run->output, &about) != 0)
        return pg_cli_fail("%s: %s", path, strerror(errno));
    if (!S_ISREG(about.st_mode))
        return pg_cli_fail("%s: not a regular file: leave out --output and redirect standard output", path);
    return PG_CLI_DONE;
}

/* Goes behind the results that the output file holds, and cuts a torn last line off. */
static int resume(batch_run *run)
{
    const char *path = run->batch->output;
    pg_cli_jsonl results;
    int code = pg_cli_jsonl_open(&results, path);
    if (code != PG_CLI_DONE)
        return code;
    const char *end = memrchr(results.text, '\n', results.size);
    size_t whole = end ? (size_t)(end + 1 - results.text) : 0;
    bool torn = whole < results.size;
    results.size = whole;
    code = skip_results(run, &results);
    if (code == PG_CLI_DONE && torn && ftruncate(run->output, (off_t)whole) != 0)
        code = pg_cli_fail("%s: %s", path, strerror(errno));
    pg_cli_jsonl_close(&results);
    return code;
}

/* A file name in the batch file is seen from the batch file's folder. */
static char *join(const char *batch, const char *image)
{
    const char *slash = strrchr(batch, '/');
    if (image[0] == '/')
        return pg_cli_text("%s", image);
    if (!slash)
        return pg_cli_text("./%s", image);
    return pg_cli_text("%.*s/%s", (int)(slash - batch), batch, image);
}

static pg_status load_pictures(batch_item *item, const batch_run *run)
{
    const json_t *image = json_object_get(item->line, "image");
    size_t count = json_is_string(image) ? 1 : json_array_size(image);
    char **paths = pg_cli_alloc(count, sizeof *paths);
    for (size_t i = 0; i < count; i++) {
        const json_t *name = json_is_string(image) ? image : json_array_get(image, i);
        paths[i] = join(run->batch->path, json_string_value(name));
    }
    pg_status status =
        pg_cli_pictures_load(&item->pictures, (const char *const *)paths, count, &run->settings->looking);
    for (size_t i = 0; i < count; i++)
        free(paths[i]);
    free(paths);
    return status;
}

/* Keeps the error as the result of this request. */
static void fail_item(batch_item *item, batch_run *run)
{
    item->error = pg_cli_text("%s", pg_error_last());
    run->failed++;
    pg_cli_progress_clear(&run->progress);
    pg_cli_fail("%s: line %zu: %s", run->lines.path, item->number, item->error);
}

static void prepare_item(batch_item *item, batch_run *run)
{
    if (load_pictures(item, run) != PG_OK) {
        fail_item(item, run);
        return;
    }
    pg_request *request = &item->request;
    *request = run->settings->request;
    request->prompt = json_string_value(json_object_get(item->line, "prompt"));
    request->images = (const pg_image *const *)item->pictures.items;
    request->image_count = item->pictures.count;
    request->style = run->chat ? PG_PROMPT_CHAT : request->image_count ? PG_PROMPT_TASK : PG_PROMPT_TEXT;
    if (request->beams <= 1)
        request->on_text = pg_cli_on_text;
}

static int load_group(batch_run *run)
{
    for (run->count = 0; run->count < (size_t)run->batch->parallel; run->count++) {
        batch_item *item = &run->items[run->count];
        json_t *line;
        int code = pg_cli_jsonl_next(&line, &run->lines);
        if (code != PG_CLI_DONE || !line)
            return code;
        *item = (batch_item){.line = line, .number = run->lines.line};
        prepare_item(item, run);
    }
    return PG_CLI_DONE;
}

/* Answers those of `count` items that have no error yet, all at once. */
static pg_status answer_together(batch_item *items, size_t count, const batch_run *run)
{
    pg_request *requests = pg_cli_alloc(count, sizeof *requests);
    pg_answer **answers = pg_cli_alloc(count, sizeof *answers);
    size_t used = 0;
    for (size_t i = 0; i < count; i++)
        if (!items[i].error)
            requests[used++] = items[i].request;
    pg_status status = used ? pg_generate(answers, run->engine->session, requests, used) : PG_OK;
    for (size_t i = 0, next = 0; i < count && status == PG_OK; i++)
        if (!items[i].error)
            items[i].answer = answers[next++];
    free(answers);
    free(requests);
    return status;
}

/* One request that cannot be run fails the call for all of them; then each is tried alone. */
static void answer_group(batch_run *run)
{
    if (answer_together(run->items, run->count, run) == PG_OK)
        return;
    for (size_t i = 0; i < run->count && !pg_cli_interrupted(); i++)
        if (!run->items[i].error && answer_together(&run->items[i], 1, run) != PG_OK)
            fail_item(&run->items[i], run);
}

static int write_line(const batch_run *run, const char *line)
{
    if (run->output < 0) {
        pg_cli_print("%s\n", line);
        return pg_cli_flush() ? PG_CLI_DONE : PG_CLI_FAILURE;
    }
    char *text = pg_cli_text("%s\n", line);
    size_t size = strlen(text), written = 0;
    off_t end = lseek(run->output, 0, SEEK_END);
    ssize_t step = 1;
    while (written < size && step > 0) {
        step = write(run->output, text + written, size - written);
        written += step > 0 ? (size_t)step : 0;
    }
    int code = PG_CLI_DONE;
    if (written < size) {
        code = pg_cli_fail("%s: %s", run->batch->output, strerror(errno));
        if (ftruncate(run->output, end) != 0)
            pg_cli_fail("%s: the last line is not complete", run->batch->output);
    }
    free(text);
    return code;
}

static int write_item(const batch_item *item, batch_run *run)
{
    json_t *object = describe_request(item->line, run->done);
    if (item->error)
        pg_cli_json_set(object, "error", pg_cli_json_text(item->error));
    else
        pg_cli_answer_describe(object, item->answer, run->engine);
    run->tokens += item->answer ? item->answer->count : 0;
    char *line = pg_cli_json_line(object);
    int code = write_line(run, line);
    if (code == PG_CLI_DONE)
        run->done++;
    free(line);
    json_decref(object);
    return code;
}

static void free_item(batch_item *item)
{
    pg_answer_free(item->answer);
    pg_cli_pictures_free(&item->pictures);
    free(item->error);
    json_decref(item->line);
}

static int run_group(batch_run *run)
{
    int code = load_group(run);
    if (code == PG_CLI_DONE)
        answer_group(run);
    /* What was going on when Ctrl-C was pressed is not a result: the next run makes it again. */
    for (size_t i = 0; i < run->count && code == PG_CLI_DONE && !pg_cli_interrupted(); i++)
        code = write_item(&run->items[i], run);
    for (size_t i = 0; i < run->count; i++)
        free_item(&run->items[i]);
    return code;
}

static void print_stats(const batch_run *run)
{
    double seconds = pg_cli_clock() - run->progress.start;
    fprintf(stderr, "load         %8.3f s\n", run->engine->load_seconds);
    fprintf(stderr, "answers      %8.3f s  %zu requests, %zu tokens, %.2f a second\n", seconds,
            run->done - run->progress.first, run->tokens, (double)run->tokens / seconds);
    pg_cli_stats_machine(run->engine);
}

static int run_all(batch_run *run)
{
    int code = PG_CLI_DONE;
    run->items = pg_cli_alloc((size_t)run->batch->parallel, sizeof *run->items);
    pg_cli_progress_start(&run->progress, run->done, run->total);
    while (code == PG_CLI_DONE && run->done < run->total && !pg_cli_interrupted()) {
        code = run_group(run);
        pg_cli_progress_show(&run->progress, run->done);
    }
    pg_cli_progress_clear(&run->progress);
    free(run->items);
    if (run->settings->stats)
        print_stats(run);
    if (code != PG_CLI_DONE)
        return code;
    return pg_cli_interrupted() ? PG_CLI_INTERRUPTED : run->failed ? PG_CLI_FAILURE : PG_CLI_DONE;
}

int pg_cli_batch_run(const pg_cli_engine *engine, const pg_cli_answering *settings, const pg_cli_batch *batch,
                     bool chat)
{
    batch_run run = {.engine = engine, .settings = settings, .batch = batch, .chat = chat, .output = -1};
    int code;
    PG_CLI_TRY(pg_cli_jsonl_open(&run.lines, batch->path));
    PG_CLI_TRY(pg_cli_jsonl_count(&run.total, &run.lines, check_line));
    if (batch->output && strcmp(batch->output, "-") != 0) {
        PG_CLI_TRY(open_output(&run));
        PG_CLI_TRY(resume(&run));
    }
    code = run_all(&run);
done:
    if (run.output >= 0)
        close(run.output);
    pg_cli_jsonl_close(&run.lines);
    return code;
}
