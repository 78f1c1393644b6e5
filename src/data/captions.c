/* COCO captions: a row for each. */
#include <string.h>

#include "data/coco.h"
#include "data/dataset.h"
#include "text/utf8.h"

static void close_index(void *memory)
{
    pg_coco_free(memory);
    pg_free(memory);
}

static pg_status read_caption(pg_data_row *out, const json_t *record)
{
    const json_t *caption = json_object_get(record, "caption");
    if (!json_is_string(caption))
        return pg_fail(PG_ERROR_FORMAT, "has no \"caption\"");
    const char *text = json_string_value(caption);
    size_t size = json_string_length(caption);
    pg_utf8_strip(&text, &size);
    return pg_row_set_answer(&out->suffix, text, size, "caption");
}

static pg_status read_row(pg_data_row *out, const pg_dataset *dataset, size_t row)
{
    const pg_coco *coco = dataset->index;
    const pg_coco_annotation *annotation = &coco->annotations[row];
    const char *prefix = dataset->text.prefix ? dataset->text.prefix : "caption en";
    json_t *record;
    out->kind = PG_ROW_SUFFIX;
    if (annotation->image == PG_COCO_NONE)
        return pg_fail(PG_ERROR_FORMAT, "there is no picture of id %lld", (long long)annotation->image_id);
    PG_TRY(pg_row_set_text(&out->prefix, prefix, strlen(prefix), "prefix"));
    PG_TRY(pg_row_add_file(out, dataset, coco->names.data + coco->images[annotation->image].name));
    PG_TRY(pg_coco_parse(&record, coco, annotation));
    pg_status status = read_caption(out, record);
    json_decref(record);
    return status;
}

static pg_status place_row(pg_buffer *out, const pg_dataset *dataset, size_t row)
{
    const pg_coco *coco = dataset->index;
    return pg_buffer_print(out, "%s: annotation %lld", dataset->text.path, (long long)coco->annotations[row].id);
}

static pg_status read_record(json_t **out, const pg_dataset *dataset, size_t row)
{
    const pg_coco *coco = dataset->index;
    return pg_coco_parse(out, coco, &coco->annotations[row]);
}

static const pg_source source = {close_index, read_row, place_row, read_record};

pg_status pg_captions_open(pg_dataset *dataset)
{
    pg_coco *coco = dataset->index = pg_alloc(1, sizeof *coco);
    dataset->source = &source;
    dataset->row_kind = PG_ROW_SUFFIX;
    if (!coco)
        return PG_ERROR_MEMORY;
    PG_TRY(pg_coco_read(coco, dataset->text.path));
    if (coco->annotation_count == 0)
        return pg_fail(PG_ERROR_FORMAT, "%s: has no annotations", dataset->text.path);
    dataset->count = coco->annotation_count;
    return PG_OK;
}
