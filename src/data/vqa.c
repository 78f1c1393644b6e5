/*
 * VQA v2: a file of questions, and one of annotations with ten answers to each. The answer to train on is the most
 * frequent one, the first of those that are equally frequent. Names of pictures are made from their ids.
 */
#include <stdlib.h>
#include <string.h>

#include "data/dataset.h"
#include "data/records.h"

typedef struct vqa_record {
    uint64_t start, size;
    int64_t question_id, image_id;
} vqa_record;

typedef struct vqa_list {
    pg_file_map map;
    vqa_record *records;
    size_t count, capacity;
} vqa_list;

typedef struct vqa {
    vqa_list questions, answers;
    pg_id_map answer_ids; /* question_id -> number of the record */
    pg_buffer image_name;
} vqa;

static void close_index(void *memory)
{
    vqa *index = memory;
    pg_file_map_close(&index->questions.map);
    pg_file_map_close(&index->answers.map);
    pg_free(index->questions.records);
    pg_free(index->answers.records);
    pg_id_map_free(&index->answer_ids);
    pg_buffer_free(&index->image_name);
    pg_free(index);
}

/* ---------------------------------------------------------------- opening */

static pg_status take_record(void *user, const pg_span *values, pg_span whole)
{
    vqa_list *list = user;
    vqa_record found = {(uint64_t)(whole.text - (const char *)list->map.data), whole.size, -1, -1};
    if (!values[0].text)
        return pg_fail(PG_ERROR_FORMAT, "a record without \"question_id\"");
    PG_TRY(pg_span_integer(&found.question_id, values[0], "question_id"));
    PG_TRY(pg_span_integer(&found.image_id, values[1], "image_id"));
    PG_TRY(pg_grow((void **)&list->records, &list->capacity, list->count + 1, sizeof found));
    list->records[list->count++] = found;
    return PG_OK;
}

/* The file's "data_subtype" names a set of COCO's pictures. */
static pg_status take_subset(vqa *index, pg_scan *scan)
{
    pg_span subset;
    if (pg_scan_peek(scan) != '"')
        return pg_scan_skip(&subset, scan);
    PG_TRY(pg_scan_string(&subset, scan));
    if (!index || index->image_name.size || subset.size > 64 || memchr(subset.text, '#', subset.size))
        return PG_OK;
    return pg_buffer_print(&index->image_name, "COCO_%.*s_############.jpg", (int)subset.size, subset.text);
}

static pg_status read_members(vqa_list *list, const char *name, vqa *index, pg_scan *scan)
{
    const pg_record_reader reader = {{"question_id", "image_id"}, take_record, list};
    pg_status status;
    bool first = true;
    pg_span key, ignored;
    PG_TRY(pg_scan_expect(scan, '{'));
    while (pg_scan_more(scan, '}', &first, &status)) {
        PG_TRY(pg_scan_key(&key, scan));
        if (pg_span_is(key, name))
            PG_TRY(pg_records_read(scan, &reader));
        else if (pg_span_is(key, "data_subtype"))
            PG_TRY(take_subset(index, scan));
        else
            PG_TRY(pg_scan_skip(&ignored, scan));
    }
    PG_TRY(status);
    PG_TRY(pg_scan_finish(scan));
    return list->count ? PG_OK : pg_fail(PG_ERROR_FORMAT, "%s: found no \"%s\"", scan->name, name);
}

static pg_status read_list(vqa_list *list, const char *path, const char *name, vqa *index)
{
    PG_TRY(pg_file_map_open(&list->map, path));
    const char *text = (const char *)list->map.data;
    pg_scan scan = {.name = path, .begin = text, .at = text, .end = text + list->map.size};
    pg_status status = read_members(list, name, index, &scan);
    pg_scan_free(&scan);
    return status;
}

/* ---------------------------------------------------------------- rows */

static size_t count_answer(const json_t *answers, const char *wanted)
{
    size_t count = 0;
    for (size_t i = 0; i < json_array_size(answers); i++) {
        const char *answer = json_string_value(json_object_get(json_array_get(answers, i), "answer"));
        count += answer && !strcmp(answer, wanted);
    }
    return count;
}

static const char *choose_answer(const json_t *record)
{
    const json_t *answers = json_object_get(record, "answers");
    const char *best = NULL;
    size_t most = 0;
    for (size_t i = 0; i < json_array_size(answers) && i < 100; i++) {
        const char *answer = json_string_value(json_object_get(json_array_get(answers, i), "answer"));
        size_t count = answer ? count_answer(answers, answer) : 0;
        if (count > most) {
            most = count;
            best = answer;
        }
    }
    return best ? best : json_string_value(json_object_get(record, "multiple_choice_answer"));
}

static pg_status parse_record(json_t **out, const vqa_list *list, const vqa_record *record)
{
    return pg_json_parse(out, (const char *)list->map.data + record->start, record->size, "record");
}

