/* Records of runs: checksums and frames, what a resumed run keeps, torn and damaged files. */
#include "check.h"
#include "sweep.h"
#include "temporary_folder.h"

#include <math.h>

#include "base/crc32c.h"
#include "base/random.h"
#include "train/run_records.h"

static void checksums_are_those_of_rfc_3720(void **state)
{
    (void)state;
    uint8_t bytes[32] = {0};
    assert_int_equal(pg_crc32c("123456789", 9), 0xe3069283);
    assert_int_equal(pg_crc32c(bytes, 32), 0x8a9136aa);
    memset(bytes, 0xff, sizeof bytes);
    assert_int_equal(pg_crc32c(bytes, 32), 0x62a8ab43);
    for (int i = 0; i < 32; i++)
        bytes[i] = (uint8_t)i;
    assert_int_equal(pg_crc32c(bytes, 32), 0x46dd794e);
    assert_int_equal(pg_crc32c(bytes, 0), 0);
}

/* The frame of a step as TensorFlow's own writer makes it, byte by byte. */
static void frames_are_those_of_tensorflow(void **state)
{
    (void)state;
    static const uint8_t event[] = {0x09, 0,  0,    0, 0,   0,   0,   0xf8, 0x3f, 0x10, 0xac, 0x02, 0x2a, 13,
                                    0x0a, 11, 0x0a, 4, 'l', 'o', 's', 's',  0x15, 0,    0,    0,    0xbf};
    pg_buffer out = {0};
    const pg_scalar scalar = {"loss", -0.5};
    CHECK_OK(pg_event_scalars(&out, 1.5, 300, &scalar, 1));
    assert_int_equal(out.size, 12 + sizeof event + 4);
    assert_int_equal(out.data[0], sizeof event);
    assert_memory_equal(out.data + 12, event, sizeof event);
    pg_buffer_free(&out);
}

/* ---------------------------------------------------------------- a run */

static pg_status add_steps(pg_records *records, int64_t first, int64_t end)
{
    for (int64_t step = first; step < end; step++) {
        const pg_scalar scalars[] = {{"loss", 1.0 / (double)(step + 1)}, {"validation/loss", step == 2 ? NAN : 0.1}};
        PG_TRY(pg_records_add(records, step, scalars, 2));
    }
    return PG_OK;
}

static void write_run(int64_t last, int64_t first, int64_t end)
{
    pg_records *records;
    CHECK_OK(pg_records_open(&records, folder_path, last));
    CHECK_OK(add_steps(records, first, end));
    pg_records_close(records);
}

static pg_buffer read_file(const char *name)
{
    pg_buffer out = {0};
    CHECK_OK(pg_file_read(&out, folder_file(name), 1 << 20));
    return out;
}

/* All three files hold the steps 0 .. count - 1, each once and in order. */
static void check_files(int64_t count)
{
    pg_buffer csv = read_file(PG_RECORDS_CSV), lines = read_file(PG_RECORDS_JSON),
              events = read_file(PG_RECORDS_EVENTS);
    pg_record record;
    size_t offset = 0;
    for (int64_t i = 0; i < 2 * count; i++) {
        assert_true(pg_record_next(&record, csv.data, csv.size, &offset));
        assert_int_equal(record.step, i / 2);
        if (i % 2 == 0)
            assert_true(record.tag_size == 4 && fabs(record.value - 1.0 / (double)(i / 2 + 1)) < 1e-8);
        else
            assert_true(record.tag_size == 15 && (i == 5) == (bool)isnan(record.value));
    }
    assert_int_equal(offset, csv.size);
    pg_event_frame event;
    offset = 0;
    for (int64_t i = -1; i < count; i++) {
        assert_true(pg_event_next(&event, events.data, events.size, &offset));
        assert_int_equal(event.step, i < 0 ? 0 : i);
    }
    assert_int_equal(offset, events.size);
    const char *at = lines.data;
    for (int64_t i = 0; i < count; i++) {
        char start[32];
        snprintf(start, sizeof start, "{\"step\": %lld, ", (long long)i);
        assert_memory_equal(at, start, strlen(start));
        at = strchr(at, '\n') + 1;
    }
    assert_int_equal(*at, 0);
    pg_buffer_free(&csv);
    pg_buffer_free(&lines);
    pg_buffer_free(&events);
}

static void a_resumed_run_drops_what_came_later(void **state)
{
    (void)state;
    write_run(-1, 0, 10);
    check_files(10);
    pg_buffer lines = read_file(PG_RECORDS_JSON);
    assert_non_null(strstr(lines.data, "\"loss\": 0.333333333, \"validation/loss\": null}\n"));
    pg_buffer_free(&lines);
    write_run(4, 5, 8);
    check_files(8);
    write_run(100, 8, 9);
    check_files(9);
    write_run(-1, 0, 3);
    check_files(3);
    write_run(0, 1, 1);
    check_files(1);
    assert_int_equal(folder_count(), 3);
}

