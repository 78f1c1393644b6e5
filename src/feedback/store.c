#include "feedback/store.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define APPLICATION 0x50614765 /* "PaGe" */
#define VERSION     1
#define PAGE        4096

struct pg_feedback_store {
    sqlite3 *database;
    char *path;
    uint64_t max_bytes;
    pthread_mutex_t mutex; /* recursive: who lists records may read pictures */
};

static const char tables[] = "CREATE TABLE IF NOT EXISTS records ("
                             " id INTEGER PRIMARY KEY,"
                             " time INTEGER NOT NULL,"
                             " request TEXT UNIQUE,"
                             " task TEXT,"
                             " prompt TEXT NOT NULL,"
                             " answer TEXT NOT NULL,"
                             " judgement INTEGER NOT NULL,"
                             " correction TEXT,"
                             " model TEXT, model_version TEXT,"
                             " adapter TEXT, adapter_version TEXT,"
                             " settings TEXT,"
                             " pictures TEXT NOT NULL);"
                             "CREATE TABLE IF NOT EXISTS pictures (hash TEXT PRIMARY KEY, bytes BLOB NOT NULL);"
                             "PRAGMA application_id = 1348552549;"
                             "PRAGMA user_version = 1;";

_Static_assert(APPLICATION == 1348552549 && VERSION == 1, "as in the text");

/* ---------------------------------------------------------------- errors */

static pg_status fail_full(const pg_feedback_store *store)
{
    if (store->max_bytes)
        return pg_fail(PG_ERROR_LIMIT, "%s: no room left: the disk is full, or the file at its limit of %llu bytes",
                       store->path, (unsigned long long)store->max_bytes);
    return pg_fail(PG_ERROR_FILE, "%s: the disk is full; make room and try again", store->path);
}

/* What SQLite says about the last call, in our terms. */
static pg_status fail_database(const pg_feedback_store *store)
{
    const char *path = store->path, *text = sqlite3_errmsg(store->database);
    switch (sqlite3_errcode(store->database) & 0xff) {
    case SQLITE_NOMEM: return pg_fail_memory(0);
    case SQLITE_FULL: return fail_full(store);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return pg_fail(PG_ERROR_FORMAT,
                       "%s: damaged, or no feedback database (%s); it stays as it is: name another file, or save what "
                       "'sqlite3 FILE .recover' can read",
                       path, text);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return pg_fail(PG_ERROR_FILE, "%s: another process has been writing for too long; try again", path);
    default: return pg_fail(PG_ERROR_FILE, "%s: %s", path, text);
    }
}

static pg_status run(pg_feedback_store *store, const char *sql)
{
    return sqlite3_exec(store->database, sql, NULL, NULL, NULL) == SQLITE_OK ? PG_OK : fail_database(store);
}

static pg_status prepare(sqlite3_stmt **out, pg_feedback_store *store, const char *sql)
{
    *out = NULL;
    return sqlite3_prepare_v2(store->database, sql, -1, out, NULL) == SQLITE_OK ? PG_OK : fail_database(store);
}

/* *row: whether there is one more. */
static pg_status step(bool *row, pg_feedback_store *store, sqlite3_stmt *statement)
{
    int result = sqlite3_step(statement);
    *row = result == SQLITE_ROW;
    return *row || result == SQLITE_DONE ? PG_OK : fail_database(store);
}

static pg_status read_integer(int64_t *out, pg_feedback_store *store, const char *sql)
{
    sqlite3_stmt *statement;
    bool row;
    PG_TRY(prepare(&statement, store, sql));
    pg_status status = step(&row, store, statement);
    if (status == PG_OK && row)
        *out = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return status;
}

/* ---------------------------------------------------------------- transactions */

static void lock(pg_feedback_store *store)
{
    pthread_mutex_lock(&store->mutex);
}

/* Passes the status on. */
static pg_status unlock(pg_feedback_store *store, pg_status status)
{
    pthread_mutex_unlock(&store->mutex);
    return status;
}

