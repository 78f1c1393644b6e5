/*
 * Tar shards in webdataset's layout: files next to each other whose names are the same up to the first dot are a
 * sample: KEY.jpg with KEY.txt (a text), KEY.json (fields as in JSONL) or KEY.cls (the number of a class).
 *
 * The headers are walked once on opening, and every sample's place in its mapped shard is kept (48 bytes and its key).
 * webdataset itself streams, and shuffles as well as a buffer can; with the index rows are shuffled over all shards,
 * and a run goes on from one number. Only pages with headers are touched. It needs tars that are not compressed, which
 * those of pictures seldom are: pictures are compressed themselves.
 *
 * libarchive reads the headers. Given the whole mapping as one block it hands out places inside it, no copies.
 */
#include <archive.h>
#include <archive_entry.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/folder.h"
#include "data/dataset.h"

#define SHARDS_MAX 100000

typedef enum text_form { TEXT_NONE, TEXT_PLAIN, TEXT_JSON, TEXT_CLASS } text_form;

/* A file inside the shard. */
typedef struct piece {
    uint64_t start;
    uint32_t size;
} piece;

typedef struct shard_sample {
    piece image, text; /* size 0: none */
    bool has_image;
    size_t image_name; /* place in `names`, the key's as long as key_size */
    size_t key;
    uint32_t shard, key_size;
    text_form form;
} shard_sample;

typedef struct shards {
    pg_path_list paths;
    pg_file_map *maps; /* [paths.count] */
    shard_sample *samples;
    size_t count, capacity;
    pg_buffer names;
} shards;

static void close_index(void *memory)
{
    shards *index = memory;
    for (size_t i = 0; index->maps && i < index->paths.count; i++)
        pg_file_map_close(&index->maps[i]);
    pg_path_list_free(&index->paths);
    pg_free(index->maps);
    pg_free(index->samples);
    pg_buffer_free(&index->names);
    pg_free(index);
}

/* ---------------------------------------------------------------- which files */

static pg_status add_path(shards *index, const char *path)
{
    if (index->paths.count == SHARDS_MAX)
        return pg_fail(PG_ERROR_LIMIT, "%s: more than %d shards", path, SHARDS_MAX);
    return pg_path_list_add(&index->paths, path);
}

static bool is_tar(const char *name)
{
    size_t size = strlen(name);
    return size > 4 && !strcmp(name + size - 4, ".tar");
}

static pg_status add_folder(shards *index, const char *path)
{
    pg_path_list list = {0};
    pg_status status = pg_folder_list(&list, path, is_tar);
    for (size_t i = 0; status == PG_OK && i < list.count; i++)
        status = add_path(index, list.items[i]);
    pg_path_list_free(&list);
    return status;
}

/* "set-{000..127}.tar": every number of the range, with as many digits as its first. */
static pg_status add_range(shards *index, const char *path, const char *brace)
{
    int digits = 0, used = 0;
    long long first, last;
    if (sscanf(brace, "{%lld..%lld}%n", &first, &last, &used) != 2 || !used || first < 0 || last < first ||
        last - first >= SHARDS_MAX)
        return pg_fail(PG_ERROR_ARGUMENT, "%s: expected a range of shards such as {000..127}", path);
    digits = (int)strspn(brace + 1, "0123456789");
    pg_buffer name = {0};
    pg_status status = PG_OK;
    for (long long number = first; status == PG_OK && number <= last; number++) {
        pg_buffer_reset(&name);
        status = pg_buffer_print(&name, "%.*s%0*lld%s", (int)(brace - path), path, digits, number, brace + used);
        if (status == PG_OK)
            status = add_path(index, name.data);
    }
    pg_buffer_free(&name);
    return status;
}

static pg_status find_shards(shards *index, const char *path)
{
    const char *brace = strchr(path, '{');
    if (pg_file_is_folder(path))
        return add_folder(index, path);
    return brace && strstr(brace, "..") && !pg_file_exists(path) ? add_range(index, path, brace)
                                                                 : add_path(index, path);
}

/* ---------------------------------------------------------------- the index */