static void tear(const char *name, const pg_buffer *whole, size_t size)
{
    folder_write(name, whole->data, size);
}

/* The last lines and frames of a killed process end anywhere. */
static void torn_files_are_taken_up(void **state)
{
    (void)state;
    write_run(-1, 0, 5);
    pg_buffer csv = read_file(PG_RECORDS_CSV), lines = read_file(PG_RECORDS_JSON),
              events = read_file(PG_RECORDS_EVENTS);
    write_run(-1, 0, 3);
    pg_buffer csv3 = read_file(PG_RECORDS_CSV), lines3 = read_file(PG_RECORDS_JSON),
              events3 = read_file(PG_RECORDS_EVENTS);
    for (size_t cut = 0; cut < 60; cut++) {
        tear(PG_RECORDS_CSV, &csv, csv3.size + cut);
        tear(PG_RECORDS_JSON, &lines, lines3.size + cut);
        tear(PG_RECORDS_EVENTS, &events, events3.size + cut);
        write_run(2, 3, 5);
        check_files(5);
    }
    pg_buffer *all[] = {&csv, &lines, &events, &csv3, &lines3, &events3};
    for (int i = 0; i < 6; i++)
        pg_buffer_free(all[i]);
}

/* Bytes changed at random never lead outside the file, and what is kept is whole. */
static void damaged_files_are_harmless(void **state)
{
    (void)state;
    const char *const names[] = {PG_RECORDS_CSV, PG_RECORDS_JSON, PG_RECORDS_EVENTS};
    write_run(-1, 0, 4);
    for (int i = 0; i < 3; i++) {
        pg_buffer whole = read_file(names[i]);
        for (size_t at = 0; at < whole.size; at++) {
            char before = whole.data[at];
            whole.data[at] = (char)pg_random_bits(5, (uint64_t)i, at);
            folder_write(names[i], whole.data, whole.size);
            pg_records *records;
            CHECK_OK(pg_records_open(&records, folder_path, 9));
            pg_records_close(records);
            whole.data[at] = before;
        }
        folder_write(names[i], whole.data, whole.size);
        pg_buffer_free(&whole);
    }
}

static void hostile_lines_end_the_reading(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "",          "\n",           "1",          "1,2,loss,3",    "1,2,loss,\n",   "1,2,,3\n",   "-1,2,loss,3\n",
        "x,2,a,3\n", "1,2,loss 3\n", "1,\n,a,3\n", "1e300,2,a,3\n", "1,2,lo ss,3\n", "1,2,a\n3\n", "nan,2,a,3\n",
    };
    pg_record record;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        size_t offset = 0;
        assert_false(pg_record_next(&record, lines[i], strlen(lines[i]), &offset));
        assert_int_equal(offset, 0);
    }
}

static void what_cannot_be_recorded_is_told(void **state)
{
    (void)state;
    pg_records *records;
    CHECK_FAILS(pg_records_open(&records, "/nowhere/at/all", -1), PG_ERROR_FILE, "/nowhere/at/all/scalars.csv");
    assert_null(records);
    CHECK_OK(pg_records_open(&records, folder_path, -1));
    const char *const tags[] = {"", "a,b", "a\"b", "two words", "step", "time"};
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        pg_scalar scalar = {tags[i], 1};
        CHECK_FAILS(pg_records_add(records, 1, &scalar, 1), PG_ERROR_ARGUMENT, "is no tag");
    }
    pg_records_close(records);
}

static pg_status record_once(void)
{
    pg_records *records;
    PG_TRY(pg_records_open(&records, folder_path, 1));
    pg_status status = add_steps(records, 2, 3);
    pg_records_close(records);
    return status;
}

static void failing_allocations_are_told(void **state)
{
    (void)state;
    write_run(-1, 0, 2);
    CHECK_SWEEP(record_once());
    write_run(-1, 0, 2);
    sweep_include_json();
    CHECK_SWEEP(record_once());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checksums_are_those_of_rfc_3720),     cmocka_unit_test(frames_are_those_of_tensorflow),
        cmocka_unit_test(a_resumed_run_drops_what_came_later), cmocka_unit_test(torn_files_are_taken_up),
        cmocka_unit_test(damaged_files_are_harmless),          cmocka_unit_test(hostile_lines_end_the_reading),
        cmocka_unit_test(what_cannot_be_recorded_is_told),     cmocka_unit_test(failing_allocations_are_told),
    };
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
