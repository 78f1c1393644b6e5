/*
 * Files, over several connections. A file is cut into pieces, which are asked for in their order and arrive in any. The
 * first piece that is missing goes to the file as it comes; those behind it wait in memory. So a file never has a hole:
 * whatever interrupts, what is on the disk is a beginning, and its sum is computed on the way.
 *
 * A server that knows no ranges answers with the whole file: it is then fetched in one piece.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "hub/hub_blob.h"
#include "hub/hub_job.h"

#define PIECE      ((int64_t)8 << 20)
#define LOCK_DELAY 0.1 /* seconds between looks at another's lock */

typedef enum download_state { WANTED, OPEN, DONE } download_state;

/* A file on its way. */
typedef struct download {
    const pg_hub_file *file;
    pg_hub_blob blob;
    download_state state;
    pg_buffer url, located; /* on the hub; where that led the last time */
    int64_t next;           /* where the next piece begins */
    bool whole;             /* ranges are not known */
    int pieces;             /* of it that are on their way or wait */
    int64_t have;           /* bytes that the cache had at the beginning */
    double look;            /* when its lock is tried again */
} download;

typedef struct fetch fetch;

/* A place for a piece. */
typedef struct piece {
    fetch *fetch;
    download *of; /* NULL: free */
    int64_t from, size;
    int64_t got, stored; /* bytes that came, and that are in the file */
    uint8_t *bytes;      /* [PIECE], from the first time that it has to wait */
    bool busy, ranged, begun;
    pg_hub_patience patience;
} piece;

struct fetch {
    pg_hub_job *job;
    download *downloads;
    piece *pieces;
    size_t count, done, piece_count;
    int connections, busy;
};

/* ---------------------------------------------------------------- bytes into files */

static bool is_complete(const piece *p)
{
    return p->got == p->size;
}

static void release(piece *p)
{
    p->of->pieces--;
    p->of = NULL;
}

static pg_status store(piece *p, const void *bytes, size_t size)
{
    p->stored += (int64_t)size;
    return pg_hub_blob_write(&p->of->blob, bytes, size);
}

/* Whether what comes next for it comes next in the file. */
static bool is_first(const piece *p)
{
    return p->from + p->stored == p->of->blob.written;
}

/* Stores what had to wait for what was stored last. */
static pg_status store_waiting(fetch *f, const download *d)
{
    for (size_t i = 0; i < f->piece_count; i++) {
        piece *p = &f->pieces[i];
        if (p->of != d || p->got == p->stored || !is_first(p))
            continue;
        PG_TRY(store(p, p->bytes + p->stored, (size_t)(p->got - p->stored)));
        if (is_complete(p) && !p->busy)
            release(p);
        i = (size_t)-1; /* another one may be the next now */
    }
    return PG_OK;
}

static pg_status keep_waiting(piece *p, const void *bytes, size_t size)
{
    if (!p->bytes && !(p->bytes = pg_pages_alloc((size_t)PIECE)))
        return PG_ERROR_MEMORY;
    memcpy(p->bytes + p->got, bytes, size);
    return PG_OK;
}

static pg_status fail_changed(const piece *p, const char *what)
{
    return pg_fail(PG_ERROR_FORMAT, "%s: %s: %s while it was fetched; try again", p->fetch->job->repository,
                   p->of->file->name, what);
}

/* The first bytes of an answer: is it what was asked for? */
static pg_status check_answer(piece *p, const pg_http_answer *answer)
{
    const pg_hub_file *file = p->of->file;
    int64_t from = 0, total = -1;
    char etag[PG_HUB_SUM_SIZE];
    p->of->whole |= p->ranged && answer->code == 200;
    if (answer->code == 200)
        total = p->ranged ? -1 : pg_hub_size_read(answer->headers[PG_HTTP_LENGTH]);
    else if (!p->ranged || !pg_hub_range_read(&from, &total, answer->headers[PG_HTTP_RANGE]) ||
             from != p->from + p->got)
        return fail_changed(p, "other bytes came than were asked for");
    if (total >= 0 && total != file->size)
        return fail_changed(p, "its size changed");
    bool told = answer->own_host && pg_hub_etag_read(etag, answer->headers[PG_HTTP_ETAG]);
    return told && strlen(etag) == strlen(file->etag) && strcmp(etag, file->etag) ? fail_changed(p, "its etag changed")
                                                                                  : PG_OK;
}

