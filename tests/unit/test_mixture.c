/* Mixtures: every row as often as it should come, whatever the position begun with. */
#include "temporary_folder.h"
#include "sweep.h"

static pg_dataset *sets[3];
static const size_t sizes[] = {1, 7, 300};

static int setup(void **state)
{
    if (folder_setup(state))
        return -1;
    for (size_t s = 0; s < 3; s++) {
        pg_buffer text = {0};
        for (size_t i = 0; i < sizes[s]; i++)
            CHECK_OK(pg_buffer_print(&text, "{\"text\":\"row %zu\"}\n", i));
        CHECK_OK(pg_dataset_open(&sets[s], folder_write("rows.jsonl", text.data, text.size), NULL));
        unlink(folder_file("rows.jsonl")); /* the mapping stays */
        pg_buffer_free(&text);
    }
    return 0;
}

static int teardown(void **state)
{
    for (size_t s = 0; s < 3; s++)
        pg_dataset_close(sets[s]);
    return folder_teardown(state);
}

static pg_mixture *mix(double a, double b, double c, uint64_t repeat, bool shuffle)
{
    pg_mixture_part parts[] = {{sets[0], a, repeat}, {sets[1], b, 0}, {sets[2], c, 0}};
    pg_mixture *mixture;
    CHECK_OK(pg_mixture_new(&mixture, parts, 3, 42, shuffle));
    return mixture;
}

static void by_size_every_row_comes_once_in_a_pass(void **state)
{
    (void)state;
    pg_mixture *mixture = mix(0, 0, 0, 5, true);
    assert_int_equal(pg_mixture_count(mixture), 5 + 7 + 300);
    uint64_t same_as_before = 0;
    for (uint64_t pass = 0; pass < 3; pass++) {
        size_t seen[3][300] = {{0}}, part, row, other_part, other_row;
        for (uint64_t i = 0; i < 312; i++) {
            pg_mixture_at(&part, &row, mixture, pass * 312 + i);
            seen[part][row]++;
            pg_mixture_at(&other_part, &other_row, mixture, i);
            same_as_before += pass && part == other_part && row == other_row;
        }
        assert_int_equal(seen[0][0], 5);
        for (size_t i = 0; i < 7; i++)
            assert_int_equal(seen[1][i], 1);
        for (size_t i = 0; i < 300; i++)
            assert_int_equal(seen[2][i], 1);
    }
    assert_true(same_as_before < 40); /* a pass is not in the order of another */
    pg_mixture_free(mixture);
}

static void without_shuffling_rows_come_in_order(void **state)
{
    (void)state;
    pg_mixture *mixture = mix(0, 0, 0, 0, false);
    for (uint64_t i = 0; i < 616; i++) {
        size_t part, row, place = i % 308;
        pg_mixture_at(&part, &row, mixture, i);
        assert_int_equal(part, place < 1 ? 0 : place < 8 ? 1 : 2);
        assert_int_equal(row, place < 1 ? 0 : place < 8 ? place - 1 : place - 8);
    }
    pg_mixture_free(mixture);
}

static void by_weight_shares_are_kept(void **state)
{
    (void)state;
    pg_mixture *mixture = mix(1, 3, 6, 0, true);
    assert_int_equal(pg_mixture_count(mixture), 308);
    size_t seen[3] = {0}, rows[3][300] = {{0}}, part, row;
    for (uint64_t i = 0; i < 20000; i++) {
        pg_mixture_at(&part, &row, mixture, i);
        seen[part]++;
        rows[part][row]++;
        if (i == 999) {
            assert_in_range(seen[0], 60, 140); /* and everywhere about */
            assert_in_range(seen[1], 240, 360);
        }
    }
    assert_int_equal(seen[0], 2000);
    assert_int_equal(seen[1], 6000);
    assert_int_equal(seen[2], 12000);
    for (size_t i = 0; i < 7; i++)
        assert_in_range(rows[1][i], 857, 858); /* as often as any other row */
    for (size_t i = 0; i < 300; i++)
        assert_int_equal(rows[2][i], 40);
    pg_mixture_free(mixture);
    mixture = mix(1e-9, 1e9, 1e9, 0, true); /* a part that has a weight comes at all */
    size_t found = 0;
    for (uint64_t i = 0; i < 10000; i++) {
        pg_mixture_at(&part, &row, mixture, i);
        found += part == 0;
    }
    assert_int_equal(found, 1);
    pg_mixture_free(mixture);
}

/* Rounded shares of many parts have up to half a place too many each, of which the first had to pay all. */
static void of_many_parts_each_has_its_share(void **state)
{
    (void)state;
    static const size_t counts[] = {140, 160, 180, 1000, 1024};
    pg_mixture_part parts[1024];
    for (size_t i = 0; i < 1024; i++)
        parts[i] = (pg_mixture_part){sets[1], 0.5, 0};
    for (size_t n = 0; n < sizeof counts / sizeof *counts; n++) {
        pg_mixture *mixture;
        size_t seen[1024] = {0}, part, row, share = 10000 / counts[n];
        CHECK_OK(pg_mixture_new(&mixture, parts, counts[n], 42, true));
        for (uint64_t i = 0; i < 10000; i++) {
            pg_mixture_at(&part, &row, mixture, i);
            assert_true(part < counts[n] && row < 7);
            seen[part]++;
        }
        for (size_t i = 0; i < counts[n]; i++)
            assert_in_range(seen[i], share, share + 1);
        pg_mixture_free(mixture);
    }
}

static void senseless_parts_are_refused(void **state)
{
    (void)state;
    pg_mixture *mixture;
    pg_mixture_part negative[] = {{sets[0], -1, 0}}, half[] = {{sets[0], 1, 0}, {sets[1], 0, 0}};
    pg_mixture_part both[] = {{sets[0], 1, 2}}, many[] = {{sets[0], 0, 99999999}};
    CHECK_FAILS(pg_mixture_new(&mixture, NULL, 0, 1, true), PG_ERROR_ARGUMENT, "0 data sets");
    CHECK_FAILS(pg_mixture_new(&mixture, negative, 1, 1, true), PG_ERROR_ARGUMENT, "the weight is -1");
    CHECK_FAILS(pg_mixture_new(&mixture, half, 2, 1, true), PG_ERROR_ARGUMENT, "has no weight");
    CHECK_FAILS(pg_mixture_new(&mixture, both, 1, 1, true), PG_ERROR_ARGUMENT, "one of them decides");
    CHECK_FAILS(pg_mixture_new(&mixture, many, 1, 1, true), PG_ERROR_LIMIT, "repeated");
    assert_null(mixture);
}

static pg_status make_once(void)
{
    pg_mixture_part part = {sets[0], 0, 0};
    pg_mixture *mixture;
    pg_status status = pg_mixture_new(&mixture, &part, 1, 1, true);
    pg_mixture_free(mixture);
    return status;
}

static void memory_may_run_out(void **state)
{
    (void)state;
    CHECK_SWEEP(make_once());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_size_every_row_comes_once_in_a_pass),
        cmocka_unit_test(without_shuffling_rows_come_in_order),
        cmocka_unit_test(by_weight_shares_are_kept),
        cmocka_unit_test(of_many_parts_each_has_its_share),
        cmocka_unit_test(senseless_parts_are_refused),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
