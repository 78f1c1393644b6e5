/* tensor/gguf.c, gguf_writer.c */
#include "sweep.h"
#include "temporary_folder.h"

#include "tensor/gguf.h"

static const float values[] = {1, 2, 3, 4, 5, 6};
static const uint16_t halves[] = {0x3f80, 0x4000, 0x4040};

static const pg_array arrays[] = {
    {"b.weight", PG_F32, 2, {2, 3}, values, sizeof values},
    {"a.weight", PG_BF16, 1, {3}, halves, sizeof halves},
};

static pg_status put_everything(pg_gguf_metadata *m)
{
    static const char *const texts[] = {"one", "", "three"};
    PG_TRY(pg_gguf_put_text(m, "general.architecture", "gemma"));
    PG_TRY(pg_gguf_put_number(m, "number", 7));
    PG_TRY(pg_gguf_put_real(m, "real", 0.5f));
    PG_TRY(pg_gguf_put_truth(m, "truth", true));
    PG_TRY(pg_gguf_begin_texts(m, "texts", 3));
    for (size_t i = 0; i < 3; i++)
        PG_TRY(pg_gguf_add_text(m, texts[i], strlen(texts[i])));
    PG_TRY(pg_gguf_put_reals(m, "reals", values, 6));
    return pg_gguf_put_numbers(m, "numbers", (const int32_t[]){-1, 2}, 2);
}

static pg_status save(const char *path)
{
    pg_gguf_metadata metadata = {0};
    pg_gguf_writer *writer = NULL;
    pg_status status;
    PG_TRY_GOTO(put_everything(&metadata));
    PG_TRY_GOTO(pg_gguf_writer_open(&writer, path, &metadata, arrays, 2));
    for (size_t i = 0; i < 2; i++) {
        PG_TRY_GOTO(pg_gguf_writer_write(writer, arrays[i].data, 2));
        PG_TRY_GOTO(pg_gguf_writer_write(writer, (const char *)arrays[i].data + 2, arrays[i].bytes - 2));
    }
    status = pg_gguf_writer_commit(writer);
    writer = NULL;
done:
    pg_gguf_writer_abort(writer);
    pg_buffer_free(&metadata.bytes);
    return status;
}

static void tensors_come_back(void **state)
{
    (void)state;
    pg_gguf *file;
    CHECK_OK(save(folder_file("a.gguf")));
    CHECK_OK(pg_gguf_open(&file, folder_file("a.gguf")));
    assert_int_equal(pg_gguf_count(file), 2);
    for (size_t i = 0; i < 2; i++) {
        const pg_array *found = pg_gguf_find(file, arrays[i].name);
        assert_non_null(found);
        assert_int_equal(found->dtype, arrays[i].dtype);
        assert_int_equal(found->dimensions, arrays[i].dimensions);
        assert_memory_equal(found->shape, arrays[i].shape, sizeof(int64_t) * (size_t)found->dimensions);
        assert_memory_equal(found->data, arrays[i].data, arrays[i].bytes);
    }
    assert_null(pg_gguf_find(file, "c"));
    pg_gguf_close(file);
}

static void an_unfinished_file_does_not_appear(void **state)
{
    (void)state;
    const pg_gguf_metadata metadata = {0};
    pg_gguf_writer *writer;
    int before = folder_count();
    CHECK_OK(pg_gguf_writer_open(&writer, folder_file("u.gguf"), &metadata, arrays, 2));
    CHECK_OK(pg_gguf_writer_write(writer, values, sizeof values));
    CHECK_FAILS(pg_gguf_writer_write(writer, values, sizeof values), PG_ERROR_ARGUMENT, "more bytes than its tensors");
    CHECK_FAILS(pg_gguf_writer_commit(writer), PG_ERROR_ARGUMENT, "tensor 2 of 2 is not complete");
    assert_int_equal(folder_count(), before);
    CHECK_FAILS(pg_gguf_writer_open(&writer, "/nonexistent/a.gguf", &metadata, arrays, 2), PG_ERROR_FILE,
                "cannot be written");
}

