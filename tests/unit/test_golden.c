/*
 * What the reference implementation computed, against what this library computes from the same files. The facts that a
 * case folder has are found by their names, so the same program runs the small set in tests/golden/inference and, where
 * PG_SHARED_FOLDER is defined, the full one that it was cut from.
 *
 * Tolerances are those of the reference's makers. Arrays: the largest |got - want| as a part of the largest |want|, at
 * most 2e-5 with f32 arithmetic, 1e-2 against f16 and 8e-2 against bf16 arithmetic. Tokens must agree as long as the
 * margin between the reference's two best logits exceeds 1e-3 (for 16-bit arithmetic: 0.2).
 */
#include <dirent.h>
#include <math.h>
#include <stdlib.h>

#include "golden_case.h"

#include "base/file.h"
#include "generate/sampling.h"
#include "generate/session.h"

#define F32_LIMIT   2e-5
#define F16_LIMIT   1e-2
#define BF16_LIMIT  8e-2
#define F32_MARGIN  1e-3
#define HALF_MARGIN 0.2

enum { EOS = 1, REQUESTS = 3, SEQUENCES = 4 };

/* One checkpoint of one case, and the disagreements found so far. */
typedef struct golden_run {
    pg_golden *golden;
    const json_t *facts;
    char label[128];
    pg_model *model;
    pg_session *session; /* f32 */
    size_t checks, failures;
} golden_run;

static void complain(golden_run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void complain(golden_run *run, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "  %s: ", run->label);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    run->failures++;
}

