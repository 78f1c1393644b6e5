/* tensor/safetensors.c, checkpoint.c, array.c */
#include "temporary_folder.h"
#include "sweep.h"

#include "tensor/checkpoint.h"
#include "tensor/safetensors.h"

/* ---------------------------------------------------------------- round trips */

static const uint8_t bytes[64] = {1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8, 0, 9};

static const pg_array every_dtype[] = {
    {"wide", PG_F64, 2, {2, 2}, bytes, 32},
    {"text.layer.0", PG_F32, 3, {1, 2, 3}, bytes, 24},
    {"half", PG_F16, 1, {5}, bytes, 10},
    {"brain", PG_BF16, 4, {1, 1, 1, 3}, bytes, 6},
    {"long", PG_I64, 1, {2}, bytes, 16},
    {"int", PG_I32, 1, {3}, bytes, 12},
    {"signed", PG_I8, 1, {3}, bytes, 3},
    {"unsigned", PG_U8, 2, {3, 1}, bytes, 3},
    {"truth", PG_BOOL, 1, {2}, bytes, 2},
    {"scalar", PG_F32, 0, {0}, bytes, 4},
    {"empty", PG_F32, 3, {4, 0, 7}, bytes, 0},
    {"deep", PG_U8, 8, {1, 1, 1, 2, 1, 1, 1, 2}, bytes, 4},
    {"name with \"quotes\", \\ and \x01 and \xc3\xa9", PG_U8, 1, {1}, bytes, 1},
};
#define EVERY_COUNT (sizeof every_dtype / sizeof *every_dtype)

static void assert_same_array(const pg_array *found, const pg_array *expected)
{
    assert_non_null(found);
    assert_string_equal(found->name, expected->name);
    assert_int_equal(found->dtype, expected->dtype);
    assert_int_equal(found->dimensions, expected->dimensions);
    for (int i = 0; i < expected->dimensions; i++)
        assert_int_equal(found->shape[i], expected->shape[i]);
    assert_int_equal(found->bytes, expected->bytes);
    assert_memory_equal(found->data, expected->data, expected->bytes);
}

static void every_dtype_round_trips(void **state)
{
    (void)state;
    const char *path = folder_file("every.safetensors");
    CHECK_OK(pg_safetensors_save(path, every_dtype, EVERY_COUNT));
    pg_safetensors *file;
    CHECK_OK(pg_safetensors_open(&file, path));
    assert_int_equal(pg_safetensors_count(file), EVERY_COUNT);
    for (size_t i = 0; i < EVERY_COUNT; i++)
        assert_same_array(pg_safetensors_find(file, every_dtype[i].name), &every_dtype[i]);
    for (size_t i = 1; i < EVERY_COUNT; i++)
        assert_true(strcmp(pg_safetensors_at(file, i - 1)->name, pg_safetensors_at(file, i)->name) < 0);
    assert_null(pg_safetensors_find(file, "absent"));
    assert_null(pg_safetensors_metadata(file, "format"));
    pg_safetensors_close(file);
}

static void pieces_and_metadata_round_trip(void **state)
{
    (void)state;
    const char *path = folder_file("pieces.safetensors");
    static const char *const metadata[][2] = {{"format", "pt"}, {"note", "a \"quoted\"\nline"}};
    pg_safetensors_writer *writer;
    CHECK_OK(pg_safetensors_writer_open(&writer, path, every_dtype, 2, metadata, 2));
    for (size_t written = 0; written < 56; written += 8)
        CHECK_OK(pg_safetensors_writer_write(writer, bytes + written % 32, 8));
    CHECK_FAILS(pg_safetensors_writer_write(writer, bytes, 1), PG_ERROR_ARGUMENT, "1 bytes more than the header");
    CHECK_OK(pg_safetensors_writer_commit(writer));
    pg_safetensors *file;
    CHECK_OK(pg_safetensors_open(&file, path));
    assert_same_array(pg_safetensors_find(file, "wide"), &every_dtype[0]);
    assert_same_array(pg_safetensors_find(file, "text.layer.0"), &every_dtype[1]);
    assert_string_equal(pg_safetensors_metadata(file, "format"), "pt");
    assert_string_equal(pg_safetensors_metadata(file, "note"), "a \"quoted\"\nline");
    assert_null(pg_safetensors_metadata(file, "absent"));
    pg_safetensors_close(file);
}

