/* Any bytes as a data set of every kind: refused, or every row can be read or is refused. */
#include <assert.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile uint8_t sum;

static pg_status encode(void *user, int codes[16], const pg_mask_view *mask)
{
    (void)user;
    for (size_t i = 0; i < mask->width * mask->height; i++)
        sum = (uint8_t)(sum + mask->pixels[i]);
    for (int i = 0; i < 16; i++)
        codes[i] = 127 - i;
    return PG_OK;
}

static void touch(const char *text)
{
    while (text && *text)
        sum = (uint8_t)(sum + (uint8_t)*text++);
}

static void read_row(const pg_dataset *dataset, size_t i)
{
    pg_data_row *row;
    char *place;
    if (pg_dataset_place(&place, dataset, i) != PG_OK)
        return;
    touch(place);
    pg_free(place);
    if (pg_dataset_row(&row, dataset, i) != PG_OK)
        return;
    assert(row->kind == pg_dataset_row_kind(dataset));
    touch(row->prefix);
    touch(row->suffix);
    touch(row->text);
    for (size_t p = 0; p < row->image_count; p++)
        for (size_t b = 0; b < row->images[p].size; b++)
            sum = (uint8_t)(sum + row->images[p].bytes[b]);
    pg_data_row_free(row);
}

static void read_as(pg_data_kind kind, const char *path)
{
    pg_dataset_options options;
    pg_dataset *dataset;
    pg_dataset_options_init(&options);
    options.kind = kind;
    options.annotations = path;
    options.image_name = "#";
    options.encode_mask = encode;
    if (pg_dataset_open(&dataset, path, &options) != PG_OK)
        return;
    for (size_t i = 0; i < pg_dataset_count(dataset) && i < 50; i++)
        read_row(dataset, i);
    pg_dataset_close(dataset);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    int file = memfd_create("fuzz", MFD_CLOEXEC);
    if (file < 0 || write(file, data, size) != (ssize_t)size)
        return 0;
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    for (int kind = PG_DATA_AUTO; pg_data_kind_name((pg_data_kind)kind); kind++)
        read_as((pg_data_kind)kind, path);
    close(file);
    return 0;
}