static int64_t fact(const json_t *object, const char *key, int64_t otherwise)
{
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

/* ---------------------------------------------------------------- comparisons */

/* `want` may be NULL: the case does not have this array. */
static void check_floats(golden_run *run, const char *what, const float *got, size_t count, const pg_array *want,
                         double limit)
{
    if (!want)
        return;
    run->checks++;
    if (count != pg_golden_count(want)) {
        complain(run, "%s: %zu elements, expected %zu", what, count, pg_golden_count(want));
        return;
    }
    size_t worst;
    double error = pg_golden_error(got, want, &worst);
    if (!(error <= limit))
        complain(run, "%s: error %.2e, limit %.0e; worst at %zu: %.8g, expected %.8g", what, error, limit, worst,
                 (double)got[worst], pg_golden_number(want, worst));
}

/* Row i of a matrix or of a stack of matrices, as an array of its own; NULL if there is no such array. */
static const pg_array *row_array(pg_array *out, const pg_array *array, size_t i)
{
    if (!array)
        return NULL;
    *out = *array;
    out->bytes /= (size_t)array->shape[0];
    out->data = (const char *)array->data + i * out->bytes;
    return out;
}

static void check_bytes(golden_run *run, const char *what, const uint8_t *got, size_t count, const pg_array *want)
{
    if (!want)
        return;
    run->checks++;
    if (count != want->bytes || memcmp(got, want->data, count) != 0)
        complain(run, "%s: not the same bytes", what);
}

/* A row of ids that ends after <eos>, or at the row's end; what follows <eos> is padding. */
typedef struct id_row {
    const pg_array *array;
    size_t first, count;
} id_row;

static id_row row_of(const pg_array *array, size_t row)
{
    size_t width = (size_t)array->shape[array->dimensions - 1];
    id_row ids = {.array = array, .first = row * width};
    while (ids.count < width && pg_golden_number(array, ids.first + ids.count++) != EOS) {
    }
    return ids;
}

static int32_t row_id(id_row row, size_t i)
{
    return (int32_t)pg_golden_number(row.array, row.first + i);
}

/* The first place where ids differ, the end of the shorter one included; SIZE_MAX if they are equal. */
static size_t first_difference(const int32_t *got, size_t count, id_row want)
{
    for (size_t i = 0; i < count || i < want.count; i++) {
        if (i >= count || i >= want.count || got[i] != row_id(want, i))
            return i;
    }
    return SIZE_MAX;
}

static void check_exact_ids(golden_run *run, const char *what, const int32_t *got, size_t count, id_row want)
{
    run->checks++;
    size_t i = first_difference(got, count, want);
    if (i != SIZE_MAX)
        complain(run, "%s: token %zu: %d, expected %d (%zu tokens, expected %zu)", what, i, i < count ? got[i] : -1,
                 i < want.count ? row_id(want, i) : -1, count, want.count);
}

/* Of the two best logits of a step; infinite beyond the last one. */
static double margin_at(const pg_array *top, size_t step)
{
    size_t best = (size_t)top->shape[1];
    if (step >= (size_t)top->shape[0])
        return INFINITY;
    return pg_golden_number(top, step * best) - pg_golden_number(top, step * best + 1);
}

/* Returns how many steps are equal. */
static size_t check_ids_by_margin(golden_run *run, const char *what, const int32_t *got, size_t count, id_row want,
                                  const pg_array *top_logits, double limit)
{
    run->checks++;
    size_t i = first_difference(got, count, want);
    if (i == SIZE_MAX)
        return count;
    if (margin_at(top_logits, i) > limit)
        complain(run, "%s: token %zu: %d, expected %d with a margin of %.3g", what, i, i < count ? got[i] : -1,
                 i < want.count ? row_id(want, i) : -1, margin_at(top_logits, i));
    return i;
}

/* The decoder of the reference turns a whole run of bytes into U+FFFD if one of them is bad, ours only the bad ones;
 * texts with such runs are compared by their ids alone. */
static void check_text(golden_run *run, const char *what, const char *got, const json_t *want)
{
    if (!want || strstr(json_string_value(want), "\xef\xbf\xbd"))
        return;
    run->checks++;
    if (strcmp(got, json_string_value(want)) != 0)
        complain(run, "%s: text \"%s\", expected \"%s\"", what, got, json_string_value(want));
}

/* ---------------------------------------------------------------- running */

static pg_session *session_with_cache(const pg_model *model, pg_compute compute, pg_cache_type cache)
{
    pg_session_options options;
    pg_session_options_init(&options);
    options.threads = 2;
    options.compute = compute;
    options.cache = cache;
    options.sequences = SEQUENCES;
    options.context = pg_model_context(model) < 512 ? 0 : 512;
    pg_session *session = NULL;
    CHECK_OK(pg_session_new(&session, model, &options));
    return session;
}

static pg_session *new_session(const pg_model *model, pg_compute compute)
{
    return session_with_cache(model, compute, PG_CACHE_AUTO);
}

static pg_answer *generate(pg_session *session, const pg_request *request)
{
    pg_answer *answer = NULL;
    CHECK_OK(pg_generate(&answer, session, request, 1));
    return answer;
}

/* The logits of the first step in the order of their ids; freed with pg_free. */
static float *first_logits(const pg_answer *answer)
{
    float *logits = pg_alloc(answer->top_count, sizeof *logits);
    assert_non_null(logits);
    for (size_t i = 0; i < answer->top_count; i++) {
        assert_in_range(answer->top[i].id, 0, answer->top_count - 1);
        logits[answer->top[i].id] = answer->top[i].logit;
    }
    return logits;
}

static void check_first_logits(golden_run *run, const char *what, const pg_answer *answer, const pg_array *want,
                               double limit)
{
    if (!want)
        return;
    float *logits = first_logits(answer);
    check_floats(run, what, logits, answer->top_count, want, limit);
    pg_free(logits);
}

static void check_traced(golden_run *run, const pg_kept_trace *trace, const char *name, const pg_array *want)
{
    if (!want)
        return;
    const pg_array *got = pg_kept_trace_find(trace, name);
    if (!got)
        complain(run, "the trace has no %s", name);
    else
        check_floats(run, want->name, got->data, pg_golden_count(got), want, F32_LIMIT);
}

static void check_traced_ids(golden_run *run, const pg_kept_trace *trace, const pg_array *want)
{
    const pg_array *got = pg_kept_trace_find(trace, "input_ids");
    run->checks++;
    if (!got || !want || got->bytes != want->bytes || memcmp(got->data, want->data, got->bytes) != 0)
        complain(run, "%s: not the same ids", want ? want->name : "input_ids");
}

/* ---------------------------------------------------------------- pictures */

/* What the model sees for a byte: the product in f64, the rest in f32. */
static float pixel_value(uint8_t byte)
{
    return ((float)(byte * (1.0 / 255.0)) - 0.5F) / 0.5F;
}

static void check_pixel_values(golden_run *run, const char *what, const pg_array *got, const pg_array *want)
{
    run->checks++;
    if (want && (got->bytes != want->bytes || memcmp(got->data, want->data, want->bytes) != 0))
        complain(run, "%s: not the same pixel values", what);
}

/* Resized bytes [height][width][3] against the model's [3][height][width] of the same picture. */
static void check_pixel_bytes(golden_run *run, const char *what, const pg_array *got, const pg_array *resized)
{
    run->checks++;
    const float *values = got->data;
    size_t area = resized ? resized->bytes / 3 : 0;
    if (area && pg_golden_count(got) != 3 * area) {
        complain(run, "%s: %zu values, expected %zu", what, pg_golden_count(got), 3 * area);
        return;
    }
    for (size_t i = 0; i < 3 * area; i++) {
        uint8_t byte = ((const uint8_t *)resized->data)[i];
        if (values[i % 3 * area + i / 3] != pixel_value(byte)) {
            complain(run, "%s: byte %zu, %d, became %.9g, expected %.9g", what, i, byte,
                     (double)values[i % 3 * area + i / 3], (double)pixel_value(byte));
            return;
        }
    }
}

/* Decoding and resizing of one picture; `kind` is "image" (as stored) or "transposed" (turned as its EXIF says). */
static void check_picture_bytes(golden_run *run, const char *kind, const char *name, const pg_image *image)
{
    const pg_golden *golden = run->golden;
    size_t side = pg_model_image_size(run->model);
    check_bytes(run, name, pg_image_pixels(image), pg_image_width(image) * pg_image_height(image) * 3,
                pg_golden_find(golden, "%s.%s.rgb", kind, name));
    pg_image *small = NULL;
    CHECK_OK(pg_image_resize(&small, image, side, side, PG_RESIZE_PILLOW13));
    check_bytes(run, name, pg_image_pixels(small), side * side * 3,
                pg_golden_find(golden, "%s.%s.resized", kind, name));
    pg_image_free(small);
}

static void check_seen_picture(golden_run *run, const char *kind, const char *name, const pg_request *request)
{
    const pg_golden *golden = run->golden;
    pg_kept_trace trace = {0};
    CHECK_OK(pg_trace(run->session, request, pg_kept_trace_add, &trace));
    const pg_array *pixels = pg_kept_trace_find(&trace, "pixel_values");
    assert_non_null(pixels);
    check_pixel_values(run, name, pixels, pg_golden_find(golden, "%s.%s.pixel_values", kind, name));
    check_pixel_bytes(run, name, pixels, pg_golden_find(golden, "%s.%s.resized", kind, name));
    check_traced(run, &trace, "vision.output", pg_golden_find(golden, "%s.%s.vision", kind, name));
    check_traced(run, &trace, "features", pg_golden_find(golden, "%s.%s.features", kind, name));
    pg_kept_trace_free(&trace);
}

static void check_picture(golden_run *run, const char *name)
{
    pg_golden_request asked;
    pg_golden_request_picture(&asked, run->golden, name);
    check_picture_bytes(run, "image", name, asked.images[0]);
    check_seen_picture(run, "image", name, &asked.request);
    if (pg_golden_find(run->golden, "transposed.%s.resized", name) ||
        pg_golden_find(run->golden, "transposed.%s.rgb", name)) {
        pg_image_free(asked.images[0]);
        char *folder =
            pg_golden_path(run->golden->folder, json_string_value(json_object_get(run->facts, "image_folder")));
        char *path = pg_golden_path(folder, name);
        CHECK_OK(pg_image_load(&asked.images[0], path, NULL));
        check_picture_bytes(run, "transposed", name, asked.images[0]);
        check_seen_picture(run, "transposed", name, &asked.request);
        pg_free(path);
        pg_free(folder);
    }
    pg_golden_request_free(&asked);
}

static void check_pictures(golden_run *run)
{
    const char *name;
    json_t *about;
    json_object_foreach(json_object_get(run->facts, "images"), name, about) check_picture(run, name);
}

/* ---------------------------------------------------------------- prompts */

static void check_trace(golden_run *run, const char *key, const pg_request *request, bool every_layer)
{
    pg_kept_trace trace = {0};
    CHECK_OK(pg_trace(run->session, request, pg_kept_trace_add, &trace));
    check_traced_ids(run, &trace, pg_golden_find(run->golden, "%s.input_ids", key));
    const pg_array *last = pg_golden_find(run->golden, "%s.logits_last", key);
    const pg_array *logits = pg_kept_trace_find(&trace, "logits");
    assert_non_null(logits);
    size_t vocabulary = (size_t)logits->shape[logits->dimensions - 1];
    const float *end = (const float *)logits->data + pg_golden_count(logits) - vocabulary;
    check_floats(run, last->name, end, vocabulary, last, F32_LIMIT);
    check_traced(run, &trace, "logits", pg_golden_find(run->golden, "%s.logits", key));
    for (size_t i = 0; every_layer && i < pg_safetensors_count(run->golden->arrays); i++) {
        const pg_array *want = pg_safetensors_at(run->golden->arrays, i);
        if (strncmp(want->name, "trace.", 6) == 0)
            check_traced(run, &trace, want->name + 6, want);
    }
    pg_kept_trace_free(&trace);
}

/* The best logits of the first `steps` steps. Ids may change places where their logits are closer than the margin. */
static void check_top(golden_run *run, const char *key, const pg_answer *answer, size_t steps)
{
    const pg_array *ids = pg_golden_find(run->golden, "%s.top_ids", key);
    const pg_array *logits = pg_golden_find(run->golden, "%s.top_logits", key);
    size_t best = (size_t)ids->shape[1];
    double largest = 0.0;
    for (size_t i = 0; i < pg_golden_count(logits); i++)
        largest = fmax(largest, fabs(pg_golden_number(logits, i)));
    assert_int_equal(answer->top_count, best);
    run->checks++;
    for (size_t i = 0; i < steps * best; i++) {
        double want = pg_golden_number(logits, i);
        bool above = i % best > 0 && pg_golden_number(logits, i - 1) - want < F32_MARGIN;
        bool below = i % best + 1 == best || want - pg_golden_number(logits, i + 1) < F32_MARGIN;
        if (fabs(answer->top[i].logit - want) > F32_LIMIT * largest ||
            (answer->top[i].id != (int32_t)pg_golden_number(ids, i) && !above && !below)) {
            complain(run, "%s: step %zu, place %zu: id %d, logit %.8g, expected %d, %.8g", key, i / best, i % best,
                     answer->top[i].id, (double)answer->top[i].logit, (int)pg_golden_number(ids, i), want);
            return;
        }
    }
}

/* The first token's log-probability, from the reference's logits. */
static void check_logprob(golden_run *run, const char *key, const pg_answer *answer)
{
    const pg_array *logits = pg_golden_find(run->golden, "%s.logits_last", key);
    double best = pg_golden_number(logits, (size_t)answer->tokens[0]), sum = 0.0;
    for (size_t i = 0; i < pg_golden_count(logits); i++)
        sum += exp(pg_golden_number(logits, i) - best);
    run->checks++;
    if (fabs(answer->logprobs[0] + log(sum)) > 1e-4)
        complain(run, "%s: log-probability %.6f, expected %.6f", key, (double)answer->logprobs[0], -log(sum));
}

static void check_greedy(golden_run *run, const char *key, pg_request *request, const json_t *prompt)
{
    const pg_array *top = pg_golden_find(run->golden, "%s.top_logits", key);
    id_row want = row_of(pg_golden_find(run->golden, "%s.generated", key), 0);
    request->max_new_tokens = fact(run->facts, "new_tokens", 0);
    request->top_logits = (size_t)top->shape[1];
    pg_answer *answer = generate(run->session, request);
    size_t equal = check_ids_by_margin(run, key, answer->tokens, answer->count, want, top, F32_MARGIN);
    check_top(run, key, answer, equal);
    check_logprob(run, key, answer);
    pg_finish finish = json_is_true(json_object_get(prompt, "ended_by_eos")) ? PG_FINISH_STOP : PG_FINISH_LENGTH;
    if (equal == want.count && answer->finish != finish)
        complain(run, "%s: finished by %s", key, pg_finish_name(answer->finish));
    if (equal == want.count)
        check_text(run, key, answer->text, json_object_get(prompt, "text"));
    if (answer->prompt_tokens != pg_golden_count(pg_golden_find(run->golden, "%s.input_ids", key)))
        complain(run, "%s: %zu prompt tokens", key, answer->prompt_tokens);
    pg_answer_free(answer);
}

/* All prompts of a list of facts; their arrays are called KIND.NUMBER.*, the number `digits` long. Prompt `traced`
 * comes with all layers. */
static void check_prompts(golden_run *run, const char *list, const char *kind, int digits, int64_t traced)
{
    size_t i;
    json_t *prompt;
    json_array_foreach(json_object_get(run->facts, list), i, prompt)
    {
        char key[32];
        snprintf(key, sizeof key, "%s.%0*zu", kind, digits, i);
        pg_golden_request asked;
        pg_golden_request_init(&asked, run->golden, prompt);
        check_trace(run, key, &asked.request, (int64_t)i == traced);
        check_greedy(run, key, &asked.request, prompt);
        pg_golden_request_free(&asked);
    }
}

/* The same prompts computed in the checkpoint's own 16-bit type by the reference. Ours: bf16 products for bf16; f16
 * products do not exist here, so f32 stands against f16 with f16's tolerance. */
static void check_native(golden_run *run)
{
    bool bf16 = strcmp(json_string_value(json_object_get(run->facts, "weights_dtype")), "bfloat16") == 0;
    double limit = bf16 ? BF16_LIMIT : F16_LIMIT;
    pg_session *session = new_session(run->model, bf16 ? PG_COMPUTE_BF16 : PG_COMPUTE_F32);
    size_t i;
    json_t *prompt;
    json_array_foreach(json_object_get(run->facts, "prompts"), i, prompt)
    {
        char key[32];
        snprintf(key, sizeof key, "native.%02zu", i);
        const pg_array *logits = pg_golden_find(run->golden, "%s.logits_last", key);
        const pg_array *exact = pg_golden_find(run->golden, "prompt.%02zu.generated", i);
        pg_golden_request asked;
        pg_golden_request_init(&asked, run->golden, prompt);
        asked.request.max_new_tokens = fact(run->facts, "new_tokens", 0);
        asked.request.top_logits = pg_golden_count(logits);
        pg_answer *answer = generate(session, &asked.request);
        check_first_logits(run, logits->name, answer, logits, limit);
        check_first_logits(run, "native logits against f32", answer,
                           pg_golden_find(run->golden, "prompt.%02zu.logits_last", i), limit);
        check_ids_by_margin(run, key, answer->tokens, answer->count, row_of(exact, 0),
                            pg_golden_find(run->golden, "prompt.%02zu.top_logits", i), HALF_MARGIN);
        pg_answer_free(answer);
        pg_golden_request_free(&asked);
    }
    pg_session_free(session);
}

/* The same prompts in f32, with keys and values rounded in the cache: by `unit` of themselves in bf16 (2^-9), of the
 * largest of their head in int8 (1/254). The logits of these small models may move by ten times as much, and two of
 * them by that much against each other. */
static void check_cache(golden_run *run, pg_cache_type cache, double unit)
{
    const double limit = 10 * unit;
    pg_session *session = session_with_cache(run->model, PG_COMPUTE_F32, cache);
    for (size_t i = 0; i < json_array_size(json_object_get(run->facts, "prompts")); i++) {
        const pg_array *logits = pg_golden_find(run->golden, "prompt.%02zu.logits_last", i);
        const pg_array *top = pg_golden_find(run->golden, "prompt.%02zu.top_logits", i);
        pg_golden_request asked;
        pg_golden_request_prompt(&asked, run->golden, i);
        asked.request.max_new_tokens = fact(run->facts, "new_tokens", 0);
        asked.request.top_logits = pg_golden_count(logits);
        pg_answer *answer = generate(session, &asked.request);
        check_first_logits(run, "logits with a rounded cache", answer, logits, limit);
        check_ids_by_margin(run, "tokens with a rounded cache", answer->tokens, answer->count,
                            row_of(pg_golden_find(run->golden, "prompt.%02zu.generated", i), 0), top,
                            2 * limit * fabs(pg_golden_number(top, 0)));
        pg_answer_free(answer);
        pg_golden_request_free(&asked);
    }
    pg_session_free(session);
}

/* ---------------------------------------------------------------- ways to generate */

static void check_beams(golden_run *run, const char *key, const pg_answer *answer)
{
    const pg_array *ids = pg_golden_find(run->golden, "%s.generated", key);
    const pg_array *scores = pg_golden_find(run->golden, "%s.scores", key);
    float got[8];
    size_t count = pg_golden_count(scores);
    assert_in_range(count, 1, 8);
    if (answer->beam_count != count) {
        complain(run, "%s: %zu beams, expected %zu", key, answer->beam_count, count);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        check_exact_ids(run, key, answer->beams[i].tokens, answer->beams[i].count, row_of(ids, i));
        got[i] = answer->beams[i].score;
    }
    check_floats(run, scores->name, got, count, scores, F32_LIMIT);
    check_exact_ids(run, "the best beam as the answer", answer->tokens, answer->count, row_of(ids, 0));
}

/* The reference's option names. */
static void set_options(pg_request *request, const json_t *options)
{
    request->max_new_tokens = fact(options, "max_new_tokens", request->max_new_tokens);
    if (json_object_get(options, "max_length"))
        request->max_new_tokens = -1;
    request->max_length = fact(options, "max_length", request->max_length);
    request->min_new_tokens = fact(options, "min_new_tokens", request->min_new_tokens);
    request->no_repeat_ngram = fact(options, "no_repeat_ngram_size", request->no_repeat_ngram);
    request->beams = fact(options, "num_beams", request->beams);
    request->beams_returned = fact(options, "num_return_sequences", request->beams_returned);
    request->early_stopping = json_is_true(json_object_get(options, "early_stopping"));
    const json_t *number;
    if ((number = json_object_get(options, "repetition_penalty")))
        request->repetition_penalty = json_number_value(number);
    if ((number = json_object_get(options, "length_penalty")))
        request->length_penalty = json_number_value(number);
}

static void check_variants(golden_run *run)
{
    size_t i;
    json_t *variant;
    json_array_foreach(json_object_get(run->facts, "variants"), i, variant)
    {
        int64_t number = fact(variant, "prompt", 0);
        char key[64];
        snprintf(key, sizeof key, "variant.%02d.%s", (int)number, json_string_value(json_object_get(variant, "name")));
        pg_golden_request asked;
        pg_golden_request_prompt(&asked, run->golden, (size_t)number);
        asked.request.max_new_tokens = fact(run->facts, "new_tokens", 0);
        set_options(&asked.request, json_object_get(variant, "options"));
        pg_answer *answer = generate(run->session, &asked.request);
        if (asked.request.beams > 1)
            check_beams(run, key, answer);
        else
            check_exact_ids(run, key, answer->tokens, answer->count,
                            row_of(pg_golden_find(run->golden, "%s.generated", key), 0));
        check_text(run, key, answer->text, json_array_get(json_object_get(variant, "text"), 0));
        pg_answer_free(answer);
        pg_golden_request_free(&asked);
    }
}

static pg_sampling sampling_of(const json_t *options)
{
    pg_sampling sampling = {.repetition_penalty = 1.0, .top_p = 1.0, .top_k = fact(options, "top_k", 0)};
    const json_t *number;
    if ((number = json_object_get(options, "temperature")))
        sampling.temperature = json_number_value(number);
    if ((number = json_object_get(options, "top_p")))
        sampling.top_p = json_number_value(number);
    if ((number = json_object_get(options, "min_p")))
        sampling.min_p = json_number_value(number);
    if ((number = json_object_get(options, "repetition_penalty")))
        sampling.repetition_penalty = json_number_value(number);
    return sampling;
}

/* Choices as probabilities in the order of `ids`; those that are not among them are complained about. */
static void check_choices(golden_run *run, const char *key, const pg_choice *choices, size_t kept)
{
    const pg_array *ids = pg_golden_find(run->golden, "%s.ids", key);
    const pg_array *probabilities = pg_golden_find(run->golden, "%s.probabilities", key);
    size_t count = pg_golden_count(ids);
    run->checks++;
    if (kept != count)
        complain(run, "%s: %zu tokens are kept, expected %zu", key, kept, count);
    float *got = pg_alloc(count, sizeof *got);
    assert_non_null(got);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < kept; k++) {
            if (choices[k].id == (int32_t)pg_golden_number(ids, i))
                got[i] = (float)choices[k].probability;
        }
    }
    check_floats(run, probabilities->name, got, count, probabilities, F32_LIMIT);
    pg_free(got);
}

