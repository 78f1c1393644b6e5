/* What a hub may answer: lists of files, and headers. Nothing that is taken leads out of a folder. */
#include <string.h>

#include "hub/hub_job.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
    if (!holds)
        __builtin_trap(); /* in every kind of build */
}

static void check_path(const char *path)
{
    expect(*path && *path != '/' && strcmp(path, "..") && strncmp(path, "../", 3));
    expect(!strstr(path, "/../") && !strstr(path, "//"));
}

static void read_listing(const char *text, size_t size)
{
    pg_hub_listing listing;
    if (pg_hub_listing_parse(&listing, text, size, "x") == PG_OK)
        for (size_t i = 0; i < listing.files.count; i++)
            check_path(listing.files.items[i]);
    pg_hub_listing_free(&listing);
}

static void read_headers(const char *text)
{
    char etag[PG_HUB_SUM_SIZE];
    int64_t from, total;
    pg_hub_name name;
    if (pg_hub_etag_read(etag, text))
        expect(strspn(etag, "0123456789abcdef") == strlen(etag) && (strlen(etag) == 40 || strlen(etag) == 64));
    if (pg_hub_range_read(&from, &total, text))
        expect(from >= 0 && (total == -1 || total > from));
    expect(pg_hub_size_read(text) >= -1);
    if (pg_hub_name_parse(&name, text) == PG_OK) {
        check_path(name.repository);
        expect(!strstr(name.repository, "--"));
        if (name.revision)
            check_path(name.revision);
        pg_hub_name_free(&name);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = pg_copy_text((const char *)data, size);
    if (!text)
        return 0;
    read_listing(text, size);
    read_headers(text);
    pg_free(text);
    return 0;
}
