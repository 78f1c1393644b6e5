/* What is asked and what is right: rows of a data set become cases, those of the same picture and prompt one together.
 */
#include "tasks/evaluation.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "data/dataset.h"

static const char *const task_names[] = {"caption", "vqa",     "textvqa", "docvqa",   "chartqa",  "ocr",
                                         "detect",  "segment", "refcoco", "classify", "retrieval"};

const char *pg_eval_task_name(pg_eval_task task)
{
    return (size_t)task < sizeof task_names / sizeof *task_names ? task_names[task] : NULL;
}

void pg_evaluation_options_init(pg_evaluation_options *options)
{
    *options = (pg_evaluation_options){0};
    pg_dataset_options_init(&options->data);
}

/* ---------------------------------------------------------------- memory */

pg_status pg_text_list_add(pg_text_list *list, const char *text)
{
    PG_TRY(pg_grow((void **)&list->items, &list->capacity, list->count + 1, sizeof *list->items));
    list->items[list->count] = pg_copy_text(text, SIZE_MAX);
    return list->items[list->count] ? list->count++, PG_OK : PG_ERROR_MEMORY;
}

void pg_text_list_free(pg_text_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        pg_free(list->items[i]);
    pg_free(list->items);
    *list = (pg_text_list){0};
}

void pg_eval_objects_free(pg_eval_objects *objects)
{
    for (size_t i = 0; i < objects->count; i++) {
        pg_free(objects->items[i].label);
        pg_runs_free(&objects->items[i].mask);
    }
    pg_free(objects->items);
    *objects = (pg_eval_objects){0};
}

void pg_eval_item_forget(pg_eval_item *item)
{
    pg_free(item->prediction);
    pg_free(item->error);
    pg_eval_objects_free(&item->objects);
    pg_text_list_free(&item->ranking);
    item->prediction = item->error = NULL;
    item->probability = item->score = NAN;
    item->rank = 0;
}

static void free_item(pg_eval_item *item)
{
    pg_eval_item_forget(item);
    pg_free(item->key);
    pg_free(item->place);
    pg_free(item->image);
    pg_free(item->prompt);
    pg_free(item->kind);
    pg_text_list_free(&item->references);
}

static void free_figures(pg_evaluation *evaluation)
{
    for (size_t i = 0; i < evaluation->figure_count; i++)
        pg_free(evaluation->figures[i].name);
    evaluation->figure_count = 0;
}

void pg_evaluation_close(pg_evaluation *evaluation)
{
    if (!evaluation)
        return;
    for (size_t i = 0; i < evaluation->count; i++)
        free_item(&evaluation->items[i]);
    free_figures(evaluation);
    pg_free(evaluation->results);
    pg_free(evaluation->text_ranks);
    pg_free(evaluation->found_scores);
    pg_free(evaluation->found_right);
    pg_free(evaluation->items);
    pg_free(evaluation->figures);
    pg_index_free(&evaluation->keys);
    pg_dataset_close(evaluation->dataset);
    pg_free(evaluation);
}

/* ---------------------------------------------------------------- keys */

bool pg_eval_is_id(const json_t *id)
{
    return json_is_integer(id) || json_is_string(id);
}

pg_status pg_eval_key_of_id(pg_buffer *out, const char *what, const json_t *id)
{
    if (json_is_string(id))
        return pg_buffer_print(out, "%s \"%s\"", what, json_string_value(id));
    return pg_buffer_print(out, "%s %lld", what, (long long)json_integer_value(id));
}

/* The picture's name as the file has it, several of them as JSON. */
static pg_status print_picture(pg_buffer *out, const json_t *record, const char *image)
{
    static const char *const keys[] = {"image", "images", "file_name"};
    const json_t *named = NULL;
    for (size_t i = 0; i < sizeof keys / sizeof *keys && !named; i++)
        named = json_object_get(record, keys[i]);
    if (json_is_string(named))
        image = json_string_value(named);
    if (!json_is_array(named))
        return pg_buffer_print(out, "picture %s", image ? image : "(none)");
    PG_TRY(pg_buffer_print(out, "pictures "));
    return pg_json_print(out, named);
}

pg_status pg_eval_key_of_picture(pg_buffer *out, const pg_evaluation *evaluation, const json_t *record,
                                 const char *image, const char *prompt)
{
    PG_TRY(print_picture(out, record, image));
    return evaluation->task == PG_EVAL_RETRIEVAL ? PG_OK : pg_buffer_print(out, ", prompt \"%s\"", prompt);
}

static bool is_coco(const pg_evaluation *evaluation)
{
    pg_data_kind kind = pg_dataset_get_kind(evaluation->dataset);
    return kind == PG_DATA_COCO_CAPTIONS || kind == PG_DATA_COCO_DETECT;
}