/* The distribution that the first token is drawn from, made of the reference's own logits. */
static void check_sampling(golden_run *run)
{
    size_t i;
    json_t *variant;
    json_array_foreach(json_object_get(run->facts, "sampling"), i, variant)
    {
        int number = (int)fact(variant, "prompt", 0);
        char key[32];
        snprintf(key, sizeof key, "sampling.%02d.%d", number, (int)fact(variant, "number", 0));
        const pg_array *reference = pg_golden_find(run->golden, "prompt.%02d.logits_last", number);
        const pg_array *prompt = pg_golden_find(run->golden, "prompt.%02d.input_ids", number);
        size_t vocabulary = pg_golden_count(reference), count = pg_golden_count(prompt);
        float *scores = pg_alloc(vocabulary, sizeof *scores), *logits = pg_alloc(vocabulary, sizeof *logits);
        int32_t *history = pg_alloc(count, sizeof *history);
        pg_choice *choices = pg_alloc(vocabulary, sizeof *choices);
        assert_true(scores && logits && history && choices);
        for (size_t k = 0; k < vocabulary; k++)
            scores[k] = logits[k] = (float)pg_golden_number(reference, k);
        for (size_t k = 0; k < count; k++)
            history[k] = (int32_t)pg_golden_number(prompt, k);
        pg_sampling sampling = sampling_of(json_object_get(variant, "options"));
        pg_sampling_penalize(scores, &(pg_logits){.values = logits, .count = (int64_t)vocabulary}, 0, &sampling,
                             history, count);
        check_choices(run, key, choices, pg_sampling_filter(choices, scores, (int64_t)vocabulary, &sampling));
        pg_free(choices);
        pg_free(history);
        pg_free(scores);
        pg_free(logits);
    }
}

