/* Answers are read as the reference has it, boxes become its tokens; hostile text, and memory that fails. */
#include <math.h>

#include "sweep.h"

#include "base/buffer.h"
#include "base/json.h"

#define GOLDEN PG_TESTS_FOLDER "/golden/tasks/segmentation/"

/* Calls `check` with every line of a file of objects; returns how many there are. */
static size_t each_line(const char *path, void (*check)(const json_t *row))
{
    pg_buffer text = {0};
    size_t count = 0;
    CHECK_OK(pg_file_read(&text, path, SIZE_MAX));
    for (char *line = text.data, *end; line && (end = strchr(line, '\n')) != NULL; line = end + 1, count++) {
        json_t *row;
        CHECK_OK(pg_json_parse(&row, line, (size_t)(end - line), path));
        check(row);
        json_decref(row);
    }
    pg_buffer_free(&text);
    return count;
}

static double number_at(const json_t *row, const char *key, size_t i)
{
    return json_number_value(json_array_get(json_object_get(row, key), i));
}

static size_t whole(const json_t *row, const char *key)
{
    return (size_t)json_integer_value(json_object_get(row, key));
}

static void check_object(const pg_object *object, const json_t *expected)
{
    const json_t *codes = json_object_get(expected, "codes");
    assert_string_equal(object->label, json_string_value(json_object_get(expected, "label")));
    assert_true(isnan(object->score));
    assert_null(object->mask);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(object->places[i], (int)number_at(expected, "locs", i));
        assert_true(object->box[i] == number_at(expected, "box_xyxy", i));
        assert_int_equal((int)object->box[i], (int)number_at(expected, "box_int_xyxy", i));
    }
    assert_int_equal(object->has_codes, !json_is_null(codes));
    for (size_t i = 0; object->has_codes && i < PG_MASK_CODES; i++)
        assert_int_equal(object->codes[i], json_integer_value(json_array_get(codes, i)));
}

/* What an object was read from begins with its box and ends with its label. */
static void check_bytes(const pg_objects *objects, const pg_object *object)
{
    size_t label = strlen(object->label);
    assert_true(object->at + object->size <= objects->text_size && object->size >= label + 36);
    assert_memory_equal(objects->text + object->at, "<loc", 4);
    assert_memory_equal(objects->text + object->at + object->size - label, object->label, label);
}

static void check_parsed(const json_t *row)
{
    pg_objects *objects;
    const json_t *text = json_object_get(row, "text"), *expected = json_object_get(row, "objects"),
                 *problems = json_object_get(row, "problems");
    CHECK_OK(pg_objects_parse(&objects, json_string_value(text), json_string_length(text), whole(row, "width"),
                              whole(row, "height")));
    assert_int_equal(objects->count, json_array_size(expected));
    assert_int_equal(objects->problem_count, json_array_size(problems));
    for (size_t i = 0; i < objects->count; i++) {
        check_object(&objects->items[i], json_array_get(expected, i));
        check_bytes(objects, &objects->items[i]);
    }
    for (size_t i = 0; i < objects->problem_count; i++)
        assert_string_equal(objects->problems[i].name, json_string_value(json_array_get(problems, i)));
    pg_objects_free(objects);
}

static void answers_are_read_as_the_reference_does(void **state)
{
    (void)state;
    assert_int_equal(each_line(GOLDEN "parse.jsonl", check_parsed), 162);
}

static void check_box(const json_t *row)
{
    char text[PG_BOX_TEXT];
    double box[4];
    for (size_t i = 0; i < 4; i++)
        box[i] = number_at(row, "box_xyxy", i);
    pg_box_text(text, box, whole(row, "width"), whole(row, "height"));
    assert_string_equal(text, json_string_value(json_object_get(row, "text")));
}

static void boxes_become_the_reference_s_tokens(void **state)
{
    (void)state;
    assert_int_equal(each_line(GOLDEN "boxes_to_text.jsonl", check_box), 80);
}

#define BOX "<loc0001><loc0002><loc0003><loc0004>"

static void problems_say_where_they_are(void **state)
{
    (void)state;
    static const char text[] = "<loc0001> a ; " BOX "<seg000> b\n<seg127>" BOX " c d \xc2\xa0; e";
    pg_objects *objects;
    CHECK_OK(pg_objects_parse(&objects, text, SIZE_MAX, 1023, 1023));
    assert_int_equal(objects->problem_count, 3);
    assert_string_equal(objects->problems[0].name, "loc_count_1");
    assert_int_equal(objects->problems[0].at, 0);
    assert_string_equal(objects->problems[1].name, "seg_count_1");
    assert_int_equal(objects->problems[1].at, strstr(text, BOX) - text);
    assert_string_equal(objects->problems[2].name, "stray_seg");
    assert_int_equal(objects->problems[2].at, strstr(text, "<seg127>") - text);
    assert_int_equal(objects->count, 1);
    assert_string_equal(objects->items[0].label, "c d");
    assert_true(objects->items[0].box[3] == 3);
    check_bytes(objects, &objects->items[0]);
    pg_objects_free(objects);
}

static void what_is_no_text_is_refused(void **state)
{
    (void)state;
    pg_objects *objects;
    CHECK_FAILS(pg_objects_parse(&objects, BOX " \xff", SIZE_MAX, 1, 1), PG_ERROR_FORMAT, "not UTF-8 from byte 37 on");
    assert_null(objects);
    CHECK_FAILS(pg_objects_parse(&objects, BOX, SIZE_MAX, 0, 5), PG_ERROR_ARGUMENT, "0 x 5 pixels");
    CHECK_OK(pg_objects_parse(&objects, "", SIZE_MAX, 1, 1));
    assert_int_equal(objects->count + objects->problem_count, 0);
    pg_objects_free(objects);
    pg_objects_free(NULL);
}

static pg_status parse_some(void)
{
    pg_objects *objects;
    PG_TRY(pg_objects_parse(&objects, "<seg000>" BOX " a ; " BOX " b ; <loc0000>", SIZE_MAX, 10, 10));
    pg_objects_free(objects);
    return PG_OK;
}

static void memory_fails(void **state)
{
    (void)state;
    CHECK_SWEEP(parse_some());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_read_as_the_reference_does), cmocka_unit_test(boxes_become_the_reference_s_tokens),
        cmocka_unit_test(problems_say_where_they_are),            cmocka_unit_test(what_is_no_text_is_refused),
        cmocka_unit_test(memory_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
