/* The index, as save_pretrained writes it: {"metadata": {...}, "weight_map": {"tensor":
 * "model-00001-of-00003.safetensors",
 * ...}}. Published values of metadata.total_size are known to be wrong at times, so it is not looked at. */
#include "tensor/checkpoint.h"

#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/names.h"
#include "base/pages.h"
#include "tensor/safetensors.h"

typedef struct shard {
    char *path;
    const char *name; /* the part of path behind the folder */
    pg_safetensors *file;
} shard;

struct pg_checkpoint {
    shard *shards;
    size_t shard_count;
    pg_array *arrays; /* ordered by name; name and data are borrowed from the shards */
    size_t count;
    bool copied;
};

static pg_status add_shard(pg_checkpoint *checkpoint, const char *path, size_t name_offset)
{
    shard *added = &checkpoint->shards[checkpoint->shard_count];
    added->path = pg_copy_text(path, SIZE_MAX);
    if (!added->path)
        return PG_ERROR_MEMORY;
    added->name = added->path + name_offset;
    checkpoint->shard_count++;
    return pg_safetensors_open(&added->file, path);
}

static pg_status collect_arrays(pg_checkpoint *checkpoint)
{
    size_t count = 0;
    for (size_t s = 0; s < checkpoint->shard_count; s++)
        count += pg_safetensors_count(checkpoint->shards[s].file);
    checkpoint->arrays = pg_alloc(count, sizeof *checkpoint->arrays);
    if (!checkpoint->arrays)
        return PG_ERROR_MEMORY;
    for (size_t s = 0; s < checkpoint->shard_count; s++)
        for (size_t i = 0; i < pg_safetensors_count(checkpoint->shards[s].file); i++)
            checkpoint->arrays[checkpoint->count++] = *pg_safetensors_at(checkpoint->shards[s].file, i);
    pg_array_sort(checkpoint->arrays, count);
    return PG_OK;
}

static pg_status open_single(pg_checkpoint *checkpoint, const char *path)
{
    checkpoint->shards = pg_alloc(1, sizeof *checkpoint->shards);
    if (!checkpoint->shards)
        return PG_ERROR_MEMORY;
    PG_TRY(add_shard(checkpoint, path, 0));
    return collect_arrays(checkpoint);
}

/* ---------------------------------------------------------------- several files */

/* A name that stays in the index's folder. */
static bool is_plain_name(const char *name)
{
    return *name && *name != '.' && !strchr(name, '/');
}

static shard *find_shard(const pg_checkpoint *checkpoint, const char *name)
{
    for (size_t s = 0; s < checkpoint->shard_count; s++)
        if (!strcmp(checkpoint->shards[s].name, name))
            return &checkpoint->shards[s];
    return NULL;
}

/* Opens the shards that the map names, each once. */
static pg_status open_shards(pg_checkpoint *checkpoint, const json_t *map, const char *index)
{
    const char *slash = strrchr(index, '/');
    size_t folder_size = slash ? (size_t)(slash - index) + 1 : 0;
    pg_buffer path = {0};
    pg_status status = PG_OK;
    const char *tensor;
    json_t *value;
    json_object_foreach((json_t *)map, tensor, value)
    {
        const char *name = json_string_value(value);
        if (!name || !is_plain_name(name)) {
            status = pg_fail(PG_ERROR_FORMAT, "%s: %s: expected the name of a file in the same folder", index, tensor);
            goto done;
        }
        if (find_shard(checkpoint, name))
            continue;
        pg_buffer_reset(&path);
        PG_TRY_GOTO(pg_buffer_print(&path, "%.*s%s", (int)folder_size, index, name));
        PG_TRY_GOTO(add_shard(checkpoint, path.data, folder_size));
    }
done:
    pg_buffer_free(&path);
    return status;
}

/* Index and shards list the same tensors. */
static pg_status check_map(const pg_checkpoint *checkpoint, const json_t *map, const char *index)
{
    const char *tensor;
    json_t *value;
    json_object_foreach((json_t *)map, tensor, value)
    {
        const shard *holder = find_shard(checkpoint, json_string_value(value));
        if (!pg_safetensors_find(holder->file, tensor))
            return pg_fail(PG_ERROR_FORMAT, "%s: %s: %s does not hold this tensor", index, tensor, holder->path);
    }
    for (size_t s = 0; s < checkpoint->shard_count; s++)
        for (size_t i = 0; i < pg_safetensors_count(checkpoint->shards[s].file); i++) {
            const char *name = pg_safetensors_at(checkpoint->shards[s].file, i)->name;
            const char *listed = json_string_value(json_object_get(map, name));
            if (!listed || strcmp(listed, checkpoint->shards[s].name))
                return pg_fail(PG_ERROR_FORMAT, "%s: %s: the index %s does not list this tensor here",
                               checkpoint->shards[s].path, name, index);
        }
    return PG_OK;
}