/* Three requests in one call. */
static void check_batch(golden_run *run)
{
    const json_t *numbers = json_object_get(json_object_get(run->facts, "batch"), "prompts");
    if (!numbers)
        return;
    const pg_array *generated = pg_golden_find(run->golden, "batch.generated");
    const pg_array *logits = pg_golden_find(run->golden, "batch.logits_last");
    pg_golden_request asked[REQUESTS];
    pg_request requests[REQUESTS];
    pg_answer *answers[REQUESTS];
    assert_int_equal(json_array_size(numbers), REQUESTS);
    for (size_t i = 0; i < REQUESTS; i++) {
        pg_golden_request_prompt(&asked[i], run->golden, (size_t)json_integer_value(json_array_get(numbers, i)));
        requests[i] = asked[i].request;
        requests[i].max_new_tokens = fact(run->facts, "new_tokens", 0);
        requests[i].top_logits = logits ? (size_t)logits->shape[1] : 0;
    }
    CHECK_OK(pg_generate(answers, run->session, requests, REQUESTS));
    for (size_t i = 0; i < REQUESTS; i++) {
        check_exact_ids(run, "batch", answers[i]->tokens, answers[i]->count, row_of(generated, i));
        pg_array row;
        check_first_logits(run, "batch.logits_last", answers[i], row_array(&row, logits, i), F32_LIMIT);
        pg_answer_free(answers[i]);
        pg_golden_request_free(&asked[i]);
    }
}

