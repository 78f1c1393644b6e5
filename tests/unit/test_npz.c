/* tensor/npz.c, npy.c */
#include "temporary_folder.h"
#include "sweep.h"

#include <signal.h>
#include <sys/resource.h>

#include "tensor/npy.h"
#include "tensor/npz.h"
#include "tensor/safetensors.h"

static const uint8_t bytes[64] = {1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8, 0, 9};

static const pg_array every_dtype[] = {
    {"wide", PG_F64, 2, {2, 2}, bytes, 32}, {"img/embedding", PG_F32, 3, {1, 2, 3}, bytes, 24},
    {"half", PG_F16, 1, {5}, bytes, 10},    {"brain", PG_BF16, 4, {1, 1, 1, 3}, bytes, 6},
    {"long", PG_I64, 1, {2}, bytes, 16},    {"int", PG_I32, 1, {3}, bytes, 12},
    {"signed", PG_I8, 1, {3}, bytes, 3},    {"unsigned", PG_U8, 2, {3, 1}, bytes, 3},
    {"truth", PG_BOOL, 1, {2}, bytes, 2},   {"scalar", PG_F32, 0, {0}, bytes, 4},
    {"empty", PG_F32, 2, {4, 0}, bytes, 0}, {"\xc3\xa9", PG_U8, 8, {1, 1, 1, 2, 1, 1, 1, 2}, bytes, 4},
};
#define EVERY_COUNT (sizeof every_dtype / sizeof *every_dtype)

static void assert_same_array(const pg_array *found, const void *data, const pg_array *expected)
{
    assert_int_equal(found->dtype, expected->dtype);
    assert_int_equal(found->dimensions, expected->dimensions);
    for (int i = 0; i < expected->dimensions; i++)
        assert_int_equal(found->shape[i], expected->shape[i]);
    assert_int_equal(found->bytes, expected->bytes);
    assert_memory_equal(data, expected->data, expected->bytes);
}

/* ---------------------------------------------------------------- npy */

static void npy_round_trips(void **state)
{
    (void)state;
    for (size_t i = 0; i < EVERY_COUNT; i++) {
        const char *path = folder_file("a.npy");
        CHECK_OK(pg_npy_save(path, &every_dtype[i]));
        pg_buffer text = {0};
        CHECK_OK(pg_file_read(&text, path, 1000));
        pg_array found;
        CHECK_OK(pg_npy_parse(&found, text.data, text.size, "a.npy"));
        assert_int_equal((uintptr_t)((const char *)found.data - text.data) % 64, 0);
        assert_same_array(&found, found.data, &every_dtype[i]);
        pg_buffer_free(&text);
    }
    CHECK_FAILS(pg_npy_save("/nonexistent/a.npy", &every_dtype[0]), PG_ERROR_FILE, "cannot be written");
    const pg_array negative = {.name = "n", .dimensions = 1, .shape = {-1}};
    CHECK_FAILS(pg_npy_save(folder_file("n.npy"), &negative), PG_ERROR_ARGUMENT, "n: the shape is invalid");
}

/* A file of `version` with this header text and `data_size` zeros behind it. */
static size_t put_npy(uint8_t *out, int version, const char *header, size_t data_size)
{
    size_t length = strlen(header), start = version == 1 ? 10 : 12;
    memset(out, 0, start + length + data_size);
    memcpy(out, "\x93NUMPY", 6);
    out[6] = (uint8_t)version;
    out[8] = (uint8_t)length;
    out[9] = (uint8_t)(length >> 8);
    memcpy(out + start, header, length);
    return start + length + data_size;
}

