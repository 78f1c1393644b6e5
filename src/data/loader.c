/*
 * Rows made ahead. Threads take positions in order and put what becomes of them into a ring of slots, slot = position
 * modulo the ring's size; the caller takes the slots in order and judges there what to do with bad rows, so that
 * nothing depends on which thread was faster. A thread waits while its position is a whole ring ahead of the caller's.
 *
 * These threads are the loader's own: base/threads.c runs one job at a time, and that is the trainer's arithmetic.
 */
#include <pthread.h>

#include "base/clock.h"
#include "base/memory.h"
#include "data/sample.h"

#define AHEAD        32
#define COUNTED_ROWS 100 /* at least, before a share is one */

/* What became of a position. */
typedef struct slot {
    bool ready;
    pg_status status;
    pg_sample *sample; /* NULL with PG_OK: too long */
    char *error;       /* NULL with a failure: out of memory */
} slot;

struct pg_loader {
    const pg_mixture *mixture;
    pg_loader_options options;
    pthread_t *threads;
    size_t thread_count, ahead;
    pthread_mutex_t lock;        /* of everything below up to `stop` */
    pthread_cond_t filled, room; /* a slot was filled; the caller took one */
    slot *slots;
    uint64_t next, taken; /* positions: to be made, to be taken */
    bool stop;
    uint64_t since_good;
    pg_loader_report report;
    char **bad;
};

/* ---------------------------------------------------------------- threads */

static slot make_slot(const pg_loader *loader, uint64_t position)
{
    slot made = {.ready = true};
    made.status = pg_sample_load(&made.sample, loader->mixture, &loader->options, position);
    if (made.status != PG_OK)
        made.error = pg_copy_text(pg_error_last(), SIZE_MAX);
    return made;
}

/* The next position, once there is room for it; false when the loader closes. Called with the lock. */
static bool wait_for_room(uint64_t *position, pg_loader *loader)
{
    uint64_t end = loader->options.end ? loader->options.end : UINT64_MAX;
    while (!loader->stop && (loader->next >= end || loader->next - loader->taken >= loader->ahead))
        pthread_cond_wait(&loader->room, &loader->lock);
    *position = loader->next;
    if (!loader->stop)
        loader->next++;
    return !loader->stop;
}

static void *work(void *memory)
{
    pg_loader *loader = memory;
    uint64_t position;
    pthread_mutex_lock(&loader->lock);
    while (wait_for_room(&position, loader)) {
        pthread_mutex_unlock(&loader->lock);
        slot made = make_slot(loader, position);
        pthread_mutex_lock(&loader->lock);
        loader->slots[position % loader->ahead] = made;
        pthread_cond_signal(&loader->filled);
    }
    pthread_mutex_unlock(&loader->lock);
    return NULL;
}

static pg_status start_threads(pg_loader *loader)
{
    size_t wanted = loader->options.threads ? (size_t)loader->options.threads : 1;
    loader->threads = pg_alloc(wanted, sizeof *loader->threads);
    if (!loader->threads)
        return PG_ERROR_MEMORY;
    while (loader->thread_count < wanted &&
           pthread_create(&loader->threads[loader->thread_count], NULL, work, loader) == 0)
        loader->thread_count++;
    return loader->thread_count ? PG_OK : pg_fail(PG_ERROR_MEMORY, "the loader cannot start a thread");
}

static pg_status fill(pg_loader *loader)
{
    loader->slots = pg_alloc(loader->ahead, sizeof *loader->slots);
    loader->bad = pg_alloc(loader->options.bad_listed, sizeof *loader->bad);
    return loader->slots && loader->bad ? start_threads(loader) : PG_ERROR_MEMORY;
}

pg_status pg_loader_open(pg_loader **out, const pg_mixture *mixture, const pg_loader_options *options)
{
    *out = NULL;
    PG_TRY(pg_loader_options_check(options));
    pg_loader *loader = pg_alloc(1, sizeof *loader);
    if (!loader)
        return PG_ERROR_MEMORY;
    loader->mixture = mixture;
    loader->options = *options;
    loader->ahead = options->ahead ? options->ahead : AHEAD;
    loader->next = loader->taken = loader->report.position = options->first;
    pthread_mutex_init(&loader->lock, NULL);
    pthread_cond_init(&loader->filled, NULL);
    pthread_cond_init(&loader->room, NULL);
    pg_status status = fill(loader);
    if (status == PG_OK)
        *out = loader;
    else
        pg_loader_close(loader);
    return status;
}

