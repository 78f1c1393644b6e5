/*
 * POST /v1/explain: which patches of a picture each part of an answer comes from. The answer is given: what the model
 * said before, or anything else. A map is a list of whole numbers, row by row, 255 being its largest share, which is
 * "peak".
 */
#include <string.h>

#include "serve/fields.h"
#include "serve/pictures.h"
#include "serve/routes.h"
#include "serve/server_models.h"

typedef struct explain_request {
    json_t *document, *warnings;
    const char *model, *prompt, *answer, *method;
    const json_t *image;
    bool tower;
    pg_pictures pictures;
} explain_request;

#define PLACE(member) offsetof(explain_request, member)

static const pg_field explain_fields[] = {
    {"model", PG_FIELD_TEXT, PLACE(model), 0, 0},
    {"prompt", PG_FIELD_TEXT, PLACE(prompt), 0, 0},
    {"answer", PG_FIELD_TEXT, PLACE(answer), 0, 0},
    {"method", PG_FIELD_TEXT, PLACE(method), 0, 0},
    {"image", PG_FIELD_VALUE, PLACE(image), 0, 0},
    {"tower", PG_FIELD_TRUTH, PLACE(tower), 0, 0},
    {0},
};

static pg_status read_method(pg_explain_method *out, const char *name)
{
    static const char *const names[] = {"auto", "gradient", "rollout", "attention"};
    static const pg_explain_method methods[] = {PG_EXPLAIN_AUTO, PG_EXPLAIN_GRADIENT, PG_EXPLAIN_ROLLOUT,
                                                PG_EXPLAIN_ATTENTION};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0) {
            *out = methods[i];
            return PG_OK;
        }
    return pg_fail(PG_ERROR_FORMAT, "\"method\" is \"%.40s\", expected auto, gradient, rollout or attention", name);
}

static pg_status read_request(explain_request *request, pg_explain_options *options, pg_exchange *exchange)
{
    const pg_field *const tables[] = {explain_fields, NULL};
    request->prompt = "";
    request->method = "auto";
    PG_TRY(pg_exchange_fields(&request->document, &request->warnings, request, tables, exchange));
    if (!request->answer || !*request->answer)
        return pg_fail(PG_ERROR_FORMAT, "\"answer\" is missing: the text that is to be explained");
    PG_TRY(read_method(&options->method, request->method));
    options->tower = request->tower;
    return pg_pictures_add_one(&request->pictures, exchange, request->image);
}

/* ---------------------------------------------------------------- maps as JSON */

static json_t *describe_map(const float *map, size_t count, double peak)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_integer(peak > 0 ? (json_int_t)((double)map[i] / peak * 255 + 0.5) : 0));
    return list;
}

static json_t *describe_part(const pg_explained *part, size_t count)
{
    double peak = 0;
    for (size_t i = 0; i < count; i++)
        peak = (double)part->map[i] > peak ? (double)part->map[i] : peak;
    return json_pack("{s:s, s:s, s:f, s:f, s:o}", "kind", pg_explained_kind_name(part->kind), "text", part->text,
                     "share", part->share, "peak", peak, "map", describe_map(part->map, count, peak));
}

static json_t *describe(const pg_explanation *explanation, const pg_served *served, json_t *warnings)
{
    json_t *parts = json_array();
    for (size_t i = 0; i < explanation->part_count; i++)
        json_array_append_new(parts, describe_part(&explanation->parts[i], explanation->rows * explanation->columns));
    return json_pack("{s:s, s:I, s:I, s:o, s:O}", "model", served->name, "rows", (json_int_t)explanation->rows,
                     "columns", (json_int_t)explanation->columns, "parts", parts, "warnings", warnings);
}

/* ---------------------------------------------------------------- explaining */

static bool still_wanted(void *user, size_t done, size_t total)
{
    (void)done, (void)total;
    return pg_exchange_check(user) == PG_OK;
}

static pg_status explain(pg_explanation **out, pg_served *served, explain_request *request,
                         const pg_explain_options *options, pg_exchange *exchange)
{
    const pg_tokenizer *tokenizer = pg_model_tokenizer(served->model);
    pg_session *session;
    pg_request asked;
    int32_t *tokens;
    size_t count;
    pg_request_init(&asked);
    asked.images = (const pg_image *const *)request->pictures.items;
    asked.image_count = request->pictures.count;
    asked.prompt = request->prompt;
    PG_TRY(pg_tokenizer_encode(&tokens, &count, tokenizer, request->answer, SIZE_MAX, PG_ENCODE_PLAIN));
    pg_status status = pg_pictures_shrink(&request->pictures, served);
    if (status == PG_OK)
        status = pg_served_borrow(&session, served, exchange);
    if (status == PG_OK) {
        status = pg_explain(out, session, &asked, tokens, count, options);
        pg_served_give_back(served);
    }
    pg_free(tokens);
    return status;
}

static pg_status answer(pg_exchange *exchange, explain_request *request, pg_explain_options *options)
{
    pg_explanation *explanation = NULL;
    pg_served *served = pg_engine_find(exchange, request->model, PG_KIND_LOOKERS);
    if (!served)
        return PG_OK; /* the refusal is the answer */
    options->on_progress = still_wanted;
    options->user = exchange;
    pg_status status = explain(&explanation, served, request, options, exchange);
    if (status == PG_OK)
        status = pg_exchange_json(exchange, describe(explanation, served, request->warnings));
    pg_explanation_free(explanation);
    return status;
}

pg_status pg_route_explain(pg_exchange *exchange)
{
    explain_request request = {0};
    pg_explain_options options;
    pg_explain_options_init(&options);
    pg_status status = read_request(&request, &options, exchange);
    if (status == PG_OK)
        status = answer(exchange, &request, &options);
    json_decref(request.document);
    json_decref(request.warnings);
    pg_pictures_free(&request.pictures);
    return status;
}
