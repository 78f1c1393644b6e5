/* An index of pictures: read, checked and searched. paligemma.h has its layout. */
#include "tasks/picture_index.h"

#include <math.h>
#include <string.h>

#include "ops/ops.h"

/* ---------------------------------------------------------------- reading */

/* Whole numbers may lie at any address. */
static int64_t number_at(const pg_array *array, size_t i)
{
    int64_t value;
    memcpy(&value, (const char *)array->data + i * sizeof value, sizeof value);
    return value;
}

const char *pg_picture_index_stored(const pg_picture_index *index, size_t i)
{
    return (const char *)index->names->data + number_at(index->offsets, i);
}

pg_file_stamp pg_picture_index_stamp(const pg_picture_index *index, size_t i)
{
    return (pg_file_stamp){number_at(index->stamps, 3 * i), number_at(index->stamps, 3 * i + 1),
                           number_at(index->stamps, 3 * i + 2)};
}

void pg_picture_index_row(float *out, const pg_picture_index *index, size_t i)
{
    const pg_array *rows = index->embeddings;
    size_t bytes = index->width * pg_dtype_size(rows->dtype);
    pg_dtype_widen(out, rows->dtype, (const char *)rows->data + i * bytes, (int64_t)index->width);
}

static pg_status find_metadata(pg_picture_index *index)
{
    const char *format = pg_safetensors_metadata(index->file, "format");
    const char *version = pg_safetensors_metadata(index->file, "version");
    index->model = pg_safetensors_metadata(index->file, "model");
    if (!format || strcmp(format, PG_INDEX_FORMAT) != 0 || !version || !index->model)
        return pg_fail(PG_ERROR_FORMAT, "not an index of pictures; `paligemma index` makes one");
    if (strcmp(version, PG_INDEX_VERSION) != 0)
        return pg_fail(PG_ERROR_UNSUPPORTED, "an index of version \"%.20s\", expected " PG_INDEX_VERSION, version);
    return PG_OK;
}

/* A shape of -1 is any length. */
static pg_status find_array(const pg_array **out, const pg_safetensors *file, const char *name, const int64_t shape[2],
                            int dimensions, bool floats)
{
    char found[PG_SHAPE_TEXT];
    const pg_array *array = *out = pg_safetensors_find(file, name);
    if (!array)
        return pg_fail(PG_ERROR_FORMAT, "the tensor \"%s\" of an index is missing", name);
    bool fits = array->dimensions == dimensions;
    for (int i = 0; i < dimensions && fits; i++)
        fits = shape[i] < 0 || array->shape[i] == shape[i];
    fits = fits && (floats ? array->dtype == PG_F32 || array->dtype == PG_BF16
                           : array->dtype == (strcmp(name, "names") ? PG_I64 : PG_U8));
    return fits ? PG_OK
                : pg_fail(PG_ERROR_FORMAT, "%s: %s %s is not what an index has there", name,
                          pg_dtype_name(array->dtype), pg_array_shape_text(found, array));
}

static pg_status find_arrays(pg_picture_index *index)
{
    PG_TRY(find_array(&index->embeddings, index->file, "embeddings", (int64_t[]){-1, -1}, 2, true));
    int64_t count = index->embeddings->shape[0], width = index->embeddings->shape[1];
    if (count < 1 || count >= INT32_MAX || width < 1)
        return pg_fail(PG_ERROR_FORMAT, "embeddings: %lld rows of %lld values, expected at least one of each",
                       (long long)count, (long long)width);
    index->count = (size_t)count;
    index->width = (size_t)width;
    PG_TRY(find_array(&index->names, index->file, "names", (int64_t[]){-1, 0}, 1, false));
    PG_TRY(find_array(&index->offsets, index->file, "offsets", (int64_t[]){count + 1, 0}, 1, false));
    return find_array(&index->stamps, index->file, "stamps", (int64_t[]){count, 3}, 2, false);
}

/* Names lie behind each other, each with its NUL, and in order: so each comes once. */
static pg_status check_names(const pg_picture_index *index)
{
    const char *names = index->names->data, *before = NULL;
    size_t end = 0;
    for (size_t i = 0; i < index->count; i++) {
        int64_t from = number_at(index->offsets, i), to = number_at(index->offsets, i + 1);
        if (from < 0 || (size_t)from != end || to < from + 2 || (size_t)to > index->names->bytes)
            return pg_fail(PG_ERROR_FORMAT, "offsets: name %zu would be bytes %lld to %lld of %zu", i, (long long)from,
                           (long long)to, index->names->bytes);
        if (memchr(names + from, 0, (size_t)(to - from)) != names + to - 1)
            return pg_fail(PG_ERROR_FORMAT, "names: name %zu does not end where the next begins", i);
        if (before && strcmp(before, names + from) >= 0)
            return pg_fail(PG_ERROR_FORMAT, "names: \"%.80s\" is out of order", names + from);
        before = names + from;
        end = (size_t)to;
    }
    return end == index->names->bytes
               ? PG_OK
               : pg_fail(PG_ERROR_FORMAT, "names: %zu bytes belong to none", index->names->bytes - end);
}

