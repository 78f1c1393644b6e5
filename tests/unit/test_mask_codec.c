/* The mask codec: its forward pass against a plain one in double precision, over weights in PyTorch's order as files
 * have them; files, hostile ones too; and, where the complete reference data is, its golden masks and codes. */
#include "sweep.h"

#include <math.h>

#include "base/file.h"
#include "base/random.h"
#include "model/mask_codec.h"
#include "temporary_folder.h"
#include "tensor/npz.h"
#include "tensor/safetensors.h"

#define PLACES (PG_MASK_SIDE * PG_MASK_SIDE)

/* ---------------------------------------------------------------- a plain codec */

/* Channels of side x side points, channel by channel. */
typedef struct plane {
    int64_t channels, side;
    double *values;
} plane;

static const double *weights_of(const pg_mask_codec *codec, int layer)
{
    static double ordered[1 << 19];
    static float floats[1 << 19];
    const pg_parameter *w = &codec->weights[layer];
    pg_mask_codec_publish(floats, w->data, 2 * (size_t)layer);
    for (int64_t i = 0; i < w->rows * w->width; i++)
        ordered[i] = (double)floats[i];
    return ordered;
}

/* The points that output point (y, x) of a layer takes from, or a transposed layer's input point gives to: `gives`
 * turns the two around. */
static void spread(const pg_mask_layer *l, plane *out, const plane *in, const double *w)
{
    bool gives = l->kind == PG_MASK_TRANSPOSED;
    const plane *few = gives ? in : out, *many = gives ? out : in;
    int64_t area = few->side * few->side, square = l->size * l->size;
    for (int64_t o = 0; o < l->outputs; o++)
        for (int64_t i = 0; i < l->inputs; i++)
            for (int64_t k = 0; k < area * square; k++) {
                int64_t p = k / square, y = p / few->side * l->stride - l->padding + k % square / l->size;
                int64_t x = p % few->side * l->stride - l->padding + k % square % l->size;
                if (y < 0 || x < 0 || y >= many->side || x >= many->side)
                    continue;
                int64_t q = y * many->side + x, from = gives ? p : q, to = gives ? q : p;
                double weight = w[((gives ? i * l->outputs + o : o * l->inputs + i) * square) + k % square];
                out->values[o * out->side * out->side + to] += in->values[i * in->side * in->side + from] * weight;
            }
}

static plane run_layer(const pg_mask_codec *codec, int layer, plane in, bool relu)
{
    const pg_mask_layer *l = &pg_mask_layers[layer];
    const float *bias = codec->biases[layer].data;
    plane out = {l->outputs, l->kind == PG_MASK_TRANSPOSED ? in.side * l->stride : in.side / l->stride, NULL};
    int64_t area = out.side * out.side;
    out.values = pg_alloc((size_t)(l->outputs * area), sizeof *out.values);
    for (int64_t i = 0; i < l->outputs * area; i++)
        out.values[i] = (double)bias[i / area];
    spread(l, &out, &in, weights_of(codec, layer));
    for (int64_t i = 0; relu && i < l->outputs * area; i++)
        out.values[i] = fmax(out.values[i], 0);
    return out;
}

static void step(const pg_mask_codec *codec, int layer, plane *x, bool relu)
{
    plane next = run_layer(codec, layer, *x, relu);
    pg_free(x->values);
    *x = next;
}

static void block(const pg_mask_codec *codec, int layer, plane *x)
{
    plane y = run_layer(codec, layer, *x, true);
    step(codec, layer + 1, &y, true);
    step(codec, layer + 2, &y, false);
    for (int64_t i = 0; i < x->channels * x->side * x->side; i++)
        x->values[i] += y.values[i];
    pg_free(y.values);
}

static plane decode_plainly(const pg_mask_codec *codec, const int32_t *codes)
{
    const float *book = codec->codebook.data;
    plane x = {PG_MASK_WIDTH, 4, pg_alloc(PG_MASK_WIDTH * 16, sizeof(double))};
    for (int i = 0; i < PG_MASK_WIDTH * 16; i++)
        x.values[i] = (double)book[codes[i % 16] * PG_MASK_WIDTH + i / 16];
    step(codec, 11, &x, true);
    block(codec, 12, &x);
    block(codec, 15, &x);
    for (int layer = 18; layer < 22; layer++)
        step(codec, layer, &x, true);
    step(codec, 22, &x, false);
    return x;
}

