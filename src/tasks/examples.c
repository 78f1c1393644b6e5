#include "tasks/examples.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "model/gemma.h"
#include "ops/ops.h"

#define FILE_LIMIT   ((size_t)256 << 20)
#define ANSWER_LIMIT 32 /* tokens of an answer that the file does not give */
#define ROWS         64 /* of logits at a time: the whole matrix would be larger than the model */

/* What one line says. */
typedef struct line_text {
    const char *prefix, *suffix, *image;
} line_text;

typedef struct reader {
    pg_examples *out;
    pg_session *session;
    const char *path;
    pg_buffer where, text; /* "FILE: line 3"; a line, ending in NUL */
    enum { UNKNOWN, JSON, PLAIN } kind;
} reader;

/* ---------------------------------------------------------------- one example */

/* PATH as seen from the folder of the file. */
static pg_status place_image(char **out, const char *file, const char *path)
{
    const char *slash = strrchr(file, '/');
    pg_buffer whole = {0};
    *out = NULL;
    int folder = slash && *path != '/' ? (int)(slash - file) + 1 : 0;
    PG_TRY(pg_buffer_print(&whole, "%.*s%s", folder, file, path));
    *out = whole.data;
    return PG_OK;
}

/* The model's own answer. A token that stands for pictures could not be read again, only predicted. */
static pg_status add_answer(pg_example *example, pg_session *session, const pg_request *request)
{
    pg_request greedy = *request;
    pg_answer *answer;
    greedy.max_new_tokens = ANSWER_LIMIT;
    greedy.min_new_tokens = 0;
    greedy.temperature = 0;
    greedy.beams = 1;
    greedy.repetition_penalty = 1;
    greedy.no_repeat_ngram = 0;
    PG_TRY(pg_generate(&answer, session, &greedy, 1));
    pg_status status = PG_OK;
    for (size_t i = 0; status == PG_OK && i < answer->count; i++) {
        status = pg_ids_add(&example->ids, answer->tokens[i]);
        if (answer->tokens[i] == session->model->weights->config.image_token)
            break;
    }
    pg_answer_free(answer);
    return status;
}

static pg_status add_suffix(pg_example *example, const pg_session *session, const char *suffix)
{
    int32_t *ids;
    size_t count;
    PG_TRY(pg_tokenizer_encode(&ids, &count, session->model->tokenizer, suffix, SIZE_MAX, PG_ENCODE_EOS));
    pg_status status = PG_OK;
    for (size_t i = 0; status == PG_OK && i < count; i++)
        status = pg_ids_add(&example->ids, ids[i]);
    pg_free(ids);
    return status;
}

static pg_status add_predicted(pg_example *example, pg_session *session, const pg_request *request, const char *suffix)
{
    example->predicted = example->ids.count;
    if (suffix)
        PG_TRY(add_suffix(example, session, suffix));
    else if (session->model->weights->config.kind == PG_MODEL_PALIGEMMA)
        PG_TRY(add_answer(example, session, request));
    else
        example->predicted = 1;
    if (example->predicted >= example->ids.count)
        return pg_fail(PG_ERROR_FORMAT, "found no text that could be predicted");
    if ((int64_t)example->ids.count > session->context)
        return pg_fail(PG_ERROR_LIMIT, "%zu tokens, the context holds %lld", example->ids.count,
                       (long long)session->context);
    return PG_OK;
}

static pg_status make_example(pg_example *out, const reader *run, const line_text *line)
{
    pg_image *picture = NULL;
    pg_input input = {0};
    pg_request request;
    pg_status status;
    pg_request_init(&request);
    request.prompt = line->prefix;
    if (line->image) {
        PG_TRY(place_image(&out->image, run->path, line->image));
        PG_TRY(pg_image_load(&picture, out->image, NULL));
        request.images = (const pg_image *const *)&picture;
        request.image_count = 1;
    }
    PG_TRY_GOTO(pg_input_make(&input, run->session, &request));
    out->ids = input.ids;
    out->prefix = input.prefix;
    out->first = input.first;
    status = add_predicted(out, run->session, &request, line->suffix);
done:
    pg_image_free(picture);
    return status;
}

