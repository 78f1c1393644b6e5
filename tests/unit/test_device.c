/* Memory of a device, and copies there and back. */
#include "check.h"

#include <stdlib.h>

#include "base/device.h"
#include "kernels/devices.h"
#include "ops/ops.h"

static void names(void **state)
{
    (void)state;
    pg_device *device;
    CHECK_OK(pg_device_open(&device, "cpu"));
    assert_null(device);
    CHECK_FAILS(pg_device_open(&device, "gpu"), PG_ERROR_ARGUMENT, "expected cpu, cuda or cuda:N");
    CHECK_FAILS(pg_device_open(&device, "cuda:"), PG_ERROR_ARGUMENT, "expected cpu, cuda or cuda:N");
    CHECK_FAILS(pg_device_open(&device, "cuda:999"), PG_ERROR_UNSUPPORTED, "cuda:999");
}

/* Moves that overlap, both ways, on whatever device PG_TEST_DEVICE names. */
static void moves(void **state)
{
    (void)state;
    pg_device *device;
    CHECK_OK(pg_device_open(&device, getenv("PG_TEST_DEVICE")));
    char text[] = "abcdefghijklmnopqrstuvwxyz", back[sizeof text];
    char *memory = pg_values_alloc(device, sizeof text);
    pg_values_upload(device, memory, text, sizeof text);
    pg_values_move(device, memory + 3, memory, 10);
    memmove(text + 3, text, 10);
    pg_values_move(device, memory + 11, memory + 15, 11);
    memmove(text + 11, text + 15, 11);
    CHECK_OK(pg_values_download(device, back, memory, sizeof back));
    assert_string_equal(back, text);
    pg_values_clear(device, memory, 4);
    memset(text, 0, 4);
    CHECK_OK(pg_values_download(device, back, memory, sizeof back));
    assert_memory_equal(back, text, sizeof text);
    pg_values_free(device, memory, sizeof text);
    pg_device_close(device);
}

/* What was recorded works with what lies there when it is replayed. */
static void recordings(void **state)
{
    (void)state;
    pg_device *device;
    CHECK_OK(pg_device_open(&device, getenv("PG_TEST_DEVICE")));
    if (!device)
        skip();
    char back[12];
    char *memory = pg_values_alloc(device, sizeof back);
    pg_values_upload(device, memory, "abcdefghijk", sizeof back);
    assert_true(pg_device_record(device));
    assert_false(pg_device_record(device));
    pg_values_move(device, memory + 2, memory, 2);
    pg_values_clear(device, memory + 10, 1);
    pg_recording *recording = pg_device_end_record(device);
    assert_non_null(recording);
    CHECK_OK(pg_values_download(device, back, memory, sizeof back));
    assert_string_equal(back, "abcdefghijk");
    pg_values_upload(device, memory, "xy", 2);
    assert_true(pg_device_replay(device, recording));
    CHECK_OK(pg_values_download(device, back, memory, sizeof back));
    assert_string_equal(back, "xyxyefghij");
    pg_values_upload(device, memory, "z", 1);
    assert_true(pg_device_replay(device, recording));
    CHECK_OK(pg_values_download(device, back, memory, sizeof back));
    assert_string_equal(back, "zyzyefghij");
    pg_recording_free(device, recording);
    pg_values_free(device, memory, sizeof back);
    pg_device_close(device);
}

/* What cannot be recorded leaves the device as it was. */
static void no_recordings(void **state)
{
    (void)state;
    pg_device *device;
    CHECK_OK(pg_device_open(&device, getenv("PG_TEST_DEVICE")));
    if (!device)
        skip();
    char text[] = "abc";
    char *memory = pg_values_alloc(device, sizeof text);
    pg_values_upload(device, memory, text, sizeof text);
    for (int i = 0; i < 4; i++) {
        assert_true(pg_device_record(device));
        pg_values_clear(device, memory, 2);
        if (i == 0)
            assert_null(pg_values_alloc(device, sizeof text));
        else if (i == 1)
            pg_values_upload(device, memory, "xyz", 3);
        else if (i == 2)
            assert_int_not_equal(pg_values_download(device, text, memory, sizeof text), PG_OK);
        else
            assert_int_not_equal(pg_device_wait(device), PG_OK);
        assert_null(pg_device_end_record(device));
        CHECK_OK(pg_values_download(device, text, memory, sizeof text));
        assert_string_equal(text, "abc");
    }
    pg_values_free(device, memory, sizeof text);
    pg_device_close(device);
}

static void scopes(void **state)
{
    (void)state;
    pg_context g = {.threads = 1};
    pg_device *device;
    CHECK_OK(pg_device_open(&device, getenv("PG_TEST_DEVICE")));
    pg_context_on(&g, device);
    pg_arena_mark scope = pg_scope_begin(&g);
    pg_tensor_new(&g, 3, 5);
    pg_tensor *x = pg_tensor_new(&g, 2, 2);
    const float values[] = {1, 2, 3, 4};
    pg_values_upload(device, x->data, values, sizeof values);
    x = pg_scope_end(&g, scope, x);
    assert_memory_equal(pg_to_host(&g, x->data, sizeof values), values, sizeof values);
    pg_arena_free(&g.arena);
    pg_device_close(device);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),         cmocka_unit_test(moves),  cmocka_unit_test(recordings),
        cmocka_unit_test(no_recordings), cmocka_unit_test(scopes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
