/* POST /v1/classify: which of some labels a picture shows. SigLIP compares it with their names; PaliGemma says how
 * likely each is as the answer to a prompt. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "serve/server_models.h"
#include "serve/fields.h"
#include "serve/pictures.h"
#include "serve/routes.h"

#define LABELS_MOST 4096

typedef struct classify_request {
    json_t *document, *warnings;
    const char *model, *prompt;
    const json_t *image;
    pg_texts labels, templates;
    bool softmax;
    int64_t top; /* 0: all */
    pg_pictures pictures;
    pg_served *served;
    pg_texts split;
    char *block;
} classify_request;

/* A label on its way to the answer. */
typedef struct scored {
    const char *label;
    double score, logit; /* logit: SigLIP's; NAN: none */
} scored;

#define PLACE(member) offsetof(classify_request, member)

static const pg_field classify_fields[] = {
    {"model", PG_FIELD_TEXT, PLACE(model), 0, 0},          {"image", PG_FIELD_VALUE, PLACE(image), 0, 0},
    {"labels", PG_FIELD_TEXTS, PLACE(labels), 0, 0},       {"templates", PG_FIELD_TEXTS, PLACE(templates), 0, 0},
    {"prompt", PG_FIELD_TEXT, PLACE(prompt), 0, 0},        {"softmax", PG_FIELD_TRUTH, PLACE(softmax), 0, 0},
    {"top", PG_FIELD_INTEGER, PLACE(top), 1, LABELS_MOST}, {0},
};

static void free_request(classify_request *request)
{
    json_decref(request->document);
    json_decref(request->warnings);
    pg_free(request->labels.items);
    pg_free(request->templates.items);
    pg_free(request->split.items);
    pg_free(request->block);
    pg_pictures_free(&request->pictures);
}

static pg_status read_request(classify_request *request, pg_exchange *exchange)
{
    const pg_field *const tables[] = {classify_fields, NULL};
    PG_TRY(pg_exchange_fields(&request->document, &request->warnings, request, tables, exchange));
    if (request->labels.count == 1) {
        PG_TRY(pg_texts_split(&request->split, &request->block, request->labels.items[0]));
        pg_free(request->labels.items);
        request->labels = request->split;
        request->split = (pg_texts){0};
    }
    if (!request->labels.count || request->labels.count > LABELS_MOST)
        return pg_fail(PG_ERROR_ARGUMENT, "\"labels\" names %zu classes, expected 1 to %d", request->labels.count,
                       LABELS_MOST);
    if (request->templates.count > LABELS_MOST / request->labels.count)
        return pg_fail(PG_ERROR_LIMIT, "%zu labels in %zu templates are more than %d texts", request->labels.count,
                       request->templates.count, LABELS_MOST);
    return pg_pictures_add_one(&request->pictures, exchange, request->image);
}

/* ---------------------------------------------------------------- scores */

static pg_status compare_names(scored *out, pg_session *session, const classify_request *request)
{
    const pg_image *const *images = (const pg_image *const *)request->pictures.items;
    size_t count = request->labels.count;
    pg_recognizer *recognizer = NULL;
    float *logits = pg_alloc(2 * count, sizeof *logits);
    pg_status status = logits ? PG_OK : PG_ERROR_MEMORY;
    if (status == PG_OK)
        status = pg_recognizer_new(&recognizer, session, request->labels.items, count, request->templates.items,
                                   request->templates.count);
    if (status == PG_OK)
        status = pg_recognize(logits, session, recognizer, images, 1);
    if (status == PG_OK)
        pg_class_scores(logits + count, logits, count, request->softmax);
    for (size_t i = 0; i < count && status == PG_OK; i++)
        out[i] = (scored){request->labels.items[i], (double)logits[count + i], (double)logits[i]};
    pg_recognizer_free(recognizer);
    pg_free(logits);
    return status;
}

