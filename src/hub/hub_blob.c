#include "hub/hub_blob.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

#define PIECE ((size_t)1 << 20)

/* -1 where there is no regular file. */
static int64_t size_of(const char *path)
{
    struct stat info;
    return lstat(path, &info) == 0 && S_ISREG(info.st_mode) ? (int64_t)info.st_size : -1;
}

pg_status pg_hub_blob_have(int64_t *out, const pg_hub_cache *cache, const char *etag, int64_t size)
{
    pg_buffer path = {0};
    *out = 0;
    pg_status status = pg_hub_cache_blob(&path, cache, etag);
    if (status == PG_OK && size_of(path.data) == size)
        *out = size;
    else if (status == PG_OK && (status = pg_hub_cache_incomplete(&path, cache, etag)) == PG_OK) {
        int64_t begun = size_of(path.data);
        *out = begun > 0 && begun <= size ? begun : 0;
    }
    pg_buffer_free(&path);
    return status;
}

static pg_status fail_write(const pg_hub_blob *blob)
{
    bool full = errno == ENOSPC || errno == EDQUOT;
    return pg_fail_errno(PG_ERROR_FILE, "%s: cannot be written%s", blob->incomplete.data,
                         full ? " (what was fetched is kept, and the next try goes on there)" : "");
}

/* ---------------------------------------------------------------- opening */

/* A link in the place of the file would lead the bytes elsewhere. */
static pg_status open_file(pg_hub_blob *blob)
{
    struct stat info;
    blob->file = open(blob->incomplete.data, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (blob->file < 0)
        return pg_fail_errno(PG_ERROR_FILE, "%s: cannot be opened", blob->incomplete.data);
    if (fstat(blob->file, &info) != 0 || !S_ISREG(info.st_mode))
        return pg_fail(PG_ERROR_FILE, "%s: not a regular file", blob->incomplete.data);
    if ((int64_t)info.st_size > blob->size)
        return pg_hub_blob_restart(blob);
    blob->resumed = info.st_size > 0;
    return pg_hub_digest_new(&blob->digest, blob->etag, blob->size);
}

/* The sum of the beginning that is there. */
static pg_status add_beginning(pg_hub_blob *blob, bool (*go_on)(void *user), void *user)
{
    char *piece = pg_alloc(PIECE, 1);
    pg_status status = piece ? PG_OK : PG_ERROR_MEMORY;
    while (status == PG_OK) {
        ssize_t got = pread(blob->file, piece, PIECE, blob->written);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            status = pg_fail_errno(PG_ERROR_FILE, "%s: cannot be read", blob->incomplete.data);
        if (got <= 0)
            break;
        status = pg_hub_digest_add(blob->digest, piece, (size_t)got);
        blob->written += got;
        if (status == PG_OK && !go_on(user))
            status = pg_fail(PG_ERROR_CANCELLED, "cancelled");
    }
    pg_free(piece);
    return status;
}

pg_status pg_hub_blob_open(pg_hub_blob *blob, pg_hub_blob_state *state, const pg_hub_cache *cache, const char *etag,
                           int64_t size, bool (*go_on)(void *user), void *user)
{
    *blob = PG_HUB_BLOB_CLOSED;
    blob->etag = etag;
    blob->size = size;
    PG_TRY(pg_hub_cache_lock(&blob->lock, cache, etag));
    *state = PG_HUB_BLOB_BUSY;
    if (blob->lock < 0)
        return PG_OK;
    PG_TRY(pg_hub_cache_blob(&blob->path, cache, etag));
    PG_TRY(pg_hub_cache_incomplete(&blob->incomplete, cache, etag));
    *state = PG_HUB_BLOB_MADE;
    if (size_of(blob->path.data) == size) {
        pg_hub_blob_close(blob);
        return PG_OK;
    }
    *state = PG_HUB_BLOB_OPEN;
    PG_TRY(open_file(blob));
    return blob->resumed ? add_beginning(blob, go_on, user) : PG_OK;
}

/* ---------------------------------------------------------------- writing */

pg_status pg_hub_blob_write(pg_hub_blob *blob, const void *bytes, size_t size)
{
    const char *at = bytes;
    for (size_t left = size; left;) {
        ssize_t put = pwrite(blob->file, at, left, blob->written + (int64_t)(size - left));
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0) {
            pg_status status = fail_write(blob);
            blob->written += (int64_t)(size - left);
            return status;
        }
        left -= (size_t)put;
        at += put;
    }
    blob->written += (int64_t)size;
    return pg_hub_digest_add(blob->digest, bytes, size);
}

pg_status pg_hub_blob_restart(pg_hub_blob *blob)
{
    pg_hub_digest_free(blob->digest);
    blob->digest = NULL;
    blob->written = 0;
    blob->resumed = false;
    if (ftruncate(blob->file, 0) != 0)
        return fail_write(blob);
    return pg_hub_digest_new(&blob->digest, blob->etag, blob->size);
}

pg_status pg_hub_blob_finish(pg_hub_blob *blob, bool *right, char sum[PG_HUB_SUM_SIZE])
{
    PG_TRY(pg_hub_digest_finish(sum, blob->digest));
    *right = !strcmp(sum, blob->etag);
    if (!*right) {
        unlink(blob->incomplete.data);
        return PG_OK;
    }
    if (fsync(blob->file) != 0 || rename(blob->incomplete.data, blob->path.data) != 0)
        return fail_write(blob);
    pg_file_sync_folder(blob->path.data);
    return PG_OK;
}

void pg_hub_blob_close(pg_hub_blob *blob)
{
    if (blob->file >= 0)
        close(blob->file);
    if (blob->lock >= 0)
        close(blob->lock);
    pg_hub_digest_free(blob->digest);
    pg_buffer_free(&blob->path);
    pg_buffer_free(&blob->incomplete);
    *blob = PG_HUB_BLOB_CLOSED;
}