bool pg_evaluation_has_coco_objects(const pg_evaluation *evaluation)
{
    return pg_dataset_get_kind(evaluation->dataset) == PG_DATA_COCO_DETECT;
}

pg_eval_item *pg_evaluation_find(const pg_evaluation *evaluation, const char *key)
{
    uint64_t hash = pg_hash_text(key, strlen(key));
    uint32_t at = (uint32_t)hash;
    for (uint32_t number; (number = pg_index_next(&evaluation->keys, hash, &at)) != PG_INDEX_NONE;)
        if (!strcmp(evaluation->items[number].key, key))
            return &evaluation->items[number];
    return NULL;
}

/* ---------------------------------------------------------------- rows */

/* A row on its way into a case. */
typedef struct source_row {
    size_t number;
    pg_data_row *row;
    json_t *record; /* NULL: the kind of file has none */
} source_row;

static const char *prompt_of(const source_row *source)
{
    if (source->row->kind == PG_ROW_LABEL)
        return source->row->text;
    return source->row->prefix ? source->row->prefix : "";
}

static pg_status print_key(pg_buffer *out, const pg_evaluation *evaluation, const source_row *source)
{
    const json_t *question = json_object_get(source->record, "question_id");
    const json_t *image_id = json_object_get(source->record, "image_id");
    if (pg_eval_is_id(question))
        return pg_eval_key_of_id(out, "question", question);
    if (is_coco(evaluation) && json_is_integer(image_id))
        return pg_eval_key_of_id(out, "image", image_id);
    const char *image = source->row->image_count ? source->row->images[0].name : NULL;
    return pg_eval_key_of_picture(out, evaluation, source->record, image, prompt_of(source));
}

/* Texts, or objects with "answer". */
static pg_status add_answers(pg_eval_item *item, const json_t *answers)
{
    for (size_t i = 0; i < json_array_size(answers); i++) {
        const json_t *entry = json_array_get(answers, i);
        const json_t *text = json_is_object(entry) ? json_object_get(entry, "answer") : entry;
        if (!json_is_string(text))
            return pg_fail(PG_ERROR_FORMAT, "answer %zu: expected a text", i);
        PG_TRY(pg_text_list_add(&item->references, json_string_value(text)));
    }
    return PG_OK;
}

static pg_status add_label(pg_eval_item *item, const pg_evaluation *evaluation, int64_t label)
{
    char number[32];
    const char *name = pg_dataset_label(evaluation->dataset, (size_t)label);
    snprintf(number, sizeof number, "%lld", (long long)label);
    return pg_text_list_add(&item->references, name ? name : number);
}

static pg_status add_references(pg_eval_item *item, const pg_evaluation *evaluation, const source_row *source)
{
    const pg_data_row *row = source->row;
    const json_t *several = json_object_get(source->record, "suffixes");
    several = several ? several : json_object_get(source->record, "answers");
    if (row->patch_labels)
        return pg_fail(PG_ERROR_UNSUPPORTED, "the row has a label for each patch, and answers are for whole pictures");
    if (row->kind == PG_ROW_LABEL)
        return add_label(item, evaluation, row->label);
    if (row->kind == PG_ROW_TEXT)
        return pg_text_list_add(&item->references, row->text);
    if (json_array_size(several))
        return add_answers(item, several);
    return pg_text_list_add(&item->references, row->suffix);
}

static pg_status copy(char **out, const char *text)
{
    *out = text ? pg_copy_text(text, SIZE_MAX) : NULL;
    return *out || !text ? PG_OK : PG_ERROR_MEMORY;
}

/* COCO's instances are rows of detection ("detect cat ; dog"), and named with the other word where masks are wanted. */
static pg_status write_prompt(char **out, const pg_evaluation *evaluation, const char *prompt)
{
    static const char detect[] = "detect ";
    if (evaluation->task != PG_EVAL_SEGMENT || !pg_evaluation_has_coco_objects(evaluation) ||
        strncmp(prompt, detect, strlen(detect)) != 0)
        return copy(out, prompt);
    pg_buffer text = {0};
    pg_status status = pg_buffer_print(&text, "segment %s", prompt + strlen(detect));
    if (status == PG_OK)
        status = copy(out, text.data);
    pg_buffer_free(&text);
    return status;
}

