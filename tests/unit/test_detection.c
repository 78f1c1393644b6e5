/* src/tasks: objects that models find. Answers are whole under every constraint, whatever the model; scores are the
 * products that pg_detect describes; masks are what the codec decodes. */
#include <math.h>

#include "golden_case.h"
#include "sweep.h"
#include "temporary_folder.h"

#include "model/mask_codec.h"
#include "tasks/object_scores.h"

#define TINY "paligemma-tiny-f32"

static const char *const some_labels[] = {"cat", "a cow", "cow", "Überraschung 猫"};

typedef struct fixture {
    pg_golden_model tiny;
    pg_golden_request pictures[2];
    const pg_image *images[2];
    pg_session *session;
} fixture;

static void open_session(fixture *used, const pg_model *model, size_t context, size_t sequences)
{
    pg_session_options options;
    pg_session_options_init(&options);
    options.threads = 1;
    options.context = context;
    options.sequences = sequences;
    CHECK_OK(pg_session_new(&used->session, model, &options));
}

static void open_fixture(fixture *out)
{
    pg_golden_model_open(&out->tiny, TINY);
    pg_golden_request_picture(&out->pictures[0], &out->tiny.golden, "cow.jpg");
    pg_golden_request_picture(&out->pictures[1], &out->tiny.golden, "small.png");
    for (int i = 0; i < 2; i++)
        out->images[i] = out->pictures[i].images[0];
}

static void close_fixture(fixture *used)
{
    for (int i = 0; i < 2; i++)
        pg_golden_request_free(&used->pictures[i]);
    pg_golden_model_close(&used->tiny);
}

static pg_detect_options options_for(pg_masks masks, size_t most)
{
    pg_detect_options options;
    pg_detect_options_init(&options);
    options.labels = some_labels;
    options.label_count = 4;
    options.masks = masks;
    options.max_objects = most;
    return options;
}

/* ---------------------------------------------------------------- every answer is whole */

static bool is_label(const char *label)
{
    for (size_t i = 0; i < 4; i++)
        if (strcmp(label, some_labels[i]) == 0)
            return true;
    return false;
}

/* Writes the objects anew: that must be the answer, to the byte. */
static void check_whole(const pg_objects *objects, size_t most, pg_masks masks)
{
    pg_buffer text = {0};
    CHECK_OK(pg_buffer_append(&text, "", 0));
    assert_int_equal(objects->problem_count, 0);
    assert_int_equal(objects->finish, PG_FINISH_STOP);
    assert_in_range(objects->count, 0, most);
    for (size_t i = 0; i < objects->count; i++) {
        const pg_object *object = &objects->items[i];
        CHECK_OK(pg_buffer_print(&text, i ? " ; " : ""));
        for (int k = 0; k < 4; k++)
            CHECK_OK(pg_buffer_print(&text, "<loc%04d>", object->places[k]));
        for (int k = 0; object->has_codes && k < PG_MASK_CODES; k++)
            CHECK_OK(pg_buffer_print(&text, "<seg%03d>", object->codes[k]));
        CHECK_OK(pg_buffer_print(&text, " %s", object->label));
        assert_true(is_label(object->label));
        assert_true(object->score > 0 && object->score <= 1);
        assert_true(masks == PG_MASKS_OPTIONAL || object->has_codes == (masks == PG_MASKS_ALWAYS));
        for (size_t k = 0; k < i; k++)
            assert_true(memcmp(object->places, objects->items[k].places, sizeof object->places) != 0);
    }
    if (text.size != objects->text_size || memcmp(text.data, objects->text, text.size) != 0)
        fail_msg("\"%s\" was read as \"%s\"", objects->text, text.data);
    pg_buffer_free(&text);
}

/* Returns how many objects there are. */
static size_t check_model(fixture *used, const pg_model *model)
{
    static const char *const prompts[] = {NULL,
                                          "",
                                          "detect",
                                          "segment cow\n",
                                          "caption en",
                                          "answer en where is it?",
                                          "<loc0001><loc0002><loc0003><loc0004> cow ; <loc0000>"};
    size_t found = 0;
    for (size_t context = 64; context <= 256; context *= 2) {
        open_session(used, model, context, 2);
        for (size_t p = 0; p < sizeof prompts / sizeof *prompts; p++) {
            pg_masks masks = (pg_masks)(p % 3);
            pg_detect_options options = options_for(masks, 1 + p);
            pg_objects *objects[2];
            options.prompt = prompts[p];
            CHECK_OK(pg_detect(objects, used->session, used->images, 2, &options));
            for (int i = 0; i < 2; i++) {
                assert_int_equal(objects[i]->width, pg_image_width(used->images[i]));
                assert_int_equal(objects[i]->height, pg_image_height(used->images[i]));
                check_whole(objects[i], 1 + p, masks);
                found += objects[i]->count;
                pg_objects_free(objects[i]);
            }
        }
        pg_session_free(used->session);
    }
    return found;
}

