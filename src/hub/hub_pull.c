#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "hub/hub_job.h"

#define REPORT_EVERY 0.1 /* seconds */

void pg_hub_options_init(pg_hub_options *options)
{
    *options = (pg_hub_options){0};
}

pg_status pg_hub_report(pg_hub_job *job, bool now)
{
    double time = pg_clock();
    if (!job->options->on_progress || (!now && time - job->reported < REPORT_EVERY))
        return PG_OK;
    job->reported = time;
    if (job->options->on_progress(job->options->user, &job->progress))
        return PG_OK;
    return pg_fail(PG_ERROR_CANCELLED, "%s: cancelled; what was fetched is kept, and the next try goes on there",
                   job->repository);
}

/* ---------------------------------------------------------------- what the cache has */

/* The folder of the snapshot that the cache has for the revision, in *out; NULL where it has none, or where something
 * is missing in it, which *missing names then (freed with pg_free). */
static pg_status find_snapshot(char **out, char **missing, const pg_hub_job *job)
{
    char commit[41];
    bool known;
    pg_buffer folder = {0};
    *out = *missing = NULL;
    PG_TRY(pg_hub_cache_commit(commit, &known, &job->cache, job->revision));
    if (!known)
        return PG_OK;
    pg_status status = pg_hub_cache_snapshot(&folder, &job->cache, commit);
    if (status == PG_OK && pg_file_is_folder(folder.data))
        status = pg_hub_cache_check(missing, folder.data);
    if (status == PG_OK && !*missing && pg_file_is_folder(folder.data) &&
        !(*out = pg_copy_text(folder.data, folder.size)))
        status = PG_ERROR_MEMORY;
    pg_buffer_free(&folder);
    return status;
}

static pg_status find_offline(char **out, const pg_hub_job *job)
{
    char *missing;
    PG_TRY(find_snapshot(out, &missing, job));
    if (*out)
        return PG_OK;
    pg_status status =
        missing
            ? pg_fail(PG_ERROR_FILE, "%s: %s is not in the cache (%s), and HF_HUB_OFFLINE forbids to fetch it",
                      job->repository, missing, job->cache.folder.data)
            : pg_fail(PG_ERROR_FILE, "%s: revision %s is not in the cache (%s), and HF_HUB_OFFLINE forbids to fetch it",
                      job->repository, job->revision, job->cache.folder.data);
    pg_free(missing);
    return status;
}

/* ---------------------------------------------------------------- a pull */

/* A file of this commit that the snapshot has is not asked for again: commits do not change. */
static pg_status prepare_files(pg_hub_job *job)
{
    size_t count = job->listing.files.count;
    pg_buffer path = {0};
    job->files = pg_alloc(count, sizeof *job->files);
    pg_status status = job->files ? PG_OK : PG_ERROR_MEMORY;
    for (size_t i = 0; status == PG_OK && i < count; i++) {
        job->files[i].name = job->listing.files.items[i];
        status = pg_hub_cache_file(&path, &job->cache, job->listing.commit, job->files[i].name);
        job->files[i].linked = status == PG_OK && pg_file_exists(path.data);
    }
    pg_buffer_free(&path);
    return status;
}

static bool is_configuration(const char *name)
{
    return !strcmp(name, "config.json") || !strcmp(name, "adapter_config.json");
}

/* The configuration comes last: a snapshot that has one has the rest too. */
static pg_status link_files(const pg_hub_job *job)
{
    for (int last = 0; last < 2; last++)
        for (size_t i = 0; i < job->listing.files.count; i++) {
            const pg_hub_file *file = &job->files[i];
            if (!file->linked && is_configuration(file->name) == last)
                PG_TRY(pg_hub_cache_link(&job->cache, job->listing.commit, file->name, file->etag));
        }
    return pg_hub_cache_keep_commit(&job->cache, job->revision, job->listing.commit);
}

static pg_status fetch_all(char **out, pg_hub_job *job)
{
    const pg_hub_options *options = job->options;
    pg_buffer folder = {0};
    PG_TRY(pg_http_new(&job->http, &job->place));
    PG_TRY(pg_hub_report(job, true));
    PG_TRY(pg_hub_ask_listing(job));
    PG_TRY(pg_hub_listing_select(&job->listing, options->include, options->include_count, job->repository));
    PG_TRY(prepare_files(job));
    PG_TRY(pg_hub_ask_files(job));
    PG_TRY(pg_hub_cache_make(&job->cache));
    PG_TRY(pg_hub_fetch(job));
    PG_TRY(link_files(job));
    PG_TRY(pg_hub_report(job, true));
    pg_status status = pg_hub_cache_snapshot(&folder, &job->cache, job->listing.commit);
    if (status == PG_OK && !(*out = pg_copy_text(folder.data, folder.size)))
        status = PG_ERROR_MEMORY;
    pg_buffer_free(&folder);
    return status;
}

/* Names and places of everything. */
static pg_status start(pg_hub_job *job, const pg_hub_name *name)
{
    const char *given = job->options->revision;
    job->repository = name->repository;
    job->revision = given ? given : name->revision ? name->revision : "main";
    if (given && name->revision && strcmp(given, name->revision))
        return pg_fail(PG_ERROR_ARGUMENT, "%s: found two revisions, %s and %s", name->repository, name->revision,
                       given);
    if (!pg_hub_revision_is_safe(job->revision))
        return pg_fail(PG_ERROR_ARGUMENT, "%s: \"%s\" is no revision; expected a branch, a tag or a commit",
                       name->repository, job->revision);
    if (job->options->connections < 0 || job->options->connections > 64)
        return pg_fail(PG_ERROR_ARGUMENT, "connections: found %d, expected 1 to 64", job->options->connections);
    PG_TRY(pg_hub_place_find(&job->place));
    return pg_hub_cache_name(&job->cache, job->place.cache.data, job->repository);
}

/* From the cache where it is there (`cached`) or the hub must not be asked, else from the hub. */
static pg_status get(char **out, pg_hub_job *job, bool cached)
{
    char *missing = NULL;
    *out = NULL;
    if (job->place.offline)
        return find_offline(out, job);
    if (cached)
        PG_TRY(find_snapshot(out, &missing, job));
    pg_free(missing);
    return *out ? PG_OK : fetch_all(out, job);
}

static pg_status pull(char **out, const char *text, const pg_hub_options *options, bool cached)
{
    pg_hub_options defaults;
    pg_hub_name name;
    pg_hub_options_init(&defaults);
    pg_hub_job job = {.options = options ? options : &defaults};
    *out = NULL;
    PG_TRY(pg_hub_name_parse(&name, text));
    pg_status status = start(&job, &name);
    if (status == PG_OK)
        status = get(out, &job, cached);
    pg_http_free(job.http);
    pg_free(job.files);
    pg_hub_listing_free(&job.listing);
    pg_hub_cache_free(&job.cache);
    pg_hub_place_free(&job.place);
    pg_hub_name_free(&name);
    return status;
}

pg_status pg_hub_pull(char **out, const char *name, const pg_hub_options *options)
{
    return pull(out, name, options, false);
}

pg_status pg_hub_find(char **out, const char *name, const pg_hub_options *options)
{
    if (pg_hub_is_name(name)) {
        pg_status status = pull(out, name, options, true);
        bool plain = strncmp(name, "hub:", 4) != 0; /* which may have been meant for a path */
        return status == PG_OK || !plain ? status : pg_fail_context(status, "no folder here; on the hub");
    }
    *out = pg_copy_text(name, SIZE_MAX);
    return *out ? PG_OK : PG_ERROR_MEMORY;
}