static pg_status find_annotation(json_t **out, const vqa *index, const vqa_record *question)
{
    uint64_t number = pg_id_map_find(&index->answer_ids, question->question_id);
    if (number == PG_ID_NONE)
        return pg_fail(PG_ERROR_FORMAT, "there is no annotation of this question");
    return parse_record(out, &index->answers, &index->answers.records[number]);
}

static pg_status read_answer(pg_data_row *out, const vqa *index, const vqa_record *question)
{
    json_t *record;
    PG_TRY(find_annotation(&record, index, question));
    const char *answer = choose_answer(record);
    pg_status status = answer ? pg_row_set_answer(&out->suffix, answer, strlen(answer), "answer")
                              : pg_fail(PG_ERROR_FORMAT, "the annotation has no answers");
    json_decref(record);
    return status;
}

static pg_status read_question(pg_data_row *out, const pg_dataset *dataset, const json_t *record)
{
    const char *before = dataset->text.prefix ? dataset->text.prefix : "answer en";
    const char *question = json_string_value(json_object_get(record, "question"));
    if (!question)
        return pg_fail(PG_ERROR_FORMAT, "has no \"question\"");
    pg_buffer prefix = {0};
    pg_status status = pg_buffer_print(&prefix, "%s%s%s", before, *before ? " " : "", question);
    if (status == PG_OK)
        status = pg_row_set_text(&out->prefix, prefix.data, prefix.size, "question");
    pg_buffer_free(&prefix);
    return status;
}

/* The name's run of # becomes the id, with zeros in front. */
static pg_status add_picture(pg_data_row *out, const pg_dataset *dataset, const vqa *index, int64_t id)
{
    const char *pattern = index->image_name.data, *mark = strchr(pattern, '#');
    int digits = (int)strspn(mark, "#");
    pg_buffer name = {0};
    pg_status status =
        pg_buffer_print(&name, "%.*s%0*lld%s", (int)(mark - pattern), pattern, digits, (long long)id, mark + digits);
    if (status == PG_OK)
        status = pg_row_add_file(out, dataset, name.data);
    pg_buffer_free(&name);
    return status;
}

static pg_status read_row(pg_data_row *out, const pg_dataset *dataset, size_t row)
{
    const vqa *index = dataset->index;
    const vqa_record *question = &index->questions.records[row];
    json_t *record;
    out->kind = PG_ROW_SUFFIX;
    if (question->image_id < 0)
        return pg_fail(PG_ERROR_FORMAT, "has no \"image_id\"");
    PG_TRY(add_picture(out, dataset, index, question->image_id));
    PG_TRY(parse_record(&record, &index->questions, question));
    pg_status status = read_question(out, dataset, record);
    json_decref(record);
    return status == PG_OK ? read_answer(out, index, question) : status;
}

static pg_status place_row(pg_buffer *out, const pg_dataset *dataset, size_t row)
{
    const vqa *index = dataset->index;
    return pg_buffer_print(out, "%s: question %lld", dataset->text.path,
                           (long long)index->questions.records[row].question_id);
}

static pg_status read_record(json_t **out, const pg_dataset *dataset, size_t row)
{
    const vqa *index = dataset->index;
    return find_annotation(out, index, &index->questions.records[row]);
}

static const pg_source source = {close_index, read_row, place_row, read_record};

static pg_status fill_index(vqa *index, const pg_dataset_texts *text)
{
    if (text->image_name)
        PG_TRY(pg_buffer_print(&index->image_name, "%s", text->image_name));
    PG_TRY(read_list(&index->questions, text->path, "questions", index));
    PG_TRY(read_list(&index->answers, text->annotations, "annotations", NULL));
    for (size_t i = 0; i < index->answers.count; i++)
        PG_TRY(pg_id_map_add(&index->answer_ids, index->answers.records[i].question_id, i));
    pg_id_map_sort(&index->answer_ids);
    if (!index->image_name.size)
        return pg_fail(PG_ERROR_ARGUMENT,
                       "%s: does not name its subset of COCO; say how pictures are named (\"photo-######.jpg\")",
                       text->path);
    if (!strchr(index->image_name.data, '#') || strlen(index->image_name.data) > 1000)
        return pg_fail(PG_ERROR_ARGUMENT, "names of pictures: found \"%.80s\", expected a # for each digit of the id",
                       index->image_name.data);
    return PG_OK;
}

pg_status pg_vqa_open(pg_dataset *dataset)
{
    vqa *index = dataset->index = pg_alloc(1, sizeof *index);
    dataset->source = &source;
    dataset->row_kind = PG_ROW_SUFFIX;
    if (!index)
        return PG_ERROR_MEMORY;
    if (!dataset->text.annotations)
        return pg_fail(PG_ERROR_ARGUMENT, "%s: holds questions; name the file with the annotations as well",
                       dataset->text.path);
    PG_TRY(fill_index(index, &dataset->text));
    dataset->count = index->questions.count;
    return PG_OK;
}
