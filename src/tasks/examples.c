#include "tasks/examples.h"

#include <math.h>

#include "data/dataset.h"
#include "model/gemma.h"
#include "ops/ops.h"

#define ANSWER_LIMIT 32 /* tokens of an answer that the file does not give */
#define ROWS         64 /* of logits at a time: the whole matrix would be larger than the model */

/* ---------------------------------------------------------------- one example */

/* The pictures of a row. */
typedef struct pictures {
    pg_image **items;
    size_t count;
} pictures;

static void free_pictures(pictures *list)
{
    for (size_t i = 0; i < list->count; i++)
        pg_image_free(list->items[i]);
    pg_free(list->items);
}

/* Freed with free_pictures, also after a failure. */
static pg_status load_pictures(pictures *out, const pg_data_row *row)
{
    *out = (pictures){.items = pg_alloc(row->image_count, sizeof *out->items)};
    if (!out->items)
        return PG_ERROR_MEMORY;
    for (; out->count < row->image_count; out->count++)
        PG_TRY(pg_row_load_image(&out->items[out->count], &row->images[out->count], NULL));
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
    pg_status status = pg_check_ids(ids, count, session, "the answer");
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

/* A text alone is a prompt; what is said of a picture is an answer. */
static pg_status fill_example(pg_example *out, pg_session *session, const pg_image *const *images)
{
    const pg_data_row *row = out->row;
    bool text = row->kind == PG_ROW_TEXT, alone = text && !row->image_count;
    pg_input input = {0};
    pg_request request;
    pg_request_init(&request);
    request.prompt = alone ? row->text : row->prefix;
    request.images = images;
    request.image_count = row->image_count;
    PG_TRY(pg_input_make(&input, session, &request));
    out->ids = input.ids;
    out->prefix = input.prefix;
    out->first = input.first;
    return add_predicted(out, session, &request, alone ? NULL : text ? row->text : row->suffix);
}

static pg_status make_example(pg_example *out, pg_session *session)
{
    pictures list;
    if (out->row->kind == PG_ROW_TEXT && !out->row->image_count &&
        session->model->weights->config.kind != PG_MODEL_GEMMA)
        return pg_fail(PG_ERROR_FORMAT, "found plain text, expected a JSON object with \"prefix\" and \"image\"");
    pg_status status = load_pictures(&list, out->row);
    if (status == PG_OK)
        status = fill_example(out, session, (const pg_image *const *)list.items);
    free_pictures(&list);
    return status;
}

static pg_status add_example(pg_examples *list, pg_session *session, size_t row)
{
    char *place;
    PG_TRY(pg_grow((void **)&list->items, &list->capacity, list->count + 1, sizeof *list->items));
    pg_example *example = &list->items[list->count++];
    *example = (pg_example){0};
    PG_TRY(pg_dataset_row(&example->row, list->dataset, row));
    pg_status status = make_example(example, session);
    if (status == PG_OK || status == PG_ERROR_MEMORY)
        return status;
    if (pg_dataset_place(&place, list->dataset, row) != PG_OK)
        return PG_ERROR_MEMORY;
    status = pg_fail_context(status, "%s", place);
    pg_free(place);
    return status;
}

/* ---------------------------------------------------------------- the file */

static pg_status load_rows(pg_examples *out, pg_session *session, const char *path)
{
    pg_dataset_options options;
    pg_dataset_options_init(&options);
    options.unanswered = true;
    PG_TRY(pg_dataset_open(&out->dataset, path, &options));
    pg_row_kind kind = pg_dataset_row_kind(out->dataset);
    if (kind != PG_ROW_SUFFIX && kind != PG_ROW_TEXT)
        return pg_fail(PG_ERROR_FORMAT,
                       "%s: has rows of kind \"%s\"; examples are prompts, with answers or without, or "
                       "texts",
                       path, pg_row_kind_name(kind));
    for (size_t row = 0; row < pg_dataset_count(out->dataset); row++)
        PG_TRY(add_example(out, session, row));
    return PG_OK;
}

pg_status pg_examples_load(pg_examples *out, pg_session *session, const char *path)
{
    *out = (pg_examples){0};
    pg_status status = load_rows(out, session, path);
    if (status != PG_OK)
        pg_examples_free(out);
    return status;
}

void pg_examples_free(pg_examples *examples)
{
    for (size_t i = 0; i < examples->count; i++) {
        pg_ids_free(&examples->items[i].ids);
        pg_data_row_free(examples->items[i].row);
    }
    pg_free(examples->items);
    pg_dataset_close(examples->dataset);
    *examples = (pg_examples){0};
}

/* ---------------------------------------------------------------- through the model */

static pg_tensor *image_features(pg_session *session, const pg_data_row *row)
{
    pictures list;
    pg_tensor *features = NULL;
    session->g.status = load_pictures(&list, row);
    if (session->g.status == PG_OK)
        features = pg_input_features(session, (const pg_image *const *)list.items, list.count);
    free_pictures(&list);
    return features;
}

pg_tensor *pg_example_forward(pg_session *session, const pg_example *example)
{
    pg_input input = {.ids = {.data = example->ids.data, .count = example->ids.count - 1}, /* borrowed */
                      .prefix = example->prefix,
                      .first = example->first};
    if (example->row->image_count)
        input.features = image_features(session, example->row);
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

static void count_token(pg_prediction *out, int32_t best, const pg_prediction *reference)
{
    if (!reference)
        out->best[out->tokens] = best;
    out->agreed += reference ? reference->best[out->tokens] == best : 1;
    out->tokens++;
}

static void predict_rows(pg_prediction *out, pg_session *session, pg_tensor *hidden, const int32_t *targets,
                         int64_t first, int64_t count, const pg_prediction *reference)
{
    pg_context *g = &session->g;
    pg_arena_mark mark = pg_arena_get_mark(&g->arena);
    float losses[ROWS] = {0};
    int32_t best[ROWS] = {0};
    pg_tensor *logits = pg_example_logits(session, hidden, first, count);
    pg_token_losses(g, losses, logits, targets);
    pg_best_tokens(g, best, NULL, logits);
    for (int64_t i = 0; logits && g->status == PG_OK && i < count; i++) {
        out->nll += (double)losses[i];
        count_token(out, best[i], reference);
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
    return g->status == PG_OK ? pg_check_finite(out->nll, session) : g->status;
}