static void answers_of_random_models_are_whole(void **state)
{
    (void)state;
    fixture used;
    size_t found = 0;
    open_fixture(&used);
    found = check_model(&used, used.tiny.model);
    char *config = pg_golden_path(used.tiny.path, "config.json");
    for (uint64_t seed = 1; seed <= 4; seed++) {
        pg_create_options options;
        pg_model *model;
        pg_create_options_init(&options);
        options.config = config;
        options.tokenizer = used.tiny.path;
        options.seed = seed;
        char name[16];
        snprintf(name, sizeof name, "random%d", (int)seed);
        CHECK_OK(pg_model_create(folder_file(name), &options));
        CHECK_OK(pg_model_open(&model, folder_file(name)));
        found += check_model(&used, model);
        pg_model_close(model);
    }
    assert_true(found > 100);
    pg_free(config);
    close_fixture(&used);
}

/* ---------------------------------------------------------------- scores */

/* A step of an answer whose place tokens have the probability `share` each, from `low` to `high`, and whose other
 * tokens have `share`. */
typedef struct made_step {
    double share;
    int low, high;
} made_step;

static void see(pg_seen_answer *seen, int32_t token, made_step made)
{
    float logits[PG_PLACES + 1];
    int32_t ids[PG_PLACES + 1];
    pg_step step = {.token = token, .logprob = (float)log(made.share), .logits = logits, .ids = ids, .total = 3};
    for (int i = 0; i < PG_PLACES; i++) {
        bool likely = i >= made.low && i <= made.high;
        ids[i] = seen->first_place + i;
        logits[i] = likely ? (float)(log(made.share) + 3) : -INFINITY;
    }
    step.count = PG_PLACES;
    pg_seen_answer_add(seen, &step);
}

/* y1 100, x1 200, y2 180, x2 204: a side of 80 tokens allows 10, one of 4 allows 2. Places 7 below to 24 above the
 * chosen one are likely. */
static void scores_are_products(void **state)
{
    (void)state;
    static const char text[] =
        "<loc0100><loc0200><loc0180><loc0204><seg000><seg001><seg002><seg003><seg004><seg005>"
        "<seg006><seg007><seg008><seg009><seg010><seg011><seg012><seg013><seg014><seg015> a cow ; "
        "<loc0100><loc0200><loc0180><loc0205> cat";
    fixture used;
    pg_objects *objects;
    pg_answer answer = {0};
    pg_seen_answer seen = {0};
    open_fixture(&used);
    const pg_tokenizer *tokenizer = pg_model_tokenizer(used.tiny.model);
    seen.first_place = pg_tokenizer_id(tokenizer, "<loc0000>");
    CHECK_OK(pg_tokenizer_encode(&answer.tokens, &answer.count, tokenizer, text, SIZE_MAX, PG_ENCODE_EOS));
    for (size_t i = 0; i < answer.count; i++) {
        int32_t place = answer.tokens[i] - seen.first_place;
        bool is_place = place >= 0 && place < PG_PLACES;
        see(&seen, answer.tokens[i], is_place ? (made_step){1 / 32.0, place - 7, place + 24} : (made_step){0.5, 0, -1});
    }
    CHECK_OK(pg_objects_parse(&objects, text, SIZE_MAX, 100, 100));
    CHECK_OK(pg_objects_score(objects, &seen, &answer, used.tiny.model));
    assert_int_equal(objects->count, 2);
    int32_t *ids;
    size_t label, others;
    CHECK_OK(pg_tokenizer_encode(&ids, &label, tokenizer, " a cow", SIZE_MAX, PG_ENCODE_PLAIN));
    pg_free(ids);
    others = answer.count - 1 - 8 - 16 - label; /* " ; ", " cat" */
    double box = pow((7 + 1 + 10) / 32.0, 2) * pow((2 + 1 + 2) / 32.0, 2);
    assert_true(fabs(objects->items[0].score / (box * pow(0.5, (double)label)) - 1) < 1e-5);
    assert_true(fabs(objects->items[1].score / (box * pow(0.5, (double)others)) - 1) < 1e-5);
    pg_objects_free(objects);
    pg_seen_answer_free(&seen);
    pg_free(answer.tokens);
    close_fixture(&used);
}