static pg_status add_example(reader *run, const line_text *line)
{
    pg_examples *list = run->out;
    PG_TRY(pg_grow((void **)&list->items, &list->capacity, list->count + 1, sizeof *list->items));
    pg_example *example = &list->items[list->count++];
    *example = (pg_example){0};
    pg_status status = make_example(example, run, line);
    return status == PG_OK ? status : pg_fail_context(status, "%s", run->where.data);
}

/* ---------------------------------------------------------------- the file */

static pg_status read_field(const char **out, const json_t *object, const char *key, const char *where)
{
    PG_TRY(pg_json_string(out, (pg_json_field){object, where, key, false}));
    size_t size = json_string_length(json_object_get(object, key));
    return size && strlen(*out) < size ? pg_fail(PG_ERROR_FORMAT, "%s: \"%s\": found a NUL in the text", where, key)
                                       : PG_OK;
}

static pg_status read_object(reader *run, const json_t *object)
{
    line_text line = {0};
    const char *where = run->where.data;
    PG_TRY(read_field(&line.prefix, object, "prompt", where));
    PG_TRY(read_field(&line.prefix, object, "prefix", where));
    PG_TRY(read_field(&line.suffix, object, "suffix", where));
    PG_TRY(read_field(&line.image, object, "image", where));
    if (!line.prefix)
        return pg_fail(PG_ERROR_FORMAT, "%s: found neither \"prefix\" nor \"prompt\"", where);
    return add_example(run, &line);
}

static pg_status read_json(reader *run, size_t number)
{
    json_t *object;
    PG_TRY(pg_json_parse_line(&object, run->text.data, run->text.size, run->path, number));
    pg_status status =
        json_is_object(object)
            ? read_object(run, object)
            : pg_fail(PG_ERROR_FORMAT, "%s: found another JSON value, expected an object", run->where.data);
    json_decref(object);
    return status;
}

static pg_status read_plain(reader *run)
{
    if (run->session->model->weights->config.kind != PG_MODEL_GEMMA)
        return pg_fail(PG_ERROR_FORMAT, "%s: found plain text, expected a JSON object with \"prefix\" and \"image\"",
                       run->where.data);
    if (strlen(run->text.data) < run->text.size)
        return pg_fail(PG_ERROR_FORMAT, "%s: found a NUL in the text", run->where.data);
    return add_example(run, &(line_text){.prefix = run->text.data});
}

static pg_status read_line(reader *run, const char *text, size_t size, size_t number)
{
    size_t blank = 0;
    while (blank < size && strchr(" \t\r", text[blank]) && text[blank])
        blank++;
    if (blank == size)
        return PG_OK;
    if (run->kind == UNKNOWN)
        run->kind = text[blank] == '{' ? JSON : PLAIN;
    pg_buffer_reset(&run->where);
    pg_buffer_reset(&run->text);
    PG_TRY(pg_buffer_print(&run->where, "%s: line %zu", run->path, number));
    PG_TRY(pg_buffer_append(&run->text, text, size));
    return run->kind == JSON ? read_json(run, number) : read_plain(run);
}

static pg_status read_lines(reader *run, const pg_buffer *file)
{
    size_t number = 0;
    for (size_t at = 0; at < file->size;) {
        const char *line = file->data + at, *end = memchr(line, '\n', file->size - at);
        size_t size = end ? (size_t)(end - line) : file->size - at;
        PG_TRY(read_line(run, line, size, ++number));
        at += size + 1;
    }
    return run->out->count ? PG_OK : pg_fail(PG_ERROR_FORMAT, "%s: found no examples", run->path);
}

pg_status pg_examples_load(pg_examples *out, pg_session *session, const char *path)
{
    pg_buffer file = {0};
    reader run = {.out = out, .session = session, .path = path};
    *out = (pg_examples){0};
    pg_status status = pg_file_read(&file, path, FILE_LIMIT);
    if (status == PG_OK)
        status = read_lines(&run, &file);
    if (status != PG_OK)
        pg_examples_free(out);
    pg_buffer_free(&run.where);
    pg_buffer_free(&run.text);
    pg_buffer_free(&file);
    return status;
}

