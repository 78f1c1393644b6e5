/*
 * POST /v1/feedback: what somebody says about an answer, into the database that the server was given. GET /v1/page:
 * what the page may offer. The client sends question and answer again: the server remembers none of them, so that an
 * answer of yesterday can be judged as well. Which model it was the client says by its name and by the fingerprint that
 * came with the answer; without one, it was the model as it is now.
 */
#include <string.h>

#include "serve/fields.h"
#include "serve/pictures.h"
#include "serve/routes.h"
#include "serve/server.h"
#include "serve/server_models.h"

typedef struct judgement_request {
    const char *request, *task, *prompt, *answer, *judgement, *correction, *model, *version, *image, *hash;
    const json_t *settings;
    bool keep;
} judgement_request;

#define PLACE(member) offsetof(judgement_request, member)

static const pg_field judgement_fields[] = {
    {"request", PG_FIELD_TEXT, PLACE(request), 0, 0},
    {"task", PG_FIELD_TEXT, PLACE(task), 0, 0},
    {"prompt", PG_FIELD_TEXT, PLACE(prompt), 0, 0},
    {"answer", PG_FIELD_TEXT, PLACE(answer), 0, 0},
    {"judgement", PG_FIELD_TEXT, PLACE(judgement), 0, 0},
    {"correction", PG_FIELD_TEXT, PLACE(correction), 0, 0},
    {"model", PG_FIELD_TEXT, PLACE(model), 0, 0},
    {"system_fingerprint", PG_FIELD_TEXT, PLACE(version), 0, 0},
    {"settings", PG_FIELD_VALUE, PLACE(settings), 0, 0},
    {"image", PG_FIELD_TEXT, PLACE(image), 0, 0},
    {"image_sha256", PG_FIELD_TEXT, PLACE(hash), 0, 0},
    {"keep_image", PG_FIELD_TRUTH, PLACE(keep), 0, 0},
    {0},
};

static pg_status read_judgement(pg_judgement *out, const char *name)
{
    for (int value = PG_JUDGEMENT_DOWN; name && value <= PG_JUDGEMENT_UP; value++)
        if (strcmp(name, pg_judgement_name((pg_judgement)value)) == 0) {
            *out = (pg_judgement)value;
            return PG_OK;
        }
    return name ? pg_fail(PG_ERROR_FORMAT, "\"judgement\" is \"%.40s\", expected up, down or none", name) : PG_OK;
}

/* An adapter is not the model: both are named. */
static void name_model(pg_feedback_record *record, const judgement_request *request, const pg_exchange *exchange,
                       const pg_served *served)
{
    const pg_served *base = &exchange->engine->models[0];
    const char *version = request->version ? request->version : served->version;
    if (!served->adapter) {
        record->model = served->name;
        record->model_version = version;
        return;
    }
    record->model = base->name;
    record->model_version = base->version;
    record->adapter = served->name;
    record->adapter_version = version;
}

/* *count: 0 or 1. A picture is kept where both its owner and the server say so. */
static pg_status read_picture(pg_feedback_picture *picture, size_t *count, pg_buffer *bytes,
                              const judgement_request *request, const pg_server *server)
{
    size_t length = request->hash ? strlen(request->hash) : 0;
    *count = request->image || request->hash;
    if (request->image) {
        PG_TRY(pg_data_url_decode(bytes, request->image));
        picture->bytes = bytes->data;
        picture->size = bytes->size;
        picture->keep = request->keep && server->options.feedback_images;
    } else if (length < sizeof picture->hash)
        memcpy(picture->hash, request->hash ? request->hash : "", length);
    return PG_OK;
}

static pg_status store(int64_t *id, const judgement_request *request, const pg_exchange *exchange,
                       const pg_served *served)
{
    pg_buffer bytes = {0}, settings = {0};
    pg_feedback_picture picture = {0};
    pg_feedback_record record = {.request = request->request,
                                 .task = request->task,
                                 .prompt = request->prompt,
                                 .answer = request->answer,
                                 .correction = request->correction,
                                 .pictures = &picture};
    pg_status status = PG_OK;
    name_model(&record, request, exchange, served);
    PG_TRY_GOTO(read_judgement(&record.judgement, request->judgement));
    PG_TRY_GOTO(read_picture(&picture, &record.picture_count, &bytes, request, exchange->server));
    if (request->settings)
        PG_TRY_GOTO(pg_json_append(&settings, request->settings));
    record.settings = settings.data;
    status = pg_feedback_add(id, exchange->server->feedback, &record);
    if (status == PG_ERROR_FORMAT || status == PG_ERROR_LIMIT)
        status = PG_ERROR_FILE; /* a damaged or full database is no mistake of the client's */
done:
    pg_buffer_free(&bytes);
    pg_buffer_free(&settings);
    return status;
}

static pg_status answer(pg_exchange *exchange, const judgement_request *request, json_t *warnings)
{
    int64_t id;
    const pg_served *served = pg_engine_find(exchange, request->model, PG_KIND_READERS | PG_KIND_MATCHERS);
    if (!served)
        return PG_OK; /* the refusal is the answer */
    PG_TRY(store(&id, request, exchange, served));
    return pg_exchange_json(exchange, json_pack("{s:s, s:I, s:O}", "object", "feedback", "id", (json_int_t)id,
                                                "warnings", warnings));
}

pg_status pg_route_feedback(pg_exchange *exchange)
{
    const pg_field *const tables[] = {judgement_fields, NULL};
    judgement_request request = {0};
    json_t *document, *warnings;
    if (!exchange->server->feedback)
        return pg_exchange_refuse(exchange, 404, "not_found", "this server stores no feedback (--feedback FILE.db)");
    pg_status status = pg_exchange_fields(&document, &warnings, &request, tables, exchange);
    if (status == PG_OK)
        status = answer(exchange, &request, warnings);
    json_decref(document);
    json_decref(warnings);
    return status;
}

pg_status pg_route_page(pg_exchange *exchange)
{
    const pg_server *server = exchange->server;
    return pg_exchange_json(exchange, json_pack("{s:b, s:b}", "feedback", server->feedback != NULL, "keep_images",
                                                server->options.feedback_images));
}
