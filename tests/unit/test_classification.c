/* src/tasks/classification: names and heads beside plain computations from embeddings and traces; what is refused. */
#include "golden_case.h"
#include "sweep.h"
#include "temporary_folder.h"

#include <math.h>

#include "generate/session.h"
#include "image/image.h"
#include "model/classifier.h"

#define PICTURES 3

static pg_golden_model siglip, pali;
static pg_session *session, *pali_session;
static pg_image *pictures[PICTURES];

static const pg_image *const *shown(void)
{
    return (const pg_image *const *)pictures;
}

static int setup(void **state)
{
    static const char *const names[PICTURES] = {"cow.jpg", "lily.jpg", "gray.jpg"};
    pg_golden_model_open(&siglip, "siglip-tiny");
    pg_golden_model_open(&pali, "paligemma-tiny-f32");
    CHECK_OK(pg_session_new(&session, siglip.model, NULL));
    CHECK_OK(pg_session_new(&pali_session, pali.model, NULL));
    for (int i = 0; i < PICTURES; i++) {
        char path[512];
        snprintf(path, sizeof path, PG_GOLDEN_FOLDER "/siglip-tiny/images/%s", names[i]);
        CHECK_OK(pg_image_load(&pictures[i], path, NULL));
    }
    return folder_setup(state);
}

static int teardown(void **state)
{
    for (int i = 0; i < PICTURES; i++)
        pg_image_free(pictures[i]);
    pg_session_free(session);
    pg_session_free(pali_session);
    pg_golden_model_close(&siglip);
    pg_golden_model_close(&pali);
    return folder_teardown(state);
}