static pg_status ask_about(scored *out, pg_session *session, const classify_request *request)
{
    size_t count = request->labels.count;
    pg_request question;
    pg_request_init(&question);
    question.images = (const pg_image *const *)request->pictures.items;
    question.image_count = 1;
    question.prompt = request->prompt;
    pg_text_score *scores = pg_alloc(count, sizeof *scores);
    if (!scores)
        return PG_ERROR_MEMORY;
    pg_status status = pg_score_texts(scores, session, &question, request->labels.items, count);
    for (size_t i = 0; i < count && status == PG_OK; i++)
        out[i] = (scored){request->labels.items[i], scores[i].probability, (double)NAN};
    pg_free(scores);
    return status;
}

/* Of what the model has no use for. */
static pg_status warn_of_fields(const classify_request *request, bool names)
{
    if (names && request->prompt)
        PG_TRY(pg_warn_of(request->warnings, "prompt", "is ignored: SigLIP compares the picture with the labels"));
    if (!names && request->templates.count)
        PG_TRY(pg_warn_of(request->warnings, "templates", "is ignored: it is for SigLIP"));
    if (!names && request->softmax)
        PG_TRY(pg_warn_of(request->warnings, "softmax", "is ignored: it is for SigLIP"));
    return PG_OK;
}

static pg_status score(scored *out, const pg_exchange *exchange, classify_request *request)
{
    bool names = pg_model_get_kind(request->served->model) == PG_MODEL_SIGLIP;
    pg_session *session;
    if (!names && !request->prompt)
        return pg_fail(PG_ERROR_ARGUMENT, "\"prompt\" is missing: PaliGemma needs a question that the labels answer");
    PG_TRY(warn_of_fields(request, names));
    PG_TRY(pg_pictures_shrink(&request->pictures, request->served));
    PG_TRY(pg_served_borrow(&session, request->served, exchange));
    pg_status status = names ? compare_names(out, session, request) : ask_about(out, session, request);
    pg_served_give_back(request->served);
    return status;
}

/* ---------------------------------------------------------------- answering */

static int better_first(const void *a, const void *b)
{
    const scored *first = a, *second = b;
    return (first->score < second->score) - (first->score > second->score);
}

static json_t *describe(const scored *labels, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *entry = json_pack("{s:s, s:f}", "label", labels[i].label, "score", labels[i].score);
        if (!isnan(labels[i].logit))
            pg_json_put(&entry, "logit", json_real(labels[i].logit));
        pg_json_add(&list, entry);
    }
    return list;
}

static pg_status answer(pg_exchange *exchange, classify_request *request)
{
    size_t count = request->labels.count, shown = request->top ? (size_t)request->top : count;
    const pg_image *image = request->pictures.items[0];
    size_t width = pg_image_width(image), height = pg_image_height(image);
    scored *labels = pg_alloc(count, sizeof *labels);
    pg_status status = labels ? score(labels, exchange, request) : PG_ERROR_MEMORY;
    if (status == PG_OK) {
        qsort(labels, count, sizeof *labels, better_first);
        status = pg_exchange_json(exchange, json_pack("{s:s, s:I, s:I, s:o, s:O}", "model", request->served->name,
                                                      "width", (json_int_t)width, "height", (json_int_t)height,
                                                      "labels", describe(labels, shown < count ? shown : count),
                                                      "warnings", request->warnings));
    }
    pg_free(labels);
    return status;
}

pg_status pg_route_classify(pg_exchange *exchange)
{
    classify_request request = {0};
    pg_status status = read_request(&request, exchange);
    if (status == PG_OK) {
        bool matcher = !request.model && !request.prompt;
        request.served =
            pg_engine_find(exchange, request.model, matcher ? PG_KIND_MATCHERS : PG_KIND_MATCHERS | PG_KIND_LOOKERS);
    }
    if (request.served)
        status = answer(exchange, &request);
    free_request(&request);
    return status;
}