/* The training form's ids: prompt, suffix, <eos>; labels are the ids of the suffix, -100 before. */
static void check_suffixes(golden_run *run)
{
    size_t i;
    json_t *example;
    json_array_foreach(json_object_get(run->facts, "suffix"), i, example)
    {
        const pg_array *ids = pg_golden_find(run->golden, "suffix.%zu.input_ids", i);
        const pg_array *labels = pg_golden_find(run->golden, "suffix.%zu.labels", i);
        pg_golden_request asked;
        pg_golden_request_init(&asked, run->golden, example);
        pg_kept_trace trace = {0};
        CHECK_OK(pg_trace(run->session, &asked.request, pg_kept_trace_add, &trace));
        const pg_array *prefix = pg_kept_trace_find(&trace, "input_ids");
        int32_t *suffix = NULL;
        size_t count = 0, before = pg_golden_count(prefix);
        CHECK_OK(pg_tokenizer_encode(&suffix, &count, pg_model_tokenizer(run->model),
                                     json_string_value(json_object_get(example, "suffix")), SIZE_MAX,
                                     PG_ENCODE_SPECIAL | PG_ENCODE_EOS));
        bool same = before + count == pg_golden_count(ids);
        for (size_t t = 0; same && t < before + count; t++) {
            double id = t < before ? pg_golden_number(prefix, t) : suffix[t - before];
            same = id == pg_golden_number(ids, t) && (t < before ? -100.0 : id) == pg_golden_number(labels, t);
        }
        run->checks++;
        if (!same)
            complain(run, "suffix.%zu: not the same ids or labels", i);
        pg_free(suffix);
        pg_kept_trace_free(&trace);
        pg_golden_request_free(&asked);
    }
}

