/* POST /v1/caption, /v1/detect and /v1/segment: PaliGemma's tasks with answers of their own types. */
#include <string.h>

#include "serve/answer_json.h"
#include "serve/find_objects.h"
#include "serve/routes.h"
#include "serve/server.h"

/* ---------------------------------------------------------------- captions */

typedef struct caption_request {
    pg_generation generation; /* first */
    const char *language, *prompt;
    const json_t *image;
} caption_request;

#define CAPTION(member) offsetof(caption_request, member)

static const pg_field caption_fields[] = {
    {"image", PG_FIELD_VALUE, CAPTION(image), 0, 0},
    {"language", PG_FIELD_TEXT, CAPTION(language), 0, 0},
    {"prompt", PG_FIELD_TEXT, CAPTION(prompt), 0, 0},
    {0},
};

static pg_status read_caption(caption_request *request, pg_exchange *exchange)
{
    pg_buffer prompt = {0};
    request->language = "en";
    pg_generation_init(&request->generation);
    PG_TRY(pg_generation_read(&request->generation, exchange, caption_fields));
    if (request->generation.answers != 1 || request->generation.stream)
        return pg_fail(PG_ERROR_ARGUMENT, "captions come one at a time and whole: /v1/chat/completions knows \"n\" and "
                                          "\"stream\"");
    pg_status status = request->prompt ? pg_buffer_print(&prompt, "%s", request->prompt)
                                       : pg_buffer_print(&prompt, "caption %s", request->language);
    request->generation.prompt = prompt.data;
    PG_TRY(status);
    return pg_pictures_add_one(&request->generation.pictures, exchange, request->image);
}

static pg_status answer_caption(pg_exchange *exchange, pg_generation *generation)
{
    pg_job job;
    pg_telling telling;
    size_t width = pg_image_width(generation->pictures.items[0]);
    size_t height = pg_image_height(generation->pictures.items[0]);
    pg_generation_job(&job, generation);
    PG_TRY(pg_telling_start(&telling, exchange, &job));
    pg_pictures_free(&generation->pictures); /* the job has its own */
    pg_status status = pg_telling_complete(&telling);
    if (status == PG_OK) {
        const pg_told_answer *answer = telling.answers;
        pg_exchange_note(exchange, generation->prompt, answer->text.data);
        status = pg_exchange_json(exchange,
                                  json_pack("{s:s, s:s, s:o, s:s, s:I, s:I, s:o, s:O}", "model",
                                            generation->served->name, "prompt", generation->prompt, "caption",
                                            json_stringn(answer->text.data ? answer->text.data : "", answer->text.size),
                                            "finish_reason", pg_finish_name(answer->finish), "width", (json_int_t)width,
                                            "height", (json_int_t)height, "usage",
                                            pg_usage_json(telling.usage.prompt_tokens, telling.usage.answer_tokens),
                                            "warnings", generation->warnings));
    }
    pg_telling_finish(&telling);
    return status;
}

pg_status pg_route_caption(pg_exchange *exchange)
{
    caption_request request = {0};
    pg_status status = read_caption(&request, exchange);
    if (status == PG_OK && pg_generation_find_model(&request.generation, exchange, PG_KIND_LOOKERS))
        status = answer_caption(exchange, &request.generation);
    pg_generation_free(&request.generation);
    return status;
}

/* ---------------------------------------------------------------- objects */

typedef struct object_request {
    json_t *document, *warnings;
    const char *model, *prompt, *masks;
    const json_t *image;
    pg_texts labels;
    double threshold;
    int64_t max_objects;
    bool free;
    pg_pictures pictures;
    pg_texts split; /* of one text "cat ; dog", */
    char *block;    /* and where they lie */
} object_request;

#define OBJECT(member) offsetof(object_request, member)

static const pg_field object_fields[] = {
    {"model", PG_FIELD_TEXT, OBJECT(model), 0, 0},
    {"image", PG_FIELD_VALUE, OBJECT(image), 0, 0},
    {"labels", PG_FIELD_TEXTS, OBJECT(labels), 0, 0},
    {"prompt", PG_FIELD_TEXT, OBJECT(prompt), 0, 0},
    {"threshold", PG_FIELD_NUMBER, OBJECT(threshold), 0, 1},
    {"max_objects", PG_FIELD_INTEGER, OBJECT(max_objects), 1, 1000},
    {"free", PG_FIELD_TRUTH, OBJECT(free), 0, 0},
    {0},
};

static const pg_field mask_fields[] = {{"masks", PG_FIELD_TEXT, OBJECT(masks), 0, 0}, {0}};
static const pg_field no_fields[] = {{0}};

static void free_object_request(object_request *request)
{
    json_decref(request->document);
    json_decref(request->warnings);
    pg_free(request->labels.items);
    pg_free(request->split.items);
    pg_free(request->block);
    pg_pictures_free(&request->pictures);
}

static pg_status read_objects(object_request *request, pg_exchange *exchange, pg_object_query *query)
{
    const pg_field *const tables[] = {object_fields, query->options.masks ? mask_fields : no_fields, NULL};
    PG_TRY(pg_exchange_fields(&request->document, &request->warnings, request, tables, exchange));
    if (request->masks)
        PG_TRY(pg_mask_form_read(&query->form, request->masks));
    const pg_texts *labels = &request->labels;
    if (labels->count == 1) {
        PG_TRY(pg_texts_split(&request->split, &request->block, labels->items[0]));
        labels = &request->split;
    }
    if (!labels->count && !(request->prompt && request->free))
        return pg_fail(PG_ERROR_ARGUMENT, "\"labels\" names nothing to look for (\"prompt\" alone needs \"free\")");
    query->options.labels = labels->items;
    query->options.label_count = labels->count;
    query->options.prompt = request->prompt;
    query->options.free = request->free;
    query->options.max_objects = (size_t)request->max_objects;
    query->options.threshold = request->threshold;
    PG_TRY(pg_pictures_add_one(&request->pictures, exchange, request->image));
    query->pictures = &request->pictures;
    return PG_OK;
}

static pg_status answer_objects(pg_exchange *exchange, const object_request *request, pg_object_query *query)
{
    json_t *document;
    char *text;
    pg_finish finish = PG_FINISH_STOP;
    PG_TRY(pg_find_objects(&document, &text, &finish, exchange, query));
    json_t *more =
        json_pack("{s:s, s:s, s:s, s:o, s:O}", "model", query->served->name, "text", text, "finish_reason",
                  pg_finish_name(finish), "usage", pg_usage_json(exchange->prompt_tokens, exchange->answer_tokens),
                  "warnings", request->warnings);
    pg_free(text);
    if (json_object_update_new(document, more) == 0)
        return pg_exchange_json(exchange, document);
    json_decref(document);
    return pg_fail(PG_ERROR_MEMORY, "out of memory");
}

static pg_status find(pg_exchange *exchange, pg_masks masks)
{
    object_request request = {0};
    pg_object_query query = {0};
    pg_detect_options_init(&query.options);
    query.options.masks = masks;
    pg_status status = read_objects(&request, exchange, &query);
    query.served = status == PG_OK ? pg_engine_find(exchange, request.model, PG_KIND_LOOKERS) : NULL;
    if (query.served)
        status = answer_objects(exchange, &request, &query);
    free_object_request(&request);
    return status;
}

pg_status pg_route_detect(pg_exchange *exchange)
{
    return find(exchange, PG_MASKS_NONE);
}

pg_status pg_route_segment(pg_exchange *exchange)
{
    return find(exchange, PG_MASKS_ALWAYS);
}
