#include "model/mask_codec.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/random.h"
#include "ops/ops.h"
#include "tensor/npz.h"

#define CODEBOOK "_vq_vae._embedding"

enum { ENCODER_BLOCKS = 4, ENCODER_LAST = 10, DECODER_FIRST, DECODER_BLOCKS, DECODER_UP = 18, DECODER_LAST = 22 };

#define CONVOLUTION(name, inputs, outputs, size, stride, padding)         \
    {                                                                     \
        name, PG_MASK_CONVOLUTION, inputs, outputs, size, stride, padding \
    }
#define TRANSPOSED(name, inputs, outputs)                  \
    {                                                      \
        name, PG_MASK_TRANSPOSED, inputs, outputs, 4, 2, 1 \
    }
#define BLOCK(name)                                                                               \
    CONVOLUTION(name ".net.0", 128, 128, 3, 1, 1), CONVOLUTION(name ".net.2", 128, 128, 3, 1, 1), \
        CONVOLUTION(name ".net.4", 128, 128, 1, 1, 0)

const pg_mask_layer pg_mask_layers[PG_MASK_LAYERS] = {
    CONVOLUTION("encoder.0", 1, 128, 4, 2, 1),
    CONVOLUTION("encoder.2", 128, 128, 4, 2, 1),
    CONVOLUTION("encoder.4", 128, 128, 4, 2, 1),
    CONVOLUTION("encoder.6", 128, 128, 4, 2, 1),
    BLOCK("encoder.8"),
    BLOCK("encoder.9"),
    CONVOLUTION("encoder.10", 128, PG_MASK_WIDTH, 1, 1, 0),
    CONVOLUTION("decoder.0", PG_MASK_WIDTH, 128, 1, 1, 0),
    BLOCK("decoder.2"),
    BLOCK("decoder.3"),
    TRANSPOSED("decoder.4", 128, 128),
    TRANSPOSED("decoder.6", 128, 64),
    TRANSPOSED("decoder.8", 64, 32),
    TRANSPOSED("decoder.10", 32, 16),
    CONVOLUTION("decoder.12", 16, 1, 1, 1, 0),
};

/* ---------------------------------------------------------------- the model */

static pg_tensor *run_layer(pg_context *g, const pg_mask_codec *codec, int layer, pg_tensor *x, int64_t side)
{
    const pg_mask_layer *l = &pg_mask_layers[layer];
    const pg_parameter *w = &codec->weights[layer], *bias = &codec->biases[layer];
    if (l->kind == PG_MASK_CONVOLUTION)
        return pg_convolution(g, x, w, bias, &(pg_squares){side, side, l->size, l->stride, l->padding});
    side *= l->stride;
    return pg_transposed_convolution(g, x, w, bias, &(pg_squares){side, side, l->size, l->stride, l->padding});
}

/* x plus three layers of it, on 4 x 4 places. */
static pg_tensor *run_block(pg_context *g, const pg_mask_codec *codec, int layer, pg_tensor *x)
{
    pg_tensor *y = pg_relu(g, run_layer(g, codec, layer, x, 4));
    y = pg_relu(g, run_layer(g, codec, layer + 1, y, 4));
    return pg_add(g, x, run_layer(g, codec, layer + 2, y, 4));
}

pg_tensor *pg_mask_codec_features(pg_context *g, const pg_mask_codec *codec, pg_tensor *masks)
{
    pg_tensor *x = masks;
    int64_t side = PG_MASK_SIDE;
    for (int layer = 0; layer < ENCODER_BLOCKS; layer++, side /= 2)
        x = pg_relu(g, run_layer(g, codec, layer, x, side));
    x = run_block(g, codec, ENCODER_BLOCKS, x);
    x = run_block(g, codec, ENCODER_BLOCKS + 3, x);
    return run_layer(g, codec, ENCODER_LAST, x, side);
}

typedef struct mask_step {
    const pg_mask_codec *codec;
    int layer;
    int64_t side;
} mask_step;

static pg_tensor *run_rectified(pg_context *g, const void *arguments, pg_tensor *x)
{
    const mask_step *step = arguments;
    return pg_relu(g, run_layer(g, step->codec, step->layer, x, step->side));
}

/* Squares before they are added up are many times larger than what comes of them, and new memory takes longer than the
 * products: so the transposed layers share theirs. */
