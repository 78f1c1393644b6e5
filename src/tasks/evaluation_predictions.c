/* Predictions out of files, each to its case, and into lines of JSON. */
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "data/dataset.h"
#include "objects/segmentation.h"
#include "tasks/evaluation.h"

#define LARGEST_FILE ((size_t)1 << 30)

/* ---------------------------------------------------------------- which case */

/* "question_id", "image_id", or the picture and its prompt; nothing where an entry names none. */
static pg_status print_key(pg_buffer *out, const pg_evaluation *evaluation, const json_t *entry)
{
    const json_t *question = json_object_get(entry, "question_id"), *image = json_object_get(entry, "image_id");
    const json_t *prompt = json_object_get(entry, "prompt");
    prompt = prompt ? prompt : json_object_get(entry, "prefix");
    if (question && !pg_eval_is_id(question))
        return pg_fail(PG_ERROR_FORMAT, "\"question_id\": expected a whole number or a text");
    if (question)
        return pg_eval_key_of_id(out, "question", question);
    if (json_is_integer(image))
        return pg_eval_key_of_id(out, "image", image);
    if (!json_object_get(entry, "image") && !json_object_get(entry, "images"))
        return PG_OK;
    return pg_eval_key_of_picture(out, evaluation, entry, NULL,
                                  json_is_string(prompt) ? json_string_value(prompt) : "");
}

/* number: of the entry, from 0. */
static pg_status find_item(pg_eval_item **out, const pg_evaluation *evaluation, const json_t *entry, size_t number)
{
    pg_buffer key = {0};
    pg_status status = print_key(&key, evaluation, entry);
    *out = NULL;
    if (status == PG_OK && key.size)
        *out = pg_evaluation_find(evaluation, key.data);
    else if (status == PG_OK && number < evaluation->count)
        *out = &evaluation->items[number];
    if (status == PG_OK && !*out)
        status = key.size
                     ? pg_fail(PG_ERROR_FORMAT, "there is no %s in %s", key.data, pg_dataset_path(evaluation->dataset))
                     : pg_fail(PG_ERROR_FORMAT, "one prediction more than there are cases (%zu)", evaluation->count);
    if (status == PG_OK && *out && (*out)->prediction)
        status = pg_fail(PG_ERROR_FORMAT, "a second prediction for %s", (*out)->key);
    pg_buffer_free(&key);
    return status;
}

/* ---------------------------------------------------------------- what was predicted */

static pg_status read_box(double out[4], const json_t *box)
{
    if (json_array_size(box) != 4)
        return pg_fail(PG_ERROR_FORMAT, "\"box\": expected x1, y1, x2, y2");
    for (size_t i = 0; i < 4; i++) {
        const json_t *number = json_array_get(box, i);
        if (!json_is_number(number))
            return pg_fail(PG_ERROR_FORMAT, "\"box\": expected four numbers");
        out[i] = json_number_value(number);
    }
    return PG_OK;
}

static pg_status read_object(pg_eval_object *out, const pg_eval_item *item, const json_t *entry)
{
    const json_t *label = json_object_get(entry, "label"), *score = json_object_get(entry, "score");
    const json_t *mask = json_object_get(entry, "mask");
    if (!json_is_string(label))
        return pg_fail(PG_ERROR_FORMAT, "\"label\": expected a text");
    out->score = json_is_number(score) ? json_number_value(score) : 1;
    PG_TRY(read_box(out->box, json_object_get(entry, "box")));
    if (json_is_object(mask) && item->width)
        PG_TRY(pg_runs_from_json(&out->mask, item->width, item->height, mask));
    out->label = pg_copy_text(json_string_value(label), SIZE_MAX);
    return out->label ? PG_OK : PG_ERROR_MEMORY;
}

static pg_status read_objects(pg_eval_item *item, const json_t *objects)
{
    pg_eval_objects *list = &item->objects;
    for (size_t i = 0; i < json_array_size(objects); i++) {
        PG_TRY(pg_grow((void **)&list->items, &list->capacity, list->count + 1, sizeof *list->items));
        list->items[list->count++] = (pg_eval_object){0};
        pg_status status = read_object(&list->items[i], item, json_array_get(objects, i));
        if (status != PG_OK)
            return pg_fail_context(status, "object %zu", i);
    }
    return PG_OK;
}

static pg_status read_ranking(pg_eval_item *item, const json_t *ranking)
{
    for (size_t i = 0; i < json_array_size(ranking); i++) {
        const json_t *text = json_array_get(ranking, i);
        if (!json_is_string(text))
            return pg_fail(PG_ERROR_FORMAT, "\"ranking\": expected a list of texts");
        PG_TRY(pg_text_list_add(&item->ranking, json_string_value(text)));
    }
    return PG_OK;
}

