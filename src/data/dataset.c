/* Opening a data set: which file, what kind, whose pictures; and the doors to its rows. */
#include "data/dataset.h"

#include <string.h>

#include "base/names.h"
#include "text/scan.h"

#define LOOKED_AT 65536 /* bytes, to tell a file's kind */

static const char *const kind_names[] = {"auto", "jsonl", "coco-captions", "coco-detect", "coco-segment",
                                         "vqa",  "text",  "shards",        "masks",       "mask-folders"};

const char *pg_data_kind_name(pg_data_kind kind)
{
    return (size_t)kind < sizeof kind_names / sizeof *kind_names ? kind_names[kind] : NULL;
}

void pg_dataset_options_init(pg_dataset_options *options)
{
    *options = (pg_dataset_options){0};
}

/* ---------------------------------------------------------------- which file a folder means */

static pg_status try_file(pg_buffer *out, bool *found, const char *folder, const char *pattern, const char *split)
{
    pg_buffer name = {0};
    pg_status status = pg_buffer_print(&name, pattern, split);
    if (status == PG_OK)
        status = pg_file_join(out, folder, name.data);
    *found = status == PG_OK && pg_file_exists(out->data);
    pg_buffer_free(&name);
    return status;
}

/* The file in a folder that lists its rows; the folder itself if there is none, for it may hold shards. */
static pg_status find_split(pg_buffer *out, bool *found, const char *folder, const char *split)
{
#define TRY_FILE(pattern)                                 \
    PG_TRY(try_file(out, found, folder, pattern, split)); \
    if (*found)                                           \
        return PG_OK;
    TRY_FILE("dataset/_annotations.%s.jsonl")
    TRY_FILE("_annotations.%s.jsonl")
    TRY_FILE("%s/annotations.jsonl")
    TRY_FILE("%s/_annotations.jsonl")
    TRY_FILE("%s/metadata.jsonl")
#undef TRY_FILE
    return PG_OK;
}

bool pg_dataset_has_split(const char *path, const char *split)
{
    pg_buffer file = {0};
    bool found = false;
    if (pg_file_is_folder(path) && find_split(&file, &found, path, split) != PG_OK)
        found = false;
    pg_buffer_free(&file);
    return found;
}

static pg_status find_in_folder(pg_buffer *out, const char *folder, const char *split)
{
    bool found;
    PG_TRY(find_split(out, &found, folder, split));
    if (found)
        return PG_OK;
    if (strcmp(split, "train") != 0) /* what has no parts is to train on */
        return pg_fail(PG_ERROR_FILE,
                       "%s: has no part \"%s\": expected _annotations.%s.jsonl, %s/metadata.jsonl or the like", folder,
                       split, split, split);
    PG_TRY(pg_file_join(out, folder, "metadata.jsonl"));
    if (pg_file_exists(out->data))
        return PG_OK;
    PG_TRY(pg_file_join(out, folder, "annotations.jsonl"));
    if (pg_file_exists(out->data))
        return PG_OK;
    pg_buffer_reset(out);
    return pg_buffer_print(out, "%s", folder);
}

/* ---------------------------------------------------------------- which kind a file is */

static bool holds(const char *text, size_t size, const char *wanted)
{
    return memmem(text, size, wanted, strlen(wanted)) != NULL;
}

/* A tar file has its mark at byte 257. */
static bool is_tar(const char *text, size_t size)
{
    return size >= 512 && !memcmp(text + 257, "ustar", 5);
}

/* The first line is one whole object, and more follows. */
static bool is_lines_of_json(const char *text, size_t size)
{
    const char *end = memchr(text, '\n', size);
    pg_scan scan = {.name = "line", .begin = text, .at = text, .end = end ? end : text + size};
    pg_span value;
    bool whole = pg_scan_skip(&value, &scan) == PG_OK && pg_scan_finish(&scan) == PG_OK;
    scan.end = text + size;
    bool more = pg_scan_peek(&scan) != 0;
    pg_scan_free(&scan);
    return whole && more;
}

/* Of one JSON document: what its keys say, wherever they stand. */
static pg_data_kind document_kind(const char *text, size_t size)
{
    if (holds(text, size, "\"questions\""))
        return PG_DATA_VQA;
    if (!holds(text, size, "\"annotations\""))
        return PG_DATA_JSONL; /* of one line */
    return holds(text, size, "\"bbox\"") ? PG_DATA_COCO_DETECT : PG_DATA_COCO_CAPTIONS;
}