/* Ends a transaction that began: all of it, or nothing. What undoing says does not replace why it was undone. */
static pg_status end(pg_feedback_store *store, pg_status status)
{
    if (status == PG_OK)
        status = run(store, "COMMIT");
    if (status != PG_OK)
        sqlite3_exec(store->database, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

/* ---------------------------------------------------------------- opening */

void pg_feedback_options_init(pg_feedback_options *options)
{
    *options = (pg_feedback_options){.wait = 5};
}

static pg_status create_tables(pg_feedback_store *store)
{
    PG_TRY(run(store, "BEGIN IMMEDIATE"));
    return end(store, run(store, tables));
}

/* Ours and of this version, or empty and made ours; else it is not written to. */
static pg_status check_kind(pg_feedback_store *store, bool existing)
{
    int64_t application = 0, version = 0, things = 0;
    PG_TRY(read_integer(&application, store, "PRAGMA application_id"));
    PG_TRY(read_integer(&version, store, "PRAGMA user_version"));
    PG_TRY(read_integer(&things, store, "SELECT count(*) FROM sqlite_master"));
    if (things == 0 && application == 0 && !existing)
        return create_tables(store);
    if (application != APPLICATION)
        return pg_fail(PG_ERROR_FORMAT, "%s: a database, but not of feedback; name another file", store->path);
    if (version != VERSION)
        return pg_fail(PG_ERROR_FORMAT, "%s: version %lld of the tables, expected %d: made by a later paligemma",
                       store->path, (long long)version, VERSION);
    return PG_OK;
}

/* The records, which are small; pictures are found damaged when they are read. */
static pg_status check_records(pg_feedback_store *store)
{
    sqlite3_stmt *statement;
    bool row;
    PG_TRY(prepare(&statement, store, "PRAGMA quick_check(records)"));
    pg_status status = step(&row, store, statement);
    const char *text = status == PG_OK && row ? (const char *)sqlite3_column_text(statement, 0) : "ok";
    if (text && strcmp(text, "ok") != 0)
        status = pg_fail(PG_ERROR_FORMAT,
                         "%s: damaged (%.*s); it stays as it is: name another file, or save what "
                         "'sqlite3 FILE .recover' can read",
                         store->path, (int)strcspn(text, "\n"), text);
    sqlite3_finalize(statement);
    return status;
}

/* The file exists before SQLite sees it, for its owner's eyes only. */
static pg_status touch(const char *path, bool existing)
{
    int file = open(path, (existing ? O_RDONLY : O_RDWR | O_CREAT) | O_CLOEXEC, 0600);
    if (file < 0)
        return pg_fail_errno(PG_ERROR_FILE, "%s: cannot be opened", path);
    close(file);
    return PG_OK;
}

static pg_status open_database(pg_feedback_store *store, const pg_feedback_options *options)
{
    char limit[64];
    PG_TRY(touch(store->path, options->existing));
    /* For writing also where nothing is added: a killed process may have left a journal that must be rolled back. */
    if (sqlite3_open_v2(store->path, &store->database, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
        return store->database ? fail_database(store) : pg_fail_memory(0);
    sqlite3_busy_timeout(store->database, (int)(options->wait * 1000));
    PG_TRY(check_kind(store, options->existing));
    PG_TRY(check_records(store));
    snprintf(limit, sizeof limit, "PRAGMA max_page_count = %llu", (unsigned long long)options->max_bytes / PAGE);
    if (options->max_bytes)
        PG_TRY(run(store, limit));
    return run(store, "PRAGMA synchronous = EXTRA");
}

static void init_mutex(pthread_mutex_t *mutex)
{
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(mutex, &attributes);
    pthread_mutexattr_destroy(&attributes);
}

pg_status pg_feedback_open(pg_feedback_store **out, const char *path, const pg_feedback_options *options)
{
    pg_feedback_options defaults;
    pg_feedback_options_init(&defaults);
    *out = NULL;
    if (!*path || *path == ':')
        return pg_fail(PG_ERROR_ARGUMENT, "\"%s\" is no name for a feedback database", path);
    pg_feedback_store *store = pg_alloc(1, sizeof *store);
    if (!store)
        return PG_ERROR_MEMORY;
    init_mutex(&store->mutex);
    options = options ? options : &defaults;
    store->max_bytes = options->max_bytes;
    store->path = pg_copy_text(path, SIZE_MAX);
    pg_status status = store->path ? open_database(store, options) : PG_ERROR_MEMORY;
    if (status == PG_OK)
        *out = store;
    else
        pg_feedback_close(store);
    return status;
}

void pg_feedback_close(pg_feedback_store *store)
{
    if (!store)
        return;
    sqlite3_close(store->database);
    pthread_mutex_destroy(&store->mutex);
    pg_free(store->path);
    pg_free(store);
}

const char *pg_feedback_path(const pg_feedback_store *store)
{
    return store->path;
}

/* ---------------------------------------------------------------- adding */

static pg_status insert_picture(pg_feedback_store *store, const pg_feedback_picture *picture)
{
    sqlite3_stmt *statement;
    bool row;
    PG_TRY(prepare(&statement, store, "INSERT OR IGNORE INTO pictures (hash, bytes) VALUES (?, ?)"));
    sqlite3_bind_text(statement, 1, picture->hash, -1, SQLITE_STATIC);
    sqlite3_bind_blob64(statement, 2, picture->bytes, picture->size, SQLITE_STATIC);
    pg_status status = step(&row, store, statement);
    sqlite3_finalize(statement);
    return status;
}

#define COLUMNS                                                                                   \
    "time, judgement, request, task, prompt, answer, correction, model, model_version, adapter, " \
    "adapter_version, settings, pictures"

/* The texts among the columns, from `request` on. */
#define TEXTS 11

static pg_status insert_record(int64_t *id, pg_feedback_store *store, const pg_feedback_record *record,
                               const char *pictures)
{
    const char *const texts[TEXTS] = {
        record->request, record->task,          record->prompt,  record->answer,          record->correction,
        record->model,   record->model_version, record->adapter, record->adapter_version, record->settings,
        pictures};
    sqlite3_stmt *statement;
    bool row;
    /* A second judgement takes the place, but not the number, of the first. */
    PG_TRY(prepare(&statement, store,
                   "INSERT INTO records (" COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
                   " ON CONFLICT (request) DO UPDATE SET (" COLUMNS ") = (excluded.time, excluded.judgement,"
                   " excluded.request, excluded.task, excluded.prompt, excluded.answer, excluded.correction,"
                   " excluded.model, excluded.model_version, excluded.adapter, excluded.adapter_version,"
                   " excluded.settings, excluded.pictures) RETURNING id"));
    sqlite3_bind_int64(statement, 1, record->time);
    sqlite3_bind_int64(statement, 2, record->judgement);
    for (int i = 0; i < TEXTS; i++)
        sqlite3_bind_text(statement, 3 + i, texts[i], -1, SQLITE_STATIC); /* NULL is NULL */
    pg_status status = step(&row, store, statement);
    if (status == PG_OK && row) {
        *id = sqlite3_column_int64(statement, 0);
        status = step(&row, store, statement);
    }
    sqlite3_finalize(statement);
    return status;
}

/* A picture that was kept for a judgement which has changed since goes, unless another record names it. */
static pg_status withdraw_picture(pg_feedback_store *store, const char *hash, int64_t id)
{
    sqlite3_stmt *statement;
    bool row;
    PG_TRY(prepare(&statement, store,
                   "DELETE FROM pictures WHERE hash = ?1 AND NOT EXISTS"
                   " (SELECT 1 FROM records WHERE id <> ?2 AND instr(pictures, ?1))"));
    sqlite3_bind_text(statement, 1, hash, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, id);
    pg_status status = step(&row, store, statement);
    sqlite3_finalize(statement);
    return status;
}

static pg_status insert_all(int64_t *id, pg_feedback_store *store, const pg_feedback_record *record,
                            const char *pictures)
{
    for (size_t i = 0; i < record->picture_count; i++)
        if (record->pictures[i].keep)
            PG_TRY(insert_picture(store, &record->pictures[i]));
    PG_TRY(insert_record(id, store, record, pictures));
    for (size_t i = 0; i < record->picture_count; i++)
        if (record->pictures[i].bytes && !record->pictures[i].keep)
            PG_TRY(withdraw_picture(store, record->pictures[i].hash, *id));
    return PG_OK;
}

pg_status pg_feedback_insert(int64_t *id, pg_feedback_store *store, const pg_feedback_record *record,
                             const char *pictures)
{
    lock(store);
    pg_status status = run(store, "BEGIN IMMEDIATE");
    if (status == PG_OK)
        status = end(store, insert_all(id, store, record, pictures));
    return unlock(store, status);
}

/* ---------------------------------------------------------------- reading */

pg_status pg_feedback_find_picture(pg_buffer *out, bool *kept, pg_feedback_store *store, const char *hash)
{
    sqlite3_stmt *statement = NULL;
    lock(store);
    pg_status status = prepare(&statement, store, "SELECT bytes FROM pictures WHERE hash = ?");
    if (status == PG_OK) {
        sqlite3_bind_text(statement, 1, hash, -1, SQLITE_STATIC);
        status = step(kept, store, statement);
    }
    if (status == PG_OK && *kept)
        status = pg_buffer_append(out, sqlite3_column_blob(statement, 0), (size_t)sqlite3_column_bytes(statement, 0));
    sqlite3_finalize(statement);
    return unlock(store, status);
}

/* Text of the current row; NULL is NULL. */
static const char *text_of(sqlite3_stmt *statement, int column)
{
    return (const char *)sqlite3_column_text(statement, column);
}

static pg_status find_picture(pg_feedback_picture *out, pg_feedback_store *store, const char *hash)
{
    sqlite3_stmt *statement;
    *out = (pg_feedback_picture){0};
    memcpy(out->hash, hash, PG_FEEDBACK_HASH - 1);
    PG_TRY(prepare(&statement, store, "SELECT length(bytes) FROM pictures WHERE hash = ?"));
    sqlite3_bind_text(statement, 1, out->hash, -1, SQLITE_STATIC);
    pg_status status = step(&out->keep, store, statement);
    if (status == PG_OK && out->keep)
        out->size = (size_t)sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return status;
}

/* `hashes` may be anything, since others can write to the file. */
static pg_status find_pictures(pg_feedback_picture *out, size_t *count, pg_feedback_store *store, const char *hashes)
{
    size_t length = PG_FEEDBACK_HASH - 1;
    *count = 0;
    while (hashes && strlen(hashes) >= length && *count < PG_FEEDBACK_PICTURES) {
        PG_TRY(find_picture(&out[(*count)++], store, hashes));
        hashes += length + (hashes[length] == ' ');
    }
    return PG_OK;
}

static pg_status show_record(bool *more, pg_feedback_store *store, sqlite3_stmt *row, pg_feedback_visitor *visitor,
                             void *user)
{
    pg_feedback_picture pictures[PG_FEEDBACK_PICTURES];
    pg_feedback_record record = {
        .id = sqlite3_column_int64(row, 0),
        .time = sqlite3_column_int64(row, 1),
        .judgement = (pg_judgement)sqlite3_column_int(row, 2),
        .request = text_of(row, 3),
        .task = text_of(row, 4),
        .prompt = text_of(row, 5),
        .answer = text_of(row, 6),
        .correction = text_of(row, 7),
        .model = text_of(row, 8),
        .model_version = text_of(row, 9),
        .adapter = text_of(row, 10),
        .adapter_version = text_of(row, 11),
        .settings = text_of(row, 12),
        .pictures = pictures,
    };
    PG_TRY(find_pictures(pictures, &record.picture_count, store, text_of(row, 13)));
    *more = visitor(user, &record);
    return PG_OK;
}

static pg_status list(pg_feedback_store *store, const pg_feedback_query *query, pg_feedback_visitor *visitor,
                      void *user)
{
    sqlite3_stmt *statement;
    bool more;
    PG_TRY(prepare(&statement, store,
                   query->newest ? "SELECT id, " COLUMNS " FROM records WHERE id > ? ORDER BY id DESC LIMIT ?"
                                 : "SELECT id, " COLUMNS " FROM records WHERE id > ? ORDER BY id LIMIT ?"));
    sqlite3_bind_int64(statement, 1, query->after);
    sqlite3_bind_int64(statement, 2, query->limit && query->limit < INT64_MAX ? (int64_t)query->limit : -1);
    pg_status status = step(&more, store, statement);
    while (status == PG_OK && more) {
        status = show_record(&more, store, statement, visitor, user);
        if (status == PG_OK && more)
            status = step(&more, store, statement);
    }
    sqlite3_finalize(statement);
    return status;
}

pg_status pg_feedback_list(pg_feedback_store *store, const pg_feedback_query *query, pg_feedback_visitor *visitor,
                           void *user)
{
    lock(store);
    return unlock(store, list(store, query ? query : &(pg_feedback_query){0}, visitor, user));
}

/* ---------------------------------------------------------------- rows to learn from */

#define BLANK(text) "trim(" text ", char(9, 10, 13, 32)) = ''"

/* min(id) over a group: rows that say the same come once, where the first of them was. */
static const char corrections[] = "SELECT prompt, pictures, correction, NULL, min(id) AS first FROM records"
                                  " WHERE correction IS NOT NULL GROUP BY 1, 2, 3 ORDER BY first";

static const char corrections_and_approved[] =
    "SELECT prompt, pictures, coalesce(correction, answer) AS text, NULL, min(id) AS first FROM records"
    " WHERE correction IS NOT NULL OR (judgement > 0 AND NOT " BLANK("answer") ") GROUP BY 1, 2, text ORDER BY first";

static const char preferences[] =
    "SELECT prompt, pictures, chosen, rejected, min(id) AS first FROM ("
    " SELECT prompt, pictures, correction AS chosen, answer AS rejected, id FROM records WHERE correction IS NOT NULL"
    " UNION ALL"
    " SELECT up.prompt, up.pictures, up.answer, down.answer, max(up.id, down.id) FROM records AS up JOIN records AS "
    "down"
    " ON up.prompt = down.prompt AND up.pictures = down.pictures AND up.answer <> down.answer"
    " WHERE up.judgement > 0 AND down.judgement < 0 AND up.correction IS NULL)"
    " WHERE NOT " BLANK("chosen") " AND NOT " BLANK("rejected") " GROUP BY 1, 2, 3, 4 ORDER BY first";

static pg_status show_row(sqlite3_stmt *row, pg_feedback_row_visitor *visitor, void *user)
{
    pg_feedback_row shown = {text_of(row, 0), text_of(row, 1), text_of(row, 2), text_of(row, 3)};
    return shown.prompt && shown.pictures && shown.answer ? visitor(user, &shown) : pg_fail_memory(0);
}

static pg_status visit_rows(pg_feedback_store *store, const char *sql, pg_feedback_row_visitor *visitor, void *user)
{
    sqlite3_stmt *statement;
    bool row;
    PG_TRY(prepare(&statement, store, sql));
    pg_status status = step(&row, store, statement);
    while (status == PG_OK && row) {
        status = show_row(statement, visitor, user);
        if (status == PG_OK)
            status = step(&row, store, statement);
    }
    sqlite3_finalize(statement);
    return status;
}

pg_status pg_feedback_visit_rows(pg_feedback_store *store, const pg_feedback_export_options *options,
                                 pg_feedback_row_visitor *visitor, void *user)
{
    const char *sql = options->kind == PG_ROW_PREFERENCE ? preferences
                      : options->approved                ? corrections_and_approved
                                                         : corrections;
    lock(store);
    return unlock(store, visit_rows(store, sql, visitor, user));
}