static void read_size(pg_eval_item *item, const json_t *entry)
{
    json_int_t width = json_integer_value(json_object_get(entry, "width"));
    json_int_t height = json_integer_value(json_object_get(entry, "height"));
    if (width > 0 && height > 0 && width <= 100000 && height <= 100000) {
        item->width = (size_t)width;
        item->height = (size_t)height;
    }
}

/* The first of some keys that holds a text; of a case without an answer, nothing. */
static pg_status find_text(const char **out, const pg_eval_item *item, const json_t *entry)
{
    static const char *const keys[] = {"prediction", "text", "answer", "caption", "suffix"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        *out = json_string_value(json_object_get(entry, keys[i]));
        if (*out)
            return PG_OK;
    }
    *out = item->ranking.count ? item->ranking.items[0] : "";
    if (json_object_get(entry, "error") || json_object_get(entry, "objects") || item->ranking.count)
        return PG_OK;
    return pg_fail(PG_ERROR_FORMAT, "found no \"prediction\", \"text\", \"answer\", \"caption\" or \"suffix\"");
}

static pg_status fill_item(pg_eval_item *item, const json_t *entry)
{
    const char *text, *error = json_string_value(json_object_get(entry, "error"));
    const json_t *probability = json_object_get(entry, "probability");
    read_size(item, entry);
    PG_TRY(read_objects(item, json_object_get(entry, "objects")));
    PG_TRY(read_ranking(item, json_object_get(entry, "ranking")));
    PG_TRY(find_text(&text, item, entry));
    item->probability = json_is_number(probability) ? json_number_value(probability) : NAN;
    item->prediction = pg_copy_text(text, SIZE_MAX);
    item->error = error ? pg_copy_text(error, SIZE_MAX) : NULL;
    return item->prediction && (item->error || !error) ? PG_OK : PG_ERROR_MEMORY;
}

static pg_status take_entry(pg_evaluation *evaluation, const json_t *entry, size_t number)
{
    pg_eval_item *item = NULL;
    if (!json_is_object(entry))
        return pg_fail(PG_ERROR_FORMAT, "not a JSON object");
    pg_status status = find_item(&item, evaluation, entry, number);
    if (status != PG_OK || !item)
        return status;
    status = fill_item(item, entry);
    if (status != PG_OK)
        pg_eval_item_forget(item);
    return status;
}

/* ---------------------------------------------------------------- files */

pg_status pg_evaluation_take_lines(pg_evaluation *evaluation, const char *path, const char *text, size_t size)
{
    const char *end = text + size;
    for (size_t line = 1, number = 0; text < end; line++) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        stop = stop ? stop : end;
        if (!pg_json_is_blank(text, (size_t)(stop - text))) {
            json_t *entry;
            PG_TRY(pg_json_parse_line(&entry, text, (size_t)(stop - text), path, line));
            pg_status status = take_entry(evaluation, entry, number++);
            json_decref(entry);
            if (status != PG_OK)
                return status == PG_ERROR_MEMORY ? status : pg_fail_context(status, "%s:%zu", path, line);
        }
        text = stop + 1;
    }
    return PG_OK;
}

static pg_status take_list(pg_evaluation *evaluation, const char *path, const pg_buffer *text)
{
    json_t *list;
    pg_status status;
    PG_TRY(pg_json_parse(&list, text->data, text->size, path));
    status = PG_OK;
    for (size_t i = 0; i < json_array_size(list) && status == PG_OK; i++) {
        status = take_entry(evaluation, json_array_get(list, i), i);
        if (status != PG_OK && status != PG_ERROR_MEMORY)
            status = pg_fail_context(status, "%s: result %zu", path, i);
    }
    json_decref(list);
    return status;
}

/* COCO's results are read when they are measured; pictures without any have been looked at too. */
static pg_status keep_results(pg_evaluation *evaluation, const char *path)
{
    evaluation->results = pg_copy_text(path, SIZE_MAX);
    if (!evaluation->results)
        return PG_ERROR_MEMORY;
    for (size_t i = 0; i < evaluation->count; i++)
        if (!(evaluation->items[i].prediction = pg_copy_text("", 0)))
            return PG_ERROR_MEMORY;
    return PG_OK;
}

static pg_status take_file(pg_evaluation *evaluation, const char *path, const pg_buffer *text)
{
    size_t start = text->size ? strspn(text->data, " \t\r\n") : 0;
    if (start == text->size)
        return pg_fail(PG_ERROR_FORMAT, "%s: has no predictions", path);
    if (text->data[start] != '[')
        return pg_evaluation_take_lines(evaluation, path, text->data, text->size);
    return pg_evaluation_has_coco_objects(evaluation) ? keep_results(evaluation, path)
                                                      : take_list(evaluation, path, text);
}

