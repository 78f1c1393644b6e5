/* Explanations against torch's (tests/golden/explanation), and what must hold of any. */
#include "golden_case.h"
#include "sweep.h"

#include <math.h>
#include <stdlib.h>

#include "base/json.h"
#include "generate/session.h"
#include "ops/ops.h"
#include "tensor/npz.h"

#define CLOSE 1e-5 /* of the largest value */

typedef struct explained_case {
    pg_golden_model model;
    pg_golden_request request;
    pg_safetensors *arrays; /* of tests/golden/explanation */
    json_t *facts;
    pg_session *session;
    int32_t tokens[64];
    size_t count;
} explained_case;

static void open_arrays(explained_case *c, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/golden/explanation/%s.safetensors", PG_TESTS_FOLDER, name);
    CHECK_OK(pg_safetensors_open(&c->arrays, path));
    snprintf(path, sizeof path, "%s/golden/explanation/cases.json", PG_TESTS_FOLDER);
    c->facts = json_load_file(path, 0, NULL);
    assert_non_null(c->facts);
}

static void open_case(explained_case *c, const char *name, int threads)
{
    *c = (explained_case){0};
    pg_golden_model_open(&c->model, name);
    open_arrays(c, name);
    const json_t *facts = json_object_get(c->facts, name);
    if (pg_model_get_kind(c->model.model) == PG_MODEL_SIGLIP)
        pg_golden_request_picture(&c->request, &c->model.golden, json_string_value(json_object_get(facts, "picture")));
    else
        pg_golden_request_prompt(&c->request, &c->model.golden,
                                 (size_t)json_integer_value(json_object_get(facts, "prompt")));
    const pg_array *tokens = pg_safetensors_find(c->arrays, "tokens");
    for (; tokens && c->count < pg_golden_count(tokens); c->count++)
        c->tokens[c->count] = (int32_t)pg_golden_number(tokens, c->count);
    pg_session_options options;
    pg_session_options_init(&options);
    options.threads = threads;
    CHECK_OK(pg_session_new(&c->session, c->model.model, &options));
}

static void close_case(explained_case *c)
{
    pg_session_free(c->session);
    pg_golden_request_free(&c->request);
    pg_safetensors_close(c->arrays);
    json_decref(c->facts);
    pg_golden_model_close(&c->model);
}

static pg_explain_options options_of(pg_explain_method method, bool tower)
{
    pg_explain_options options;
    pg_explain_options_init(&options);
    options.method = method;
    options.tower = tower;
    return options;
}

static pg_explanation *explain(explained_case *c, pg_explain_method method, bool tower)
{
    pg_explanation *out;
    pg_explain_options options = options_of(method, tower);
    CHECK_OK(pg_explain(&out, c->session, &c->request.request, c->tokens, c->count, &options));
    return out;
}

/* ---------------------------------------------------------------- against torch */

static const struct {
    const char *name;
    pg_explain_method method;
    bool tower;
} kinds[] = {
    {"gradient", PG_EXPLAIN_GRADIENT, false},   {"gradient", PG_EXPLAIN_GRADIENT, true},
    {"rollout", PG_EXPLAIN_ROLLOUT, false},     {"rollout", PG_EXPLAIN_ROLLOUT, true},
    {"attention", PG_EXPLAIN_ATTENTION, false}, {"similarity", PG_EXPLAIN_SIMILARITY, false},
};

static void check_array(const explained_case *c, const char *name, const char *end, const float *got)
{
    char full[64];
    size_t worst;
    snprintf(full, sizeof full, "%s%s", name, end);
    const pg_array *want = pg_safetensors_find(c->arrays, full);
    if (!want)
        fail_msg("%s is missing", full);
    double error = pg_golden_error(got, want, &worst);
    if (!(error <= CLOSE))
        fail_msg("%s of %s: error %.2e; worst at %zu: %.8g, expected %.8g", full, c->model.golden.folder, error, worst,
                 (double)got[worst], pg_golden_number(want, worst));
}

static void check_answer(const char *name, int threads)
{
    explained_case c;
    open_case(&c, name, threads);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (kinds[i].method == PG_EXPLAIN_SIMILARITY)
            continue;
        pg_explanation *e = explain(&c, kinds[i].method, kinds[i].tower);
        float shares[64];
        for (size_t t = 0; t < e->token_count; t++)
            shares[t] = (float)e->token_shares[t];
        check_array(&c, kinds[i].name, kinds[i].tower ? "_tower" : "", e->token_maps);
        check_array(&c, kinds[i].name, "_share", shares);
        pg_explanation_free(e);
    }
    close_case(&c);
}

