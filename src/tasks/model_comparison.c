#include "tasks/model_comparison.h"

#include <math.h>
#include <string.h>

#include "base/numbers.h"
#include "base/pages.h"
#include "model/model_writer.h"

#define PIECE_BYTES (8 << 20)

/* ---------------------------------------------------------------- weights */

static pg_status compare_rows(const pg_parameter *made, const pg_parameter *from, void *rows, int64_t piece,
                              int threads)
{
    size_t row_bytes = (size_t)made->width * pg_dtype_size(made->dtype);
    for (int64_t first = 0; first < made->rows; first += piece) {
        int64_t count = pg_smaller(made->rows - first, piece);
        const char *stored = (const char *)made->data + (size_t)first * row_bytes;
        PG_TRY(pg_weight_rows(rows, from, made->dtype, first, count, threads));
        bool same = !memcmp(rows, stored, (size_t)count * row_bytes);
        pg_pages_release(stored, (size_t)count * row_bytes);
        if (!same)
            return pg_fail(PG_ERROR_FORMAT, "%s: rows %lld to %lld are not those of the original", made->name,
                           (long long)first, (long long)(first + count - 1));
    }
    return PG_OK;
}

static pg_status compare_weight(const pg_parameter *made, const pg_parameter *from, int threads)
{
    size_t row_bytes = (size_t)made->width * pg_dtype_size(made->dtype);
    int64_t piece = pg_smaller(made->rows, (int64_t)(PIECE_BYTES / row_bytes) + 1);
    void *rows = pg_alloc((size_t)piece, row_bytes);
    pg_status status = rows ? compare_rows(made, from, rows, piece, threads) : PG_ERROR_MEMORY;
    pg_free(rows);
    return status;
}

static size_t count_weights(const pg_weights *weights)
{
    pg_weight_walk walk = {.weights = (pg_weights *)weights};
    pg_weight_entry entry;
    size_t count = 0;
    while (pg_weights_next(&walk, &entry))
        count++;
    return count;
}

pg_status pg_model_compare_weights(bool *same, const pg_weights *made, const pg_weights *from, int threads,
                                   bool (*on_progress)(void *user, size_t done, size_t total), void *user)
{
    pg_weight_walk new_walk = {.weights = (pg_weights *)made}, old_walk = {.weights = (pg_weights *)from};
    pg_weight_entry new, old;
    size_t done = 0, total = count_weights(made);
    *same = true;
    while (pg_weights_next(&new_walk, &new) && pg_weights_next(&old_walk, &old)) {
        *same = *same && !old.parameter->quantized.bits && old.parameter->dtype == new.parameter->dtype;
        PG_TRY(compare_weight(new.parameter, old.parameter, threads));
        if (on_progress && !on_progress(user, ++done, total))
            return pg_fail(PG_ERROR_CANCELLED, "cancelled");
    }
    return PG_OK;
}

/* ---------------------------------------------------------------- outputs */

/* The last array of a forward pass. */
typedef struct last_array {
    float *values;
    size_t count, capacity;
} last_array;

static pg_status keep_last(void *user, const pg_trace_array *array)
{
    last_array *last = user;
    if (strcmp(array->dtype, "F32") != 0)
        return PG_OK;
    last->count = 1;
    for (int i = 0; i < array->dimensions; i++)
        last->count *= (size_t)array->shape[i];
    PG_TRY(pg_grow((void **)&last->values, &last->capacity, last->count, sizeof *last->values));
    memcpy(last->values, array->data, last->count * sizeof *last->values);
    return PG_OK;
}

/* A picture with something in every patch: gradients and checks. */
static pg_status make_picture(pg_image **out, size_t side)
{
    uint8_t *pixels = pg_alloc(side * side, 3);
    if (!pixels)
        return PG_ERROR_MEMORY;
    for (size_t i = 0; i < side * side; i++) {
        size_t x = i % side, y = i / side;
        pixels[3 * i] = (uint8_t)(x * 255 / side);
        pixels[3 * i + 1] = (uint8_t)(y * 255 / side);
        pixels[3 * i + 2] = (x / 7 + y / 11) % 2 ? 230 : 20;
    }
    pg_status status = pg_image_new(out, pixels, side, side, 0);
    pg_free(pixels);
    return status;
}

static pg_status trace_last(last_array *out, const pg_model *model, const pg_image *picture, const char *prompt,
                            int threads)
{
    pg_session_options options;
    pg_session *session;
    pg_request request;
    pg_session_options_init(&options);
    options.threads = threads;
    options.compute = PG_COMPUTE_F32;
    options.cache = PG_CACHE_F32;
    PG_TRY(pg_session_new(&session, model, &options));
    pg_request_init(&request);
    request.images = &picture;
    request.image_count = picture != NULL;
    request.prompt = prompt;
    pg_status status = pg_trace(session, &request, keep_last, out);
    pg_session_free(session);
    return status;
}

static pg_status compare_arrays(double *difference, double *largest, const last_array *made, const last_array *from)
{
    for (size_t i = 0; i < made->count && i < from->count; i++) {
        double a = (double)made->values[i], b = (double)from->values[i];
        if (!isfinite(a) || !isfinite(b))
            return pg_fail(PG_ERROR_FORMAT, "output %zu is not finite", i);
        *difference = fmax(*difference, fabs(a - b));
        *largest = fmax(*largest, fabs(b));
    }
    return PG_OK;
}

static pg_status compare_once(double *difference, double *largest, const pg_model *const models[2],
                              const pg_image *picture, const char *prompt, int threads)
{
    last_array outputs[2] = {{0}, {0}};
    pg_status status;
    PG_TRY_GOTO(trace_last(&outputs[0], models[0], picture, prompt, threads));
    PG_TRY_GOTO(trace_last(&outputs[1], models[1], picture, prompt, threads));
    status = compare_arrays(difference, largest, &outputs[0], &outputs[1]);
done:
    pg_free(outputs[0].values);
    pg_free(outputs[1].values);
    return status;
}

pg_status pg_model_compare_outputs(double *difference, double *largest, const pg_model *made, const pg_model *from,
                                   int threads)
{
    static const char prompt[] = "describe en";
    const pg_model *const models[2] = {made, from};
    pg_model_kind kind = made->weights->config.kind;
    pg_image *picture = NULL;
    *difference = *largest = 0;
    if (kind != PG_MODEL_GEMMA)
        PG_TRY(make_picture(&picture, (size_t)made->processor.side));
    pg_status status = PG_OK;
    if (kind == PG_MODEL_SIGLIP) /* each tower by itself */
        status = compare_once(difference, largest, models, picture, NULL, threads);
    if (status == PG_OK)
        status = compare_once(difference, largest, models, kind == PG_MODEL_SIGLIP ? NULL : picture, prompt, threads);
    pg_image_free(picture);
    return status;
}