static pg_data_kind tell_kind(const pg_file_map *map, const char *path)
{
    const char *text = (const char *)map->data;
    size_t size = map->size < LOOKED_AT ? map->size : LOOKED_AT, start = pg_json_mark(text, size);
    if (is_tar(text, size) || pg_ends_in(path, ".tar"))
        return PG_DATA_SHARDS;
    if (pg_ends_in(path, ".jsonl"))
        return PG_DATA_JSONL;
    while (start < size && (text[start] == ' ' || text[start] == '\t' || text[start] == '\r' || text[start] == '\n'))
        start++;
    if (start == size || text[start] != '{')
        return PG_DATA_TEXT;
    if (is_lines_of_json(text + start, size - start))
        return PG_DATA_JSONL;
    return document_kind(text, map->size);
}

/* What is read as text only because it has another form than rows have. */
static pg_status check_text(const pg_file_map *map, const char *path)
{
    const char *text = (const char *)map->data;
    size_t at = 0;
    if (map->size >= 2 && !memcmp(text, "\x1f\x8b", 2))
        return pg_fail(PG_ERROR_UNSUPPORTED, "%s: is compressed (gzip): unpack it first", path);
    while (at < map->size && strchr(" \t\r\n", text[at]) && text[at])
        at++;
    bool list = at < map->size && text[at] == '[';
    for (at++; at < map->size && strchr(" \t\r\n", text[at]) && text[at]; at++) {
    }
    if (list && at < map->size && text[at] == '{')
        return pg_fail(PG_ERROR_FORMAT,
                       "%s: is one JSON list; expected JSON objects, one in a line (jq -c '.[]' makes them)", path);
    return PG_OK;
}

static pg_status find_kind(pg_data_kind *out, const char *path)
{
    if (pg_file_is_folder(path) || (strchr(path, '{') && !pg_file_exists(path))) {
        *out = PG_DATA_SHARDS;
        return PG_OK;
    }
    pg_file_map map;
    PG_TRY(pg_file_map_open(&map, path));
    *out = tell_kind(&map, path);
    pg_status status = *out == PG_DATA_TEXT ? check_text(&map, path) : PG_OK;
    pg_file_map_close(&map);
    return status;
}

/* ---------------------------------------------------------------- opening */

static pg_status keep_text(char **out, const char *text)
{
    if (!text)
        return PG_OK;
    *out = pg_copy_text(text, SIZE_MAX);
    return *out ? PG_OK : PG_ERROR_MEMORY;
}

/* The file's folder, "." where its path has none. */
static pg_status keep_folder(char **out, const char *path)
{
    size_t size = strlen(path);
    while (size > 1 && path[size - 1] == '/')
        size--;
    const char *slash = memrchr(path, '/', size);
    *out = slash ? pg_copy_text(path, slash == path ? 1 : (size_t)(slash - path)) : pg_copy_text(".", 1);
    return *out ? PG_OK : PG_ERROR_MEMORY;
}

static pg_status keep_texts(pg_dataset_texts *out, const char *path, const pg_dataset_options *options)
{
    PG_TRY(keep_text(&out->path, path));
    if (options->images)
        PG_TRY(keep_text(&out->folder, options->images));
    else
        PG_TRY(keep_folder(&out->folder, path));
    PG_TRY(keep_text(&out->prefix, options->prefix));
    PG_TRY(keep_text(&out->annotations, options->annotations));
    return keep_text(&out->image_name, options->image_name);
}

static pg_status open_kind(pg_dataset *dataset)
{
    static pg_dataset_opener *const openers[] = {
        [PG_DATA_JSONL] = pg_jsonl_open,
        [PG_DATA_COCO_CAPTIONS] = pg_captions_open,
        [PG_DATA_COCO_DETECT] = pg_instances_open,
        [PG_DATA_COCO_SEGMENT] = pg_instances_open,
        [PG_DATA_VQA] = pg_vqa_open,
        [PG_DATA_TEXT] = pg_plain_open,
        [PG_DATA_SHARDS] = pg_shards_open,
        [PG_DATA_MASKS] = pg_masks_open,
        [PG_DATA_MASK_FOLDERS] = pg_mask_folders_open,
    };
    return openers[dataset->kind](dataset);
}

static pg_status fill(pg_dataset *dataset, const char *path, const pg_dataset_options *options)
{
    dataset->kind = options->kind;
    dataset->together = options->together;
    dataset->unanswered = options->unanswered;
    dataset->bpe_dropout = options->bpe_dropout;
    if (!(dataset->bpe_dropout >= 0 && dataset->bpe_dropout <= 1))
        return pg_fail(PG_ERROR_ARGUMENT, "%s: bpe_dropout is %g, expected 0 to 1", path, dataset->bpe_dropout);
    dataset->encode_mask = options->encode_mask;
    dataset->user = options->user;
    PG_TRY(keep_texts(&dataset->text, path, options));
    if (options->label_count)
        PG_TRY(pg_labels_set(&dataset->labels, options->labels, options->label_count));
    if (dataset->kind == PG_DATA_AUTO)
        PG_TRY(find_kind(&dataset->kind, path));
    if (!pg_data_kind_name(dataset->kind))
        return pg_fail(PG_ERROR_ARGUMENT, "%s: there is no kind %d of data", path, (int)dataset->kind);
    return open_kind(dataset);
}

