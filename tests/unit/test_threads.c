/* base/threads.c, arena.c, random.c */
#include "check.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/random.h"
#include "base/threads.h"

typedef struct counter {
    int runs[1000];
    int busy[PG_THREADS_MAX];
    int threads;
} counter;

static void count_run(void *context, int64_t index, int worker)
{
    counter *c = context;
    c->runs[index]++;
    if (worker < 0 || worker >= c->threads)
        abort();
    int before =
        __atomic_fetch_add(&c->busy[worker], 1, __ATOMIC_SEQ_CST); /* nobody else has this worker's number now */
    if (before != 0)
        abort();
    __atomic_fetch_sub(&c->busy[worker], 1, __ATOMIC_SEQ_CST);
}

static void run_many(int threads, int64_t count)
{
    counter c = {.threads = threads};
    pg_parallel(threads, count, count_run, &c);
    for (int64_t i = 0; i < 1000; i++)
        assert_int_equal(c.runs[i], i < count);
}

static void every_task_runs_once(void **state)
{
    (void)state;
    for (int round = 0; round < 300; round++)
        for (int threads = 1; threads <= 5; threads++)
            run_many(threads, round % 7 * 100 + round % 3);
}

static void *run_from_thread(void *argument)
{
    (void)argument;
    for (int round = 0; round < 200; round++)
        run_many(3, 50);
    return NULL;
}

static void callers_share_the_pool(void **state)
{
    (void)state;
    pthread_t callers[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&callers[i], NULL, run_from_thread, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(callers[i], NULL);
}

static void run_inner(void *context, int64_t index, int worker)
{
    (void)context;
    (void)index;
    (void)worker;
    run_many(4, 10);
}

static void tasks_may_start_tasks(void **state)
{
    (void)state;
    pg_parallel(3, 20, run_inner, NULL);
}

static void a_child_can_use_it(void **state)
{
    (void)state;
    run_many(3, 100);
    pid_t child = fork();
    if (child == 0) {
        run_many(3, 100);
        _exit(0);
    }
    int result = -1;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_int_equal(result, 0);
    assert_in_range(pg_threads_default(), 1, PG_THREADS_MAX);
}

static void *run_until_told(void *told)
{
    while (!__atomic_load_n((int *)told, __ATOMIC_SEQ_CST))
        run_many(3, 500);
    return NULL;
}

/* Forked in the middle of another thread's jobs, a child has no helpers, and a pool that works. */
static void a_child_of_a_busy_parent_can_use_it(void **state)
{
    (void)state;
    int told = 0, result = -1;
    pthread_t busy;
    assert_int_equal(pthread_create(&busy, NULL, run_until_told, &told), 0);
    for (int i = 0; i < 20; i++) {
        pid_t child = fork();
        if (child == 0) {
            run_many(3, 300);
            run_many(4, 300);
            _exit(0);
        }
        assert_int_equal(waitpid(child, &result, 0), child);
        assert_int_equal(result, 0);
    }
    __atomic_store_n(&told, 1, __ATOMIC_SEQ_CST);
    pthread_join(busy, NULL);
}

static void arenas_keep_their_blocks(void **state)
{
    (void)state;
    pg_arena arena = {0};
    size_t size = 0;
    for (int round = 0; round < 3; round++) {
        pg_arena_mark mark = pg_arena_get_mark(&arena);
        char *first = pg_arena_alloc(&arena, 100);
        char *large = pg_arena_alloc(&arena, 5000000);
        char *small = pg_arena_alloc(&arena, 1);
        assert_true((uintptr_t)first % PG_ALIGNMENT == 0 && (uintptr_t)small % PG_ALIGNMENT == 0);
        memset(first, 1, 100);
        memset(large, 2, 5000000);
        small[0] = 3;
        assert_int_equal(first[99], 1);
        if (round > 0)
            assert_int_equal(pg_arena_size(&arena), size);
        size = pg_arena_size(&arena);
        pg_arena_release(&arena, mark);
    }
    assert_null(pg_arena_alloc(&arena, SIZE_MAX / 2));
    pg_arena_free(&arena);
}

static void random_numbers_are_spread_evenly(void **state)
{
    (void)state;
    int buckets[16] = {0};
    for (uint64_t i = 0; i < 160000; i++)
        buckets[(int)(pg_random_uniform(1, 2, i) * 16)]++;
    for (int i = 0; i < 16; i++)
        assert_in_range(buckets[i], 9600, 10400);
    assert_true(pg_random_bits(1, 2, 3) == pg_random_bits(1, 2, 3));
    assert_true(pg_random_bits(1, 2, 3) != pg_random_bits(1, 3, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_task_runs_once),
        cmocka_unit_test(callers_share_the_pool),
        cmocka_unit_test(tasks_may_start_tasks),
        cmocka_unit_test(a_child_can_use_it),
        cmocka_unit_test(a_child_of_a_busy_parent_can_use_it),
        cmocka_unit_test(arenas_keep_their_blocks),
        cmocka_unit_test(random_numbers_are_spread_evenly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
