#include "data/coco.h"

static pg_status take_image(void *user, const pg_span *values, pg_span whole)
{
    pg_coco *coco = user;
    pg_coco_image image = {0};
    int64_t id = 0;
    (void)whole;
    if (!values[0].text)
        return pg_fail(PG_ERROR_FORMAT, "a picture without \"id\"");
    PG_TRY(pg_span_integer(&id, values[0], "id"));
    PG_TRY(pg_span_text(&coco->names, &image.name, values[1], "file_name"));
    PG_TRY(pg_span_number(&image.width, values[2], "width"));
    PG_TRY(pg_span_number(&image.height, values[3], "height"));
    PG_TRY(pg_grow((void **)&coco->images, &coco->image_capacity, coco->image_count + 1, sizeof image));
    PG_TRY(pg_id_map_add(&coco->image_ids, id, coco->image_count));
    coco->images[coco->image_count++] = image;
    return PG_OK;
}

static pg_status take_category(void *user, const pg_span *values, pg_span whole)
{
    pg_coco *coco = user;
    int64_t id = 0;
    size_t name;
    (void)whole;
    if (!values[0].text)
        return pg_fail(PG_ERROR_FORMAT, "a category without \"id\"");
    PG_TRY(pg_span_integer(&id, values[0], "id"));
    PG_TRY(pg_span_text(&coco->names, &name, values[1], "name"));
    PG_TRY(pg_grow((void **)&coco->categories, &coco->category_capacity, coco->category_count + 1, sizeof name));
    PG_TRY(pg_id_map_add(&coco->category_ids, id, coco->category_count));
    coco->categories[coco->category_count++] = name;
    return PG_OK;
}

static pg_status take_annotation(void *user, const pg_span *values, pg_span whole)
{
    pg_coco *coco = user;
    pg_coco_annotation found = {.id = -1, .image_id = -1, .category_id = -1, .area = -1};
    double box[4] = {0};
    int64_t crowd = 0;
    PG_TRY(pg_span_integer(&found.id, values[0], "id"));
    PG_TRY(pg_span_integer(&found.image_id, values[1], "image_id"));
    PG_TRY(pg_span_integer(&found.category_id, values[2], "category_id"));
    PG_TRY(pg_span_numbers(box, 4, values[3], "bbox"));
    PG_TRY(pg_span_number(&found.area, values[5], "area"));
    if (!pg_span_is(values[4], "true") && !pg_span_is(values[4], "false"))
        PG_TRY(pg_span_integer(&crowd, values[4], "iscrowd"));
    if (whole.size > UINT32_MAX)
        return pg_fail(PG_ERROR_LIMIT, "an annotation of %zu bytes", whole.size);
    found.crowd = crowd || pg_span_is(values[4], "true");
    found.start = (uint64_t)(whole.text - (const char *)coco->map.data);
    found.size = (uint32_t)whole.size;
    for (int i = 0; i < 2; i++) {
        found.box[i] = box[i];
        found.box[2 + i] = box[i] + box[2 + i];
        found.extent[i] = box[2 + i];
    }
    PG_TRY(pg_grow((void **)&coco->annotations, &coco->annotation_capacity, coco->annotation_count + 1, sizeof found));
    coco->annotations[coco->annotation_count++] = found;
    return PG_OK;
}

static pg_status read_member(pg_coco *coco, pg_scan *scan, bool *annotated)
{
    const pg_record_reader images = {{"id", "file_name", "width", "height"}, take_image, coco};
    const pg_record_reader categories = {{"id", "name"}, take_category, coco};
    const pg_record_reader annotations = {{"id", "image_id", "category_id", "bbox", "iscrowd", "area"},
                                          take_annotation,
                                          coco};
    pg_span key, ignored;
    PG_TRY(pg_scan_key(&key, scan));
    if (pg_span_is(key, "images"))
        return pg_records_read(scan, &images);
    if (pg_span_is(key, "categories"))
        return pg_records_read(scan, &categories);
    if (pg_span_is(key, "annotations")) {
        *annotated = true;
        return pg_records_read(scan, &annotations);
    }
    return pg_scan_skip(&ignored, scan);
}

static pg_status read_document(pg_coco *coco, pg_scan *scan)
{
    pg_status status;
    bool first = true, annotated = false;
    PG_TRY(pg_scan_expect(scan, '{'));
    while (pg_scan_more(scan, '}', &first, &status))
        PG_TRY(read_member(coco, scan, &annotated));
    PG_TRY(status);
    PG_TRY(pg_scan_finish(scan));
    if (!annotated || !coco->image_count)
        return pg_fail(PG_ERROR_FORMAT, "%s: found no %s, expected a COCO file with \"images\" and \"annotations\"",
                       scan->name, annotated ? "\"images\"" : "\"annotations\"");
    return PG_OK;
}

static uint32_t number_of(const pg_id_map *map, int64_t id)
{
    uint64_t found = pg_id_map_find(map, id);
    return found < PG_COCO_NONE ? (uint32_t)found : PG_COCO_NONE;
}

pg_status pg_coco_read(pg_coco *coco, const char *path)
{
    PG_TRY(pg_file_map_open(&coco->map, path));
    const char *text = (const char *)coco->map.data;
    pg_scan scan = {.name = path, .begin = text, .at = text, .end = text + coco->map.size};
    pg_status status = read_document(coco, &scan);
    pg_scan_free(&scan);
    PG_TRY(status);
    pg_id_map_sort(&coco->image_ids);
    pg_id_map_sort(&coco->category_ids);
    for (size_t i = 0; i < coco->annotation_count; i++) {
        coco->annotations[i].image = number_of(&coco->image_ids, coco->annotations[i].image_id);
        coco->annotations[i].category = number_of(&coco->category_ids, coco->annotations[i].category_id);
    }
    return PG_OK;
}

void pg_coco_free(pg_coco *coco)
{
    pg_file_map_close(&coco->map);
    pg_free(coco->images);
    pg_free(coco->annotations);
    pg_free(coco->categories);
    pg_id_map_free(&coco->image_ids);
    pg_id_map_free(&coco->category_ids);
    pg_buffer_free(&coco->names);
}

pg_status pg_coco_parse(json_t **out, const pg_coco *coco, const pg_coco_annotation *annotation)
{
    return pg_json_parse(out, (const char *)coco->map.data + annotation->start, annotation->size, "annotation");
}