/* The bytes that Python's safetensors.numpy.save({"a": numpy.arange(3, dtype="int16").view("float16")}) writes. */
static void writes_what_the_reference_writes(void **state)
{
    (void)state;
    static const char expected[] = "8\0\0\0\0\0\0\0{\"a\":{\"dtype\":\"F16\",\"shape\":[3],\"data_offsets\":[0,6]}}"
                                   "  \0\0\1\0\2\0";
    const char *path = folder_file("reference.safetensors");
    const pg_array array = {"a", PG_F16, 1, {3}, "\0\0\1\0\2\0", 6};
    CHECK_OK(pg_safetensors_save(path, &array, 1));
    pg_buffer text = {0};
    CHECK_OK(pg_file_read(&text, path, 1000));
    assert_int_equal(text.size, sizeof expected - 1);
    assert_memory_equal(text.data, expected, text.size);
    pg_buffer_free(&text);
}

static void nothing_half_written_stays(void **state)
{
    (void)state;
    int before = folder_count();
    const char *path = folder_file("half.safetensors");
    pg_safetensors_writer *writer;
    CHECK_OK(pg_safetensors_writer_open(&writer, path, every_dtype, 1, NULL, 0));
    CHECK_OK(pg_safetensors_writer_write(writer, bytes, 31));
    CHECK_FAILS(pg_safetensors_writer_commit(writer), PG_ERROR_ARGUMENT, "1 bytes fewer than the header announces");
    CHECK_OK(pg_safetensors_writer_open(&writer, path, every_dtype, 1, NULL, 0));
    pg_safetensors_writer_abort(writer);
    pg_safetensors_writer_abort(NULL);
    assert_int_equal(folder_count(), before);
}

static void writer_refuses(void **state)
{
    (void)state;
    static const struct {
        pg_array arrays[2];
        pg_status status;
        const char *error;
    } cases[] = {
        {{{.name = "a"}, {.name = "a"}}, PG_ERROR_FORMAT, "duplicate object key"},
        {{{.name = "a"}, {.name = "\xff"}}, PG_ERROR_FORMAT, "not valid JSON"},
        {{{.name = "a"}, {.name = "__metadata__"}}, PG_ERROR_ARGUMENT, "cannot be called"},
        {{{.name = "a"}, {.name = "b", .dimensions = 1, .shape = {-1}}}, PG_ERROR_ARGUMENT, "b: the shape is invalid"},
        {{{.name = "a"}, {.name = "b", .dimensions = 9}}, PG_ERROR_ARGUMENT, "b: the shape is invalid"},
        {{{.name = "a"}, {.name = "b", .dimensions = 1, .shape = {INT64_MAX / 4}}}, PG_ERROR_ARGUMENT, "b: the shape"},
    };
    int before = folder_count();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        CHECK_FAILS(pg_safetensors_save(folder_file("x.safetensors"), cases[i].arrays, 2), cases[i].status,
                    cases[i].error);
    CHECK_FAILS(pg_safetensors_save("/nonexistent/x.safetensors", every_dtype, 1), PG_ERROR_FILE, "cannot be written");
    assert_int_equal(folder_count(), before);
}

/* ---------------------------------------------------------------- hostile files */

static size_t put_file(uint8_t *out, const char *header, size_t data_size)
{
    size_t length = strlen(header);
    memset(out, 0, 8 + length + data_size);
    out[0] = (uint8_t)length;
    out[1] = (uint8_t)(length >> 8);
    memcpy(out + 8, header, length);
    return 8 + length + data_size;
}

#define ONE(dtype, shape, offsets) "{\"t\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}}"
#define TWO(offsets_a, offsets_b)                                        \
    "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":" offsets_a \
    "},\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":" offsets_b "}}"