static bool is_picture(const char *extension)
{
    static const char *const known[] = {"jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "ppm", "pgm"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcasecmp(extension, known[i]))
            return true;
    return false;
}

static text_form form_of(const char *extension)
{
    return !strcasecmp(extension, "txt")    ? TEXT_PLAIN
           : !strcasecmp(extension, "json") ? TEXT_JSON
           : !strcasecmp(extension, "cls")  ? TEXT_CLASS
                                            : TEXT_NONE;
}

/* The sample that a file belongs to: the last one if the key is the same, else a new one. */
static pg_status find_sample(shard_sample **out, shards *index, size_t shard, const char *path, size_t key_size)
{
    shard_sample *last = index->count ? &index->samples[index->count - 1] : NULL;
    *out = last;
    if (last && last->shard == shard && last->key_size == key_size &&
        !memcmp(index->names.data + last->key, path, key_size))
        return PG_OK;
    PG_TRY(pg_grow((void **)&index->samples, &index->capacity, index->count + 1, sizeof *index->samples));
    *out = &index->samples[index->count];
    **out = (shard_sample){.key = index->names.size, .key_size = (uint32_t)key_size, .shard = (uint32_t)shard};
    PG_TRY(pg_buffer_append(&index->names, path, key_size));
    PG_TRY(pg_buffer_append(&index->names, "", 1));
    index->count++;
    return PG_OK;
}

static pg_status add_file(shards *index, size_t shard, const char *path, piece found)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path, *dot = strchr(base, '.');
    text_form form = dot ? form_of(dot + 1) : TEXT_NONE;
    shard_sample *sample;
    if (!dot || dot == base || (form == TEXT_NONE && !is_picture(dot + 1)))
        return PG_OK;
    PG_TRY(find_sample(&sample, index, shard, path, (size_t)(dot - path)));
    if (form != TEXT_NONE && sample->form == TEXT_NONE) {
        sample->form = form;
        sample->text = found;
    } else if (form == TEXT_NONE && !sample->has_image) {
        sample->has_image = true;
        sample->image = found;
        sample->image_name = index->names.size;
        return pg_buffer_append(&index->names, path, strlen(path) + 1);
    }
    return PG_OK;
}

/* Where the data of the entry that was just read lies. */
static pg_status find_data(piece *out, const shards *index, size_t shard, struct archive *tar,
                           struct archive_entry *entry)
{
    const pg_file_map *map = &index->maps[shard];
    const void *data = NULL;
    size_t size = 0;
    la_int64_t offset = 0, wanted = archive_entry_size(entry);
    *out = (piece){0};
    if (wanted <= 0)
        return PG_OK;
    int code = archive_read_data_block(tar, &data, &size, &offset);
    if (code != ARCHIVE_OK)
        return pg_fail(PG_ERROR_FORMAT, "%s: %s", index->paths.items[shard], archive_error_string(tar));
    const uint8_t *start = data;
    if (offset != 0 || size != (uint64_t)wanted || wanted > UINT32_MAX || start < map->data ||
        size > (size_t)(map->data + map->size - start))
        return pg_fail(PG_ERROR_FORMAT, "%s: a file of %lld bytes at byte %lld cannot be read in one piece",
                       index->paths.items[shard], (long long)wanted, (long long)archive_read_header_position(tar));
    *out = (piece){(uint64_t)(start - map->data), (uint32_t)size};
    return PG_OK;
}

static pg_status add_entry(shards *index, size_t shard, struct archive *tar, struct archive_entry *entry)
{
    const char *path = archive_entry_pathname(entry);
    piece found;
    if (!path)
        path = archive_entry_pathname_utf8(entry);
    if (!path || archive_entry_filetype(entry) != AE_IFREG)
        return PG_OK;
    PG_TRY(find_data(&found, index, shard, tar, entry));
    return add_file(index, shard, path, found);
}

static pg_status walk(shards *index, size_t shard, struct archive *tar)
{
    const pg_file_map *map = &index->maps[shard];
    struct archive_entry *entry;
    int code = archive_read_open_memory(tar, map->data, map->size);
    pg_status status = PG_OK;
    while (code >= ARCHIVE_WARN && status == PG_OK && (code = archive_read_next_header(tar, &entry)) >= ARCHIVE_WARN &&
           code != ARCHIVE_EOF)
        status = add_entry(index, shard, tar, entry);
    if (status != PG_OK || code == ARCHIVE_EOF)
        return status;
    bool compressed = map->size > 4 && (!memcmp(map->data, "\x1f\x8b", 2) || !memcmp(map->data, "\x28\xb5\x2f\xfd", 4));
    return pg_fail(PG_ERROR_FORMAT, "%s: %s", index->paths.items[shard],
                   compressed ? "is compressed; rows are found by their place, so unpack it to a plain tar"
                              : archive_error_string(tar));
}

static pg_status read_shard(shards *index, size_t shard)
{
    PG_TRY(pg_file_map_open(&index->maps[shard], index->paths.items[shard]));
    struct archive *tar = archive_read_new();
    if (!tar)
        return pg_fail(PG_ERROR_MEMORY, "%s: out of memory", index->paths.items[shard]);
    pg_status status = archive_read_support_format_tar(tar) == ARCHIVE_OK
                           ? walk(index, shard, tar)
                           : pg_fail(PG_ERROR_UNSUPPORTED, "libarchive reads no tar files");
    archive_read_free(tar);
    return status;
}

/* ---------------------------------------------------------------- rows */

static const char *data_of(const shards *index, const shard_sample *sample, piece wanted)
{
    return (const char *)index->maps[sample->shard].data + wanted.start;
}

