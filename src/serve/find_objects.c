#include "serve/find_objects.h"

#include <string.h>

#include "base/base64.h"
#include "serve/telling.h"

static const char *const form_names[] = {"rle", "png", "polygons", "none"};

pg_status pg_mask_form_read(pg_mask_form *out, const char *name)
{
    for (size_t i = 0; i < sizeof form_names / sizeof *form_names; i++)
        if (strcmp(form_names[i], name) == 0) {
            *out = (pg_mask_form)i;
            return PG_OK;
        }
    return pg_fail(PG_ERROR_FORMAT, "\"masks\" is \"%.40s\", expected rle, png, polygons or none", name);
}

bool pg_object_prompt_read(pg_masks *masks, const char **labels, const char *prompt)
{
    static const char detect[] = "detect ", segment[] = "segment ";
    bool first = strncmp(prompt, detect, sizeof detect - 1) == 0;
    if (!first && strncmp(prompt, segment, sizeof segment - 1) != 0)
        return false;
    *masks = first ? PG_MASKS_NONE : PG_MASKS_ALWAYS;
    *labels = prompt + (first ? sizeof detect : sizeof segment) - 1;
    return true;
}

/* ---------------------------------------------------------------- masks */

static json_t *describe_runs(const uint8_t *mask, const pg_objects *objects)
{
    char *counts;
    if (pg_mask_counts(&counts, mask, objects->width, objects->height) != PG_OK)
        return NULL;
    json_t *runs =
        json_pack("{s:[I, I], s:s}", "size", (json_int_t)objects->height, (json_int_t)objects->width, "counts", counts);
    pg_free(counts);
    return runs;
}

static json_t *describe_polygons(const uint8_t *mask, const pg_objects *objects)
{
    pg_polygons polygons;
    if (pg_polygons_trace(&polygons, mask, objects->width, objects->height) != PG_OK)
        return NULL;
    json_t *list = json_array();
    for (size_t i = 0, corner = 0; i < polygons.count; i++) {
        json_t *outline = json_array();
        for (; corner < polygons.ends[i]; corner++) {
            pg_json_add(&outline, json_real(polygons.corners[2 * corner]));
            pg_json_add(&outline, json_real(polygons.corners[2 * corner + 1]));
        }
        pg_json_add(&list, outline);
    }
    pg_polygons_free(&polygons);
    return list;
}

static pg_status encode_png(pg_buffer *out, const uint8_t *mask, const pg_objects *objects)
{
    size_t count = objects->width * objects->height, size = 0;
    uint8_t *pixels = pg_alloc(count, 3), *file = NULL;
    pg_image *image = NULL;
    pg_status status = pixels ? PG_OK : PG_ERROR_MEMORY;
    for (size_t i = 0; i < count && pixels; i++)
        memset(pixels + 3 * i, mask[i] ? 255 : 0, 3);
    if (status == PG_OK)
        status = pg_image_new(&image, pixels, objects->width, objects->height, 0);
    if (status == PG_OK)
        status = pg_image_encode_png(&file, &size, image);
    if (status == PG_OK)
        status = pg_buffer_print(out, "data:image/png;base64,");
    if (status == PG_OK)
        status = pg_base64_encode(out, file, size);
    pg_free(file);
    pg_image_free(image);
    pg_free(pixels);
    return status;
}

static json_t *describe_png(const uint8_t *mask, const pg_objects *objects)
{
    pg_buffer url = {0};
    json_t *text = encode_png(&url, mask, objects) == PG_OK ? json_stringn(url.data, url.size) : NULL;
    pg_buffer_free(&url);
    return text;
}

static pg_status add_mask(json_t *entry, const pg_objects *objects, size_t i, pg_mask_form form)
{
    const pg_object *object = &objects->items[i];
    if (!object->mask || form == PG_MASK_FORM_NONE)
        return PG_OK;
    uint8_t *mask = pg_alloc(objects->width, objects->height);
    if (!mask)
        return PG_ERROR_MEMORY;
    pg_status status = pg_mask_place(mask, objects->width, objects->height, object->mask, object->places);
    if (status == PG_OK) {
        json_t *made = form == PG_MASK_FORM_RLE   ? describe_runs(mask, objects)
                       : form == PG_MASK_FORM_PNG ? describe_png(mask, objects)
                                                  : describe_polygons(mask, objects);
        const char *name = form == PG_MASK_FORM_POLYGONS ? "polygons" : "mask";
        if (json_object_set_new(entry, name, made) != 0)
            status = PG_ERROR_MEMORY; /* jansson's, or said by whoever could not make it */
    }
    pg_free(mask);
    return status;
}

/* ---------------------------------------------------------------- objects */

static json_t *describe_codes(const pg_object *object)
{
    json_t *list = json_array();
    for (size_t i = 0; i < PG_MASK_CODES; i++)
        pg_json_add(&list, json_integer(object->codes[i]));
    return list;
}

static pg_status describe_object(json_t **out, const pg_objects *objects, size_t i, pg_mask_form form)
{
    const pg_object *object = &objects->items[i];
    const double *box = object->box;
    *out =
        json_pack("{s:s, s:o, s:[f, f, f, f]}", "label", object->label, "score",
                  object->score >= 0 ? json_real(object->score) : json_null(), "box", box[0], box[1], box[2], box[3]);
    if (!*out)
        return pg_fail(PG_ERROR_MEMORY, "out of memory");
    if (!object->has_codes)
        return PG_OK;
    pg_json_put(out, "codes", describe_codes(object));
    return *out ? add_mask(*out, objects, i, form) : pg_fail(PG_ERROR_MEMORY, "out of memory");
}