static void answers_are_explained_as_by_torch(void **state)
{
    (void)state;
    check_answer("paligemma-tiny-f32", 1);
    check_answer("paligemma-tiny-f32", 3);
    check_answer("paligemma-tiny-sharded", 2);
}

static void texts_are_found_as_by_torch(void **state)
{
    (void)state;
    explained_case c;
    open_case(&c, "siglip-tiny", 2);
    const char *texts[8];
    const json_t *list = json_object_get(json_object_get(c.facts, "siglip-tiny"), "texts");
    for (size_t i = 0; i < json_array_size(list); i++)
        texts[i] = json_string_value(json_array_get(list, i));
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        pg_explanation *e;
        pg_explain_options options = options_of(kinds[i].method, kinds[i].tower);
        CHECK_OK(pg_explain_texts(&e, c.session, c.request.images[0], texts, json_array_size(list), &options));
        assert_int_equal(e->part_count, 4);
        assert_int_equal(e->parts[2].kind, PG_EXPLAINED_TEXT);
        assert_string_equal(e->parts[2].text, texts[2]);
        /* rollout without the tower is the probe's attention */
        bool probe = kinds[i].method == PG_EXPLAIN_ROLLOUT && !kinds[i].tower;
        check_array(&c, probe ? "attention" : kinds[i].name, kinds[i].tower ? "_tower" : "", e->maps);
        pg_explanation_free(e);
    }
    close_case(&c);
}

/* ---------------------------------------------------------------- rollout, once more */

typedef struct seen_layers {
    double *r; /* [rows][rows], of the layers so far */
    int64_t rows;
    int layers;
} seen_layers;

/* One head's score; both rows are laid out head by head. */
static double score(const pg_attention_view *v, int64_t row, int64_t key, int64_t head)
{
    int64_t size = v->q->width / v->heads, kv_head = head / (v->heads / v->kv_heads);
    const float *q = (const float *)v->q->data + row * v->q->width + head * size;
    const float *k = (const float *)v->k->data + key * v->k->width + kv_head * size;
    double sum = 0;
    for (int64_t i = 0; i < size; i++)
        sum += (double)q[i] * (double)k[i];
    return sum / sqrt((double)size);
}

/* r becomes (mean over heads of A + 1) / 2 r, all of it in double precision. */
static void roll(void *user, pg_context *g, const pg_attention_view *v)
{
    seen_layers *s = user;
    int64_t n = v->q->rows, prefix = v->batch->segments[0].prefix;
    double *a = calloc((size_t)(n * n), sizeof *a), *next = calloc((size_t)(n * n), sizeof *next);
    (void)g;
    if (!s->r) {
        s->r = calloc((size_t)(n * n), sizeof *s->r);
        s->rows = n;
        for (int64_t i = 0; i < n; i++)
            s->r[i * n + i] = 1;
    }
    for (int64_t i = 0; i < n; i++)
        for (int64_t head = 0; head < v->heads; head++) {
            int64_t seen = i + 1 > prefix ? i + 1 : prefix;
            double sum = 0;
            for (int64_t j = 0; j < seen; j++)
                sum += exp(score(v, i, j, head));
            for (int64_t j = 0; j < seen; j++)
                a[i * n + j] += exp(score(v, i, j, head)) / sum / (double)v->heads / 2;
        }
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            next[i * n + j] = s->r[i * n + j] / 2;
            for (int64_t k = 0; k < n; k++)
                next[i * n + j] += a[i * n + k] * s->r[k * n + j];
        }
    free(s->r);
    free(a);
    s->r = next;
    s->layers++;
}

static void rollout_is_the_product_of_all_layers(void **state)
{
    (void)state;
    explained_case c;
    seen_layers s = {0};
    open_case(&c, "paligemma-tiny-sharded", 2);
    pg_input input;
    CHECK_OK(pg_input_make(&input, c.session, &c.request.request));
    int64_t prompt = (int64_t)input.ids.count, images = (int64_t)pg_model_image_tokens(c.model.model);
    input.features = pg_input_features(c.session, c.request.request.images, 1);
    for (size_t i = 0; i + 1 < c.count; i++)
        CHECK_OK(pg_ids_add(&input.ids, c.tokens[i]));
    c.session->g.see_attention = roll;
    c.session->g.attention_user = &s;
    pg_input_forward(c.session, &input, -1);
    CHECK_OK(c.session->g.status);
    c.session->g.see_attention = NULL;
    assert_int_equal(s.layers, c.model.model->weights->config.text.layers);
    pg_explanation *e = explain(&c, PG_EXPLAIN_ROLLOUT, false);
    for (size_t t = 0; t < c.count; t++) {
        const double *row = s.r + (prompt - 1 + (int64_t)t) * s.rows;
        double sum = 0;
        for (int64_t p = 0; p < images; p++)
            sum += row[p];
        for (int64_t p = 0; p < images; p++)
            assert_true(fabs((double)e->token_maps[(int64_t)t * images + p] - row[p] / sum) < 1e-7);
    }
    pg_explanation_free(e);
    pg_input_free(&input);
    free(s.r);
    close_case(&c);
}