static const struct {
    const char *header;
    size_t data_size;
    pg_status status;
    const char *error;
} hostile[] = {
    {ONE("F32", "[2,2]", "[0,16]"), 15, PG_ERROR_FORMAT, "x: t: ends at byte 81, the file has 80"},
    {ONE("F32", "[2,2]", "[0,16]"), 17, PG_ERROR_FORMAT, "x: the last tensor ends at byte 81, the file has 82"},
    {ONE("F32", "[2,2]", "[0,12]"), 12, PG_ERROR_FORMAT, "x: t: F32 [2, 2] takes 16 bytes, \"data_offsets\" hold 12"},
    {ONE("F32", "[]", "[4,8]"), 8, PG_ERROR_FORMAT,
     "x: t: starts at byte 65, the header ends at byte 61: there is a hole"},
    {ONE("F32", "[1]", "[-4,0]"), 4, PG_ERROR_FORMAT, "x: t: \"data_offsets\" is [-4, 0]"},
    {ONE("F32", "[1]", "[4,0]"), 4, PG_ERROR_FORMAT, "x: t: \"data_offsets\" is [4, 0]"},
    {ONE("F32", "[1]", "[0]"), 4, PG_ERROR_FORMAT, "x: t: \"data_offsets\" is missing or not a pair"},
    {ONE("F32", "[1]", "[0,4,4]"), 4, PG_ERROR_FORMAT, "x: t: \"data_offsets\" is missing or not a pair"},
    {ONE("F32", "[1]", "[0,\"4\"]"), 4, PG_ERROR_FORMAT, "x: t: \"data_offsets\" is missing or not a pair"},
    {ONE("F32", "[1]", "[0,4.0]"), 4, PG_ERROR_FORMAT, "x: t: \"data_offsets\" is missing or not a pair"},
    {ONE("F32", "[1]", "[0,18446744073709551616]"), 4, PG_ERROR_FORMAT, "x: t: "},
    {ONE("F32", "[1]", "[0,9223372036854775807]"), 4, PG_ERROR_FORMAT, "x: t: ends at byte 92233720368547758"},
    {ONE("F32", "[-1]", "[0,4]"), 4, PG_ERROR_FORMAT, "x: t: \"shape\": entry 0 is not a length"},
    {ONE("F32", "[-1,-1]", "[0,4]"), 4, PG_ERROR_FORMAT, "x: t: \"shape\": entry 0 is not a length"},
    {ONE("F32", "[1,true]", "[0,4]"), 4, PG_ERROR_FORMAT, "x: t: \"shape\": entry 1 is not a length"},
    {ONE("F32", "4", "[0,4]"), 4, PG_ERROR_FORMAT, "x: t: \"shape\" is missing or not an array"},
    {ONE("F32", "[4611686018427387905,4]", "[0,16]"), 16, PG_ERROR_FORMAT, "x: t: \"shape\" is too large"},
    {ONE("F32", "[2305843009213693952]", "[0,0]"), 0, PG_ERROR_FORMAT, "x: t: \"shape\" is too large"},
    {ONE("F32", "[0,9223372036854775807,2]", "[0,0]"), 0, PG_ERROR_FORMAT, "x: t: \"shape\" is too large"},
    {ONE("U8", "[1,1,1,1,1,1,1,1,1]", "[0,1]"), 1, PG_ERROR_UNSUPPORTED, "x: t: 9 dimensions, at most 8"},
    {ONE("F8_E4M3", "[1]", "[0,1]"), 1, PG_ERROR_UNSUPPORTED, "x: t: dtype \"F8_E4M3\" is not supported"},
    {ONE("f32", "[1]", "[0,4]"), 4, PG_ERROR_UNSUPPORTED, "x: t: dtype \"f32\" is not supported"},
    {TWO("[0,4]", "[2,6]"), 6, PG_ERROR_FORMAT, "x: b: starts at byte 115, a ends at byte 117: they overlap"},
    {TWO("[0,4]", "[0,4]"), 4, PG_ERROR_FORMAT, "they overlap"},
    {TWO("[5,9]", "[0,4]"), 9, PG_ERROR_FORMAT, "x: a: starts at byte 118, b ends at byte 117: there is a hole"},
    {"{\"t\":{\"dtype\":3,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, PG_ERROR_FORMAT, "x: t: \"dtype\" is an integer"},
    {"{\"t\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, PG_ERROR_FORMAT, "x: t: the field \"dtype\" is missing"},
    {"{\"t\":{\"dtype\":\"U8\"}}", 4, PG_ERROR_FORMAT, "x: t: \"shape\" is missing"},
    {"{\"t\":[]}", 0, PG_ERROR_FORMAT, "x: t: the header's entry is not an object"},
    {"{\"t\":{},\"t\":{}}", 0, PG_ERROR_FORMAT, "x: line 1, column 11: not valid JSON: duplicate object key"},
    {"{\"__metadata__\":[]}", 0, PG_ERROR_FORMAT, "x: __metadata__ is not an object"},
    {"{\"__metadata__\":{\"a\":1}}", 0, PG_ERROR_FORMAT, "x: __metadata__: \"a\" is not a string"},
    {"{\"t\":{}", 0, PG_ERROR_FORMAT, "not valid JSON"},
    {"{} {}", 0, PG_ERROR_FORMAT, "not valid JSON"},
    {"[]", 0, PG_ERROR_FORMAT, "x: does not start like a safetensors file"},
    {" {}", 0, PG_ERROR_FORMAT, "x: does not start like a safetensors file"},
    {"{", 0, PG_ERROR_FORMAT, "x: 9 bytes are too few"},
};