static pg_status describe_objects(json_t *list, const pg_objects *objects, pg_mask_form form,
                                  const pg_exchange *exchange)
{
    for (size_t i = 0; i < objects->count; i++) {
        json_t *entry;
        PG_TRY(pg_exchange_check(exchange));
        pg_status status = describe_object(&entry, objects, i, form);
        if (json_array_append_new(list, entry) != 0 && status == PG_OK)
            status = pg_fail(PG_ERROR_MEMORY, "out of memory");
        PG_TRY(status);
    }
    return PG_OK;
}

/* Masks are as large as pictures and have such a place. */
static pg_status describe(json_t **out, const pg_objects *objects, pg_mask_form form, const pg_exchange *exchange)
{
    pg_pictures masks = {0};
    json_t *list = json_array(), *problems = json_array();
    for (size_t i = 0; i < objects->problem_count; i++)
        pg_json_add(&problems, json_string(objects->problems[i].name));
    *out = json_pack("{s:I, s:I, s:o, s:o}", "width", (json_int_t)objects->width, "height", (json_int_t)objects->height,
                     "objects", list, "problems", problems);
    if (!*out)
        return pg_fail(PG_ERROR_MEMORY, "out of memory");
    pg_status status = form == PG_MASK_FORM_NONE ? PG_OK : pg_pictures_take_place(&masks, exchange);
    if (status == PG_OK)
        status = describe_objects(list, objects, form, exchange);
    pg_pictures_free(&masks);
    if (status != PG_OK) {
        json_decref(*out);
        *out = NULL;
    }
    return status;
}

/* ---------------------------------------------------------------- looking */

/* The objects in what was told of the answer. */
static pg_status read_objects(pg_objects **out, const pg_detection *detection, const pg_told_answer *told)
{
    int32_t *tokens = pg_alloc(told->count, sizeof *tokens);
    if (!tokens)
        return PG_ERROR_MEMORY;
    for (size_t i = 0; i < told->count; i++)
        tokens[i] = told->tokens[i].id;
    const pg_answer answer = {.text = told->text.data ? told->text.data : (char[]){""},
                              .text_size = told->text.size,
                              .tokens = tokens,
                              .count = told->count,
                              .finish = told->finish};
    pg_status status = pg_detection_read(out, detection, &answer);
    pg_free(tokens);
    return status;
}

/* Asks as one job among the others of the scheduler. */
static pg_status ask(pg_objects **out, pg_exchange *exchange, const pg_object_query *query,
                     const pg_detection *detection)
{
    pg_job job;
    pg_telling telling;
    pg_job_init(&job);
    job.request = *pg_detection_request(detection);
    job.adapter = query->served->adapter;
    PG_TRY(pg_telling_start(&telling, exchange, &job));
    pg_pictures_free(query->pictures); /* the job has its own */
    pg_status status = pg_telling_complete(&telling);
    if (status == PG_OK)
        status = read_objects(out, detection, telling.answers);
    pg_telling_finish(&telling);
    return status;
}

static pg_status tell(json_t **out, char **text, pg_finish *finish, const pg_objects *objects, pg_mask_form form,
                      const pg_exchange *exchange)
{
    *finish = objects->finish;
    *text = pg_copy_text(objects->text, objects->text_size);
    pg_status status = *text ? describe(out, objects, form, exchange) : PG_ERROR_MEMORY;
    if (status != PG_OK) {
        pg_free(*text);
        *text = NULL;
    }
    return status;
}

pg_status pg_find_objects(json_t **out, char **text, pg_finish *finish, pg_exchange *exchange, pg_object_query *query)
{
    pg_detection *detection;
    pg_objects *objects = NULL;
    *out = NULL;
    *text = NULL;
    query->options.codec = exchange->engine->codec;
    PG_TRY(pg_detection_new(&detection, query->served->model, query->pictures->items[0], &query->options,
                            query->served->how.context));
    pg_status status = ask(&objects, exchange, query, detection);
    if (status == PG_OK)
        status = tell(out, text, finish, objects, query->form, exchange);
    if (status == PG_OK)
        pg_exchange_note(exchange, pg_detection_request(detection)->prompt, *text);
    pg_objects_free(objects);
    pg_detection_free(detection);
    return status;
}

/* ---------------------------------------------------------------- reading */

/* Each mask may take a picture's pixels and as many letters. */
#define OBJECTS_MOST 200

/* As pg_detect decodes them. */
static pg_status decode_mask(pg_object *object, const pg_mask_codec *codec)
{
    if (!object->has_codes)
        return PG_OK;
    object->mask = pg_alloc((size_t)PG_MASK_SIDE * PG_MASK_SIDE, sizeof *object->mask);
    return object->mask ? pg_mask_codec_decode(object->mask, codec, object->codes, 1, 1) : PG_ERROR_MEMORY;
}

pg_status pg_read_objects(json_t **out, const pg_exchange *exchange, const char *text, size_t width, size_t height,
                          pg_mask_form form)
{
    const pg_mask_codec *codec = form == PG_MASK_FORM_NONE ? NULL : exchange->engine->codec;
    pg_objects *objects;
    PG_TRY(pg_objects_parse(&objects, text, SIZE_MAX, width, height));
    pg_status status = objects->count <= OBJECTS_MOST
                           ? PG_OK
                           : pg_fail(PG_ERROR_LIMIT, "%zu objects, at most %d", objects->count, OBJECTS_MOST);
    for (size_t i = 0; i < objects->count && codec && status == PG_OK; i++)
        status = decode_mask(&objects->items[i], codec);
    if (status == PG_OK)
        status = describe(out, objects, form, exchange);
    pg_objects_free(objects);
    return status;
}