static pg_status fill_item(pg_eval_item *item, const pg_evaluation *evaluation, const source_row *source,
                           const char *key)
{
    const json_t *image_id = json_object_get(source->record, "image_id");
    const json_t *kind = json_object_get(source->record, "answer_type");
    kind = kind ? kind : json_object_get(source->record, "type");
    PG_TRY(copy(&item->key, key));
    PG_TRY(write_prompt(&item->prompt, evaluation, prompt_of(source)));
    PG_TRY(copy(&item->image, source->row->image_count ? source->row->images[0].name : NULL));
    PG_TRY(copy(&item->kind, json_string_value(kind)));
    if (json_is_integer(image_id))
        item->image_id = json_integer_value(image_id);
    return pg_dataset_place(&item->place, evaluation->dataset, source->number);
}

static pg_status add_item(pg_evaluation *evaluation, const source_row *source, const char *key)
{
    PG_TRY(
        pg_grow((void **)&evaluation->items, &evaluation->capacity, evaluation->count + 1, sizeof *evaluation->items));
    pg_eval_item *item = &evaluation->items[evaluation->count];
    *item = (pg_eval_item){.row = source->number, .image_id = -1, .probability = NAN, .score = NAN};
    pg_status status = fill_item(item, evaluation, source, key);
    if (status == PG_OK &&
        !pg_index_add(&evaluation->keys, pg_hash_text(key, strlen(key)), (uint32_t)evaluation->count))
        status = pg_fail(PG_ERROR_FORMAT, "names of pictures and prompts collide");
    if (status != PG_OK)
        free_item(item);
    else
        evaluation->count++;
    return status;
}

static pg_status take_row(pg_evaluation *evaluation, const source_row *source, size_t limit)
{
    pg_buffer key = {0};
    pg_status status = print_key(&key, evaluation, source);
    pg_eval_item *item = status == PG_OK ? pg_evaluation_find(evaluation, key.data) : NULL;
    bool wanted = item || !limit || evaluation->count < limit;
    if (status == PG_OK && !item && wanted) {
        status = add_item(evaluation, source, key.data);
        item = status == PG_OK ? &evaluation->items[evaluation->count - 1] : NULL;
    }
    if (status == PG_OK && wanted)
        status = add_references(item, evaluation, source);
    pg_buffer_free(&key);
    return status;
}

static pg_status read_row(pg_evaluation *evaluation, size_t number, size_t limit)
{
    source_row source = {.number = number};
    pg_status status = pg_dataset_row(&source.row, evaluation->dataset, number);
    if (status == PG_OK)
        status = pg_dataset_record(&source.record, evaluation->dataset, number);
    if (status == PG_OK)
        status = take_row(evaluation, &source, limit);
    pg_data_row_free(source.row);
    json_decref(source.record);
    return status;
}

/* Rows that later cases are made of may belong to earlier ones, unless each row is one. */
static pg_status read_rows(pg_evaluation *evaluation, size_t limit)
{
    size_t count = pg_dataset_count(evaluation->dataset);
    pg_data_kind kind = pg_dataset_get_kind(evaluation->dataset);
    bool single = kind == PG_DATA_VQA || kind == PG_DATA_COCO_DETECT;
    if (count > PG_INDEX_MAX)
        return pg_fail(PG_ERROR_LIMIT, "%s: has %zu rows, an evaluation at most %u",
                       pg_dataset_path(evaluation->dataset), count, PG_INDEX_MAX);
    PG_TRY(pg_index_new(&evaluation->keys, count));
    for (size_t i = 0; i < count && !(single && limit && evaluation->count == limit); i++)
        PG_TRY(read_row(evaluation, i, limit));
    return PG_OK;
}

static pg_status check_kind(const pg_evaluation *evaluation)
{
    pg_row_kind kind = pg_dataset_row_kind(evaluation->dataset);
    const char *name = pg_eval_task_name(evaluation->task), *path = pg_dataset_path(evaluation->dataset);
    bool objects = evaluation->task == PG_EVAL_DETECT || evaluation->task == PG_EVAL_SEGMENT;
    if (kind == PG_ROW_PREFERENCE || kind == PG_ROW_MASK ||
        (kind == PG_ROW_LABEL && evaluation->task != PG_EVAL_CLASSIFY))
        return pg_fail(PG_ERROR_ARGUMENT, "%s: rows of kind \"%s\" do not go with task %s", path,
                       pg_row_kind_name(kind), name);
    if (pg_evaluation_has_coco_objects(evaluation) && !objects)
        return pg_fail(PG_ERROR_ARGUMENT, "%s: COCO's objects go with tasks detect and segment, not %s", path, name);
    return PG_OK;
}