/* ---------------------------------------------------------------- what holds of any */

static double sum_of(const float *x, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)x[i];
    return sum;
}

static void maps_sum_to_one(void **state)
{
    (void)state;
    explained_case c;
    open_case(&c, "paligemma-tiny-f32", 2);
    for (size_t i = 0; i < 5; i++) {
        pg_explanation *e = explain(&c, kinds[i].method, kinds[i].tower);
        size_t places = e->images * e->rows * e->columns;
        assert_int_equal(e->method, kinds[i].method);
        assert_int_equal(places, pg_model_image_tokens(c.model.model));
        for (size_t p = 0; p < e->part_count; p++) {
            assert_true(fabs(sum_of(e->parts[p].map, places) - 1) < 1e-6);
            assert_true(e->parts[p].share > 0 && e->parts[p].share < 1);
        }
        pg_explanation_free(e);
    }
    close_case(&c);
}

/* Two pictures in one prompt: each has its map, and they share the sum. */
static void pictures_have_their_own_maps(void **state)
{
    (void)state;
    explained_case c;
    open_case(&c, "paligemma-tiny-f32", 2);
    pg_golden_request two;
    json_t *prompt = json_pack("{s:s, s:[s, s]}", "prompt", "caption en", "images", "cow.jpg", "lily.jpg");
    pg_golden_request_init(&two, &c.model.golden, prompt);
    for (size_t i = 0; i < 5; i++) {
        pg_explain_options options = options_of(kinds[i].method, kinds[i].tower);
        pg_explanation *e;
        CHECK_OK(pg_explain(&e, c.session, &two.request, c.tokens, 2, &options));
        assert_int_equal(e->images, 2);
        double first = sum_of(e->token_maps, 16), second = sum_of(e->token_maps + 16, 16);
        assert_true(first > 0.01 && second > 0.01 && fabs(first + second - 1) < 1e-6);
        pg_explanation_free(e);
    }
    pg_golden_request_free(&two);
    json_decref(prompt);
    close_case(&c);
}

/* More layers than there are is all of them: the mean of what each alone gives. */
static void attention_is_the_mean_of_layers(void **state)
{
    (void)state;
    explained_case c;
    open_case(&c, "paligemma-tiny-f32", 2);
    pg_explain_options options = options_of(PG_EXPLAIN_ATTENTION, false);
    pg_explanation *all, *three, *one;
    options.layers = 1000;
    CHECK_OK(pg_explain(&all, c.session, &c.request.request, c.tokens, c.count, &options));
    options.layers = 3;
    CHECK_OK(pg_explain(&three, c.session, &c.request.request, c.tokens, c.count, &options));
    options.layers = 0;
    CHECK_OK(pg_explain(&one, c.session, &c.request.request, c.tokens, c.count, &options));
    assert_memory_equal(all->token_maps, three->token_maps, c.count * 16 * sizeof(float));
    assert_memory_not_equal(all->token_maps, one->token_maps, c.count * 16 * sizeof(float));
    pg_explanation_free(all);
    pg_explanation_free(three);
    pg_explanation_free(one);
    close_case(&c);
}

static void threads_do_not_matter(void **state)
{
    (void)state;
    explained_case one, three;
    open_case(&one, "paligemma-tiny-sharded", 1);
    open_case(&three, "paligemma-tiny-sharded", 3);
    for (size_t i = 0; i < 5; i++) {
        pg_explanation *a = explain(&one, kinds[i].method, kinds[i].tower);
        pg_explanation *b = explain(&three, kinds[i].method, kinds[i].tower);
        assert_memory_equal(a->token_maps, b->token_maps, a->token_count * a->rows * a->columns * sizeof(float));
        pg_explanation_free(a);
        pg_explanation_free(b);
    }
    close_case(&one);
    close_case(&three);
}