static void check_perplexity(golden_run *run)
{
    const pg_array *want = pg_golden_find(run->golden, "perplexity.nll");
    if (!want)
        return;
    const char *text = json_string_value(json_object_get(json_object_get(run->facts, "perplexity"), "text"));
    size_t predicted = pg_golden_count(want), count = 0;
    int32_t *ids = NULL;
    CHECK_OK(pg_tokenizer_encode(&ids, &count, pg_model_tokenizer(run->model), text, SIZE_MAX, PG_ENCODE_BOS));
    assert_true(count >= predicted + 1);
    check_exact_ids(run, "perplexity.input_ids", ids, predicted + 1,
                    row_of(pg_golden_find(run->golden, "perplexity.input_ids"), 0));
    float *nll = pg_alloc(predicted, sizeof *nll);
    assert_non_null(nll);
    CHECK_OK(pg_perplexity(nll, run->session, ids, predicted + 1));
    check_floats(run, want->name, nll, predicted, want, F32_LIMIT);
    pg_free(nll);
    pg_free(ids);
}

/* ---------------------------------------------------------------- dual encoder */

enum { EMBEDDED_MAX = 8 };

static void check_text_tower(golden_run *run, const char *text, size_t i)
{
    pg_request request;
    pg_request_init(&request);
    request.prompt = text;
    pg_kept_trace trace = {0};
    CHECK_OK(pg_trace(run->session, &request, pg_kept_trace_add, &trace));
    pg_array row;
    check_traced_ids(run, &trace, row_array(&row, pg_golden_find(run->golden, "input_ids"), i));
    check_traced(run, &trace, "words.output", row_array(&row, pg_golden_find(run->golden, "text_hidden"), i));
    check_traced(run, &trace, "words.features", row_array(&row, pg_golden_find(run->golden, "text_pooled"), i));
    pg_kept_trace_free(&trace);
}