static void encode_plainly(int32_t codes[16], const pg_mask_codec *codec, const float *mask)
{
    const float *book = codec->codebook.data;
    plane x = {1, PG_MASK_SIDE, pg_alloc(PLACES, sizeof(double))};
    for (int i = 0; i < PLACES; i++)
        x.values[i] = 2 * (double)mask[i] - 1;
    for (int layer = 0; layer < 4; layer++)
        step(codec, layer, &x, true);
    block(codec, 4, &x);
    block(codec, 7, &x);
    step(codec, 10, &x, false);
    for (int p = 0; p < 16; p++) {
        double least = INFINITY;
        for (int c = 0; c < PG_MASK_CODEBOOK; c++) {
            double distance = 0;
            for (int i = 0; i < PG_MASK_WIDTH; i++)
                distance += pow(x.values[i * 16 + p] - (double)book[c * PG_MASK_WIDTH + i], 2);
            if (distance < least) {
                least = distance;
                codes[p] = c;
            }
        }
    }
    pg_free(x.values);
}

static void fill_biases(pg_mask_codec *codec)
{
    for (int layer = 0; layer < PG_MASK_LAYERS; layer++)
        for (int64_t i = 0; i < codec->biases[layer].width; i++)
            ((float *)codec->biases[layer].data)[i] =
                (float)(pg_random_uniform(7, (uint64_t)layer, (uint64_t)i) - 0.5) / 5;
}

static void draw_mask(float *out, int number)
{
    for (int i = 0; i < PLACES; i++) {
        int y = i / PG_MASK_SIDE - 20 - 6 * number, x = i % PG_MASK_SIDE - 30;
        out[i] = x * x + y * y < 400 ? 1 : x * x + y * y < 500 ? 0.5f : 0;
    }
}

static void a_plain_codec_says_the_same(void **state)
{
    (void)state;
    enum { COUNT = 3 };
    pg_mask_codec *codec;
    int32_t codes[16 * COUNT], found[16 * COUNT], expected[16];
    float *values = pg_alloc(COUNT * PLACES, sizeof *values), *masks = pg_alloc(COUNT * PLACES, sizeof *masks);
    CHECK_OK(pg_mask_codec_new(&codec, 3));
    fill_biases(codec);
    for (int i = 0; i < 16 * COUNT; i++)
        codes[i] = (int32_t)(pg_random_uniform(1, 1, (uint64_t)i) * PG_MASK_CODEBOOK);
    for (int i = 0; i < COUNT; i++)
        draw_mask(masks + i * PLACES, i);
    CHECK_OK(pg_mask_codec_decode(values, codec, codes, COUNT, 1));
    CHECK_OK(pg_mask_codec_encode(found, codec, masks, COUNT, 1));
    for (int i = 0; i < COUNT; i++) {
        plane plain = decode_plainly(codec, codes + 16 * i);
        double largest = 0;
        for (int k = 0; k < PLACES; k++)
            largest = fmax(largest, fabs(plain.values[k]));
        for (int k = 0; k < PLACES; k++)
            assert_true(fabs((double)values[i * PLACES + k] - plain.values[k]) <= 1e-5 * largest);
        pg_free(plain.values);
        encode_plainly(expected, codec, masks + i * PLACES);
        assert_memory_equal(found + 16 * i, expected, sizeof expected);
    }
    pg_mask_codec_close(codec);
    pg_free(values);
    pg_free(masks);
}