/* An explanation leaves the session as it was: the same answer comes before and after. */
static void sessions_go_on(void **state)
{
    (void)state;
    explained_case c;
    pg_answer *before, *after;
    open_case(&c, "paligemma-tiny-f32", 2);
    c.request.request.max_new_tokens = 6;
    CHECK_OK(pg_generate(&before, c.session, &c.request.request, 1));
    pg_explanation_free(explain(&c, PG_EXPLAIN_GRADIENT, true));
    pg_explanation_free(explain(&c, PG_EXPLAIN_ROLLOUT, true));
    CHECK_OK(pg_generate(&after, c.session, &c.request.request, 1));
    assert_string_equal(before->text, after->text);
    assert_memory_equal(before->logprobs, after->logprobs, before->count * sizeof(float));
    pg_answer_free(before);
    pg_answer_free(after);
    close_case(&c);
}

/* Weights in 16 bits take the same way. */
static void weights_in_bf16_are_explained(void **state)
{
    (void)state;
    explained_case c;
    pg_golden_model bf16;
    pg_session *session;
    open_case(&c, "paligemma-tiny-f32", 2);
    pg_golden_model_open(&bf16, "paligemma-tiny-bf16");
    CHECK_OK(pg_session_new(&session, bf16.model, NULL));
    for (size_t i = 0; i < 5; i++) {
        pg_explanation *want = explain(&c, kinds[i].method, kinds[i].tower), *got;
        pg_explain_options options = options_of(kinds[i].method, kinds[i].tower);
        CHECK_OK(pg_explain(&got, session, &c.request.request, c.tokens, c.count, &options));
        double apart = 0;
        for (size_t p = 0; p < c.count * 16; p++)
            apart = fmax(apart, fabs((double)(want->token_maps[p] - got->token_maps[p])));
        assert_true(apart > 0 && apart < 0.03);
        pg_explanation_free(want);
        pg_explanation_free(got);
    }
    pg_session_free(session);
    pg_golden_model_close(&bf16);
    close_case(&c);
}

/* ---------------------------------------------------------------- files */

static void explanations_are_saved(void **state)
{
    (void)state;
    explained_case c;
    open_case(&c, "paligemma-tiny-f32", 2);
    pg_explanation *e = explain(&c, PG_EXPLAIN_ROLLOUT, false);
    const char *folder = pg_golden_scratch(&c.model.golden);
    char *plain = pg_golden_path(folder, "maps.safetensors"), *zip = pg_golden_path(folder, "maps.npz");
    CHECK_OK(pg_explanation_save(plain, e));
    CHECK_OK(pg_explanation_save(zip, e));
    CHECK_FAILS(pg_explanation_save("maps.txt", e), PG_ERROR_ARGUMENT, "neither .npz nor .safetensors");
    pg_safetensors *file;
    pg_npz *npz;
    CHECK_OK(pg_safetensors_open(&file, plain));
    CHECK_OK(pg_npz_open(&npz, zip));
    assert_int_equal(pg_safetensors_count(file), 6);
    assert_int_equal(pg_npz_count(npz), 6);
    const pg_array *maps = pg_safetensors_find(file, "token_maps");
    assert_int_equal(maps->dimensions, 4);
    assert_int_equal(maps->shape[0], c.count);
    assert_memory_equal(maps->data, e->token_maps, maps->bytes);
    void *data;
    CHECK_OK(pg_npz_load(&data, npz, pg_npz_find(npz, "maps")));
    assert_memory_equal(data, e->maps, pg_npz_find(npz, "maps")->bytes);
    pg_free(data);
    pg_safetensors_close(file);
    pg_npz_close(npz);
    pg_free(plain);
    pg_free(zip);
    pg_explanation_free(e);
    close_case(&c);
}

/* ---------------------------------------------------------------- refusals */

static bool stop(void *user, size_t done, size_t total)
{
    ++*(int *)user;
    assert_true(done <= total);
    return *(int *)user < 2;
}