pg_tensor *pg_mask_codec_masks(pg_context *g, const pg_mask_codec *codec, pg_tensor *x)
{
    pg_arena_mark scope = pg_scope_begin(g);
    mask_step step = {codec, DECODER_UP, 4};
    x = pg_relu(g, run_layer(g, codec, DECODER_FIRST, x, step.side));
    x = run_block(g, codec, DECODER_BLOCKS, x);
    x = run_block(g, codec, DECODER_BLOCKS + 3, x);
    for (; step.layer < DECODER_LAST; step.layer++, step.side *= 2)
        x = pg_run_block(g, scope, run_rectified, &step, sizeof step, x);
    return run_layer(g, codec, DECODER_LAST, x, step.side);
}

/* ---------------------------------------------------------------- parameters */

static int64_t weight_count(const pg_mask_layer *l)
{
    return l->inputs * l->outputs * l->size * l->size;
}

pg_parameter *pg_mask_codec_parameter(pg_mask_codec *codec, size_t i)
{
    return i % 2 ? &codec->biases[i / 2] : &codec->weights[i / 2];
}

int pg_mask_codec_shape(int64_t shape[4], size_t i)
{
    const pg_mask_layer *l = &pg_mask_layers[i / 2];
    bool transposed = l->kind == PG_MASK_TRANSPOSED;
    shape[0] = transposed && i % 2 == 0 ? l->inputs : l->outputs;
    shape[1] = transposed ? l->outputs : l->inputs;
    shape[2] = shape[3] = l->size;
    return i % 2 ? 1 : 4;
}

/* Where value (output, input, place in the square) of a weight is: in files, and in memory. */
static size_t place_in_file(const pg_mask_layer *l, int64_t output, int64_t input, int64_t place)
{
    int64_t row = l->kind == PG_MASK_TRANSPOSED ? input * l->outputs + output : output * l->inputs + input;
    return (size_t)(row * l->size * l->size + place);
}

static size_t place_in_memory(const pg_mask_layer *l, int64_t output, int64_t input, int64_t place)
{
    int64_t row = l->kind == PG_MASK_TRANSPOSED ? place * l->outputs + output : output * l->size * l->size + place;
    return (size_t)(row * l->inputs + input);
}

static void reorder(float *out, const float *values, size_t i, bool publish)
{
    const pg_mask_layer *l = &pg_mask_layers[i / 2];
    if (i % 2) {
        memcpy(out, values, (size_t)l->outputs * sizeof *out);
        return;
    }
    for (int64_t output = 0; output < l->outputs; output++)
        for (int64_t input = 0; input < l->inputs; input++)
            for (int64_t place = 0; place < l->size * l->size; place++) {
                size_t file = place_in_file(l, output, input, place), memory = place_in_memory(l, output, input, place);
                out[publish ? file : memory] = values[publish ? memory : file];
            }
}

void pg_mask_codec_publish(float *out, const float *values, size_t i)
{
    reorder(out, values, i, true);
}

static void set_parameter(pg_parameter *out, const char *name, int64_t rows, int64_t width, float **values)
{
    *out = (pg_parameter){.name = name, .dtype = PG_F32, .rows = rows, .width = width, .data = *values};
    *values += rows * width;
}

/* All zero. */
static pg_mask_codec *make_codec(void)
{
    pg_mask_codec *codec = pg_alloc(1, sizeof *codec);
    int64_t count = (int64_t)PG_MASK_CODEBOOK * PG_MASK_WIDTH;
    for (int i = 0; i < PG_MASK_LAYERS; i++)
        count += weight_count(&pg_mask_layers[i]) + pg_mask_layers[i].outputs;
    float *values = codec ? pg_alloc((size_t)count, sizeof *values) : NULL;
    if (!values || pg_arena_pool_new(&codec->arenas) != PG_OK) {
        pg_free(values);
        pg_free(codec);
        return NULL;
    }
    codec->values = values;
    codec->has_encoder = true;
    for (int i = 0; i < PG_MASK_LAYERS; i++) {
        const pg_mask_layer *l = &pg_mask_layers[i];
        char(*names)[32] = &codec->names[2 * i];
        int64_t square = l->size * l->size;
        snprintf(names[0], sizeof names[0], "%s.weight", l->name);
        snprintf(names[1], sizeof names[1], "%s.bias", l->name);
        bool transposed = l->kind == PG_MASK_TRANSPOSED;
        set_parameter(&codec->weights[i], names[0], transposed ? square * l->outputs : l->outputs,
                      transposed ? l->inputs : square * l->inputs, &values);
        set_parameter(&codec->biases[i], names[1], 1, l->outputs, &values);
    }
    set_parameter(&codec->codebook, CODEBOOK, PG_MASK_CODEBOOK, PG_MASK_WIDTH, &values);
    return codec;
}

