/* base/status.c, memory.c, buffer.c, dtype.c */
#include "check.h"

#include <errno.h>
#include <math.h>

#include "base/buffer.h"
#include "base/dtype.h"

static void errors_are_one_line_and_nest(void **state)
{
    (void)state;
    assert_int_equal(pg_fail(PG_ERROR_FORMAT, "a\nb\033[31m %d", 7), PG_ERROR_FORMAT);
    assert_string_equal(pg_error_last(), "a b [31m 7");
    pg_fail_context(PG_ERROR_FORMAT, "file %s", "x");
    assert_string_equal(pg_error_last(), "file x: a b [31m 7");
    errno = ENOENT;
    assert_int_equal(pg_fail_errno(PG_ERROR_FILE, "y"), PG_ERROR_FILE);
    assert_string_equal(pg_error_last(), "y: No such file or directory");
}

static void allocations_are_checked(void **state)
{
    (void)state;
    assert_null(pg_alloc(SIZE_MAX / 2, 3));
    void *nothing = pg_alloc(0, 8);
    assert_non_null(nothing);
    pg_free(nothing);
    pg_memory_fail_from(2);
    void *first = pg_alloc(1, 1);
    assert_non_null(first);
    assert_null(pg_alloc(1, 1));
    assert_null(pg_alloc(1, 1));
    pg_memory_fail_from(0);
    pg_free(first);
}

static void buffers_grow(void **state)
{
    (void)state;
    pg_buffer buffer = {0};
    for (int i = 0; i < 1000; i++)
        CHECK_OK(pg_buffer_print(&buffer, "%d,", i));
    assert_int_equal(buffer.size, strlen(buffer.data));
    assert_int_equal(buffer.size, 10 * 2 + 90 * 3 + 900 * 4);
    pg_buffer_free(&buffer);
}

static void halves_round_trip(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 65536; i++) {
        float f16 = pg_f16_to_float((uint16_t)i), bf16 = pg_bf16_to_float((uint16_t)i);
        if (!isnan(f16))
            assert_int_equal(pg_f16_from_float(f16), i);
        if (!isnan(bf16))
            assert_int_equal(pg_bf16_from_float(bf16), i);
    }
    assert_int_equal(pg_bf16_from_float(1.00390625f), 0x3f80); /* a tie goes to even */
    assert_int_equal(pg_f16_from_float(65520.0f), 0x7c00);
    assert_int_equal(pg_f16_from_float(65519.0f), 0x7bff);
    assert_int_equal(pg_f16_from_float(0x1p-25f), 0);
    assert_int_equal(pg_f16_from_float(-0x1.8p-25f), 0x8001);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_are_one_line_and_nest),
        cmocka_unit_test(allocations_are_checked),
        cmocka_unit_test(buffers_grow),
        cmocka_unit_test(halves_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