void pg_examples_free(pg_examples *examples)
{
    for (size_t i = 0; i < examples->count; i++) {
        pg_ids_free(&examples->items[i].ids);
        pg_free(examples->items[i].image);
    }
    pg_free(examples->items);
    *examples = (pg_examples){0};
}

/* ---------------------------------------------------------------- through the model */

static pg_tensor *image_features(pg_session *session, const char *path)
{
    pg_image *picture;
    session->g.status = pg_image_load(&picture, path, NULL);
    if (session->g.status != PG_OK)
        return NULL;
    pg_tensor *features = pg_input_features(session, (const pg_image *const *)&picture, 1);
    pg_image_free(picture);
    return features;
}

pg_tensor *pg_example_forward(pg_session *session, const pg_example *example)
{
    pg_input input = {.ids = {.data = example->ids.data, .count = example->ids.count - 1}, /* borrowed */
                      .prefix = example->prefix,
                      .first = example->first};
    if (example->image)
        input.features = image_features(session, example->image);
    return session->g.status == PG_OK ? pg_input_forward(session, &input, -1) : NULL;
}

pg_tensor *pg_example_logits(pg_session *session, pg_tensor *hidden, int64_t first, int64_t count)
{
    pg_context *g = &session->g;
    int64_t *rows = pg_scratch(g, (size_t)count * sizeof *rows);
    if (!rows || !hidden)
        return NULL;
    for (int64_t i = 0; i < count; i++)
        rows[i] = first + i;
    return pg_gemma_logits(g, &session->model->weights->text, pg_take_rows(g, hidden, rows, count));
}

static void count_row(pg_prediction *out, const float *logits, int64_t vocabulary, const pg_prediction *reference)
{
    pg_candidate best;
    pg_best_logits(&best, 1, logits, vocabulary);
    if (!reference)
        out->best[out->tokens] = best.id;
    out->agreed += reference ? reference->best[out->tokens] == best.id : 1;
    out->tokens++;
}

static void predict_rows(pg_prediction *out, pg_session *session, pg_tensor *hidden, const int32_t *targets,
                         int64_t first, int64_t count, const pg_prediction *reference)
{
    pg_context *g = &session->g;
    pg_arena_mark mark = pg_arena_get_mark(&g->arena);
    float losses[ROWS] = {0};
    pg_tensor *logits = pg_example_logits(session, hidden, first, count);
    pg_token_losses(g, losses, logits, targets);
    for (int64_t i = 0; logits && g->status == PG_OK && i < count; i++) {
        out->nll += (double)losses[i];
        count_row(out, (float *)logits->data + i * logits->width, logits->width, reference);
    }
    pg_arena_release(&g->arena, mark);
}

pg_status pg_example_predict(pg_prediction *out, pg_session *session, const pg_example *example,
                             const pg_prediction *reference)
{
    pg_context *g = &session->g;
    pg_arena_mark mark = pg_arena_get_mark(&g->arena);
    int64_t end = (int64_t)example->ids.count - 1;
    if (!reference)
        PG_TRY(pg_grow((void **)&out->best, &out->capacity, out->tokens + example->ids.count, sizeof *out->best));
    g->status = PG_OK;
    pg_tensor *hidden = pg_example_forward(session, example);
    for (int64_t first = (int64_t)example->predicted - 1; g->status == PG_OK && first < end; first += ROWS)
        predict_rows(out, session, hidden, example->ids.data + first + 1, first,
                     end - first < ROWS ? end - first : ROWS, reference);
    pg_arena_release(&g->arena, mark);
    if (g->status == PG_OK && !isfinite(out->nll))
        return pg_fail(PG_ERROR_FORMAT, "%s: the logits are not finite; are the weights damaged?",
                       session->model->folder);
    return g->status;
}