static void check_texts(golden_run *run, float *embeddings)
{
    const json_t *facts = json_object_get(run->facts, "texts");
    const char *texts[EMBEDDED_MAX];
    size_t count = json_array_size(facts), width = pg_model_embedding_size(run->model);
    for (size_t i = 0; i < count; i++)
        texts[i] = json_string_value(json_array_get(facts, i));
    CHECK_OK(pg_embed_texts(embeddings, run->session, texts, count));
    check_floats(run, "text_embeds", embeddings, count * width, pg_golden_find(run->golden, "text_embeds"), F32_LIMIT);
    for (size_t i = 0; i < count; i++) {
        float alone[4096];
        pg_array row;
        assert_in_range(width, 1, 4096);
        check_text_tower(run, texts[i], i);
        CHECK_OK(pg_embed_texts(alone, run->session, &texts[i], 1));
        if (run->session->device) /* where a product of another shape may be cut otherwise */
            check_floats(run, "text_embeds, alone", alone, width,
                         row_array(&row, pg_golden_find(run->golden, "text_embeds"), i), F32_LIMIT);
        else
            assert_memory_equal(alone, embeddings + i * width, width * sizeof *alone);
    }
}

static void check_embedded_pictures(golden_run *run, float *embeddings)
{
    json_t *list = json_array();
    const char *name;
    json_t *about;
    json_object_foreach(json_object_get(run->facts, "images"), name, about)
        json_array_append_new(list, json_string(name));
    json_t *prompt = json_pack("{s:s,s:o}", "prompt", "", "images", list);
    pg_golden_request asked;
    pg_golden_request_init(&asked, run->golden, prompt);
    CHECK_OK(pg_embed_images(embeddings, run->session, asked.request.images, asked.request.image_count));
    check_floats(run, "image_embeds", embeddings, asked.request.image_count * pg_model_embedding_size(run->model),
                 pg_golden_find(run->golden, "image_embeds"), F32_LIMIT);
    pg_golden_request_free(&asked);
    json_decref(prompt);
}

/* sigmoid(cosine * scale + bias) of all pairs. */
static void check_pairs(golden_run *run, const float *pictures, const float *texts)
{
    const pg_array *logits = pg_golden_find(run->golden, "logits_per_image");
    size_t rows = (size_t)logits->shape[0], columns = (size_t)logits->shape[1];
    size_t width = pg_model_embedding_size(run->model);
    float scale, bias, got[EMBEDDED_MAX * EMBEDDED_MAX], probabilities[EMBEDDED_MAX * EMBEDDED_MAX];
    CHECK_OK(pg_model_logit_scale(&scale, &bias, run->model));
    for (size_t i = 0; i < rows * columns; i++) {
        double cosine = 0.0;
        for (size_t k = 0; k < width; k++)
            cosine += (double)pictures[i / columns * width + k] * texts[i % columns * width + k];
        got[i] = (float)(cosine * scale + bias);
        probabilities[i] = 1.0F / (1.0F + expf(-got[i]));
    }
    check_floats(run, logits->name, got, rows * columns, logits, F32_LIMIT);
    check_floats(run, "probabilities", probabilities, rows * columns, pg_golden_find(run->golden, "probabilities"),
                 F32_LIMIT);
}