static pg_status fill(pg_evaluation *evaluation, const char *path, const pg_evaluation_options *options)
{
    pg_dataset_options data = options->data;
    evaluation->codec = options->codec;
    evaluation->limited = options->limit > 0;
    if (data.kind == PG_DATA_COCO_SEGMENT)
        data.kind = PG_DATA_COCO_DETECT; /* pictures with all their objects: true masks are not made of tokens */
    PG_TRY(pg_dataset_open(&evaluation->dataset, path, &data));
    PG_TRY(check_kind(evaluation));
    return read_rows(evaluation, options->limit);
}

pg_status pg_evaluation_open(pg_evaluation **out, pg_eval_task task, const char *path,
                             const pg_evaluation_options *options)
{
    pg_evaluation_options usual;
    pg_evaluation *evaluation = pg_alloc(1, sizeof *evaluation);
    *out = NULL;
    if (!evaluation)
        return PG_ERROR_MEMORY;
    pg_evaluation_options_init(&usual);
    evaluation->task = task;
    pg_status status = fill(evaluation, path, options ? options : &usual);
    if (status == PG_OK)
        *out = evaluation;
    else
        pg_evaluation_close(evaluation);
    return status;
}

/* ---------------------------------------------------------------- pictures */

pg_status pg_eval_read_image(pg_image **out, const pg_row_image *image, const pg_image_options *options)
{
    if (image->bytes)
        return pg_image_decode(out, image->bytes, image->size, image->name, options);
    return pg_image_load(out, image->name, options);
}

pg_status pg_eval_item_measure(pg_eval_item *item, const pg_evaluation *evaluation)
{
    pg_data_row *row;
    pg_image *image;
    if (item->width)
        return PG_OK;
    PG_TRY(pg_dataset_row(&row, evaluation->dataset, item->row));
    pg_status status = row->image_count == 1 ? pg_eval_read_image(&image, &row->images[0], NULL)
                                             : pg_fail(PG_ERROR_FORMAT, "%zu pictures, expected one", row->image_count);
    if (status == PG_OK) {
        item->width = pg_image_width(image);
        item->height = pg_image_height(image);
        pg_image_free(image);
    }
    pg_data_row_free(row);
    return status == PG_OK ? PG_OK : pg_fail_context(status, "%s", item->place);
}

/* ---------------------------------------------------------------- what came of it */

pg_status pg_evaluation_add_figure(pg_evaluation *evaluation, double value, const char *format, ...)
{
    char name[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    PG_TRY(pg_grow((void **)&evaluation->figures, &evaluation->figure_capacity, evaluation->figure_count + 1,
                   sizeof *evaluation->figures));
    struct pg_eval_named *figure = &evaluation->figures[evaluation->figure_count];
    *figure = (struct pg_eval_named){pg_copy_text(name, SIZE_MAX), value};
    return figure->name ? evaluation->figure_count++, PG_OK : PG_ERROR_MEMORY;
}

static pg_status check_predictions(const pg_evaluation *evaluation)
{
    if (evaluation->count == 0)
        return pg_fail(PG_ERROR_FORMAT, "%s: nothing to measure", pg_dataset_path(evaluation->dataset));
    for (size_t i = 0; i < evaluation->count; i++)
        if (!evaluation->items[i].prediction)
            return pg_fail(PG_ERROR_FORMAT, "%s: there is no prediction for %s", evaluation->items[i].place,
                           evaluation->items[i].key);
    return PG_OK;
}

pg_status pg_evaluation_measure(pg_evaluation *evaluation)
{
    free_figures(evaluation);
    PG_TRY(check_predictions(evaluation));
    switch (evaluation->task) {
    case PG_EVAL_DETECT:
    case PG_EVAL_SEGMENT: return pg_evaluation_measure_objects(evaluation);
    case PG_EVAL_REFCOCO: return pg_evaluation_measure_referring(evaluation);
    default: return pg_evaluation_measure_texts(evaluation);
    }
}

size_t pg_evaluation_figures(const pg_evaluation *evaluation)
{
    return evaluation->figure_count;
}

pg_eval_figure pg_evaluation_figure(const pg_evaluation *evaluation, size_t i)
{
    return (pg_eval_figure){evaluation->figures[i].name, evaluation->figures[i].value};
}

size_t pg_evaluation_cases(const pg_evaluation *evaluation)
{
    return evaluation->count;
}

pg_eval_case pg_evaluation_case(const pg_evaluation *evaluation, size_t i)
{
    const pg_eval_item *item = &evaluation->items[i];
    return (pg_eval_case){
        .place = item->place,
        .image = item->image,
        .prompt = item->prompt,
        .references = (const char *const *)item->references.items,
        .reference_count = item->references.count,
        .prediction = item->prediction,
        .error = item->error,
        .probability = item->probability,
        .score = item->score,
    };
}
