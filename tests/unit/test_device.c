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
        cmocka_unit_test(names),
        cmocka_unit_test(moves),
        cmocka_unit_test(scopes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