static pg_status take(piece *p, const void *bytes, size_t size)
{
    if ((int64_t)size > p->size - p->got)
        return fail_changed(p, "more bytes came than were announced");
    if (!p->of->whole) /* else it begins again after every failure, and would for ever */
        p->patience.failures = 0;
    bool first = is_first(p);
    PG_TRY(first ? store(p, bytes, size) : keep_waiting(p, bytes, size));
    p->got += (int64_t)size;
    return first && is_complete(p) ? store_waiting(p->fetch, p->of) : PG_OK;
}

static bool on_body(void *user, const pg_http_answer *answer, const void *bytes, size_t size)
{
    piece *p = user;
    pg_hub_job *job = p->fetch->job;
    if (job->status == PG_OK && !p->begun)
        job->status = check_answer(p, answer);
    p->begun = true;
    if (job->status != PG_OK || (p->of->whole && p->ranged))
        return false;
    job->status = take(p, bytes, size);
    return job->status == PG_OK;
}

/* ---------------------------------------------------------------- ends of pieces and files */

static pg_status restart(download *d)
{
    d->next = 0;
    return pg_hub_blob_restart(&d->blob);
}

static pg_status finish(fetch *f, download *d)
{
    char sum[PG_HUB_SUM_SIZE];
    bool right = false, resumed = d->blob.resumed;
    PG_TRY(pg_hub_blob_finish(&d->blob, &right, sum));
    if (!right && !resumed)
        return pg_fail(PG_ERROR_FORMAT, "%s: %s: found %s %s, expected %s; what came was thrown away",
                       f->job->repository, d->file->name, pg_hub_sum_kind(d->file->etag), sum, d->file->etag);
    pg_hub_blob_close(&d->blob);
    d->state = right ? DONE : WANTED; /* the beginning may have been another's: once more, all of it */
    d->have = d->next = 0;
    f->done += right;
    return PG_OK;
}

/* What is due when no piece of a file is on its way. */
static pg_status settle(fetch *f, download *d)
{
    if (d->state != OPEN || d->pieces > 0)
        return PG_OK;
    if (d->blob.written == d->file->size)
        return finish(f, d);
    return d->whole && d->next > 0 ? restart(d) : PG_OK;
}

/* Pieces of a file that has to be fetched as a whole are worth nothing. */
static void drop_pieces(fetch *f, const download *d)
{
    for (size_t i = 0; i < f->piece_count; i++)
        if (f->pieces[i].of == d && !f->pieces[i].busy)
            release(&f->pieces[i]);
}

static pg_status keep_location(download *d, const pg_http_answer *answer)
{
    pg_buffer_reset(&d->located);
    return answer->code == 200 || answer->code == 206 ? pg_buffer_print(&d->located, "%s", answer->url) : PG_OK;
}

/* Where ranges are known the piece goes on where it was, else it begins again. */
static pg_status try_again(piece *p, const pg_http_answer *answer)
{
    download *d = p->of;
    PG_TRY(pg_hub_be_patient(&p->patience, p->fetch->job, d->file->name, answer));
    if (!d->whole)
        return PG_OK;
    p->got = p->stored = 0;
    return pg_hub_blob_restart(&d->blob);
}

static pg_status end_piece(piece *p, const pg_http_answer *answer)
{
    download *d = p->of;
    PG_TRY(keep_location(d, answer));
    if (d->whole && p->ranged)
        drop_pieces(p->fetch, d);
    else if (!is_complete(p))
        return try_again(p, answer);
    else if (p->stored == p->size)
        release(p);
    return settle(p->fetch, d);
}