static void npy_reads_what_others_write(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t data_size;
        pg_dtype dtype;
        int dimensions;
        int64_t first;
    } cases[] = {
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }          \n", 48, PG_F32, 2, 3},
        {"{'shape':(7,),'fortran_order':False,'descr':'<V2'}", 14, PG_BF16, 1, 7},
        {"{\"descr\": \"<u2\", \"fortran_order\": False, \"shape\": (1,1,)}", 2, PG_BF16, 2, 1},
        {"{'descr': '|V2', 'fortran_order': True, 'shape': (2,)}", 4, PG_BF16, 1, 2},
        {"  {'descr': '|i1', 'fortran_order': True, 'shape': ()}\n", 1, PG_I8, 0, 0},
    };
    uint8_t file[256];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int version = 1; version <= 3; version++) {
            pg_array found;
            CHECK_OK(pg_npy_parse(&found, file, put_npy(file, version, cases[i].header, cases[i].data_size), "x"));
            assert_int_equal(found.dtype, cases[i].dtype);
            assert_int_equal(found.dimensions, cases[i].dimensions);
            assert_int_equal(found.shape[0], cases[i].first);
        }
}

#define NPY(descr, fortran, shape) "{'descr': " descr ", 'fortran_order': " fortran ", 'shape': " shape ", }"

static const struct {
    const char *header;
    size_t data_size;
    pg_status status;
    const char *error;
} hostile_npy[] = {
    {NPY("'<f4'", "False", "(3,)"), 11, PG_ERROR_FORMAT, "x: F32 [3] takes 12 bytes, the file holds 11"},
    {NPY("'<f4'", "False", "(3,)"), 13, PG_ERROR_FORMAT, "x: F32 [3] takes 12 bytes, the file holds 13"},
    {NPY("'<f4'", "True", "(2, 2)"), 16, PG_ERROR_UNSUPPORTED, "x: in Fortran order"},
    {NPY("'>f4'", "False", "(1,)"), 4, PG_ERROR_UNSUPPORTED, "x: dtype '>f4' is not supported"},
    {NPY("'<c8'", "False", "(1,)"), 8, PG_ERROR_UNSUPPORTED, "x: dtype '<c8' is not supported"},
    {NPY("'|O'", "False", "(1,)"), 8, PG_ERROR_UNSUPPORTED, "x: dtype '|O' is not supported"},
    {NPY("[('a', '<f4')]", "False", "(1,)"), 4, PG_ERROR_UNSUPPORTED, "x: arrays of structures"},
    {NPY("'<f4'", "False", "(-1,)"), 4, PG_ERROR_FORMAT, "malformed"},
    {NPY("'<f4'", "False", "(1.5,)"), 4, PG_ERROR_FORMAT, "malformed"},
    {NPY("'<f4'", "False", "(1 1)"), 4, PG_ERROR_FORMAT, "malformed"},
    {NPY("'<f4'", "False", "(,)"), 4, PG_ERROR_FORMAT, "malformed"},
    {NPY("'<f4'", "False", "[1]"), 4, PG_ERROR_FORMAT, "malformed"},
    {NPY("'<f4'", "False", "(1"), 4, PG_ERROR_FORMAT, "malformed"},
    {NPY("'<f4'", "0", "(1,)"), 4, PG_ERROR_FORMAT, "malformed"},
    {NPY("'<f4", "False", "(1,)"), 4, PG_ERROR_UNSUPPORTED, "x: dtype '<f4, ' is not supported"},
    {NPY("'a dtype of sixteen'", "False", "(1,)"), 4, PG_ERROR_FORMAT, "malformed"},
    {NPY("4", "False", "(1,)"), 4, PG_ERROR_FORMAT, "malformed"},
    {NPY("'<f4'", "False", "(9223372036854775808,)"), 4, PG_ERROR_FORMAT, "x: the shape is too large"},
    {NPY("'<f4'", "False", "(4611686018427387904, 4)"), 0, PG_ERROR_FORMAT, "x: the shape is too large"},
    {NPY("'<f4'", "False", "(1, 1, 1, 1, 1, 1, 1, 1, 1)"), 4, PG_ERROR_UNSUPPORTED, "x: more than 8 dimensions"},
    {NPY("'<f4'", "False", "(1,)") "!", 4, PG_ERROR_FORMAT, "malformed"},
    {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': ()}", 4, PG_ERROR_FORMAT, "malformed"},
    {"{'descr': '<f4', 'fortran_order': False}", 4, PG_ERROR_FORMAT, "malformed"},
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (), 'other': 1}", 4, PG_ERROR_FORMAT, "malformed"},
    {"{'descr' '<f4', 'fortran_order': False, 'shape': ()}", 4, PG_ERROR_FORMAT, "malformed"},
    {"{'descr': '<f4' 'fortran_order': False, 'shape': ()}", 4, PG_ERROR_FORMAT, "malformed"},
    {"", 4, PG_ERROR_FORMAT, "malformed"},
};