static void threads_change_nothing(void **state)
{
    (void)state;
    enum { COUNT = 19 };
    pg_mask_codec *codec;
    int32_t codes[16 * COUNT], again[16 * COUNT];
    float *masks = pg_alloc(COUNT * PLACES, sizeof *masks), *values[2];
    CHECK_OK(pg_mask_codec_new(&codec, 4));
    for (int i = 0; i < COUNT * PLACES; i++)
        masks[i] = (float)pg_random_uniform(1, 2, (uint64_t)i);
    CHECK_OK(pg_mask_codec_encode(codes, codec, masks, COUNT, 1));
    CHECK_OK(pg_mask_codec_encode(again, codec, masks, COUNT, 3));
    assert_memory_equal(codes, again, sizeof codes);
    for (int i = 0; i < 2; i++) {
        values[i] = pg_alloc(COUNT * PLACES, sizeof *masks);
        CHECK_OK(pg_mask_codec_decode(values[i], codec, codes, COUNT, 1 + 2 * i));
    }
    assert_memory_equal(values[0], values[1], COUNT * PLACES * sizeof *masks);
    CHECK_OK(pg_mask_codec_decode(masks, codec, codes + 16 * (COUNT - 1), 1, 2)); /* alone */
    assert_memory_equal(masks, values[0] + (COUNT - 1) * PLACES, PLACES * sizeof *masks);
    codes[20] = 128;
    CHECK_FAILS(pg_mask_codec_decode(masks, codec, codes, COUNT, 1), PG_ERROR_ARGUMENT, "mask 1 has the code 128");
    CHECK_FAILS(pg_mask_codec_decode(masks, codec, codes, 1, -1), PG_ERROR_ARGUMENT, "threads: -1");
    pg_mask_codec_close(codec);
    pg_free(values[0]);
    pg_free(values[1]);
    pg_free(masks);
}

/* ---------------------------------------------------------------- files */

static size_t float_count(const pg_mask_codec *codec)
{
    const float *end = (const float *)codec->codebook.data + codec->codebook.rows * codec->codebook.width;
    return (size_t)(end - codec->values);
}

static void files_keep_everything(void **state)
{
    (void)state;
    pg_mask_codec *codec, *again;
    CHECK_OK(pg_mask_codec_new(&codec, 5));
    fill_biases(codec);
    CHECK_OK(pg_mask_codec_save(codec, PG_F32, folder_file("codec.npz")));
    CHECK_OK(pg_mask_codec_open(&again, folder_file("codec.npz")));
    assert_true(again->has_encoder);
    assert_memory_equal(codec->values, again->values, float_count(codec) * sizeof(float));
    pg_mask_codec_close(again);
    CHECK_OK(pg_mask_codec_save(codec, PG_F16, folder_file("half.npz")));
    CHECK_OK(pg_mask_codec_open(&again, folder_file("half.npz")));
    for (size_t i = 0; i < float_count(codec); i++)
        assert_true(again->values[i] == pg_f16_to_float(pg_f16_from_float(codec->values[i])));
    pg_mask_codec_close(again);
    codec->has_encoder = false;
    CHECK_OK(pg_mask_codec_save(codec, PG_F32, folder_file("decoder.npz")));
    CHECK_OK(pg_mask_codec_open(&again, folder_file("decoder.npz")));
    float mask[PLACES] = {0};
    int32_t codes[16];
    CHECK_FAILS(pg_mask_codec_encode(codes, again, mask, 1, 1), PG_ERROR_UNSUPPORTED, "a decoder only");
    pg_mask_codec_close(again);
    pg_mask_codec_close(codec);
}