static void contradictions_are_refused(void **state)
{
    (void)state;
    explained_case c;
    open_case(&c, "paligemma-tiny-f32", 2);
    pg_explanation *out;
    pg_request request = c.request.request;
    pg_explain_options options = options_of(PG_EXPLAIN_ATTENTION, true);
    const int32_t image = c.model.model->weights->config.image_token, far = 1 << 20;
    static int32_t many[9000];
#define REFUSED(call, status, part)      \
    do {                                 \
        CHECK_FAILS(call, status, part); \
        assert_null(out);                \
    } while (0)
    REFUSED(pg_explain(&out, c.session, &request, c.tokens, 1, &options), PG_ERROR_ARGUMENT, "vision tower");
    options = options_of(PG_EXPLAIN_SIMILARITY, false);
    REFUSED(pg_explain(&out, c.session, &request, c.tokens, 1, &options), PG_ERROR_ARGUMENT, "SigLIP");
    REFUSED(pg_explain(&out, c.session, &request, c.tokens, 0, NULL), PG_ERROR_ARGUMENT, "no tokens");
    REFUSED(pg_explain(&out, c.session, &request, &image, 1, NULL), PG_ERROR_ARGUMENT, "image token");
    REFUSED(pg_explain(&out, c.session, &request, &far, 1, NULL), PG_ERROR_ARGUMENT,
            "token 0 of the answer is 1048576");
    REFUSED(pg_explain(&out, c.session, &request, many, 9000, NULL), PG_ERROR_LIMIT, "the context holds");
    int calls = 0;
    options = options_of(PG_EXPLAIN_GRADIENT, false);
    options.on_progress = stop;
    options.user = &calls;
    REFUSED(pg_explain(&out, c.session, &request, c.tokens, c.count, &options), PG_ERROR_CANCELLED, "cancelled");
    assert_int_equal(calls, 2);
    request.image_count = 0;
    REFUSED(pg_explain(&out, c.session, &request, c.tokens, 1, NULL), PG_ERROR_ARGUMENT, "needs a picture");
    const char *text = "cow";
    REFUSED(pg_explain_texts(&out, c.session, c.request.images[0], &text, 1, NULL), PG_ERROR_UNSUPPORTED, "find texts");
    pg_explanation_free(explain(&c, PG_EXPLAIN_GRADIENT, false)); /* after a cancelled one */
    close_case(&c);
    open_case(&c, "siglip-tiny", 2);
    REFUSED(pg_explain_texts(&out, c.session, c.request.images[0], &text, 0, NULL), PG_ERROR_ARGUMENT, "no text");
    REFUSED(pg_explain(&out, c.session, &c.request.request, c.tokens, 1, NULL), PG_ERROR_UNSUPPORTED, "SigLIP");
    close_case(&c);
}

/* ---------------------------------------------------------------- memory */

/* A new session each time, so that nothing is left from the try before. */
static pg_status explain_anew(explained_case *c, pg_explain_method method, bool tower)
{
    pg_session *session;
    pg_session_options options;
    pg_explanation *out = NULL;
    pg_explain_options how = options_of(method, tower);
    pg_session_options_init(&options);
    options.threads = 1;
    options.context = 64;
    PG_TRY(pg_session_new(&session, c->model.model, &options));
    pg_status status = pg_explain(&out, session, &c->request.request, c->tokens, 2, &how);
    pg_explanation_free(out);
    pg_session_free(session);
    return status;
}

static pg_status find_anew(explained_case *c, pg_explain_method method, bool tower)
{
    pg_session *session;
    pg_explanation *out = NULL;
    pg_explain_options how = options_of(method, tower);
    const char *texts[] = {"a cow", "grass"};
    PG_TRY(pg_session_new(&session, c->model.model, NULL));
    pg_status status = pg_explain_texts(&out, session, c->request.images[0], texts, 2, &how);
    pg_explanation_free(out);
    pg_session_free(session);
    return status;
}

static void failing_memory_is_survived(void **state)
{
    (void)state;
    explained_case c;
    open_case(&c, "paligemma-tiny-f32", 1);
    CHECK_SWEEP(explain_anew(&c, PG_EXPLAIN_GRADIENT, true));
    CHECK_SWEEP(explain_anew(&c, PG_EXPLAIN_ROLLOUT, true));
    CHECK_SWEEP(explain_anew(&c, PG_EXPLAIN_ATTENTION, false));
    close_case(&c);
    open_case(&c, "siglip-tiny", 1);
    CHECK_SWEEP(find_anew(&c, PG_EXPLAIN_SIMILARITY, false));
    CHECK_SWEEP(find_anew(&c, PG_EXPLAIN_GRADIENT, false));
    CHECK_SWEEP(find_anew(&c, PG_EXPLAIN_ROLLOUT, true));
    close_case(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_explained_as_by_torch),
        cmocka_unit_test(texts_are_found_as_by_torch),
        cmocka_unit_test(rollout_is_the_product_of_all_layers),
        cmocka_unit_test(maps_sum_to_one),
        cmocka_unit_test(pictures_have_their_own_maps),
        cmocka_unit_test(attention_is_the_mean_of_layers),
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(sessions_go_on),
        cmocka_unit_test(weights_in_bf16_are_explained),
        cmocka_unit_test(explanations_are_saved),
        cmocka_unit_test(contradictions_are_refused),
        cmocka_unit_test(failing_memory_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