static void hostile_npy_is_refused(void **state)
{
    (void)state;
    uint8_t file[256];
    pg_array found;
    for (size_t i = 0; i < sizeof hostile_npy / sizeof *hostile_npy; i++)
        CHECK_FAILS(pg_npy_parse(&found, file, put_npy(file, 1, hostile_npy[i].header, hostile_npy[i].data_size), "x"),
                    hostile_npy[i].status, hostile_npy[i].error);
    size_t size = put_npy(file, 4, hostile_npy[0].header, 12);
    CHECK_FAILS(pg_npy_parse(&found, file, size, "x"), PG_ERROR_UNSUPPORTED, "x: .npy version 4.0");
    size = put_npy(file, 2, hostile_npy[0].header, 12);
    file[10] = 255;
    CHECK_FAILS(pg_npy_parse(&found, file, size, "x"), PG_ERROR_LIMIT, "x: the .npy header takes");
    for (size_t part = 0; part < size; part++) {
        size = put_npy(file, 2, hostile_npy[0].header, 12);
        void *piece = pg_alloc(part, 1);
        memcpy(piece, file, part);
        CHECK_FAILS(pg_npy_parse(&found, piece, part, "x"), PG_ERROR_FORMAT, "x: ");
        pg_free(piece);
    }
}

/* ---------------------------------------------------------------- npz */

static pg_status load_every(const char *path)
{
    pg_npz *npz;
    PG_TRY(pg_npz_open(&npz, path));
    pg_status status = PG_OK;
    assert_int_equal(pg_npz_count(npz), EVERY_COUNT);
    for (size_t i = 0; i < EVERY_COUNT && status == PG_OK; i++) {
        const pg_array *found = pg_npz_find(npz, every_dtype[i].name);
        assert_non_null(found);
        assert_string_equal(found->name, every_dtype[i].name);
        void *data;
        status = pg_npz_load(&data, npz, found);
        if (status == PG_OK)
            assert_same_array(found, data, &every_dtype[i]);
        pg_free(data);
    }
    assert_null(pg_npz_find(npz, "absent"));
    assert_string_equal(pg_npz_at(npz, 0)->name, "brain");
    pg_npz_close(npz);
    return status;
}

static void npz_round_trips(void **state)
{
    (void)state;
    for (int compress = 0; compress < 2; compress++) {
        const char *path = folder_file("a.npz");
        CHECK_OK(pg_npz_save(path, every_dtype, EVERY_COUNT, compress));
        CHECK_OK(load_every(path));
    }
    pg_npz_close(NULL);
}

static void npz_writer_refuses(void **state)
{
    (void)state;
    int before = folder_count();
    const char *path = folder_file("refused.npz");
    const pg_array twice[] = {{.name = "a", .data = bytes}, {.name = "a", .data = bytes}};
    CHECK_FAILS(pg_npz_save(path, twice, 2, false), PG_ERROR_FORMAT, "a: ");
    const pg_array wrong = {.name = "\xff", .data = bytes}, negative = {.name = "n", .dimensions = -1};
    CHECK_FAILS(pg_npz_save(path, &wrong, 1, false), PG_ERROR_FORMAT, ": ");
    CHECK_FAILS(pg_npz_save(path, &negative, 1, false), PG_ERROR_ARGUMENT, "n: the shape is invalid");
    CHECK_FAILS(pg_npz_save(path, twice, 0, false), PG_ERROR_ARGUMENT, "there are no arrays");
    CHECK_FAILS(pg_npz_save("/nonexistent/a.npz", twice, 1, false), PG_ERROR_FILE, "/nonexistent/a.npz: ");
    assert_int_equal(folder_count(), before);
}