void pg_mask_codec_close(pg_mask_codec *codec)
{
    if (!codec)
        return;
    pg_arena_pool_free(codec->arenas);
    pg_free(codec->values);
    pg_free(codec);
}

/* ---------------------------------------------------------------- an untrained one */

/* Layers behind which nothing is cut off at zero begin smaller. */
static bool ends_in_relu(int layer)
{
    return layer != ENCODER_LAST && layer != DECODER_LAST && !strstr(pg_mask_layers[layer].name, ".net.4");
}

pg_status pg_mask_codec_new(pg_mask_codec **out, uint64_t seed)
{
    pg_mask_codec *codec = *out = make_codec();
    for (int i = 0; codec && i < PG_MASK_LAYERS; i++) {
        const pg_mask_layer *l = &pg_mask_layers[i];
        int64_t terms = l->inputs * l->size * l->size;
        if (l->kind == PG_MASK_TRANSPOSED)
            terms /= l->stride * l->stride; /* as many meet in a point of the result */
        double bound = sqrt((ends_in_relu(i) ? 6 : 3) / (double)terms);
        float *values = (float *)codec->weights[i].data;
        for (int64_t k = 0; k < weight_count(l); k++)
            values[k] = (float)((2 * pg_random_uniform(seed, pg_place(l->name), (uint64_t)k) - 1) * bound);
    }
    float *codes = codec ? (float *)codec->codebook.data : NULL;
    for (uint64_t k = 0; codes && k < (uint64_t)PG_MASK_CODEBOOK * PG_MASK_WIDTH; k++)
        codes[k] = (float)(2 * pg_random_uniform(seed, pg_place(CODEBOOK), k) - 1);
    return codec ? PG_OK : PG_ERROR_MEMORY;
}

/* ---------------------------------------------------------------- files */

static pg_status check_array(const pg_array *found, const char *name, const int64_t *shape, int dimensions,
                             const char *path)
{
    pg_array wanted = {.dtype = PG_F32, .dimensions = dimensions};
    memcpy(wanted.shape, shape, (size_t)dimensions * sizeof *shape);
    char is[PG_SHAPE_TEXT], expected[PG_SHAPE_TEXT];
    pg_array_shape_text(expected, &wanted);
    if (!found)
        return pg_fail(PG_ERROR_FORMAT, "%s: not a mask codec: \"%s\" is missing, expected F32 %s", path, name,
                       expected);
    pg_array_shape_text(is, found);
    if ((found->dtype != PG_F32 && found->dtype != PG_F16) || strcmp(is, expected) != 0)
        return pg_fail(PG_ERROR_FORMAT, "%s: \"%s\" is %s %s, expected F32 (or F16) %s", path, name,
                       pg_dtype_name(found->dtype), is, expected);
    return PG_OK;
}

/* Floats, which the caller frees. */
static pg_status load_array(float **out, pg_npz *file, const char *name, const int64_t *shape, int dimensions,
                            const char *path)
{
    const pg_array *found = pg_npz_find(file, name);
    void *values;
    PG_TRY(check_array(found, name, shape, dimensions, path));
    PG_TRY(pg_npz_load(&values, file, found));
    *out = values;
    if (found->dtype == PG_F32)
        return PG_OK;
    size_t count = found->bytes / sizeof(uint16_t);
    *out = pg_alloc(count, sizeof **out);
    for (size_t i = 0; *out && i < count; i++)
        (*out)[i] = pg_f16_to_float(((const uint16_t *)values)[i]);
    pg_free(values);
    return *out ? PG_OK : PG_ERROR_MEMORY;
}

static pg_status load_parameter(pg_mask_codec *codec, pg_npz *file, size_t i, const char *path)
{
    int64_t shape[4];
    float *values;
    pg_parameter *p = pg_mask_codec_parameter(codec, i);
    int dimensions = pg_mask_codec_shape(shape, i);
    PG_TRY(load_array(&values, file, p->name, shape, dimensions, path));
    reorder((float *)p->data, values, i, false);
    pg_free(values);
    return PG_OK;
}

static pg_status check_finite(const pg_mask_codec *codec, const char *path)
{
    const float *end = (const float *)codec->codebook.data + PG_MASK_CODEBOOK * PG_MASK_WIDTH;
    for (const float *value = codec->values; value < end; value++)
        if (!isfinite(*value))
            return pg_fail(PG_ERROR_FORMAT, "%s: has values that are not finite", path);
    return PG_OK;
}