static void check_tokenizer_probes(golden_run *run)
{
    size_t i;
    json_t *probe;
    json_array_foreach(json_object_get(run->facts, "tokenizer"), i, probe)
    {
        const json_t *want = json_object_get(probe, "input_ids");
        const char *text = json_string_value(json_object_get(probe, "text"));
        int32_t *ids = NULL;
        size_t count = 0;
        CHECK_OK(pg_tokenizer_encode(&ids, &count, pg_model_tokenizer(run->model), text, SIZE_MAX,
                                     PG_ENCODE_SPECIAL | PG_ENCODE_EOS));
        bool same = count == json_array_size(want);
        for (size_t t = 0; same && t < count; t++)
            same = ids[t] == json_integer_value(json_array_get(want, t));
        run->checks++;
        if (!same)
            complain(run, "tokenizer: not the same ids for \"%s\"", text);
        pg_free(ids);
    }
}

static void check_dual_encoder(golden_run *run)
{
    size_t room = EMBEDDED_MAX * pg_model_embedding_size(run->model);
    float *pictures = pg_alloc(room, sizeof *pictures), *texts = pg_alloc(room, sizeof *texts);
    assert_true(pictures && texts);
    check_tokenizer_probes(run);
    check_texts(run, texts);
    check_embedded_pictures(run, pictures);
    check_pairs(run, pictures, texts);
    pg_free(pictures);
    pg_free(texts);
}

/* ---------------------------------------------------------------- cases */

static void check_everything(golden_run *run)
{
    if (pg_model_get_kind(run->model) != PG_MODEL_GEMMA)
        check_pictures(run);
    if (pg_model_get_kind(run->model) == PG_MODEL_SIGLIP) {
        check_dual_encoder(run);
        return;
    }
    check_prompts(run, "prompts", "prompt", 2, fact(run->facts, "traced_prompt", 0));
    check_prompts(run, "multi_image", "multi", 1, -1);
    if (json_object_get(run->facts, "native"))
        check_native(run);
    check_cache(run, PG_CACHE_BF16, 0x1p-9);
    check_cache(run, PG_CACHE_INT8, 1.0 / 254);
    check_variants(run);
    check_sampling(run);
    check_batch(run);
    check_suffixes(run);
    check_perplexity(run);
}

static void test_case(void **state)
{
    const char *folder = *state;
    pg_golden golden;
    pg_golden_open(&golden, folder);
    size_t i, failures = 0;
    json_t *checkpoint;
    json_array_foreach(json_object_get(golden.facts, "checkpoints"), i, checkpoint)
    {
        golden_run run = {.golden = &golden, .facts = golden.facts};
        const char *name = json_string_value(checkpoint), *slash = strrchr(folder, '/');
        snprintf(run.label, sizeof run.label, "%s/%s", slash + 1, name);
        char *path = pg_golden_checkpoint(&golden, name);
        run.model = pg_golden_open_model(path);
        run.session = new_session(run.model, PG_COMPUTE_F32);
        check_everything(&run);
        print_message("  %s: %zu checks, %zu failed\n", run.label, run.checks, run.failures);
        assert_true(run.checks > 10);
        failures += run.failures;
        pg_session_free(run.session);
        pg_model_close(run.model);
        pg_free(path);
    }
    pg_golden_close(&golden);
    assert_int_equal(failures, 0);
}

enum { CASES_MAX = 64 };

static size_t add_cases(struct CMUnitTest *tests, size_t count, const char *root)
{
    struct dirent **entries;
    int found = scandir(root, &entries, NULL, alphasort);
    assert_true(found > 0);
    for (int i = 0; i < found; i++) {
        char *folder = pg_golden_path(root, entries[i]->d_name);
        char *facts = pg_golden_path(folder, "expected.json");
        if (pg_file_exists(facts)) {
            assert_true(count < CASES_MAX);
            tests[count++] = (struct CMUnitTest){.name = folder, .test_func = test_case, .initial_state = folder};
        } else {
            pg_free(folder);
        }
        pg_free(facts);
        free(entries[i]);
    }
    free(entries);
    return count;
}

int main(void)
{
    struct CMUnitTest tests[CASES_MAX];
    size_t count = add_cases(tests, 0, PG_GOLDEN_FOLDER);
#ifdef PG_SHARED_FOLDER
    count = add_cases(tests, count, PG_SHARED_FOLDER "/golden/inference");
#endif
    cmocka_set_test_filter(getenv("PG_TEST_FILTER"));
    int failed = _cmocka_run_group_tests("golden", tests, count, NULL, NULL);
    for (size_t i = 0; i < count; i++)
        pg_free((void *)tests[i].name);
    return failed;
}
