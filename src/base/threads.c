/* The pool. A job is open while its caller works on it; helpers enter an open job, take task numbers from a counter
 * until there are none left, and leave. The caller closes the job when the tasks are used up and waits for those
 * inside. A helper that comes late finds the job closed and has nothing to do, so nobody waits for a thread that is
 * still asleep. */
#include "base/threads.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/cpus.h"

#define SPINS 4000 /* about 50 microseconds: the gap between two operations of a model, not between two requests */

/* state: bit 0 open, bits 1..15 helpers inside, the rest the number of the job */
#define OPEN          1u
#define ONE_INSIDE    2u
#define INSIDE(state) ((state) >> 1 & 0x7fff)
#define JOB(state)    ((state) >> 16)

static struct {
    atomic_flag busy; /* held by the thread whose job runs */
    _Atomic uint64_t state;
    atomic_int sleeping;
    bool quit; /* under `lock` */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    int helpers;
    pthread_t threads[PG_THREADS_MAX];
    /* the job: written while it is closed and empty */
    pg_task *task;
    void *context;
    int64_t count;
    int limit;
    atomic_int_fast64_t next;
} pool = {.busy = ATOMIC_FLAG_INIT, .lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

static _Thread_local bool inside_task;

static void pause_briefly(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void run_tasks(int worker)
{
    inside_task = true;
    for (int64_t i; (i = atomic_fetch_add(&pool.next, 1)) < pool.count;)
        pool.task(pool.context, i, worker);
    inside_task = false;
}

static bool is_new(uint64_t state, uint64_t seen)
{
    return (state & OPEN) && JOB(state) != seen;
}

/* Waits for a job that this helper has not seen; 0 means quit. */
static uint64_t wait_for_job(uint64_t seen)
{
    uint64_t state;
    for (int i = 0; i < SPINS; i++) {
        if (is_new(state = atomic_load(&pool.state), seen))
            return state;
        pause_briefly();
    }
    pthread_mutex_lock(&pool.lock);
    atomic_fetch_add(&pool.sleeping, 1);
    while (!is_new(state = atomic_load(&pool.state), seen) && !pool.quit)
        pthread_cond_wait(&pool.wake, &pool.lock);
    atomic_fetch_sub(&pool.sleeping, 1);
    bool quit = pool.quit;
    pthread_mutex_unlock(&pool.lock);
    return quit ? 0 : state;
}

static void *help(void *argument)
{
    int worker = (int)(intptr_t)argument;
    uint64_t seen = 0;
    for (uint64_t state; (state = wait_for_job(seen)) != 0;) {
        if (!atomic_compare_exchange_strong(&pool.state, &state, state + ONE_INSIDE))
            continue;
        seen = JOB(state);
        if (worker < pool.limit)
            run_tasks(worker);
        atomic_fetch_sub(&pool.state, ONE_INSIDE);
    }
    return NULL;
}

/* In a forked child the helpers are gone; the job they were in is the parent's. */
static void forget_helpers(void)
{
    pool.helpers = 0;
    atomic_store(&pool.state, JOB(atomic_load(&pool.state)) << 16);
    atomic_store(&pool.sleeping, 0);
    atomic_flag_clear(&pool.busy);
    pthread_mutex_init(&pool.lock, NULL);
    pthread_cond_init(&pool.wake, NULL);
}

static void register_fork_handler(void)
{
    pthread_atfork(NULL, NULL, forget_helpers);
}

static void start_helpers(int wanted)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, register_fork_handler);
    while (pool.helpers < wanted) {
        int worker = pool.helpers + 1;
        if (pthread_create(&pool.threads[pool.helpers], NULL, help, (void *)(intptr_t)worker) != 0)
            return;
        pool.helpers++;
    }
}

/* Joins the helpers when the library is unloaded or the program ends. */
__attribute__((destructor)) static void stop_helpers(void)
{
    if (pool.helpers == 0 || atomic_flag_test_and_set(&pool.busy))
        return;
    pthread_mutex_lock(&pool.lock);
    pool.quit = true;
    pthread_cond_broadcast(&pool.wake);
    pthread_mutex_unlock(&pool.lock);
    for (int i = 0; i < pool.helpers; i++)
        pthread_join(pool.threads[i], NULL);
    pool.helpers = 0;
}

static void run_alone(int64_t count, pg_task *task, void *context)
{
    for (int64_t i = 0; i < count; i++)
        task(context, i, 0);
}

void pg_parallel(int threads, int64_t count, pg_task *task, void *context)
{
    if (threads > PG_THREADS_MAX)
        threads = PG_THREADS_MAX;
    if (threads <= 1 || count <= 1 || inside_task || atomic_flag_test_and_set(&pool.busy)) {
        run_alone(count, task, context);
        return;
    }
    start_helpers(threads - 1);
    pool.task = task;
    pool.context = context;
    pool.count = count;
    pool.limit = threads;
    atomic_store(&pool.next, 0);
    uint64_t job = JOB(atomic_load(&pool.state)) + 1;
    atomic_store(&pool.state, job << 16 | OPEN);
    if (atomic_load(&pool.sleeping) > 0) {
        pthread_mutex_lock(&pool.lock);
        pthread_cond_broadcast(&pool.wake);
        pthread_mutex_unlock(&pool.lock);
    }
    run_tasks(0);
    atomic_fetch_sub(&pool.state, OPEN);
    for (int spins = 0; INSIDE(atomic_load(&pool.state));)
        if (spins < SPINS) {
            pause_briefly();
            spins++;
        } else
            sched_yield(); /* a helper has lost its CPU, perhaps to this thread */
    atomic_flag_clear(&pool.busy);
}

int pg_threads_default(void)
{
    pg_cpus allowed;
    pg_cpus_allowed(&allowed);
    int threads = pg_cpus_count("", &allowed);
    return threads > PG_THREADS_MAX ? PG_THREADS_MAX : threads;
}