static pg_status parse_text(json_t **out, const shards *index, const shard_sample *sample)
{
    return pg_json_parse(out, data_of(index, sample, sample->text), sample->text.size, "row");
}

static pg_status read_json(pg_data_row *out, const pg_dataset *dataset, const shard_sample *sample)
{
    json_t *object;
    PG_TRY(parse_text(&object, dataset->index, sample));
    pg_status status = pg_row_read_object(out, dataset, object, true);
    json_decref(object);
    return status;
}

/* A caption, or a number with white space around it. */
static pg_status read_text(pg_data_row *out, const pg_dataset *dataset, const shard_sample *sample)
{
    const char *text = data_of(dataset->index, sample, sample->text);
    const char *prefix = dataset->text.prefix ? dataset->text.prefix : "caption en";
    size_t size = sample->text.size;
    char number[24], *end;
    while (size && isspace((unsigned char)text[size - 1]))
        size--;
    if (sample->form == TEXT_PLAIN) {
        PG_TRY(pg_row_set_text(&out->prefix, prefix, strlen(prefix), "prefix"));
        return pg_row_set_answer(&out->text, text, size, "text");
    }
    snprintf(number, sizeof number, "%.*s", (int)(size < sizeof number ? size : sizeof number - 1), text);
    out->label = strtoll(number, &end, 10);
    if (end == number || *end || out->label < 0 || out->label > PG_LABEL_MAX)
        return pg_fail(PG_ERROR_FORMAT, "the class is \"%s\", expected a number up to %d", number, PG_LABEL_MAX);
    return pg_row_set_text(&out->text, "", 0, "text");
}

static pg_status kind_of(pg_row_kind *out, const shards *index, const shard_sample *sample)
{
    json_t *object = NULL;
    *out = sample->form == TEXT_CLASS ? PG_ROW_LABEL : PG_ROW_TEXT;
    if (sample->form == TEXT_NONE)
        return pg_fail(PG_ERROR_FORMAT, "there is no .txt, .json or .cls beside the picture");
    if (sample->form != TEXT_JSON)
        return PG_OK;
    pg_status status = parse_text(&object, index, sample);
    if (status == PG_OK)
        status = pg_row_kind_of(out, object);
    json_decref(object);
    return status;
}

static pg_status read_row(pg_data_row *out, const pg_dataset *dataset, size_t row)
{
    const shards *index = dataset->index;
    const shard_sample *sample = &index->samples[row];
    PG_TRY(kind_of(&out->kind, index, sample));
    if (out->kind != dataset->row_kind)
        return pg_fail(PG_ERROR_FORMAT, "found a row of kind \"%s\" among rows of kind \"%s\"",
                       pg_row_kind_name(out->kind), pg_row_kind_name(dataset->row_kind));
    if (sample->has_image && !sample->image.size)
        return pg_fail(PG_ERROR_FORMAT, "the picture %s is empty", index->names.data + sample->image_name);
    if (sample->has_image)
        PG_TRY(pg_row_add_bytes(out, index->names.data + sample->image_name,
                                (const uint8_t *)data_of(index, sample, sample->image), sample->image.size));
    return sample->form == TEXT_JSON ? read_json(out, dataset, sample) : read_text(out, dataset, sample);
}

static pg_status place_row(pg_buffer *out, const pg_dataset *dataset, size_t row)
{
    const shards *index = dataset->index;
    const shard_sample *sample = &index->samples[row];
    return pg_buffer_print(out, "%s: %s", index->paths.items[sample->shard], index->names.data + sample->key);
}

static const pg_source source = {close_index, read_row, place_row, NULL};

static pg_status find_row_kind(pg_dataset *dataset, const shards *index)
{
    pg_status status = PG_OK;
    for (size_t row = 0; row < index->count && row < 100; row++) {
        status = kind_of(&dataset->row_kind, index, &index->samples[row]);
        if (status == PG_OK || status == PG_ERROR_MEMORY)
            return status;
    }
    return pg_fail_context(status, "%s: no row can be read; the last one looked at", dataset->text.path);
}

pg_status pg_shards_open(pg_dataset *dataset)
{
    shards *index = dataset->index = pg_alloc(1, sizeof *index);
    dataset->source = &source;
    if (!index)
        return PG_ERROR_MEMORY;
    PG_TRY(find_shards(index, dataset->text.path));
    index->maps = pg_alloc(index->paths.count, sizeof *index->maps);
    if (!index->maps)
        return PG_ERROR_MEMORY;
    for (size_t shard = 0; shard < index->paths.count; shard++)
        PG_TRY(read_shard(index, shard));
    if (index->count == 0)
        return pg_fail(PG_ERROR_FORMAT, "%s: found no pictures or texts, expected files such as KEY.jpg and KEY.txt",
                       dataset->text.path);
    dataset->count = index->count;
    return find_row_kind(dataset, index);
}