/* The archive cut at every byte, and with every byte inverted: an error, or the arrays are those of the whole one. */
static void damaged_archives_are_refused(void **state)
{
    (void)state;
    const char *path = folder_file("damaged.npz");
    for (int compress = 0; compress < 2; compress++) {
        const pg_array array = {"a", PG_F32, 1, {16}, bytes, 64};
        CHECK_OK(pg_npz_save(path, &array, 1, compress));
        pg_buffer whole = {0};
        CHECK_OK(pg_file_read(&whole, path, 10000));
        pg_npz *npz;
        for (size_t size = 0; size < whole.size; size++) {
            void *part = pg_alloc(size, 1);
            memcpy(part, whole.data, size);
            CHECK_FAILS(pg_npz_parse(&npz, part, size, "x"), PG_ERROR_FORMAT, "x: ");
            pg_free(part);
        }
        for (size_t i = 0; i < whole.size; i++) {
            whole.data[i] = (char)~whole.data[i];
            if (pg_npz_parse(&npz, whole.data, whole.size, "x") == PG_OK) {
                void *data;
                if (pg_npz_count(npz) && pg_npz_load(&data, npz, pg_npz_at(npz, 0)) == PG_OK) {
                    assert_same_array(pg_npz_at(npz, 0), data, &array);
                    pg_free(data);
                }
                pg_npz_close(npz);
            }
            whole.data[i] = (char)~whole.data[i];
        }
        pg_buffer_free(&whole);
    }
}

/* Sets `size` bytes at the last place where `before` stands: a field of the archive's directory. */
static void patch_directory(pg_buffer *archive, size_t offset, uint64_t value, size_t size)
{
    size_t at = archive->size - 4;
    while (memcmp(archive->data + at, "PK\1\2", 4))
        at--;
    memcpy(archive->data + at + offset, &value, size);
}

static void bombs_are_refused_before_allocation(void **state)
{
    (void)state;
    static const struct {
        size_t offset;
        uint64_t value;
        size_t size;
        pg_status status;
        const char *error;
    } cases[] = {
        {24, 0x7fffffff, 4, PG_ERROR_FORMAT, "x: a: "}, /* announced size */
        {20, 0x7fffffff, 4, PG_ERROR_FORMAT, "x: "},    /* compressed size */
        {10, 12, 2, PG_ERROR_UNSUPPORTED, "x: a: encrypted, or neither stored nor deflated"},
        {8, 1, 2, PG_ERROR_UNSUPPORTED, "x: a: encrypted, or neither stored nor deflated"},
    };
    static const pg_array array = {"a", PG_F32, 1, {16}, bytes, 64};
    const char *path = folder_file("bomb.npz");
    CHECK_OK(pg_npz_save(path, &array, 1, true));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        pg_buffer archive = {0};
        CHECK_OK(pg_file_read(&archive, path, 10000));
        patch_directory(&archive, cases[i].offset, cases[i].value, cases[i].size);
        pg_npz *npz;
        CHECK_FAILS(pg_npz_parse(&npz, archive.data, archive.size, "x"), cases[i].status, cases[i].error);
        pg_buffer_free(&archive);
    }
}

/* ---------------------------------------------------------------- piece by piece */

#define LONG 100000

/* Byte k of array i is a function of both. */
static uint8_t byte_of(size_t i, size_t k)
{
    return (uint8_t)(k * 7 + k / 251 + i);
}

static pg_status give_bytes(void *user, size_t i, size_t offset, void *out, size_t size)
{
    const size_t *limit = user;
    if (i == 1 && offset + size > *limit)
        return pg_fail(PG_ERROR_CANCELLED, "enough");
    for (size_t k = 0; k < size; k++)
        ((uint8_t *)out)[k] = byte_of(i, offset + k);
    return PG_OK;
}

static const pg_array long_arrays[] = {{.name = "a", .dtype = PG_U8, .dimensions = 1, .shape = {LONG}},
                                       {.name = "b", .dtype = PG_U8, .dimensions = 2, .shape = {2, LONG / 2}}};