static pg_status check(pg_picture_index *index, const char *path)
{
    pg_status status = find_metadata(index);
    if (status == PG_OK)
        status = find_arrays(index);
    if (status == PG_OK)
        status = check_names(index);
    if (status != PG_OK && status != PG_ERROR_MEMORY)
        return pg_fail_context(status, "%s", path);
    return status == PG_OK ? pg_index_place_find(&index->place, path) : status;
}

/* Takes the file over, also after a failure. */
static pg_status adopt(pg_picture_index **out, pg_safetensors *file, const char *path)
{
    pg_picture_index *index = pg_alloc(1, sizeof *index);
    if (!index) {
        pg_safetensors_close(file);
        return PG_ERROR_MEMORY;
    }
    index->file = file;
    pg_status status = check(index, path);
    if (status == PG_OK)
        *out = index;
    else
        pg_picture_index_close(index);
    return status;
}

pg_status pg_picture_index_parse(pg_picture_index **out, const void *bytes, size_t size, const char *path)
{
    pg_safetensors *file;
    *out = NULL;
    PG_TRY(pg_safetensors_parse(&file, bytes, size, path));
    return adopt(out, file, path);
}

pg_status pg_picture_index_open(pg_picture_index **out, const char *path)
{
    pg_safetensors *file;
    *out = NULL;
    PG_TRY(pg_safetensors_open(&file, path));
    return adopt(out, file, path);
}

void pg_picture_index_close(pg_picture_index *index)
{
    if (!index)
        return;
    pg_index_place_free(&index->place);
    pg_safetensors_close(index->file);
    pg_free(index);
}

size_t pg_picture_index_count(const pg_picture_index *index)
{
    return index->count;
}

pg_status pg_picture_index_name(char **out, const pg_picture_index *index, size_t i)
{
    pg_buffer path = {0};
    *out = NULL;
    if (i >= index->count)
        return pg_fail(PG_ERROR_ARGUMENT, "there is no picture %zu, the index has %zu", i, index->count);
    PG_TRY(pg_index_place_path(&path, &index->place, pg_picture_index_stored(index, i)));
    *out = path.data;
    return PG_OK;
}

/* ---------------------------------------------------------------- searching */

pg_status pg_picture_index_check(const pg_picture_index *index, const pg_model *model)
{
    char expected[PG_FINGERPRINT];
    pg_model_fingerprint(expected, model);
    if (!strcmp(expected, index->model) && index->width == pg_model_embedding_size(model))
        return PG_OK;
    return pg_fail(PG_ERROR_ARGUMENT,
                   "the index was made with another model (%.40s) than %s (%s); use that one, or make the index anew",
                   index->model, model->folder, expected);
}

/* The embedding times every row of the file, one after another, in f32: as a linear layer of one token. `g` computes on
 * the host, where the file is. */
static float *compare_rows(pg_context *g, const pg_picture_index *index, const float *embedding)
{
    pg_parameter rows = {.name = "index",
                         .dtype = index->embeddings->dtype,
                         .rows = (int64_t)index->count,
                         .width = (int64_t)index->width,
                         .data = index->embeddings->data};
    pg_tensor *x = pg_tensor_new(g, 1, rows.width);
    if (!x)
        return NULL;
    x->single = 1;
    memcpy(x->data, embedding, index->width * sizeof *embedding);
    pg_tensor *cosines = pg_linear(g, x, &rows, NULL);
    return cosines ? cosines->data : NULL;
}

static pg_status choose(pg_match *out, size_t most, float *cosines, size_t count)
{
    pg_candidate *best = pg_alloc(most, sizeof *best);
    if (!best)
        return PG_ERROR_MEMORY;
    for (size_t i = 0; i < count; i++)
        if (!isfinite(cosines[i]))
            cosines[i] = -2; /* behind all others */
    pg_best_logits(best, most, cosines, (int64_t)count);
    for (size_t i = 0; i < most; i++)
        out[i] = (pg_match){(size_t)best[i].id, best[i].logit};
    pg_free(best);
    return PG_OK;
}

pg_status pg_picture_index_search(pg_match *out, size_t *found, pg_session *session, const pg_picture_index *index,
                                  const float *embedding, size_t most)
{
    pg_context host = {.kernels = session->g.kernels, .threads = session->g.threads, .compute = PG_COMPUTE_F32};
    *found = 0;
    PG_TRY(pg_model_require(session->model, session->model->weights->config.kind == PG_MODEL_SIGLIP,
                            "search pictures; a SigLIP model can"));
    PG_TRY(pg_picture_index_check(index, session->model));
    float *cosines = compare_rows(&host, index, embedding);
    size_t count = most < index->count ? most : index->count;
    pg_status status = cosines ? choose(out, count, cosines, index->count) : host.status;
    pg_arena_free(&host.arena);
    if (status == PG_OK)
        *found = count;
    return status;
}