static void hostile_headers_are_refused(void **state)
{
    (void)state;
    uint8_t file_bytes[512];
    for (size_t i = 0; i < sizeof hostile / sizeof *hostile; i++) {
        pg_safetensors *file = (pg_safetensors *)1;
        size_t size = put_file(file_bytes, hostile[i].header, hostile[i].data_size);
        CHECK_FAILS(pg_safetensors_parse(&file, file_bytes, size, "x"), hostile[i].status, hostile[i].error);
        assert_null(file);
    }
}

static void empty_files_are_valid(void **state)
{
    (void)state;
    uint8_t file_bytes[64];
    pg_safetensors *file;
    CHECK_OK(pg_safetensors_parse(&file, file_bytes, put_file(file_bytes, "{}   ", 0), "x"));
    assert_int_equal(pg_safetensors_count(file), 0);
    assert_null(pg_safetensors_find(file, ""));
    pg_safetensors_close(file);
    pg_safetensors_close(NULL);
}

static void lying_lengths_are_refused(void **state)
{
    (void)state;
    pg_safetensors *file;
    uint8_t huge[16] = {255, 255, 255, 255, 255, 255, 255, 255, '{', '}'};
    CHECK_FAILS(pg_safetensors_parse(&file, huge, sizeof huge, "x"), PG_ERROR_FORMAT, "does not start like");
    uint8_t beyond[16] = {9, 0, 0, 0, 0, 0, 0, 0, '{', '}'};
    CHECK_FAILS(pg_safetensors_parse(&file, beyond, sizeof beyond, "x"), PG_ERROR_FORMAT,
                "the header ends at byte 17, the file has 16");
    pg_buffer nested = {0};
    CHECK_OK(pg_buffer_append(&nested, "\x10\x27\0\0\0\0\0\0{\"t\":", 13));
    while (nested.size < 10008)
        CHECK_OK(pg_buffer_append(&nested, "[", 1));
    CHECK_FAILS(pg_safetensors_parse(&file, nested.data, nested.size, "x"), PG_ERROR_FORMAT, "maximum parsing depth");
    pg_buffer_free(&nested);
    CHECK_FAILS(pg_safetensors_open(&file, folder_path), PG_ERROR_FILE, "not a regular file");
    CHECK_FAILS(pg_safetensors_open(&file, folder_write("nothing", "", 0)), PG_ERROR_FORMAT, "0 bytes are too few");
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    const char *path = folder_file("whole.safetensors");
    CHECK_OK(pg_safetensors_save(path, every_dtype, EVERY_COUNT));
    pg_buffer whole = {0};
    CHECK_OK(pg_file_read(&whole, path, 10000));
    pg_safetensors *file;
    for (size_t size = 0; size < whole.size; size++) {
        void *part = pg_alloc(size, 1); /* of its own, so that asan sees a step beyond the end */
        memcpy(part, whole.data, size);
        CHECK_FAILS(pg_safetensors_parse(&file, part, size, "whole"), PG_ERROR_FORMAT, "whole: ");
        pg_free(part);
    }
    CHECK_OK(pg_buffer_append(&whole, "!", 1));
    CHECK_FAILS(pg_safetensors_parse(&file, whole.data, whole.size, "whole"), PG_ERROR_FORMAT, "the last tensor ends");
    pg_buffer_free(&whole);
}

