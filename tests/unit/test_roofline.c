/* The measuring loops of every table run and count what they do; how fast they are is the machine's affair. */
#include "check.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "kernels/roofline.h"

static void test_median(void **state)
{
    (void)state;
    double odd[] = {3, 1, 2}, even[] = {4, 1, 3, 2}, one[] = {7};
    assert_true(pg_median(odd, 3) == 2 && odd[0] == 1 && odd[2] == 3);
    assert_true(pg_median(even, 4) == 2.5);
    assert_true(pg_median(one, 1) == 7);
}

/* Every byte is read once, in whatever order. */
static void test_read_covers_all_bytes(void **state)
{
    (void)state;
    enum { SIZE = 65536 };
    unsigned char *bytes = pg_alloc(SIZE, 1);
    for (int t = 0; pg_kernels_at(t); t++) {
        const pg_roofline_kernels *roofline = pg_kernels_at(t)->roofline;
        for (int streams = 1; streams <= 8; streams *= 2)
            for (int64_t ahead = 0; ahead <= 2048; ahead += 2048) {
                uint64_t none = roofline->read((char *)bytes, SIZE, streams, ahead);
                assert_true(none == 0);
                for (int i = 0; i < 64; i++) {
                    int at = rand() % SIZE;
                    bytes[at] = 1;
                    assert_true(roofline->read((char *)bytes, SIZE, streams, ahead) != 0);
                    bytes[at] = 0;
                }
            }
    }
    pg_free(bytes);
}

static void test_chains_run(void **state)
{
    (void)state;
    for (int t = 0; pg_kernels_at(t); t++)
        for (int peak = 0; peak < PG_PEAK_COUNT; peak++) {
            const pg_roofline_kernels *roofline = pg_kernels_at(t)->roofline;
            assert_true(roofline->operations[peak] > 0);
            roofline->chains[peak](100);
        }
}

static void test_speeds(void **state)
{
    (void)state;
    const pg_kernels *kernels = pg_kernels_best();
    pg_roofline_memory *memory;
    assert_true(pg_roofline_peak(kernels, 2, PG_PEAK_F32) > 0);
    CHECK_OK(pg_roofline_memory_new(&memory, kernels, 2));
    assert_true(pg_roofline_read(memory) > 0);
    pg_roofline_memory_free(memory);
    pg_memory_fail_from(1);
    CHECK_FAILS(pg_roofline_memory_new(&memory, kernels, 2), PG_ERROR_MEMORY, "memory");
    pg_memory_fail_from(2);
    CHECK_FAILS(pg_roofline_memory_new(&memory, kernels, 2), PG_ERROR_MEMORY, "memory");
    pg_memory_fail_from(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_median),
        cmocka_unit_test(test_read_covers_all_bytes),
        cmocka_unit_test(test_chains_run),
        cmocka_unit_test(test_speeds),
    };
    return cmocka_run_group_tests_name("roofline", tests, NULL, NULL);
}