static void on_done(void *user, const pg_http_answer *answer)
{
    piece *p = user;
    pg_hub_job *job = p->fetch->job;
    p->busy = false;
    p->fetch->busy--;
    if (job->status == PG_OK)
        job->status = end_piece(p, answer);
}

/* ---------------------------------------------------------------- beginnings */

static pg_status ask(piece *p)
{
    const pg_hub_job *job = p->fetch->job;
    const download *d = p->of;
    p->ranged = p->from + p->got > 0 || p->size < d->file->size;
    p->begun = false;
    const pg_http_request request = {
        .url = d->located.size ? d->located.data : d->url.data,
        .ranged = p->ranged,
        .from = p->from + p->got,
        .to = p->from + p->size - 1,
        .timeout = job->place.silence_timeout,
        .on_body = on_body,
        .on_done = on_done,
        .user = p,
    };
    PG_TRY(pg_http_start(job->http, &request));
    p->busy = true;
    p->fetch->busy++;
    return PG_OK;
}

static bool go_on(void *user)
{
    return pg_hub_report(user, false) == PG_OK;
}

/* Takes a file's lock, if it is free, and what the cache has of it. */
static pg_status open_download(fetch *f, download *d)
{
    pg_hub_blob_state state = PG_HUB_BLOB_BUSY;
    pg_status status = pg_hub_blob_open(&d->blob, &state, &f->job->cache, d->file->etag, d->file->size, go_on, f->job);
    if (status != PG_OK || state != PG_HUB_BLOB_OPEN)
        pg_hub_blob_close(&d->blob);
    PG_TRY(status);
    d->look = pg_clock() + LOCK_DELAY;
    if (state == PG_HUB_BLOB_BUSY)
        return PG_OK;
    d->state = state == PG_HUB_BLOB_MADE ? DONE : OPEN;
    f->done += state == PG_HUB_BLOB_MADE;
    d->next = d->blob.written;
    return settle(f, d);
}

/* The first file that has more to be asked for; NULL where there is none. */
static pg_status choose(download **out, fetch *f)
{
    for (size_t i = 0; i < f->count; i++) {
        download *d = &f->downloads[i];
        if (d->state == WANTED && d->look <= pg_clock())
            PG_TRY(open_download(f, d));
        *out = d;
        if (d->state == OPEN && d->next < d->file->size && (!d->whole || d->pieces == 0))
            return PG_OK;
    }
    *out = NULL;
    return PG_OK;
}

static void begin_piece(piece *p, download *d)
{
    int64_t left = d->file->size - d->next;
    p->of = d;
    p->from = d->next;
    p->size = d->whole || left < PIECE ? left : PIECE;
    p->got = p->stored = 0;
    p->patience = (pg_hub_patience){0};
    d->next += p->size;
    d->pieces++;
}

static pg_status ask_some(fetch *f)
{
    for (size_t i = 0; i < f->piece_count && f->busy < f->connections; i++) {
        piece *p = &f->pieces[i];
        if (p->of && !p->busy && !is_complete(p) && p->patience.until <= pg_clock())
            PG_TRY(ask(p));
    }
    for (size_t i = 0; i < f->piece_count && f->busy < f->connections; i++) {
        download *d;
        if (f->pieces[i].of)
            continue;
        PG_TRY(choose(&d, f));
        if (!d)
            break;
        begin_piece(&f->pieces[i], d);
        PG_TRY(ask(&f->pieces[i]));
    }
    return PG_OK;
}

/* ---------------------------------------------------------------- all files */