static void wrong_files_are_refused(void **state)
{
    (void)state;
    pg_mask_codec *codec;
    float values[16] = {0};
    pg_array array = {.name = "w", .dtype = PG_F32, .dimensions = 1, .shape = {16}, .data = values, .bytes = 64};
    CHECK_OK(pg_npz_save(folder_file("other.npz"), &array, 1, true));
    CHECK_FAILS(pg_mask_codec_open(&codec, folder_file("other.npz")), PG_ERROR_FORMAT,
                "other.npz: not a mask codec: \"_vq_vae._embedding\" is missing, expected F32 [128, 512]");
    array.name = "_vq_vae._embedding";
    CHECK_OK(pg_npz_save(folder_file("small.npz"), &array, 1, true));
    CHECK_FAILS(pg_mask_codec_open(&codec, folder_file("small.npz")), PG_ERROR_FORMAT,
                "\"_vq_vae._embedding\" is F32 [16], expected F32 (or F16) [128, 512]");
    CHECK_FAILS(pg_mask_codec_open(&codec, folder_write("text.npz", "no archive", 10)), PG_ERROR_FORMAT, "text.npz");
    CHECK_FAILS(pg_mask_codec_open(&codec, folder_file("absent.npz")), PG_ERROR_FILE, "absent.npz");
    CHECK_OK(pg_mask_codec_new(&codec, 5));
    ((float *)codec->biases[20].data)[3] = NAN;
    CHECK_OK(pg_mask_codec_save(codec, PG_F32, folder_file("nan.npz")));
    pg_mask_codec_close(codec);
    CHECK_FAILS(pg_mask_codec_open(&codec, folder_file("nan.npz")), PG_ERROR_FORMAT, "not finite");
    assert_null(codec);
}

static pg_status open_and_use(void)
{
    static float mask[PLACES];
    int32_t codes[16];
    pg_mask_codec *codec;
    PG_TRY(pg_mask_codec_open(&codec, folder_file("codec.npz")));
    pg_status status = pg_mask_codec_encode(codes, codec, mask, 1, 1);
    if (status == PG_OK)
        status = pg_mask_codec_decode(mask, codec, codes, 1, 1);
    if (status == PG_OK)
        status = pg_mask_codec_save(codec, PG_F32, folder_file("copy.npz"));
    pg_mask_codec_close(codec);
    return status;
}

static void memory_fails(void **state)
{
    (void)state;
    CHECK_COARSE_SWEEP(open_and_use());
}

/* ---------------------------------------------------------------- the reference */

#ifdef PG_SHARED_FOLDER
#define SEGMENTATION PG_SHARED_FOLDER "/golden/tasks/segmentation/"

static const pg_array *find(const pg_safetensors *file, const char *name)
{
    const pg_array *array = pg_safetensors_find(file, name);
    if (!array)
        fail_msg("%s is missing", name);
    return array;
}

static int64_t whole(const pg_array *array, int64_t i)
{
    return array->dtype == PG_I64 ? ((const int64_t *)array->data)[i] : ((const int32_t *)array->data)[i];
}

static void masks_and_codes_are_the_reference_s(void **state)
{
    (void)state;
    pg_mask_codec *codec;
    pg_safetensors *file;
    CHECK_OK(pg_mask_codec_open(&codec, SEGMENTATION "vae-random.npz"));
    CHECK_OK(pg_safetensors_open(&file, SEGMENTATION "vae.safetensors"));
    const pg_array *codes = find(file, "codes"), *masks = find(file, "masks64");
    int32_t numbers[160];
    float *values = pg_alloc(10 * PLACES, sizeof *values);
    double worst = 0;
    for (int64_t i = 0; i < 160; i++)
        numbers[i] = (int32_t)whole(codes, i);
    CHECK_OK(pg_mask_codec_decode(values, codec, numbers, 10, 0));
    for (int64_t i = 0; i < 10 * PLACES; i++)
        worst = fmax(worst, fabs((double)values[i] - (double)((const float *)masks->data)[i]));
    print_message("decoded masks: within %.2g\n", worst);
    assert_true(worst <= 1e-5);
    const pg_array *given = find(file, "encoder_masks"), *expected = find(file, "encoder_codes");
    size_t count = (size_t)given->shape[0];
    int32_t *found = pg_alloc(count * 16, sizeof *found);
    CHECK_OK(pg_mask_codec_encode(found, codec, given->data, count, 0));
    for (size_t i = 0; i < count * 16; i++)
        assert_int_equal(found[i], whole(expected, (int64_t)i));
    pg_free(found);
    pg_free(values);
    pg_safetensors_close(file);
    pg_mask_codec_close(codec);
}
#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_codec_says_the_same),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(files_keep_everything),
        cmocka_unit_test(wrong_files_are_refused),
        cmocka_unit_test(memory_fails),
#ifdef PG_SHARED_FOLDER
        cmocka_unit_test(masks_and_codes_are_the_reference_s),
#endif
    };
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