/* ---------------------------------------------------------------- checkpoints */

static void write_index(const char *weight_map)
{
    char text[512];
    int size = snprintf(text, sizeof text, "{\"metadata\":{\"total_size\":1},\"weight_map\":%s}", weight_map);
    folder_write("model.safetensors.index.json", text, (size_t)size);
}

static void shards_are_one_checkpoint(void **state)
{
    (void)state;
    CHECK_OK(pg_safetensors_save(folder_file("s1.safetensors"), every_dtype, 2));
    CHECK_OK(pg_safetensors_save(folder_file("s2.safetensors"), every_dtype + 2, 1));
    write_index("{\"wide\":\"s1.safetensors\",\"half\":\"s2.safetensors\",\"text.layer.0\":\"s1.safetensors\"}");
    const char *const paths[] = {folder_path, folder_file("model.safetensors.index.json")};
    for (int p = 0; p < 2; p++) {
        pg_checkpoint *checkpoint;
        CHECK_OK(pg_checkpoint_open(&checkpoint, paths[p]));
        assert_int_equal(pg_checkpoint_count(checkpoint), 3);
        for (int i = 0; i < 3; i++)
            assert_same_array(pg_checkpoint_find(checkpoint, every_dtype[i].name), &every_dtype[i]);
        assert_string_equal(pg_checkpoint_at(checkpoint, 0)->name, "half");
        assert_string_equal(pg_checkpoint_file(checkpoint, 0), folder_file("s2.safetensors"));
        assert_string_equal(pg_checkpoint_file(checkpoint, 1), folder_file("s1.safetensors"));
        assert_null(pg_checkpoint_find(checkpoint, "absent"));
        pg_checkpoint_close(checkpoint);
    }
}

static void one_file_is_a_checkpoint(void **state)
{
    (void)state;
    const char *path = folder_file("model.safetensors");
    CHECK_OK(pg_safetensors_save(path, every_dtype, EVERY_COUNT));
    write_index("{}"); /* not looked at */
    pg_checkpoint *checkpoint;
    CHECK_OK(pg_checkpoint_open(&checkpoint, folder_path));
    assert_int_equal(pg_checkpoint_count(checkpoint), EVERY_COUNT);
    assert_string_equal(pg_checkpoint_file(checkpoint, 3), path);
    pg_checkpoint_close(checkpoint);
    CHECK_OK(pg_checkpoint_open(&checkpoint, path));
    pg_checkpoint_close(checkpoint);
    pg_checkpoint_close(NULL);
    unlink(path);
}

static void broken_checkpoints_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *weight_map;
        pg_status status;
        const char *error;
    } cases[] = {
        {"{\"wide\":\"../s1.safetensors\"}", PG_ERROR_FORMAT, "wide: expected the name of a file in the same folder"},
        {"{\"wide\":\"/etc/passwd\"}", PG_ERROR_FORMAT, "wide: expected the name of a file"},
        {"{\"wide\":\"..\"}", PG_ERROR_FORMAT, "wide: expected the name of a file"},
        {"{\"wide\":\"\"}", PG_ERROR_FORMAT, "wide: expected the name of a file"},
        {"{\"wide\":null}", PG_ERROR_FORMAT, "wide: expected the name of a file"},
        {"{}", PG_ERROR_FORMAT, "\"weight_map\" is missing or empty"},
        {"[]", PG_ERROR_FORMAT, "\"weight_map\" is missing or empty"},
        {"{\"wide\":\"s3.safetensors\"}", PG_ERROR_FILE, "s3.safetensors: cannot be opened"},
        {"{\"wide\":\"s2.safetensors\"}", PG_ERROR_FORMAT, "s2.safetensors does not hold this tensor"},
        {"{\"wide\":\"s1.safetensors\"}", PG_ERROR_FORMAT, "s1.safetensors: text.layer.0: the index"},
    };
    CHECK_OK(pg_safetensors_save(folder_file("s1.safetensors"), every_dtype, 2));
    CHECK_OK(pg_safetensors_save(folder_file("s2.safetensors"), every_dtype + 2, 1));
    pg_checkpoint *checkpoint;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_index(cases[i].weight_map);
        CHECK_FAILS(pg_checkpoint_open(&checkpoint, folder_path), cases[i].status, cases[i].error);
        assert_null(checkpoint);
    }
    unlink(folder_file("model.safetensors.index.json"));
    CHECK_FAILS(pg_checkpoint_open(&checkpoint, folder_path), PG_ERROR_FILE, "found neither model.safetensors nor");
    CHECK_FAILS(pg_checkpoint_open(&checkpoint, "/nonexistent"), PG_ERROR_FILE, "/nonexistent: cannot be opened");
}