static void scores_can_be_a_threshold(void **state)
{
    (void)state;
    fixture used;
    pg_objects *all, *some;
    open_fixture(&used);
    open_session(&used, used.tiny.model, 256, 1);
    pg_detect_options options = options_for(PG_MASKS_NONE, 8);
    options.prompt = "detect cat ; a cow ; cow"; /* of which this model finds several */
    CHECK_OK(pg_detect(&all, used.session, used.images + 1, 1, &options));
    assert_true(all->count > 2);
    options.threshold = all->items[1].score;
    CHECK_OK(pg_detect(&some, used.session, used.images + 1, 1, &options));
    size_t kept = 0;
    for (size_t i = 0; i < all->count; i++)
        if (all->items[i].score >= options.threshold)
            assert_true(all->items[i].score == some->items[kept++].score);
    assert_int_equal(some->count, kept);
    pg_objects_free(all);
    pg_objects_free(some);
    pg_session_free(used.session);
    close_fixture(&used);
}

/* ---------------------------------------------------------------- masks, freedom, mistakes */

static void masks_are_the_codec_s(void **state)
{
    (void)state;
    static float values[PG_MASK_SIDE * PG_MASK_SIDE];
    fixture used;
    pg_objects *objects;
    pg_mask_codec *codec;
    open_fixture(&used);
    open_session(&used, used.tiny.model, 256, 1);
    CHECK_OK(pg_mask_codec_new(&codec, 3));
    pg_detect_options options = options_for(PG_MASKS_ALWAYS, 2);
    options.codec = codec;
    CHECK_OK(pg_detect(&objects, used.session, used.images, 1, &options));
    assert_true(objects->count > 0);
    for (size_t i = 0; i < objects->count; i++) {
        CHECK_OK(pg_mask_codec_decode(values, codec, objects->items[i].codes, 1, 1));
        assert_memory_equal(objects->items[i].mask, values, sizeof values);
    }
    pg_objects_free(objects);
    pg_mask_codec_close(codec);
    pg_session_free(used.session);
    close_fixture(&used);
}

static bool stop_at_once(void *user, size_t index, const char *text, size_t size)
{
    (void)text, (void)size;
    ++*(size_t *)user;
    return index > 0;
}

static void models_may_be_free(void **state)
{
    (void)state;
    fixture used;
    pg_objects *objects[2];
    pg_answer *answer;
    size_t calls = 0;
    open_fixture(&used);
    open_session(&used, used.tiny.model, 128, 2);
    pg_request *request = &used.pictures[0].request;
    request->prompt = "detect cat";
    request->max_new_tokens = 2 * 32;
    CHECK_OK(pg_generate(&answer, used.session, request, 1));
    pg_detect_options options = options_for(PG_MASKS_NONE, 2);
    options.free = true;
    options.prompt = "detect cat";
    CHECK_OK(pg_detect(objects, used.session, used.images, 1, &options));
    assert_string_equal(objects[0]->text, answer->text);
    assert_int_equal(objects[0]->finish, answer->finish);
    pg_answer_free(answer);
    pg_objects_free(objects[0]);
    options.on_text = stop_at_once;
    options.user = &calls;
    CHECK_OK(pg_detect(objects, used.session, used.images, 2, &options));
    assert_int_equal(objects[0]->finish, PG_FINISH_CANCELLED);
    assert_true(objects[1]->finish != PG_FINISH_CANCELLED && calls > 1);
    pg_objects_free(objects[0]);
    pg_objects_free(objects[1]);
    pg_session_free(used.session);
    close_fixture(&used);
}

