/* src/feedback/feedback_rows: rows to train on, which the reader of data sets takes as they are. */
#include "temporary_folder.h"
#include "sweep.h"

static pg_feedback_store *store;

/* A record about one picture of three bytes, kept or not; NULL: about none. */
static void add(const char *prompt, const char *answer, pg_judgement judgement, const char *correction,
                const char *picture, bool keep)
{
    pg_feedback_picture pictures[1] = {{.bytes = picture, .size = 3, .keep = keep}};
    pg_feedback_record record = {.prompt = prompt,
                                 .answer = answer,
                                 .judgement = judgement,
                                 .correction = correction,
                                 .pictures = pictures,
                                 .picture_count = picture != NULL};
    CHECK_OK(pg_feedback_add(NULL, store, &record));
}

static int setup(void **state)
{
    folder_setup(state);
    CHECK_OK(pg_feedback_open(&store, folder_file("rows.db"), NULL));
    add("ask", "a cat", PG_JUDGEMENT_DOWN, "a dog", "abc", true);
    add("ask", "a cat", PG_JUDGEMENT_DOWN, "a dog", "abc", true);      /* says the same */
    add("ask", "a dog!", PG_JUDGEMENT_UP, NULL, "abc", true);          /* better than "a cat" */
    add("ask", "a bird", PG_JUDGEMENT_DOWN, "a fish", "xyz", false);   /* its picture was not kept */
    add("text \"only\"", "no", PG_JUDGEMENT_NONE, "yes", NULL, false); /* about no picture */
    add("ask", "", PG_JUDGEMENT_DOWN, "something", NULL, false); /* what is better than nothing teaches no choice */
    return 0;
}

static int teardown(void **state)
{
    pg_feedback_close(store);
    return folder_teardown(state);
}

static void expect_rows(const char *name, const char *expected)
{
    pg_buffer text = {0};
    pg_dataset *dataset;
    CHECK_OK(pg_file_read(&text, folder_file(name), 1 << 20));
    assert_string_equal(text.data, expected);
    pg_buffer_free(&text);
    CHECK_OK(pg_dataset_open(&dataset, folder_file(name), NULL));
    for (size_t i = 0; i < pg_dataset_count(dataset); i++) {
        pg_data_row *row;
        CHECK_OK(pg_dataset_row(&row, dataset, i));
        for (size_t j = 0; j < row->image_count; j++)
            assert_true(pg_file_exists(row->images[j].name));
        pg_data_row_free(row);
    }
    pg_dataset_close(dataset);
}

#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad.image"

static void corrections_become_answers(void **state)
{
    (void)state;
    pg_feedback_export_report report;
    CHECK_OK(pg_feedback_export(&report, store, folder_file("sft.jsonl"), NULL));
    assert_int_equal(report.rows, 3);
    assert_int_equal(report.pictures, 1);
    assert_int_equal(report.left_out, 1);
    expect_rows("sft.jsonl", "{\"image\": \"sft.pictures/" ABC "\", \"prefix\": \"ask\", \"suffix\": \"a dog\"}\n"
                             "{\"prefix\": \"text \\\"only\\\"\", \"suffix\": \"yes\"}\n"
                             "{\"prefix\": \"ask\", \"suffix\": \"something\"}\n");
    CHECK_OK(pg_feedback_export(&report, store, folder_file("sft.jsonl"), NULL));
    assert_int_equal(report.pictures, 0); /* they are there */
}

static void approval_makes_an_answer_right(void **state)
{
    (void)state;
    pg_feedback_export_options options;
    pg_feedback_export_options_init(&options);
    options.approved = true;
    CHECK_OK(pg_feedback_export(NULL, store, folder_file("more.jsonl"), &options));
    expect_rows("more.jsonl", "{\"image\": \"more.pictures/" ABC "\", \"prefix\": \"ask\", \"suffix\": \"a dog\"}\n"
                              "{\"image\": \"more.pictures/" ABC "\", \"prefix\": \"ask\", \"suffix\": \"a dog!\"}\n"
                              "{\"prefix\": \"text \\\"only\\\"\", \"suffix\": \"yes\"}\n"
                              "{\"prefix\": \"ask\", \"suffix\": \"something\"}\n");
}

static void pairs_become_preferences(void **state)
{
    (void)state;
    pg_feedback_export_options options;
    pg_feedback_export_options_init(&options);
    options.kind = PG_ROW_PREFERENCE;
    CHECK_OK(pg_feedback_export(NULL, store, folder_file("dpo.jsonl"), &options));
    expect_rows("dpo.jsonl", "{\"image\": \"dpo.pictures/" ABC
                             "\", \"prefix\": \"ask\", \"chosen\": \"a dog\", \"rejected\": \"a cat\"}\n"
                             "{\"image\": \"dpo.pictures/" ABC
                             "\", \"prefix\": \"ask\", \"chosen\": \"a dog!\", \"rejected\": \"a cat\"}\n"
                             "{\"prefix\": \"text \\\"only\\\"\", \"chosen\": \"yes\", \"rejected\": \"no\"}\n");
}

static void nothing_is_written_without_rows(void **state)
{
    (void)state;
    pg_feedback_store *empty;
    pg_feedback_export_options options;
    pg_feedback_export_options_init(&options);
    CHECK_OK(pg_feedback_open(&empty, folder_file("empty.db"), NULL));
    CHECK_FAILS(pg_feedback_export(NULL, empty, folder_file("none.jsonl"), NULL), PG_ERROR_ARGUMENT, "no rows");
    assert_false(pg_file_exists(folder_file("none.jsonl")));
    assert_false(pg_file_exists(folder_file("none.pictures")));
    pg_feedback_close(empty);
    options.kind = PG_ROW_LABEL;
    CHECK_FAILS(pg_feedback_export(NULL, store, folder_file("none.jsonl"), &options), PG_ERROR_ARGUMENT,
                "another kind");
    CHECK_FAILS(pg_feedback_export(NULL, store, folder_file("absent/none.jsonl"), NULL), PG_ERROR_FILE, "absent");
}

static void allocations_may_fail(void **state)
{
    (void)state;
    CHECK_SWEEP(pg_feedback_export(NULL, store, folder_file("sweep.jsonl"), NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(corrections_become_answers), cmocka_unit_test(approval_makes_an_answer_right),
        cmocka_unit_test(pairs_become_preferences),   cmocka_unit_test(nothing_is_written_without_rows),
        cmocka_unit_test(allocations_may_fail),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
