#include "train/schedule.h"

#include <math.h>
#include <string.h>

static const char *const kind_names[] = {"cosine", "linear", "constant", "rsqrt"};

void pg_schedule_init(pg_schedule *schedule)
{
    *schedule = (pg_schedule){.kind = PG_SCHEDULE_COSINE, .warm = -1, .warm_share = 0.05, .timescale = 10000};
}

const char *pg_schedule_name(pg_schedule_kind kind)
{
    return kind_names[kind];
}

bool pg_schedule_parse(pg_schedule_kind *out, const char *name)
{
    for (int kind = 0; kind < PG_SCHEDULE_COUNT; kind++)
        if (!strcmp(kind_names[kind], name)) {
            *out = (pg_schedule_kind)kind;
            return true;
        }
    return false;
}

pg_status pg_schedule_check(const pg_schedule *s)
{
    if (!(s->base >= 0 && s->base < INFINITY))
        return pg_fail(PG_ERROR_ARGUMENT, "schedule: the learning rate is %g, expected 0 or more", s->base);
    if (s->total < 1)
        return pg_fail(PG_ERROR_ARGUMENT, "schedule: %lld steps, expected 1 or more", (long long)s->total);
    if (s->warm > s->total)
        return pg_fail(PG_ERROR_ARGUMENT, "schedule: %lld steps of warm-up in a run of %lld", (long long)s->warm,
                       (long long)s->total);
    if (s->warm < 0 && !(s->warm_share >= 0 && s->warm_share <= 1))
        return pg_fail(PG_ERROR_ARGUMENT, "schedule: the share of warm-up is %g, expected 0 to 1", s->warm_share);
    if (!(s->final >= 0 && s->final <= 1))
        return pg_fail(PG_ERROR_ARGUMENT, "schedule: the final share is %g, expected 0 to 1", s->final);
    if (s->kind == PG_SCHEDULE_RSQRT && !(s->timescale > 0))
        return pg_fail(PG_ERROR_ARGUMENT, "schedule: the time scale is %g, expected more than 0", s->timescale);
    return PG_OK;
}

int64_t pg_schedule_warm(const pg_schedule *schedule)
{
    return schedule->warm >= 0 ? schedule->warm : (int64_t)(schedule->warm_share * (double)schedule->total);
}

double pg_schedule_rate(const pg_schedule *s, int64_t i)
{
    int64_t warm = pg_schedule_warm(s);
    if (i < warm)
        return s->base * (double)i / (double)warm;
    double share = s->total > warm ? fmin(1, (double)(i - warm) / (double)(s->total - warm)) : 1;
    switch (s->kind) {
    case PG_SCHEDULE_COSINE: return s->base * (s->final + (1 - s->final) * (1 + cos(acos(-1) * share)) / 2);
    case PG_SCHEDULE_LINEAR: return s->base * (1 - (1 - s->final) * share);
    case PG_SCHEDULE_RSQRT: return s->base * fmax(s->final, 1 / sqrt(1 + (double)(i - warm) / s->timescale));
    default: return s->base;
    }
}