pg_status pg_evaluation_load(pg_evaluation *evaluation, const char *path)
{
    pg_buffer text = {0};
    pg_status status = pg_file_read(&text, path, LARGEST_FILE);
    if (status == PG_OK)
        status = take_file(evaluation, path, &text);
    pg_buffer_free(&text);
    return status;
}

/* ---------------------------------------------------------------- writing */

/* Takes over the value. */
static pg_status set(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new(object, key, value) == 0 ? PG_OK : pg_fail_memory(strlen(key));
}

static pg_status set_mask(json_t *object, const pg_runs *mask)
{
    pg_buffer counts = {0};
    if (!mask->lengths)
        return PG_OK;
    pg_status status = pg_runs_print(&counts, mask);
    if (status == PG_OK)
        status = set(object, "mask",
                     json_pack("{s:[I,I],s:s#}", "size", (json_int_t)mask->height, (json_int_t)mask->width, "counts",
                               counts.data, (int)counts.size));
    pg_buffer_free(&counts);
    return status;
}

static pg_status add_object(json_t *list, const pg_eval_object *object)
{
    const double *box = object->box;
    json_t *entry = json_pack("{s:s,s:f,s:[f,f,f,f]}", "label", object->label, "score", object->score, "box", box[0],
                              box[1], box[2], box[3]);
    pg_status status = entry ? set_mask(entry, &object->mask) : pg_fail(PG_ERROR_FORMAT, "a label is not UTF-8");
    if (status == PG_OK)
        return json_array_append_new(list, entry) == 0 ? PG_OK : pg_fail_memory(1);
    json_decref(entry);
    return status;
}

static pg_status set_objects(json_t *line, const pg_eval_item *item)
{
    json_t *list = json_array();
    PG_TRY(set(line, "width", json_integer((json_int_t)item->width)));
    PG_TRY(set(line, "height", json_integer((json_int_t)item->height)));
    PG_TRY(set(line, "objects", list));
    for (size_t i = 0; i < item->objects.count; i++)
        PG_TRY(add_object(list, &item->objects.items[i]));
    return PG_OK;
}

static pg_status set_ranking(json_t *line, const pg_eval_item *item)
{
    json_t *list = json_array();
    PG_TRY(set(line, "ranking", list));
    for (size_t i = 0; i < item->ranking.count; i++)
        if (json_array_append_new(list, json_string(item->ranking.items[i])) != 0)
            return pg_fail_memory(1);
    return PG_OK;
}

/* What finds the case again: the fields of the data set's own record. */
static pg_status set_name(json_t *line, const pg_evaluation *evaluation, const pg_eval_item *item)
{
    static const char *const keys[] = {"question_id", "image_id", "image", "images", "file_name"};
    json_t *record;
    PG_TRY(pg_dataset_record(&record, evaluation->dataset, item->row));
    pg_status status = PG_OK;
    for (size_t i = 0; i < sizeof keys / sizeof *keys && status == PG_OK; i++) {
        json_t *value = json_object_get(record, keys[i]);
        if (value)
            status = set(line, strcmp(keys[i], "file_name") ? keys[i] : "image", json_incref(value));
    }
    if (status == PG_OK && !record && item->image)
        status = set(line, "image", json_string(item->image));
    if (status == PG_OK)
        status = set(line, "prompt", json_string(item->prompt));
    json_decref(record);
    return status;
}

static pg_status fill_line(json_t *line, const pg_evaluation *evaluation, const pg_eval_item *item)
{
    PG_TRY(set_name(line, evaluation, item));
    PG_TRY(set(line, "text", json_string(item->prediction)));
    if (item->error)
        PG_TRY(set(line, "error", json_string(item->error)));
    if (isfinite(item->probability))
        PG_TRY(set(line, "probability", json_real(item->probability)));
    if (item->width)
        PG_TRY(set_objects(line, item));
    return item->ranking.count ? set_ranking(line, item) : PG_OK;
}

pg_status pg_eval_item_print(pg_buffer *out, const pg_evaluation *evaluation, const pg_eval_item *item)
{
    json_t *line = json_object();
    pg_status status = line ? fill_line(line, evaluation, item) : pg_fail_memory(1);
    if (status == PG_OK)
        status = pg_json_print(out, line);
    if (status == PG_OK)
        status = pg_buffer_append(out, "\n", 1);
    json_decref(line);
    return status;
}
