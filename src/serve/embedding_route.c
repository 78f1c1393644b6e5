/* POST /v1/embeddings: SigLIP's embeddings of texts and pictures in one space, in OpenAI's form. */
#include <string.h>

#include "base/base64.h"
#include "serve/answer_json.h"
#include "serve/server_models.h"
#include "serve/fields.h"
#include "serve/pictures.h"
#include "serve/routes.h"

#define INPUTS_MOST   2048
#define TEXTS_AT_ONCE 32

typedef struct embedding_request {
    json_t *document, *warnings;
    const char *model, *encoding;
    const json_t *input, *image;
    int64_t dimensions; /* 0: not given */
    bool base64;
    pg_served *served;

    /* The inputs in their order: a text, or NULL for the next picture. */
    const char **texts;
    size_t count;
    pg_pictures pictures;
    float *rows; /* [count, width] */
} embedding_request;

#define PLACE(member) offsetof(embedding_request, member)

static const pg_field embedding_fields[] = {
    {"model", PG_FIELD_TEXT, PLACE(model), 0, 0},
    {"input", PG_FIELD_VALUE, PLACE(input), 0, 0},
    {"image", PG_FIELD_VALUE, PLACE(image), 0, 0},
    {"encoding_format", PG_FIELD_TEXT, PLACE(encoding), 0, 0},
    {"dimensions", PG_FIELD_INTEGER, PLACE(dimensions), 1, 1e6},
    {"user", PG_FIELD_IGNORED, 0, 0, 0},
    {0},
};

static void free_request(embedding_request *request)
{
    json_decref(request->document);
    json_decref(request->warnings);
    pg_free(request->texts);
    pg_free(request->rows);
    pg_pictures_free(&request->pictures);
}

/* ---------------------------------------------------------------- reading */

/* The URL of a picture: "data:image/...", {"image": URL} or a part of a chat's content; NULL: the input is a text. */
static const char *picture_url(const json_t *input)
{
    const char *text = json_string_value(input);
    if (text)
        return strncmp(text, "data:image/", 11) == 0 ? text : NULL;
    const json_t *image = json_object_get(input, "image");
    if (!image)
        image = json_object_get(input, "image_url");
    return json_string_value(json_is_object(image) ? json_object_get(image, "url") : image);
}

static pg_status add_input(embedding_request *request, pg_exchange *exchange, const json_t *input)
{
    const char *url = picture_url(input);
    const json_t *text = json_is_object(input) ? json_object_get(input, "text") : input;
    if (url) {
        request->count++;
        return pg_pictures_add_url(&request->pictures, exchange, url);
    }
    if (!json_is_string(text) || strlen(json_string_value(text)) != json_string_length(text))
        return pg_fail(PG_ERROR_FORMAT, "\"input\": item %zu is no text and no picture", request->count);
    request->texts[request->count++] = json_string_value(text);
    return PG_OK;
}

static pg_status add_inputs(embedding_request *request, pg_exchange *exchange)
{
    const json_t *input = request->input;
    bool list = json_is_array(input);
    size_t count = list ? json_array_size(input) : input != NULL;
    if (count > INPUTS_MOST)
        return pg_fail(PG_ERROR_LIMIT, "\"input\" has %zu items, at most %d are taken", count, INPUTS_MOST);
    request->texts =
        pg_alloc(count + exchange->part_count + json_array_size(request->image) + 1, sizeof *request->texts);
    if (!request->texts)
        return PG_ERROR_MEMORY;
    for (size_t i = 0; i < count; i++)
        PG_TRY(add_input(request, exchange, list ? json_array_get(input, i) : input));
    size_t before = request->pictures.count;
    PG_TRY(pg_pictures_add_field(&request->pictures, exchange, request->image, "image"));
    request->count += request->pictures.count - before;
    return request->count ? PG_OK : pg_fail(PG_ERROR_FORMAT, "\"input\" is missing, or empty");
}

static pg_status read_request(embedding_request *request, pg_exchange *exchange)
{
    const pg_field *const tables[] = {embedding_fields, NULL};
    request->encoding = "float";
    PG_TRY(pg_exchange_fields(&request->document, &request->warnings, request, tables, exchange));
    request->base64 = strcmp(request->encoding, "base64") == 0;
    if (!request->base64 && strcmp(request->encoding, "float") != 0)
        return pg_fail(PG_ERROR_FORMAT, "\"encoding_format\" is \"%.40s\", expected float or base64",
                       request->encoding);
    return add_inputs(request, exchange);
}

/* ---------------------------------------------------------------- computing */

/* A few at a time, as long as somebody waits for them. */
static pg_status embed_pictures(float *rows, pg_session *session, const pg_exchange *exchange,
                                const pg_pictures *pictures, size_t width)
{
    const pg_image *const *images = (const pg_image *const *)pictures->items;
    for (size_t i = 0; i < pictures->count; i++) {
        PG_TRY(pg_exchange_check(exchange));
        PG_TRY(pg_embed_images(rows + i * width, session, images + i, 1));
    }
    return PG_OK;
}

