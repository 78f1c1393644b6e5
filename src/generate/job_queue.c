#include "generate/job_queue.h"

#include <string.h>

void pg_job_queue_put(pg_job_queue *queue, pg_work *work)
{
    pg_work **end = &queue->first;
    while (*end)
        end = &(*end)->next;
    *end = work;
    work->next = NULL;
    queue->count++;
}

static uint64_t last_turn(const pg_job_queue *queue, const char *key)
{
    for (size_t i = 0; i < PG_JOB_TURNS && queue->turns[i].at; i++)
        if (strcmp(queue->turns[i].key, key) == 0)
            return queue->turns[i].at;
    return 0;
}

pg_work *pg_job_queue_next(const pg_job_queue *queue)
{
    pg_work *best = NULL;
    uint64_t best_turn = 0;
    for (pg_work *work = queue->first; work; work = work->next) {
        uint64_t turn = last_turn(queue, work->key);
        if (best && (work->job.priority < best->job.priority ||
                     (work->job.priority == best->job.priority && turn >= best_turn)))
            continue;
        best = work;
        best_turn = turn;
    }
    return best;
}

/* The key's place among the turns, an unused one, or that of the key whose turn was longest ago. */
static void note_turn(pg_job_queue *queue, const char *key)
{
    pg_job_turn *place = &queue->turns[0];
    for (size_t i = 0; i < PG_JOB_TURNS && place->at; i++) {
        pg_job_turn *turn = &queue->turns[i];
        if (!turn->at || strcmp(turn->key, key) == 0) {
            place = turn;
            break;
        }
        if (turn->at < place->at)
            place = turn;
    }
    memcpy(place->key, key, strlen(key) + 1);
    place->at = ++queue->served;
}

void pg_job_queue_take(pg_job_queue *queue, pg_work *work, bool served)
{
    pg_work **at = &queue->first;
    while (*at != work)
        at = &(*at)->next;
    *at = work->next;
    work->next = NULL;
    queue->count--;
    if (served)
        note_turn(queue, work->key);
}
