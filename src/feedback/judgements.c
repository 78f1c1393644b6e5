/* What may be stored about an answer: texts and pictures are checked here, before the database sees them. */
#include <string.h>
#include <time.h>

#include "base/sha256.h"
#include "feedback/store.h"
#include "text/utf8.h"

#define TEXT_MAX    ((size_t)1 << 20)
#define PICTURE_MAX ((size_t)64 << 20)

_Static_assert(PG_FEEDBACK_HASH == PG_SHA256_TEXT, "the hash is a SHA-256");

const char *pg_judgement_name(pg_judgement judgement)
{
    return judgement == PG_JUDGEMENT_UP ? "up" : judgement == PG_JUDGEMENT_DOWN ? "down" : "none";
}

static pg_status check_text(const char *name, const char *text)
{
    if (!text)
        return PG_OK;
    size_t size = strlen(text), bad = pg_utf8_check(text, size);
    if (size > TEXT_MAX)
        return pg_fail(PG_ERROR_ARGUMENT, "%s: %zu bytes, at most %zu", name, size, TEXT_MAX);
    if (bad < size)
        return pg_fail(PG_ERROR_ARGUMENT, "%s: byte %zu is not UTF-8", name, bad);
    return PG_OK;
}

static pg_status check_texts(const pg_feedback_record *record)
{
    const struct named_text {
        const char *name, *text;
    } texts[] = {
        {"request", record->request},
        {"task", record->task},
        {"prompt", record->prompt},
        {"answer", record->answer},
        {"correction", record->correction},
        {"model", record->model},
        {"model version", record->model_version},
        {"adapter", record->adapter},
        {"adapter version", record->adapter_version},
        {"settings", record->settings},
    };
    if (!record->prompt || !record->answer)
        return pg_fail(PG_ERROR_ARGUMENT, "a judgement needs a prompt and an answer");
    if (record->judgement < PG_JUDGEMENT_DOWN || record->judgement > PG_JUDGEMENT_UP)
        return pg_fail(PG_ERROR_ARGUMENT, "judgement %d, expected -1, 0 or 1", record->judgement);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        PG_TRY(check_text(texts[i].name, texts[i].text));
    return PG_OK;
}

static bool is_blank(const char *text)
{
    size_t size = strlen(text);
    pg_utf8_strip(&text, &size);
    return size == 0;
}

static pg_status check_correction(pg_feedback_record *record)
{
    if (record->correction && is_blank(record->correction))
        record->correction = NULL;
    if (record->correction && !strcmp(record->correction, record->answer))
        return pg_fail(PG_ERROR_ARGUMENT, "the correction is the same as the answer");
    return PG_OK;
}

/* 64 small hexadecimal digits. */
static bool is_hash(const char *text)
{
    size_t digits = strspn(text, "0123456789abcdef");
    return digits == PG_FEEDBACK_HASH - 1 && !text[digits];
}

static pg_status check_picture(pg_feedback_picture *out, const pg_feedback_picture *picture, size_t number)
{
    *out = *picture;
    if (!picture->bytes && (picture->keep || !memchr(picture->hash, 0, PG_FEEDBACK_HASH) || !is_hash(picture->hash)))
        return pg_fail(PG_ERROR_ARGUMENT, "picture %zu: neither bytes nor the SHA-256 of a picture", number);
    if (picture->bytes && picture->size > PICTURE_MAX)
        return pg_fail(PG_ERROR_ARGUMENT, "picture %zu: %zu bytes, at most %zu", number, picture->size, PICTURE_MAX);
    if (picture->bytes)
        return pg_sha256_of(out->hash, picture->bytes, picture->size);
    return PG_OK;
}

/* The hashes with blanks between them. */
static void list_hashes(char out[PG_FEEDBACK_PICTURES * PG_FEEDBACK_HASH], const pg_feedback_picture *pictures,
                        size_t count)
{
    *out = 0;
    for (size_t i = 0; i < count; i++) {
        if (i)
            *out++ = ' ';
        memcpy(out, pictures[i].hash, PG_FEEDBACK_HASH);
        out += PG_FEEDBACK_HASH - 1;
    }
}

static int64_t milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

pg_status pg_feedback_add(int64_t *id, pg_feedback_store *store, const pg_feedback_record *record)
{
    pg_feedback_picture pictures[PG_FEEDBACK_PICTURES];
    char hashes[PG_FEEDBACK_PICTURES * PG_FEEDBACK_HASH];
    pg_feedback_record checked = *record;
    int64_t ignored;
    PG_TRY(check_texts(record));
    PG_TRY(check_correction(&checked));
    if (record->picture_count > PG_FEEDBACK_PICTURES)
        return pg_fail(PG_ERROR_ARGUMENT, "%zu pictures, at most %d", record->picture_count, PG_FEEDBACK_PICTURES);
    for (size_t i = 0; i < record->picture_count; i++)
        PG_TRY(check_picture(&pictures[i], &record->pictures[i], i));
    list_hashes(hashes, pictures, record->picture_count);
    checked.pictures = pictures;
    checked.time = record->time ? record->time : milliseconds();
    return pg_feedback_insert(id ? id : &ignored, store, &checked, hashes);
}

pg_status pg_feedback_read_picture(void **out, size_t *size, pg_feedback_store *store, const char *hash)
{
    pg_buffer bytes = {0};
    bool kept = false;
    pg_status status = pg_feedback_find_picture(&bytes, &kept, store, hash);
    if (status == PG_OK && !kept)
        status = pg_fail(PG_ERROR_ARGUMENT, "%s: no picture %.80s was kept", pg_feedback_path(store), hash);
    if (status != PG_OK)
        pg_buffer_free(&bytes);
    *out = bytes.data;
    *size = bytes.size;
    return status;
}