static void mistakes_are_named(void **state)
{
    (void)state;
    fixture used;
    pg_objects *objects = (pg_objects *)&used;
    open_fixture(&used);
    open_session(&used, used.tiny.model, 40, 1);
    pg_detect_options options = options_for(PG_MASKS_NONE, 2);
    options.label_count = 0;
    CHECK_FAILS(pg_detect(&objects, used.session, used.images, 1, &options), PG_ERROR_ARGUMENT, "labels is empty");
    assert_null(objects);
    options.labels = (const char *const[]){"cat", "a;b"};
    options.label_count = 2;
    options.prompt = "detect";
    CHECK_FAILS(pg_detect(&objects, used.session, used.images, 1, &options), PG_ERROR_ARGUMENT, "label 1: \"a;b\"");
    options.labels = some_labels;
    options.masks = PG_MASKS_ALWAYS;
    CHECK_FAILS(pg_detect(&objects, used.session, used.images, 1, &options), PG_ERROR_LIMIT, "there is room for");
    pg_session_free(used.session);
    close_fixture(&used);
    pg_golden_model gemma;
    pg_golden_model_open(&gemma, "gemma-tiny-mha");
    CHECK_OK(pg_session_new(&used.session, gemma.model, NULL));
    CHECK_FAILS(pg_detect(&objects, used.session, used.images, 1, &options), PG_ERROR_UNSUPPORTED, "detect objects");
    pg_session_free(used.session);
    pg_golden_model_close(&gemma);
}

static pg_status detect_in_steps(pg_objects **out, const fixture *used, const pg_image *image,
                                 const pg_detect_options *options)
{
    pg_detection *detection;
    pg_answer *answer = NULL;
    PG_TRY(pg_detection_new(&detection, used->tiny.model, image, options, 96));
    pg_status status = pg_generate(&answer, used->session, pg_detection_request(detection), 1);
    if (status == PG_OK)
        status = pg_detection_read(out, detection, answer);
    if (answer)
        pg_answer_free(answer);
    pg_detection_free(detection);
    return status;
}

static void steps_are_the_whole(void **state)
{
    (void)state;
    fixture used;
    pg_mask_codec *codec;
    open_fixture(&used);
    open_session(&used, used.tiny.model, 96, 1);
    CHECK_OK(pg_mask_codec_new(&codec, 3));
    for (int i = 0; i < 2; i++) {
        pg_detect_options options = options_for(i ? PG_MASKS_ALWAYS : PG_MASKS_NONE, 2);
        pg_objects *whole, *steps;
        options.codec = codec;
        CHECK_OK(pg_detect(&whole, used.session, &used.images[i], 1, &options));
        CHECK_OK(detect_in_steps(&steps, &used, used.images[i], &options));
        assert_string_equal(steps->text, whole->text);
        assert_int_equal(steps->count, whole->count);
        for (size_t k = 0; k < whole->count; k++) {
            assert_true(steps->items[k].score == whole->items[k].score);
            assert_true(!steps->items[k].mask == !whole->items[k].mask);
        }
        pg_objects_free(whole);
        pg_objects_free(steps);
    }
    const pg_detect_options nothing = {0};
    pg_detection *none;
    CHECK_FAILS(pg_detection_new(&none, used.tiny.model, used.images[0], &nothing, 0), PG_ERROR_ARGUMENT, "labels");
    assert_null(none);
    pg_mask_codec_close(codec);
    pg_session_free(used.session);
    close_fixture(&used);
}

static pg_status detect_once(fixture *used, const pg_mask_codec *codec)
{
    pg_session_options how;
    pg_session_options_init(&how);
    how.threads = 1;
    how.context = 96;
    pg_detect_options options = options_for(PG_MASKS_ALWAYS, 1);
    pg_objects *objects;
    options.codec = codec;
    PG_TRY(pg_session_new(&used->session, used->tiny.model, &how));
    pg_status status = pg_detect(&objects, used->session, used->images, 1, &options);
    if (status == PG_OK)
        pg_objects_free(objects);
    pg_session_free(used->session);
    return status;
}

static void memory_fails(void **state)
{
    (void)state;
    fixture used;
    pg_mask_codec *codec;
    open_fixture(&used);
    CHECK_OK(pg_mask_codec_new(&codec, 3));
    CHECK_SWEEP(detect_once(&used, codec));
    pg_mask_codec_close(codec);
    close_fixture(&used);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_of_random_models_are_whole),
        cmocka_unit_test(scores_are_products),
        cmocka_unit_test(scores_can_be_a_threshold),
        cmocka_unit_test(masks_are_the_codec_s),
        cmocka_unit_test(models_may_be_free),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(steps_are_the_whole),
        cmocka_unit_test(memory_fails),
    };
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