static pg_status open_sharded(pg_checkpoint *checkpoint, const char *index)
{
    json_t *document;
    PG_TRY(pg_json_load(&document, index));
    pg_status status;
    const json_t *map = json_object_get(document, "weight_map");
    if (!json_is_object(map) || !json_object_size(map)) {
        status = pg_fail(PG_ERROR_FORMAT, "%s: \"weight_map\" is missing or empty", index);
        goto done;
    }
    checkpoint->shards = pg_alloc(json_object_size(map), sizeof *checkpoint->shards);
    if (!checkpoint->shards) {
        status = PG_ERROR_MEMORY;
        goto done;
    }
    PG_TRY_GOTO(open_shards(checkpoint, map, index));
    PG_TRY_GOTO(check_map(checkpoint, map, index));
    status = collect_arrays(checkpoint);
done:
    json_decref(document);
    return status;
}

/* ---------------------------------------------------------------- either */

/* The file to start from. */
static pg_status locate(pg_buffer *out, const char *path)
{
    if (!pg_file_is_folder(path))
        return pg_buffer_print(out, "%s", path);
    PG_TRY(pg_file_join(out, path, "model.safetensors"));
    if (pg_file_exists(out->data))
        return PG_OK;
    PG_TRY(pg_file_join(out, path, "model.safetensors.index.json"));
    if (pg_file_exists(out->data))
        return PG_OK;
    return pg_fail(PG_ERROR_FILE, "%s: found neither model.safetensors nor model.safetensors.index.json", path);
}

pg_status pg_checkpoint_open(pg_checkpoint **out, const char *path)
{
    *out = NULL;
    pg_buffer start = {0};
    pg_status status = PG_ERROR_MEMORY;
    pg_checkpoint *checkpoint = pg_alloc(1, sizeof *checkpoint);
    if (!checkpoint)
        goto done;
    PG_TRY_GOTO(locate(&start, path));
    PG_TRY_GOTO(pg_ends_in(start.data, ".json") ? open_sharded(checkpoint, start.data)
                                                : open_single(checkpoint, start.data));
    *out = checkpoint;
done:
    pg_buffer_free(&start);
    if (status != PG_OK)
        pg_checkpoint_close(checkpoint);
    return status;
}

void pg_checkpoint_close(pg_checkpoint *checkpoint)
{
    if (!checkpoint)
        return;
    for (size_t s = 0; s < checkpoint->shard_count; s++) {
        pg_safetensors_close(checkpoint->shards[s].file);
        pg_free(checkpoint->shards[s].path);
    }
    pg_free(checkpoint->shards);
    pg_free(checkpoint->arrays);
    pg_free(checkpoint);
}

static pg_status copy_shard(const pg_safetensors *file, int threads)
{
    const char *first = NULL, *end = NULL;
    for (size_t i = 0; i < pg_safetensors_count(file); i++) {
        const pg_array *array = pg_safetensors_at(file, i);
        const char *data = array->data;
        if (!first || data < first)
            first = data;
        if (!end || data + array->bytes > end)
            end = data + array->bytes;
    }
    return first ? pg_pages_copy(first, (size_t)(end - first), threads) : PG_OK;
}

pg_status pg_checkpoint_copy(pg_checkpoint *checkpoint, int threads)
{
    checkpoint->copied = true;
    for (size_t s = 0; s < checkpoint->shard_count; s++)
        PG_TRY(copy_shard(checkpoint->shards[s].file, threads));
    return PG_OK;
}

bool pg_checkpoint_is_copied(const pg_checkpoint *checkpoint)
{
    return checkpoint->copied;
}

size_t pg_checkpoint_count(const pg_checkpoint *checkpoint)
{
    return checkpoint->count;
}

const pg_array *pg_checkpoint_at(const pg_checkpoint *checkpoint, size_t i)
{
    return &checkpoint->arrays[i];
}

const pg_array *pg_checkpoint_find(const pg_checkpoint *checkpoint, const char *name)
{
    return pg_array_find(checkpoint->arrays, checkpoint->count, name);
}

size_t pg_checkpoint_bytes(const pg_checkpoint *checkpoint)
{
    size_t bytes = 0;
    for (size_t i = 0; i < checkpoint->count; i++)
        bytes += checkpoint->arrays[i].bytes;
    return bytes;
}

const char *pg_checkpoint_file(const pg_checkpoint *checkpoint, size_t i)
{
    for (size_t s = 0; s < checkpoint->shard_count; s++)
        if (pg_safetensors_find(checkpoint->shards[s].file, checkpoint->arrays[i].name))
            return checkpoint->shards[s].path;
    return "";
}
