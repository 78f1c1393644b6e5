/* Permutations: every number once, another order for every key, no order preferred. */
#include "check.h"

#include <stdlib.h>

#include "data/permutation.h"

static void every_number_comes_once(void **state)
{
    (void)state;
    static const uint64_t counts[] = {1, 2, 3, 4, 5, 16, 17, 63, 64, 65, 1000, 4097};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
        for (uint64_t stream = 0; stream < 3; stream++) {
            uint8_t *seen = calloc(counts[c], 1);
            for (uint64_t i = 0; i < counts[c]; i++) {
                uint64_t at = pg_permutation_at(counts[c], 7, stream, i);
                assert_true(at < counts[c]);
                assert_false(seen[at]++);
            }
            free(seen);
        }
}

/* Chi-squared of where place 0 of `count` goes, over many keys: for 5 degrees of freedom, 25 is passed once in 7000. */
static void no_order_is_preferred(void **state)
{
    (void)state;
    for (uint64_t count = 2; count <= 6; count++)
        for (uint64_t place = 0; place < count; place++) {
            double found[6] = {0}, sum = 0, expected = 12000.0 / (double)count;
            for (uint64_t key = 0; key < 12000; key++)
                found[pg_permutation_at(count, key, 1, place)]++;
            for (uint64_t i = 0; i < count; i++)
                sum += (found[i] - expected) * (found[i] - expected) / expected;
            if (sum > 25)
                fail_msg("count %llu, place %llu: chi-squared %g", (unsigned long long)count, (unsigned long long)place,
                         sum);
        }
}

static void large_sets_are_shuffled(void **state)
{
    (void)state;
    const uint64_t count = (uint64_t)1 << 40;
    uint64_t rising = 0, last = 0;
    for (uint64_t i = 0; i < 1000; i++) {
        uint64_t at = pg_permutation_at(count, 3, 9, i);
        assert_true(at < count);
        rising += at > last;
        last = at;
    }
    assert_in_range(rising, 420, 580);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_comes_once),
        cmocka_unit_test(no_order_is_preferred),
        cmocka_unit_test(large_sets_are_shuffled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