/* ---------------------------------------------------------------- memory */

static pg_status open_and_close(const char *path)
{
    pg_checkpoint *checkpoint;
    PG_TRY(pg_checkpoint_open(&checkpoint, path));
    pg_checkpoint_close(checkpoint);
    return PG_OK;
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    const char *path = folder_file("sweep.safetensors");
    unlink(path);
    int before = folder_count();
    CHECK_SWEEP(pg_safetensors_save(path, every_dtype, EVERY_COUNT));
    assert_int_equal(folder_count(), before + 1);
    CHECK_SWEEP(open_and_close(path));
    CHECK_OK(pg_safetensors_save(folder_file("s1.safetensors"), every_dtype, 1));
    CHECK_OK(pg_safetensors_save(folder_file("s2.safetensors"), every_dtype + 1, 1));
    write_index("{\"wide\":\"s1.safetensors\",\"text.layer.0\":\"s2.safetensors\"}");
    CHECK_SWEEP(open_and_close(folder_path));
}

static void every_failed_allocation_of_jansson_is_reported(void **state)
{
    sweep_include_json();
    every_failed_allocation_is_reported(state);
}

#ifdef PG_SHARED_FOLDER

static int goldens_seen;

static int open_golden(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    (void)info, (void)place;
    size_t length = strlen(path);
    if (kind == FTW_F && length > 12 && !strcmp(path + length - 12, ".safetensors")) {
        CHECK_OK(open_and_close(path));
        goldens_seen++;
    }
    return 0;
}

static void goldens_open(void **state)
{
    (void)state;
    nftw(PG_SHARED_FOLDER "/golden", open_golden, 8, FTW_PHYS);
    assert_in_range(goldens_seen, 20, 10000);
}

static void golden_shards_hold_the_same_tensors_as_the_single_file(void **state)
{
    (void)state;
    static const char name[] = "language_model.model.layers.3.mlp.down_proj.weight";
    pg_checkpoint *shards, *single;
    CHECK_OK(pg_checkpoint_open(&shards, PG_SHARED_FOLDER "/golden/inference/paligemma-tiny-sharded/checkpoint"));
    CHECK_OK(
        pg_checkpoint_open(&single, PG_SHARED_FOLDER "/golden/inference/paligemma-tiny-sharded/checkpoint-new-names"));
    assert_int_equal(pg_checkpoint_count(shards) + 1, pg_checkpoint_count(single)); /* lm_head */
    pg_array expected = *pg_checkpoint_find(single, "model.language_model.layers.3.mlp.down_proj.weight");
    expected.name = name;
    assert_same_array(pg_checkpoint_find(shards, name), &expected);
    pg_checkpoint_close(shards);
    pg_checkpoint_close(single);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_dtype_round_trips),
        cmocka_unit_test(pieces_and_metadata_round_trip),
        cmocka_unit_test(writes_what_the_reference_writes),
        cmocka_unit_test(nothing_half_written_stays),
        cmocka_unit_test(writer_refuses),
        cmocka_unit_test(hostile_headers_are_refused),
        cmocka_unit_test(empty_files_are_valid),
        cmocka_unit_test(lying_lengths_are_refused),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(shards_are_one_checkpoint),
        cmocka_unit_test(one_file_is_a_checkpoint),
        cmocka_unit_test(broken_checkpoints_are_refused),
        cmocka_unit_test(every_failed_allocation_is_reported),
#ifdef PG_SHARED_FOLDER
        cmocka_unit_test(goldens_open),
        cmocka_unit_test(golden_shards_hold_the_same_tensors_as_the_single_file),
#endif
        cmocka_unit_test(every_failed_allocation_of_jansson_is_reported),
    };
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