static pg_status load_all(pg_mask_codec *codec, pg_npz *file, const char *path)
{
    float *values;
    codec->has_encoder = pg_npz_find(file, codec->names[0]);
    PG_TRY(load_array(&values, file, CODEBOOK, (int64_t[]){PG_MASK_CODEBOOK, PG_MASK_WIDTH}, 2, path));
    memcpy((float *)codec->codebook.data, values, (size_t)PG_MASK_CODEBOOK * PG_MASK_WIDTH * sizeof(float));
    pg_free(values);
    for (size_t i = codec->has_encoder ? 0 : 2 * DECODER_FIRST; i < 2 * PG_MASK_LAYERS; i++)
        PG_TRY(load_parameter(codec, file, i, path));
    return check_finite(codec, path);
}

pg_status pg_mask_codec_open(pg_mask_codec **out, const char *path)
{
    pg_npz *file;
    *out = NULL;
    PG_TRY(pg_npz_open(&file, path));
    pg_mask_codec *codec = make_codec();
    pg_status status = codec ? load_all(codec, file, path) : PG_ERROR_MEMORY;
    pg_npz_close(file);
    if (status == PG_OK)
        *out = codec;
    else
        pg_mask_codec_close(codec);
    return status;
}

pg_status pg_mask_codec_find(char **out, const char *folder)
{
    static const char *const names[] = {"mask_codec.npz", "vae-oid.npz"};
    pg_buffer path = {0};
    pg_status status = PG_OK;
    *out = NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        PG_TRY_GOTO(pg_file_join(&path, folder, names[i]));
        if (pg_file_exists(path.data)) {
            *out = path.data;
            return PG_OK;
        }
    }
done:
    pg_buffer_free(&path);
    return status;
}

/* The array of values that lie at *values, which goes on behind them. Halved in place where half is asked for. */
static pg_array finish_array(const char *name, float **values, size_t count, pg_dtype dtype)
{
    uint16_t *halves = (uint16_t *)*values;
    for (size_t i = 0; dtype == PG_F16 && i < count; i++) {
        uint16_t half = pg_f16_from_float((*values)[i]);
        memcpy(halves + i, &half, sizeof half);
    }
    pg_array array = {.name = name, .dtype = dtype, .data = *values, .bytes = count * pg_dtype_size(dtype)};
    *values += count;
    return array;
}

/* Parameter i, in the order of files. */
static pg_array publish(float **values, const pg_mask_codec *codec, size_t i, pg_dtype dtype)
{
    const pg_parameter *p = i % 2 ? &codec->biases[i / 2] : &codec->weights[i / 2];
    pg_mask_codec_publish(*values, p->data, i);
    pg_array array = finish_array(p->name, values, (size_t)(p->rows * p->width), dtype);
    array.dimensions = pg_mask_codec_shape(array.shape, i);
    return array;
}

static pg_array publish_codebook(float **values, const pg_mask_codec *codec, pg_dtype dtype)
{
    size_t count = (size_t)PG_MASK_CODEBOOK * PG_MASK_WIDTH;
    memcpy(*values, codec->codebook.data, count * sizeof **values);
    pg_array array = finish_array(CODEBOOK, values, count, dtype);
    array.dimensions = 2;
    array.shape[0] = PG_MASK_CODEBOOK;
    array.shape[1] = PG_MASK_WIDTH;
    return array;
}

pg_status pg_mask_codec_save(const pg_mask_codec *codec, pg_dtype dtype, const char *path)
{
    pg_array arrays[2 * PG_MASK_LAYERS + 1];
    size_t count = 0, total = (size_t)PG_MASK_CODEBOOK * PG_MASK_WIDTH;
    for (int i = 0; i < PG_MASK_LAYERS; i++)
        total += (size_t)(weight_count(&pg_mask_layers[i]) + pg_mask_layers[i].outputs);
    float *values = pg_alloc(total, sizeof *values), *at = values;
    if (!values)
        return PG_ERROR_MEMORY;
    for (size_t i = codec->has_encoder ? 0 : 2 * DECODER_FIRST; i < 2 * PG_MASK_LAYERS; i++)
        arrays[count++] = publish(&at, codec, i, dtype);
    arrays[count++] = publish_codebook(&at, codec, dtype);
    pg_status status = pg_npz_save(path, arrays, count, true);
    pg_free(values);
    return status;
}