static pg_status embed_texts(float *rows, pg_session *session, const pg_exchange *exchange, const char **texts,
                             size_t count, size_t width)
{
    for (size_t i = 0; i < count; i += TEXTS_AT_ONCE) {
        size_t some = count - i < TEXTS_AT_ONCE ? count - i : TEXTS_AT_ONCE;
        PG_TRY(pg_exchange_check(exchange));
        PG_TRY(pg_embed_texts(rows + i * width, session, texts + i, some));
    }
    return PG_OK;
}

/* Pictures first, then texts; the rows are put into the order of the inputs afterwards. */
static pg_status compute(float *rows, pg_session *session, const pg_exchange *exchange,
                         const embedding_request *request, size_t width)
{
    size_t pictures = request->pictures.count, texts = 0;
    const char **list = pg_alloc(request->count, sizeof *list);
    if (!list)
        return PG_ERROR_MEMORY;
    for (size_t i = 0; i < request->count; i++)
        if (request->texts[i])
            list[texts++] = request->texts[i];
    pg_status status = embed_pictures(rows, session, exchange, &request->pictures, width);
    if (status == PG_OK)
        status = embed_texts(rows + pictures * width, session, exchange, list, texts, width);
    pg_free(list);
    return status;
}

static pg_status embed(embedding_request *request, const pg_exchange *exchange)
{
    size_t width = pg_model_embedding_size(request->served->model), picture = 0, text = request->pictures.count;
    float *rows = pg_alloc(request->count * width, sizeof *rows);
    request->rows = pg_alloc(request->count * width, sizeof *rows);
    pg_session *session;
    pg_status status = rows && request->rows ? PG_OK : PG_ERROR_MEMORY;
    if (status == PG_OK)
        status = pg_pictures_shrink(&request->pictures, request->served);
    if (status == PG_OK)
        status = pg_served_borrow(&session, request->served, exchange);
    if (status == PG_OK) {
        status = compute(rows, session, exchange, request, width);
        pg_served_give_back(request->served);
    }
    for (size_t i = 0; i < request->count && status == PG_OK; i++) {
        size_t from = request->texts[i] ? text++ : picture++;
        memcpy(request->rows + i * width, rows + from * width, width * sizeof *rows);
    }
    pg_free(rows);
    return status;
}

/* ---------------------------------------------------------------- answering */

static json_t *describe_row(const float *row, size_t width, bool base64)
{
    if (base64) { /* little-endian, as all machines are that this runs on */
        pg_buffer text = {0};
        json_t *made =
            pg_base64_encode(&text, row, width * sizeof *row) == PG_OK ? json_stringn(text.data, text.size) : NULL;
        pg_buffer_free(&text);
        return made;
    }
    json_t *list = json_array();
    for (size_t i = 0; i < width; i++)
        pg_json_add(&list, json_real((double)row[i]));
    return list;
}

/* Tokens that were read; a text that has more than the model reads, </s> behind them, becomes a warning. */
static size_t count_tokens(const embedding_request *request)
{
    size_t all = 0, most = pg_model_context(request->served->model) - 1;
    for (size_t i = 0; i < request->count; i++) {
        int32_t *ids;
        size_t count;
        if (request->texts[i] && pg_tokenizer_encode(&ids, &count, pg_model_tokenizer(request->served->model),
                                                     request->texts[i], SIZE_MAX, PG_ENCODE_PLAIN) == PG_OK) {
            if (count > most)
                pg_warn(request->warnings,
                        json_sprintf("item %zu of \"input\" has %zu tokens, of which the model reads %zu", i, count,
                                     most));
            all += count < most ? count : most;
            pg_free(ids);
        }
    }
    return all;
}

static pg_status answer(pg_exchange *exchange, const embedding_request *request)
{
    size_t width = pg_model_embedding_size(request->served->model), tokens = count_tokens(request);
    json_t *list = json_array();
    for (size_t i = 0; i < request->count; i++)
        pg_json_add(&list, json_pack("{s:s, s:I, s:o}", "object", "embedding", "index", (json_int_t)i, "embedding",
                                     describe_row(request->rows + i * width, width, request->base64)));
    exchange->prompt_tokens = tokens;
    return pg_exchange_json(exchange,
                            json_pack("{s:s, s:s, s:o, s:{s:I, s:I}, s:O}", "object", "list", "model",
                                      request->served->name, "data", list, "usage", "prompt_tokens", (json_int_t)tokens,
                                      "total_tokens", (json_int_t)tokens, "warnings", request->warnings));
}

static pg_status check_width(const embedding_request *request)
{
    size_t width = pg_model_embedding_size(request->served->model);
    if (!request->dimensions || (size_t)request->dimensions == width)
        return PG_OK;
    return pg_fail(PG_ERROR_ARGUMENT, "\"dimensions\" is %lld, the model's embeddings have %zu",
                   (long long)request->dimensions, width);
}

static pg_status run(pg_exchange *exchange, embedding_request *request)
{
    PG_TRY(read_request(request, exchange));
    request->served = pg_engine_find(exchange, request->model, PG_KIND_MATCHERS);
    if (!request->served)
        return PG_OK;
    PG_TRY(check_width(request));
    PG_TRY(embed(request, exchange));
    return answer(exchange, request);
}

pg_status pg_route_embeddings(pg_exchange *exchange)
{
    embedding_request request = {0};
    pg_status status = run(exchange, &request);
    free_request(&request);
    return status;
}