/* The file cut at every byte of what is in front of the tensors, and before their last byte. */
static void cut_files_are_refused(void **state)
{
    (void)state;
    pg_buffer whole = {0};
    pg_gguf *file;
    CHECK_OK(save(folder_file("c.gguf")));
    CHECK_OK(pg_file_read(&whole, folder_file("c.gguf"), 10000));
    for (size_t size = 0; size < whole.size - 32 + sizeof halves; size++)
        if (pg_gguf_parse(&file, whole.data, size, "x") != PG_ERROR_FORMAT)
            fail_msg("%zu of %zu bytes: %s", size, whole.size, pg_error_last());
    pg_buffer_free(&whole);
}

/* Replaces the bytes behind the first place of `mark`. */
static void patch(pg_buffer *file, const char *mark, ptrdiff_t offset, uint64_t value, size_t size)
{
    char *at = memmem(file->data, file->size, mark, strlen(mark));
    assert_non_null(at);
    memcpy(at + (ptrdiff_t)strlen(mark) + offset, &value, size);
}

static void hostile_files_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *mark;
        ptrdiff_t offset;
        uint64_t value;
        size_t size;
        pg_status status;
        const char *error;
    } cases[] = {
        {"GG", 0, 0, 1, PG_ERROR_FORMAT, "x: not a GGUF file"},
        {"GGUF", 0, 2, 4, PG_ERROR_UNSUPPORTED, "x: GGUF version 2, expected 3"},
        {"GGUF", 4, UINT64_MAX, 8, PG_ERROR_FORMAT, "x: ends in the middle"},
        {"GGUF", 12, UINT64_MAX, 8, PG_ERROR_FORMAT, "x: ends in the middle"},
        {"numbe", 1, 13, 4, PG_ERROR_FORMAT, "x: metadata: a value of type 13"},
        {"numbe", 1, 9, 4, PG_ERROR_FORMAT, "x: "},
        {"texts", 8, UINT64_MAX, 8, PG_ERROR_FORMAT, "x: ends in the middle"},
        {"reals", 8, UINT64_MAX / 4, 8, PG_ERROR_FORMAT, "x: ends in the middle"},
        {"b.weight", 0, 9, 4, PG_ERROR_FORMAT, "x: b.weight: 9 dimensions, at most 8"},
        {"b.weight", 4, UINT64_MAX, 8, PG_ERROR_FORMAT, "x: b.weight: the shape is too large"},
        {"b.weight", 4, UINT64_MAX / 8, 8, PG_ERROR_FORMAT, "x: b.weight: the shape is too large"},
        {"b.weight", 4, 1000, 8, PG_ERROR_FORMAT, "x: b.weight: reaches beyond the end"},
        {"b.weight", 20, 2, 4, PG_ERROR_UNSUPPORTED, "x: b.weight: type 2, expected F32, F16 or BF16"},
        {"b.weight", 24, UINT64_MAX - 8, 8, PG_ERROR_FORMAT, "x: b.weight: reaches beyond the end"},
        {"b.weigh", -7, 'a', 1, PG_ERROR_FORMAT, "x: a.weight: two tensors have this name"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pg_buffer bytes = {0};
        pg_gguf *file;
        CHECK_OK(save(folder_file("h.gguf")));
        CHECK_OK(pg_file_read(&bytes, folder_file("h.gguf"), 10000));
        patch(&bytes, cases[i].mark, cases[i].offset, cases[i].value, cases[i].size);
        CHECK_FAILS(pg_gguf_parse(&file, bytes.data, bytes.size, "x"), cases[i].status, cases[i].error);
        pg_buffer_free(&bytes);
    }
}

static pg_status open_and_close(const char *path)
{
    pg_gguf *file;
    PG_TRY(pg_gguf_open(&file, path));
    pg_gguf_close(file);
    return PG_OK;
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    const char *path = folder_file("sweep.gguf");
    int before = folder_count();
    CHECK_SWEEP(save(path));
    CHECK_SWEEP(open_and_close(path));
    assert_int_equal(folder_count(), before + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tensors_come_back),
        cmocka_unit_test(an_unfinished_file_does_not_appear),
        cmocka_unit_test(cut_files_are_refused),
        cmocka_unit_test(hostile_files_are_refused),
        cmocka_unit_test(every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
