#include "tensor/profile.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

pg_profile_scope pg_profile_begin(pg_profile *profile, const char *operation, const char *weight)
{
    return (pg_profile_scope){profile, operation, weight, profile ? pg_clock() : 0};
}

/* "operation part.layer.weight", the layer's number left out. */
static void print_name(char out[PG_PROFILE_NAME], const pg_profile_scope *scope)
{
    const char *weight = scope->weight ? scope->weight : "", *layer = strstr(weight, ".layer.");
    size_t head = layer ? (size_t)(layer - weight) + strlen(".layer") : strlen(weight);
    const char *tail = layer ? weight + head + 1 : "";
    tail += strspn(tail, "0123456789");
    snprintf(out, PG_PROFILE_NAME, "%s%s%.*s%s", scope->operation, *weight ? " " : "", (int)head, weight, tail);
}

void pg_profile_end(const pg_profile_scope *scope)
{
    pg_profile *profile = scope->profile;
    if (!profile)
        return;
    double seconds = pg_clock() - scope->start;
    char name[PG_PROFILE_NAME];
    print_name(name, scope);
    size_t i = 0;
    while (i < profile->count && strcmp(profile->entries[i].name, name) != 0)
        i++;
    if (i == PG_PROFILE_MAX)
        return;
    pg_profile_entry *entry = &profile->entries[i];
    if (i == profile->count) {
        profile->count++;
        memcpy(entry->name, name, sizeof name);
    }
    entry->calls++;
    entry->seconds += seconds;
}