static double dot(const float *a, const float *b, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* ---------------------------------------------------------------- names */

/* The label's row, in double: the mean of unit embeddings, of length 1. */
static void plain_label(double *row, const char *label, const char *const *templates, size_t count)
{
    size_t width = pg_model_embedding_size(siglip.model);
    double length = 0;
    memset(row, 0, width * sizeof *row);
    for (size_t t = 0; t < count; t++) {
        char text[256];
        const char *one = text, *place = strstr(templates[t], "{}");
        float embedding[256];
        snprintf(text, sizeof text, "%.*s%s%s", (int)(place - templates[t]), templates[t], label, place + 2);
        CHECK_OK(pg_embed_texts(embedding, session, &one, 1));
        for (size_t k = 0; k < width; k++)
            row[k] += (double)embedding[k];
    }
    for (size_t k = 0; k < width; k++)
        length += row[k] * row[k];
    for (size_t k = 0; k < width; k++)
        row[k] /= sqrt(length);
}

static void check_names(const char *const *labels, size_t count, const char *const *templates, size_t template_count)
{
    static const char *const bare = "{}";
    size_t width = pg_model_embedding_size(siglip.model);
    pg_recognizer *recognizer;
    float scale, bias, *embeddings = pg_alloc(PICTURES, width * sizeof *embeddings);
    float *logits = pg_alloc(PICTURES, count * sizeof *logits);
    CHECK_OK(pg_model_logit_scale(&scale, &bias, siglip.model));
    CHECK_OK(pg_embed_images(embeddings, session, shown(), PICTURES));
    CHECK_OK(pg_recognizer_new(&recognizer, session, labels, count, templates, template_count));
    CHECK_OK(pg_recognize(logits, session, recognizer, shown(), PICTURES));
    assert_int_equal(pg_recognizer_count(recognizer), count);
    assert_false(pg_recognizer_exclusive(recognizer));
    for (size_t j = 0; j < count; j++) {
        double row[256];
        plain_label(row, labels[j], template_count ? templates : &bare, template_count ? template_count : 1);
        assert_string_equal(pg_recognizer_label(recognizer, j), labels[j]);
        for (size_t i = 0; i < PICTURES; i++) {
            double cosine = 0;
            for (size_t k = 0; k < width; k++)
                cosine += (double)embeddings[i * width + k] * row[k];
            double want = cosine * (double)scale + (double)bias, got = (double)logits[i * count + j];
            if (!(fabs(got - want) <= 1e-5 * (1 + fabs(want))))
                fail_msg("picture %zu, %s: %.9g, expected %.9g", i, labels[j], got, want);
        }
    }
    assert_null(pg_recognizer_label(recognizer, count));
    pg_recognizer_free(recognizer);
    pg_free(embeddings);
    pg_free(logits);
}

static void names_are_embedded(void **state)
{
    (void)state;
    static const char *const labels[] = {"cow", "a lily", "Vögel, ?"};
    static const char *const templates[] = {"a photo of a {}", "{} on the beach", "a bad painting of the {}."};
    check_names(labels, 3, NULL, 0);
    check_names(labels, 3, templates, 1);
    check_names(labels, 3, templates, 3);
    check_names(labels, 1, templates, 2);
}

/* More texts than are embedded at a time, cut in the middle of a label. */
static void many_names(void **state)
{
    (void)state;
    static const char *const templates[] = {"a {}", "the {}", "{} of the beach"};
    char words[30][16];
    const char *labels[30];
    for (int i = 0; i < 30; i++) {
        snprintf(words[i], sizeof words[i], "thing %d", i);
        labels[i] = words[i];
    }
    check_names(labels, 30, templates, 3);
}

/* A picture's logits do not depend on the others. */
static void pictures_together_and_alone(void **state)
{
    (void)state;
    static const char *const labels[] = {"cow", "lily"};
    pg_recognizer *recognizer;
    float together[PICTURES * 2], alone[2];
    CHECK_OK(pg_recognizer_new(&recognizer, session, labels, 2, NULL, 0));
    CHECK_OK(pg_recognize(together, session, recognizer, shown(), PICTURES));
    for (int i = 0; i < PICTURES; i++) {
        CHECK_OK(pg_recognize(alone, session, recognizer, shown() + i, 1));
        assert_memory_equal(alone, together + 2 * i, sizeof alone);
    }
    CHECK_OK(pg_recognize(alone, session, recognizer, NULL, 0));
    pg_recognizer_free(recognizer);
}

/* Many pictures go through the tower at a time, and give the bits of single ones. */
static void embeddings_together_and_alone(void **state)
{
    (void)state;
    const pg_image *many[130];
    size_t width = pg_model_embedding_size(siglip.model);
    float *together = pg_alloc(130, width * sizeof *together), alone[256];
    for (int i = 0; i < 130; i++)
        many[i] = pictures[i % PICTURES];
    CHECK_OK(pg_embed_images(together, session, many, 130));
    for (size_t i = 0; i < 130; i++) {
        CHECK_OK(pg_embed_images(alone, session, many + i, 1));
        assert_memory_equal(alone, together + i * width, width * sizeof *alone);
    }
    pg_free(together);
}

static void scores(void **state)
{
    (void)state;
    float logits[] = {-3, 0.5f, 200, -1000}, out[4];
    pg_class_scores(out, logits, 4, false);
    assert_true(fabsf(out[0] - 0.0474258732f) < 1e-7f && out[2] == 1 && out[3] == 0);
    pg_class_scores(out, logits, 2, true);
    assert_true(fabsf(out[0] + out[1] - 1) < 1e-6f && fabsf(out[1] / out[0] - expf(3.5f)) < 1e-3f);
    pg_class_scores(logits, logits, 4, true);
    assert_true(logits[2] == 1 && logits[3] == 0);
}

static void names_that_are_refused(void **state)
{
    (void)state;
    static const char *const labels[] = {"cow", "lily", "cow"}, *const empty[] = {"cow", " \t"};
    static const char *const plain[] = {"a photo"}, *const twice[] = {"{} and {}"};
    pg_recognizer *r;
    CHECK_FAILS(pg_recognizer_new(&r, session, labels, 0, NULL, 0), PG_ERROR_ARGUMENT, "no labels");
    assert_null(r);
    CHECK_FAILS(pg_recognizer_new(&r, session, labels, 3, NULL, 0), PG_ERROR_ARGUMENT, "labels 1 and 3 are both");
    CHECK_FAILS(pg_recognizer_new(&r, session, empty, 2, NULL, 0), PG_ERROR_ARGUMENT, "label 2 of 2 is empty");
    CHECK_FAILS(pg_recognizer_new(&r, session, labels, 2, plain, 1), PG_ERROR_ARGUMENT, "expected one {}");
    CHECK_FAILS(pg_recognizer_new(&r, session, labels, 2, twice, 1), PG_ERROR_ARGUMENT, "expected one {}");
    CHECK_FAILS(pg_recognizer_new(&r, pali_session, labels, 2, NULL, 0), PG_ERROR_UNSUPPORTED, "PaliGemma model");
    CHECK_OK(pg_recognizer_new(&r, session, labels, 2, NULL, 0));
    float logits[2];
    CHECK_FAILS(pg_recognize(logits, pali_session, r, shown(), 1), PG_ERROR_ARGUMENT, "was made for the model");
    pg_recognizer_free(r);
    pg_recognizer_free(NULL);
}

/* ---------------------------------------------------------------- heads */

/* The mean of the rows of "vision.output", which is what a head was trained on. */
typedef struct pooled {
    float mean[256];
    size_t width;
} pooled;

static pg_status keep_mean(void *user, const pg_trace_array *array)
{
    pooled *out = user;
    if (strcmp(array->name, "vision.output") != 0)
        return PG_OK;
    size_t rows = (size_t)array->shape[array->dimensions - 2];
    out->width = (size_t)array->shape[array->dimensions - 1];
    for (size_t k = 0; k < out->width; k++) {
        double sum = 0;
        for (size_t i = 0; i < rows; i++)
            sum += (double)((const float *)array->data)[i * out->width + k];
        out->mean[k] = (float)(sum / (double)rows);
    }
    return PG_OK;
}

static void check_head(const pg_golden_model *golden, pg_session *used)
{
    static const char *const labels[] = {"one", "two", "three"};
    int64_t width = golden->model->weights->vision.config.width;
    pg_classifier *head;
    pg_recognizer *recognizer;
    float logits[3 * PICTURES];
    CHECK_OK(pg_classifier_new(&head, labels, 3, width, 4));
    ((float *)head->bias.data)[1] = 0.5f;
    CHECK_OK(pg_classifier_save(head, folder_file("head.safetensors")));
    CHECK_OK(pg_recognizer_open(&recognizer, golden->model, folder_path)); /* the folder, and below the file */
    assert_true(pg_recognizer_exclusive(recognizer));
    assert_string_equal(pg_recognizer_label(recognizer, 2), "three");
    CHECK_OK(pg_recognize(logits, used, recognizer, shown(), PICTURES));
    for (int i = 0; i < PICTURES; i++) {
        pg_request request;
        pooled features = {.width = 0};
        pg_request_init(&request);
        request.images = shown() + i;
        request.image_count = 1;
        request.prompt = "cow";
        CHECK_OK(pg_trace(used, &request, keep_mean, &features));
        assert_int_equal(features.width, width);
        for (int j = 0; j < 3; j++) {
            double want = dot(features.mean, (const float *)head->weight.data + j * width, (size_t)width) +
                          (double)((const float *)head->bias.data)[j];
            if (!(fabs((double)logits[3 * i + j] - want) <= 1e-5))
                fail_msg("picture %d, label %d: %.9g, expected %.9g", i, j, (double)logits[3 * i + j], want);
        }
    }
    pg_recognizer_free(recognizer);
    CHECK_OK(pg_recognizer_open(&recognizer, golden->model, folder_file("head.safetensors")));
    pg_recognizer_free(recognizer);
    pg_classifier_free(head);
}

static void heads_see_mean_features(void **state)
{
    (void)state;
    check_head(&siglip, session);
    check_head(&pali, pali_session);
}

static void heads_that_are_refused(void **state)
{
    (void)state;
    static const char *const labels[] = {"one", "two"};
    pg_classifier *head;
    pg_recognizer *recognizer;
    pg_golden_model gemma;
    CHECK_OK(pg_classifier_new(&head, labels, 2, 7, 4));
    CHECK_OK(pg_classifier_save(head, folder_file("narrow.safetensors")));
    pg_classifier_free(head);
    CHECK_FAILS(pg_recognizer_open(&recognizer, siglip.model, folder_file("narrow.safetensors")), PG_ERROR_ARGUMENT,
                "a head for 7 features, but pictures have 48");
    assert_null(recognizer);
    CHECK_FAILS(pg_recognizer_open(&recognizer, siglip.model, folder_file("none")), PG_ERROR_FILE, "none");
    CHECK_FAILS(pg_recognizer_open(&recognizer, siglip.model, siglip.path), PG_ERROR_FILE, "head.safetensors");
    pg_golden_model_open(&gemma, "gemma-tiny-mha");
    CHECK_FAILS(pg_recognizer_open(&recognizer, gemma.model, folder_file("narrow.safetensors")), PG_ERROR_UNSUPPORTED,
                "see pictures");
    pg_golden_model_close(&gemma);
}

/* ---------------------------------------------------------------- memory */

static pg_status recognize_once(void)
{
    static const char *const labels[] = {"cow", "lily"}, *const templates[] = {"a {}", "the {}"};
    pg_recognizer *recognizer;
    float logits[2 * PICTURES];
    PG_TRY(pg_recognizer_new(&recognizer, session, labels, 2, templates, 2));
    pg_status status = pg_recognize(logits, session, recognizer, shown(), PICTURES);
    pg_recognizer_free(recognizer);
    return status;
}

static pg_status open_once(void)
{
    pg_recognizer *recognizer;
    PG_TRY(pg_recognizer_open(&recognizer, siglip.model, folder_path));
    pg_recognizer_free(recognizer);
    return PG_OK;
}

static pg_status load_once(void)
{
    const char *const paths[] = {PG_GOLDEN_FOLDER "/siglip-tiny/images/cow.jpg", folder_file("none"),
                                 PG_GOLDEN_FOLDER "/siglip-tiny/images/gray.jpg"};
    pg_image *images[3];
    char *reasons[3];
    PG_TRY(pg_image_load_all(images, reasons, paths, 3, NULL, 2));
    assert_true(images[0] && !images[1] && images[2]);
    assert_true(!reasons[0] && strstr(reasons[1], "none: cannot be opened") && !reasons[2]);
    assert_memory_equal(images[0]->pixels, pictures[0]->pixels, 3 * images[0]->width * images[0]->height);
    for (int i = 0; i < 3; i++) {
        pg_image_free(images[i]);
        pg_free(reasons[i]);
    }
    return PG_OK;
}

static void failing_allocations(void **state)
{
    (void)state;
    check_head(&siglip, session); /* leaves a head in the folder */
    CHECK_SWEEP(recognize_once());
    CHECK_SWEEP(open_once());
    CHECK_SWEEP(load_once());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_embedded),
        cmocka_unit_test(many_names),
        cmocka_unit_test(pictures_together_and_alone),
        cmocka_unit_test(embeddings_together_and_alone),
        cmocka_unit_test(scores),
        cmocka_unit_test(names_that_are_refused),
        cmocka_unit_test(heads_see_mean_features),
        cmocka_unit_test(heads_that_are_refused),
        cmocka_unit_test(failing_allocations),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
