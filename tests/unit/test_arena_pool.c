/* base/arena_pool.c */
#include "check.h"

#include "base/arena_pool.h"

static void memory_comes_back(void **state)
{
    (void)state;
    pg_arena_pool *pool;
    CHECK_OK(pg_arena_pool_new(&pool));
    pg_arena a = pg_arena_pool_take(pool), b = pg_arena_pool_take(pool);
    void *first = pg_arena_alloc(&a, 1000), *second = pg_arena_alloc(&b, 1000);
    assert_true(first && second && first != second);
    size_t size = pg_arena_size(&a);
    pg_arena_pool_give(pool, a);
    a = pg_arena_pool_take(pool);
    assert_int_equal(pg_arena_size(&a), size);
    assert_ptr_equal(pg_arena_alloc(&a, 1000), first);
    pg_arena_pool_give(pool, b);
    pg_arena_pool_give(pool, a);
    pg_arena_pool_free(pool);
    pg_arena_pool_free(NULL);
}

/* An arena that cannot be kept is freed; later ones are kept again. */
static void no_memory_is_no_failure(void **state)
{
    (void)state;
    pg_arena_pool *pool;
    pg_memory_fail_from(1);
    pg_status status = pg_arena_pool_new(&pool);
    pg_memory_fail_from(0);
    assert_int_equal(status, PG_ERROR_MEMORY);
    CHECK_OK(pg_arena_pool_new(&pool));
    pg_arena arena = pg_arena_pool_take(pool);
    assert_non_null(pg_arena_alloc(&arena, 1000));
    pg_memory_fail_from(1);
    pg_arena_pool_give(pool, arena);
    pg_memory_fail_from(0);
    arena = pg_arena_pool_take(pool);
    assert_int_equal(pg_arena_size(&arena), 0);
    pg_arena_pool_give(pool, arena);
    pg_arena_pool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_comes_back),
        cmocka_unit_test(no_memory_is_no_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