static void measure(const fetch *f, pg_hub_progress *progress)
{
    progress->done = 0;
    progress->files = f->done;
    progress->waiting = f->busy == 0 && f->done < f->count;
    for (size_t i = 0; i < f->count; i++) {
        const download *d = &f->downloads[i];
        progress->done += (uint64_t)(d->state == DONE ? d->file->size : d->state == OPEN ? d->blob.written : d->have);
    }
    for (size_t i = 0; i < f->piece_count; i++)
        if (f->pieces[i].of)
            progress->done += (uint64_t)(f->pieces[i].got - f->pieces[i].stored);
}

static pg_status run(fetch *f)
{
    while (f->done < f->count) {
        PG_TRY(ask_some(f));
        if (f->done == f->count)
            break;
        PG_TRY(pg_http_wait(f->job->http, 100));
        PG_TRY(f->job->status);
        measure(f, &f->job->progress);
        PG_TRY(pg_hub_report(f->job, false));
    }
    measure(f, &f->job->progress);
    return PG_OK;
}

/* How much is to come, and whether there is room for it. */
static pg_status check_space(fetch *f)
{
    pg_hub_progress *progress = &f->job->progress;
    struct statvfs info;
    for (size_t i = 0; i < f->count; i++) {
        download *d = &f->downloads[i];
        PG_TRY(pg_hub_blob_have(&d->have, &f->job->cache, d->file->etag, d->file->size));
        progress->total += (uint64_t)d->file->size;
        progress->before += (uint64_t)d->have;
    }
    progress->done = progress->before;
    progress->waiting = false;
    progress->files_total = f->count;
    uint64_t need = progress->total - progress->before;
    if (statvfs(f->job->cache.folder.data, &info) != 0)
        return PG_OK;
    uint64_t room = (uint64_t)info.f_bavail * info.f_frsize;
    return need <= room
               ? PG_OK
               : pg_fail(PG_ERROR_FILE,
                         "%s: needs %.2f GB, but %s has room for %.2f GB; HF_HUB_CACHE may "
                         "name another folder",
                         f->job->repository, (double)need * 1e-9, f->job->cache.folder.data, (double)room * 1e-9);
}

static pg_status prepare(fetch *f)
{
    size_t files = f->job->listing.files.count;
    f->connections = f->job->options->connections ? f->job->options->connections : PG_HUB_CONNECTIONS;
    f->piece_count = (size_t)f->connections + (size_t)f->connections / 2 + 1;
    f->downloads = pg_alloc(files, sizeof *f->downloads);
    f->pieces = pg_alloc(f->piece_count, sizeof *f->pieces);
    if (!f->downloads || !f->pieces)
        return PG_ERROR_MEMORY;
    for (size_t i = 0; i < f->piece_count; i++)
        f->pieces[i].fetch = f;
    for (size_t i = 0; i < files; i++) {
        if (f->job->files[i].linked)
            continue;
        download *d = &f->downloads[f->count++];
        d->file = &f->job->files[i];
        d->blob = PG_HUB_BLOB_CLOSED;
        PG_TRY(pg_hub_file_url(&d->url, f->job, d->file));
    }
    return PG_OK;
}

static void clear(fetch *f)
{
    pg_http_drop(f->job->http);
    for (size_t i = 0; f->downloads && i < f->count; i++) {
        pg_hub_blob_close(&f->downloads[i].blob);
        pg_buffer_free(&f->downloads[i].url);
        pg_buffer_free(&f->downloads[i].located);
    }
    for (size_t i = 0; f->pieces && i < f->piece_count; i++)
        if (f->pieces[i].bytes)
            pg_pages_free(f->pieces[i].bytes, (size_t)PIECE);
    pg_free(f->downloads);
    pg_free(f->pieces);
}

pg_status pg_hub_fetch(pg_hub_job *job)
{
    fetch f = {.job = job};
    pg_status status = prepare(&f);
    if (status == PG_OK)
        status = check_space(&f);
    if (status == PG_OK)
        status = pg_hub_report(job, true); /* rates count from here */
    if (status == PG_OK)
        status = run(&f);
    clear(&f);
    return status;
}