static pg_status open_file(pg_dataset **out, const char *path, const pg_dataset_options *options)
{
    pg_dataset *dataset = pg_alloc(1, sizeof *dataset);
    if (!dataset)
        return PG_ERROR_MEMORY;
    pg_status status = fill(dataset, path, options);
    if (status == PG_OK)
        *out = dataset;
    else
        pg_dataset_close(dataset);
    return status;
}

pg_status pg_dataset_open(pg_dataset **out, const char *path, const pg_dataset_options *options)
{
    pg_dataset_options defaults;
    pg_dataset_options_init(&defaults);
    options = options ? options : &defaults;
    *out = NULL;
    bool folder =
        options->kind == PG_DATA_SHARDS || options->kind == PG_DATA_MASKS || options->kind == PG_DATA_MASK_FOLDERS;
    if (folder || !pg_file_is_folder(path))
        return open_file(out, path, options);
    pg_buffer file = {0};
    pg_status status = find_in_folder(&file, path, options->split ? options->split : "train");
    if (status == PG_OK)
        status = open_file(out, file.data, options);
    pg_buffer_free(&file);
    return status;
}

void pg_dataset_close(pg_dataset *dataset)
{
    if (!dataset)
        return;
    if (dataset->index)
        dataset->source->close(dataset->index);
    pg_labels_free(&dataset->labels);
    pg_free(dataset->text.path);
    pg_free(dataset->text.folder);
    pg_free(dataset->text.prefix);
    pg_free(dataset->text.annotations);
    pg_free(dataset->text.image_name);
    pg_free(dataset);
}

/* ---------------------------------------------------------------- what is asked of it */

size_t pg_dataset_count(const pg_dataset *dataset)
{
    return dataset->count;
}

pg_data_kind pg_dataset_get_kind(const pg_dataset *dataset)
{
    return dataset->kind;
}

pg_row_kind pg_dataset_row_kind(const pg_dataset *dataset)
{
    return dataset->row_kind;
}

const char *pg_dataset_path(const pg_dataset *dataset)
{
    return dataset->text.path;
}

size_t pg_dataset_label_count(const pg_dataset *dataset)
{
    return dataset->labels.count;
}

const char *pg_dataset_label(const pg_dataset *dataset, size_t label)
{
    return label < dataset->labels.count ? dataset->labels.names[label] : NULL;
}

pg_status pg_dataset_place(char **out, const pg_dataset *dataset, size_t index)
{
    pg_buffer text = {0};
    *out = NULL;
    if (index >= dataset->count)
        return pg_fail(PG_ERROR_ARGUMENT, "%s: has %zu rows, not %zu", dataset->text.path, dataset->count, index + 1);
    pg_status status = dataset->source->place(&text, dataset, index);
    if (status == PG_OK)
        *out = text.data;
    else
        pg_buffer_free(&text);
    return status;
}

/* The reason stands first in the thread's error text, so the place is asked for after it. */
static pg_status fail_at(pg_status reason, const pg_dataset *dataset, size_t index)
{
    pg_buffer place = {0};
    pg_status status = dataset->source->place(&place, dataset, index);
    if (status == PG_OK)
        status = pg_fail_context(reason, "%s", place.data);
    pg_buffer_free(&place);
    return status;
}

pg_status pg_dataset_row(pg_data_row **out, const pg_dataset *dataset, size_t index)
{
    *out = NULL;
    if (index >= dataset->count)
        return pg_fail(PG_ERROR_ARGUMENT, "%s: has %zu rows, not %zu", dataset->text.path, dataset->count, index + 1);
    pg_data_row *row = pg_alloc(1, sizeof *row);
    if (!row)
        return PG_ERROR_MEMORY;
    pg_status status = dataset->source->read(row, dataset, index);
    if (status == PG_OK) {
        *out = row;
        return PG_OK;
    }
    pg_data_row_free(row);
    return status == PG_ERROR_MEMORY ? status : fail_at(status, dataset, index);
}

pg_status pg_dataset_record(json_t **out, const pg_dataset *dataset, size_t index)
{
    *out = NULL;
    if (!dataset->source->record)
        return PG_OK;
    pg_status status = dataset->source->record(out, dataset, index);
    return status == PG_OK || status == PG_ERROR_MEMORY ? status : fail_at(status, dataset, index);
}
