/* What is tried again, and what is said when that does not help. */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "hub/hub_job.h"

#define MOST_FAILURES       6
#define MOST_UNREACHABLE    2 /* before anything was received: nobody waits half a minute to learn of a missing cable */
#define FIRST_DELAY         0.25 /* seconds, doubled each time */
#define LONGEST_RETRY_AFTER 300.

static bool is_passing(const pg_http_answer *answer)
{
    if (answer->trouble)
        return !answer->hopeless;
    /* an address on another host is signed, and its signature runs out: the next try asks for a new one */
    return answer->code == 408 || answer->code == 429 || (answer->code >= 500 && answer->code != 501) ||
           answer->code == 200 || answer->code == 206 || (!answer->own_host && answer->code >= 400);
}

static const char *endpoint_of(const pg_hub_job *job)
{
    return job->place.endpoint.data;
}

static pg_status refuse_trouble(const pg_hub_job *job, const pg_http_answer *answer)
{
    if (answer->unreachable && job->progress.done <= job->progress.before)
        return pg_fail(PG_ERROR_FILE, "%s: %s cannot be reached: %s; HF_HUB_OFFLINE=1 uses what the cache has",
                       job->repository, endpoint_of(job), answer->trouble);
    if (answer->hopeless)
        return pg_fail(PG_ERROR_FILE, "%s: %s: %s", job->repository, endpoint_of(job), answer->trouble);
    return pg_fail(PG_ERROR_FILE, "%s: %s: %s; what was fetched is kept, and the next try goes on there",
                   job->repository, endpoint_of(job), answer->trouble);
}

/* Published under conditions that a person has to accept. */
static pg_status refuse_gated(const pg_hub_job *job)
{
    if (!job->place.token.size)
        return pg_fail(PG_ERROR_FILE,
                       "%s: its conditions must be accepted: visit %s/%s, then set HF_TOKEN to a token "
                       "from %s/settings/tokens",
                       job->repository, endpoint_of(job), job->repository, endpoint_of(job));
    return pg_fail(PG_ERROR_FILE,
                   "%s: the account of the token has no access: visit %s/%s and accept its conditions; "
                   "HF_TOKEN must be a token that may read gated models",
                   job->repository, endpoint_of(job), job->repository);
}

static pg_status refuse_stranger(const pg_hub_job *job, const pg_http_answer *answer)
{
    if (!job->place.token.size)
        return pg_fail(PG_ERROR_FILE,
                       "%s: there is no such model, or not for everybody: visit %s/%s; a private one "
                       "needs a token in HF_TOKEN",
                       job->repository, endpoint_of(job), job->repository);
    return pg_fail(PG_ERROR_FILE,
                   "%s: %s answers %ld to the token: it is not valid, or may not read this; visit %s/%s "
                   "and look at HF_TOKEN",
                   job->repository, endpoint_of(job), answer->code, endpoint_of(job), job->repository);
}

static pg_status refuse_absent(const pg_hub_job *job, const char *what, const char *error)
{
    if (!strcmp(error, "RevisionNotFound"))
        return pg_fail(PG_ERROR_FILE, "%s: has no revision \"%s\"; see %s/%s/tree/main for those that it has",
                       job->repository, job->revision, endpoint_of(job), job->repository);
    if (what)
        return pg_fail(PG_ERROR_FILE, "%s: %s: the hub lists it but does not have it", job->repository, what);
    return pg_fail(PG_ERROR_FILE, "%s: there is no such model at %s", job->repository, endpoint_of(job));
}

static pg_status refuse(const pg_hub_job *job, const char *what, const pg_http_answer *answer)
{
    const char *error = answer->headers[PG_HTTP_ERROR_CODE];
    bool forbidden = answer->own_host && (answer->code == 401 || answer->code == 403);
    if (answer->trouble)
        return refuse_trouble(job, answer);
    if (forbidden && !strcmp(error, "GatedRepo"))
        return refuse_gated(job);
    if (forbidden)
        return refuse_stranger(job, answer);
    if (answer->own_host && answer->code == 404)
        return refuse_absent(job, what, error);
    if (answer->retry_after > 0)
        return pg_fail(PG_ERROR_FILE, "%s: %s answers %ld and asks to come back in %.0f s; what was fetched is kept",
                       job->repository, endpoint_of(job), answer->code, answer->retry_after);
    return pg_fail(PG_ERROR_FILE, "%s: %s%s%s answers %ld; what was fetched is kept, and the next try goes on there",
                   job->repository, what ? what : "", what ? ": " : "",
                   answer->own_host ? endpoint_of(job) : "the host of its files", answer->code);
}

pg_status pg_hub_be_patient(pg_hub_patience *patience, const pg_hub_job *job, const char *what,
                            const pg_http_answer *answer)
{
    bool fresh = answer->unreachable && job->progress.done <= job->progress.before;
    if (!is_passing(answer) || ++patience->failures >= (fresh ? MOST_UNREACHABLE : MOST_FAILURES) ||
        answer->retry_after > LONGEST_RETRY_AFTER)
        return refuse(job, what, answer);
    double delay = fmax(ldexp(FIRST_DELAY, patience->failures - 1), answer->retry_after);
    patience->until = pg_clock() + delay;
    return PG_OK;
}