static void check_pieces(pg_npz *npz)
{
    static const char *const names[] = {"a", "b"};
    pg_npz_stream *streams[2];
    uint8_t piece[777];
    for (size_t i = 0; i < 2; i++)
        CHECK_OK(pg_npz_stream_open(&streams[i], npz, pg_npz_find(npz, names[i])));
    for (size_t first = 0; first < LONG; first += sizeof piece)
        for (size_t i = 0; i < 2; i++) {
            size_t count = LONG - first < sizeof piece ? LONG - first : sizeof piece;
            CHECK_OK(pg_npz_stream_read(streams[i], piece, count));
            for (size_t k = 0; k < count; k++)
                assert_int_equal(piece[k], byte_of(i, first + k));
            pg_npz_release(npz);
        }
    for (size_t i = 0; i < 2; i++) {
        CHECK_FAILS(pg_npz_stream_read(streams[i], piece, 1), PG_ERROR_ARGUMENT, "0 bytes are left, not 1");
        pg_npz_stream_close(streams[i]);
    }
}

static void arrays_come_in_pieces(void **state)
{
    (void)state;
    size_t limit = SIZE_MAX;
    for (int compress = 0; compress < 2; compress++) {
        pg_npz *npz;
        CHECK_OK(pg_npz_write(folder_file("long.npz"), long_arrays, 2, compress, give_bytes, &limit));
        CHECK_OK(pg_npz_open(&npz, folder_file("long.npz")));
        check_pieces(npz);
        pg_npz_close(npz);
    }
}

static void a_source_that_fails_leaves_nothing(void **state)
{
    (void)state;
    size_t limit = LONG / 2;
    int before = folder_count();
    CHECK_FAILS(pg_npz_write(folder_file("half.npz"), long_arrays, 2, false, give_bytes, &limit), PG_ERROR_CANCELLED,
                "enough");
    assert_int_equal(folder_count(), before);
}

/* ---------------------------------------------------------------- memory and disk */

static pg_status open_and_close(const char *path)
{
    pg_npz *npz;
    PG_TRY(pg_npz_open(&npz, path));
    void *data;
    pg_status status = pg_npz_load(&data, npz, pg_npz_at(npz, 0));
    pg_free(data);
    pg_npz_close(npz);
    return status;
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    const char *path = folder_file("sweep.npz"), *npy = folder_file("sweep.npy");
    int before = folder_count();
    CHECK_SWEEP(pg_npz_save(path, every_dtype, EVERY_COUNT, true));
    CHECK_SWEEP(open_and_close(path));
    CHECK_SWEEP(pg_npy_save(npy, &every_dtype[0]));
    assert_int_equal(folder_count(), before + 2);
}

static void a_full_disk_leaves_nothing(void **state)
{
    (void)state;
    static uint8_t large[100000];
    const pg_array array = {"a", PG_U8, 1, {sizeof large}, large, sizeof large};
    int before = folder_count();
    struct rlimit usual, tight;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &usual), 0);
    tight = (struct rlimit){1000, usual.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
    pg_status npz = pg_npz_save(folder_file("full.npz"), &array, 1, false);
    pg_status npy = pg_npy_save(folder_file("full.npy"), &array);
    pg_status safetensors = pg_safetensors_save(folder_file("full.safetensors"), &array, 1);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &usual), 0);
    assert_int_equal(npz, PG_ERROR_FILE);
    assert_int_equal(npy, PG_ERROR_FILE);
    assert_int_equal(safetensors, PG_ERROR_FILE);
    assert_non_null(strstr(pg_error_last(), "full.safetensors: cannot be written"));
    assert_int_equal(folder_count(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(npy_round_trips),
        cmocka_unit_test(npy_reads_what_others_write),
        cmocka_unit_test(hostile_npy_is_refused),
        cmocka_unit_test(npz_round_trips),
        cmocka_unit_test(npz_writer_refuses),
        cmocka_unit_test(damaged_archives_are_refused),
        cmocka_unit_test(bombs_are_refused_before_allocation),
        cmocka_unit_test(arrays_come_in_pieces),
        cmocka_unit_test(a_source_that_fails_leaves_nothing),
        cmocka_unit_test(every_failed_allocation_is_reported),
        cmocka_unit_test(a_full_disk_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