static void stop_threads(pg_loader *loader)
{
    pthread_mutex_lock(&loader->lock);
    loader->stop = true;
    pthread_cond_broadcast(&loader->room);
    pthread_mutex_unlock(&loader->lock);
    for (size_t i = 0; i < loader->thread_count; i++)
        pthread_join(loader->threads[i], NULL);
}

void pg_loader_close(pg_loader *loader)
{
    if (!loader)
        return;
    stop_threads(loader);
    for (size_t i = 0; loader->slots && i < loader->ahead; i++) {
        pg_sample_free(loader->slots[i].sample);
        pg_free(loader->slots[i].error);
    }
    for (size_t i = 0; i < loader->report.listed; i++)
        pg_free(loader->bad[i]);
    pg_free(loader->bad);
    pg_free(loader->slots);
    pg_free(loader->threads);
    pthread_cond_destroy(&loader->filled);
    pthread_cond_destroy(&loader->room);
    pthread_mutex_destroy(&loader->lock);
    pg_free(loader);
}

/* ---------------------------------------------------------------- taking rows */

static slot take_slot(pg_loader *loader)
{
    slot *wanted = &loader->slots[loader->taken % loader->ahead], taken;
    pthread_mutex_lock(&loader->lock);
    if (!wanted->ready) {
        double start = pg_clock();
        while (!wanted->ready)
            pthread_cond_wait(&loader->filled, &loader->lock);
        loader->report.waited += pg_clock() - start;
    }
    taken = *wanted;
    *wanted = (slot){0};
    loader->taken++;
    pthread_cond_signal(&loader->room); /* there is room for one row, and one thread's waiting is over */
    pthread_mutex_unlock(&loader->lock);
    loader->report.position++;
    loader->report.rows++;
    return taken;
}

static pg_status judge(const pg_loader *loader, const char *reason)
{
    const pg_loader_report *report = &loader->report;
    uint64_t counted = report->rows > COUNTED_ROWS ? report->rows : COUNTED_ROWS;
    if ((double)report->bad > loader->options.bad_share * (double)counted)
        return pg_fail(PG_ERROR_LIMIT, "%llu of %llu rows are bad, more than the share of %g that may be; the last: %s",
                       (unsigned long long)report->bad, (unsigned long long)report->rows, loader->options.bad_share,
                       reason);
    return PG_OK;
}

/* Counts a bad row, and lists it if there is room; owns the slot's error. */
static pg_status pass_over(pg_loader *loader, const slot *bad)
{
    pg_loader_report *report = &loader->report;
    if (bad->status == PG_ERROR_MEMORY || !bad->error) {
        pg_status status = pg_fail(PG_ERROR_MEMORY, "%s", bad->error ? bad->error : "out of memory");
        pg_free(bad->error);
        return status;
    }
    report->bad++;
    pg_status status = judge(loader, bad->error);
    if (report->listed < loader->options.bad_listed)
        loader->bad[report->listed++] = bad->error;
    else
        pg_free(bad->error);
    return status;
}

/* A whole pass without a row would never end. */
static pg_status check_progress(pg_loader *loader)
{
    if (++loader->since_good < pg_mixture_count(loader->mixture))
        return PG_OK;
    return pg_fail(PG_ERROR_FORMAT, "of %llu rows none can be used: %llu are bad, %llu too long; %s",
                   (unsigned long long)loader->report.rows, (unsigned long long)loader->report.bad,
                   (unsigned long long)loader->report.too_long,
                   loader->report.listed ? loader->bad[loader->report.listed - 1] : "raise the context");
}

pg_status pg_loader_next(pg_sample **out, pg_loader *loader)
{
    *out = NULL;
    while (!loader->options.end || loader->report.position < loader->options.end) {
        slot taken = take_slot(loader);
        if (taken.status == PG_OK && taken.sample) {
            loader->since_good = 0;
            loader->report.truncated += taken.sample->truncated;
            *out = taken.sample;
            return PG_OK;
        }
        if (taken.status == PG_OK)
            loader->report.too_long++;
        else
            PG_TRY(pass_over(loader, &taken));
        PG_TRY(check_progress(loader));
    }
    return PG_OK;
}

pg_loader_report pg_loader_get_report(const pg_loader *loader)
{
    return loader->report;
}

const char *pg_loader_bad(const pg_loader *loader, size_t i)
{
    return i < loader->report.listed ? loader->bad[i] : NULL;
}
