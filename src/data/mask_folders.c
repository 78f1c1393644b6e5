/*
 * Objects as PNG masks, white on black, in a folder for each name: FOLDER/dog/PICTURE.png is a dog in PICTURE.jpg, and
 * so are FOLDER/dog/PICTURE_1.png, ... A row is a mask or, `together`, all masks of one name in a picture. A folder
 * without folders that holds masks itself gives them its own name.
 */
#include "data/masks.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/folder.h"
#include "data/segments.h"

/* One mask. */
typedef struct entry {
    char *mask, *picture; /* paths; picture NULL: there is none */
    const char *name;     /* begins in `mask`, as does what follows */
    size_t name_size;
} entry;

typedef struct group {
    size_t first, count;
} group;

typedef struct mask_folders {
    entry *entries;
    group *groups;
    size_t count, capacity, group_count, group_capacity;
} mask_folders;

static void close_index(void *memory)
{
    mask_folders *index = memory;
    for (size_t i = 0; i < index->count; i++) {
        pg_free(index->entries[i].mask);
        pg_free(index->entries[i].picture);
    }
    pg_free(index->entries);
    pg_free(index->groups);
    pg_free(index);
}

/* ---------------------------------------------------------------- rows */

static pg_status add_mask(pg_buffer *suffix, const pg_dataset *dataset, const entry *e, const char *name)
{
    pg_mask mask;
    pg_mask_view view = {0};
    pg_status status = pg_masks_read_png(&mask, view.box, e->mask);
    view.pixels = mask.pixels;
    view.width = mask.width;
    view.height = mask.height;
    if (status == PG_OK)
        status = pg_segments_add(suffix, dataset, &view, name);
    pg_mask_free(&mask);
    return status;
}

static pg_status fill_row(pg_data_row *out, const pg_dataset *dataset, const char *name, group masks)
{
    const mask_folders *index = dataset->index;
    pg_buffer suffix = {0};
    pg_status status = PG_OK;
    for (size_t i = 0; status == PG_OK && i < masks.count; i++)
        status = add_mask(&suffix, dataset, &index->entries[masks.first + i], name);
    if (status == PG_OK)
        status = pg_segments_finish(out, &suffix, name);
    pg_buffer_free(&suffix);
    return status;
}

static pg_status read_row(pg_data_row *out, const pg_dataset *dataset, size_t row)
{
    const mask_folders *index = dataset->index;
    const entry *first = &index->entries[index->groups[row].first];
    out->kind = PG_ROW_SUFFIX;
    if (!first->picture)
        return pg_fail(PG_ERROR_FORMAT, "there is no picture of this name in %s", dataset->text.folder);
    PG_TRY(pg_row_add_path(out, first->picture));
    char *name = pg_copy_text(first->name, first->name_size);
    pg_status status = name ? fill_row(out, dataset, name, index->groups[row]) : PG_ERROR_MEMORY;
    pg_free(name);
    return status;
}

static pg_status place_row(pg_buffer *out, const pg_dataset *dataset, size_t row)
{
    const mask_folders *index = dataset->index;
    return pg_buffer_print(out, "%s", index->entries[index->groups[row].first].mask);
}

static const pg_source source = {close_index, read_row, place_row, NULL};

/* ---------------------------------------------------------------- whose mask it is */

/* FOLDER/STEM.jpg and the like; NULL in *out if there is none. */
static pg_status find_picture(char **out, const char *folder, const char *stem, size_t size)
{
    static const char *const ends[] = {"jpg", "jpeg", "png", "webp", "JPG", "JPEG", "PNG"};
    pg_buffer path = {0};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        pg_buffer_reset(&path);
        pg_status status = pg_buffer_print(&path, "%s/%.*s.%s", folder, (int)size, stem, ends[i]);
        if (status == PG_OK && !pg_file_exists(path.data))
            continue;
        if (status == PG_OK)
            *out = path.data;
        else
            pg_buffer_free(&path);
        return status;
    }
    pg_buffer_free(&path);
    return PG_OK;
}

/* STEM without "_12" at its end; the same where it has none. */
static size_t without_number(const char *stem, size_t size)
{
    size_t left = size;
    while (left && isdigit((unsigned char)stem[left - 1]))
        left--;
    return left > 1 && left < size && stem[left - 1] == '_' ? left - 1 : size;
}

static pg_status set_picture(entry *e, const char *folder)
{
    const char *stem = strrchr(e->mask, '/') + 1;
    size_t size = strlen(stem) - strlen(".png"), base = without_number(stem, size);
    PG_TRY(find_picture(&e->picture, folder, stem, size));
    return e->picture || base == size ? PG_OK : find_picture(&e->picture, folder, stem, base);
}

/* The folder that holds the mask. */
static pg_status set_name(entry *e)
{
    const char *end = strrchr(e->mask, '/');
    for (e->name = end; e->name > e->mask && e->name[-1] != '/'; e->name--)
        continue;
    e->name_size = (size_t)(end - e->name);
    if (e->name_size == 0 || (*e->name == '.' && e->name_size <= 2))
        return pg_fail(PG_ERROR_FORMAT, "%s: the folder's name is that of the object; give it a name", e->mask);
    return PG_OK;
}

static pg_status add_entry(mask_folders *index, const char *path, const char *pictures)
{
    PG_TRY(pg_grow((void **)&index->entries, &index->capacity, index->count + 1, sizeof *index->entries));
    entry *e = &index->entries[index->count++];
    *e = (entry){.mask = pg_copy_text(path, SIZE_MAX)};
    if (!e->mask)
        return PG_ERROR_MEMORY;
    PG_TRY(set_name(e));
    return set_picture(e, pictures);
}

/* ---------------------------------------------------------------- opening */

static bool is_shown(const char *name)
{
    return *name != '.';
}

static pg_status add_folder(mask_folders *index, const char *folder, const char *pictures)
{
    pg_path_list masks = {0};
    pg_status status = pg_folder_list(&masks, folder, pg_masks_is_png);
    for (size_t i = 0; status == PG_OK && i < masks.count; i++)
        status = add_entry(index, masks.items[i], pictures);
    pg_path_list_free(&masks);
    return status;
}

static pg_status add_folders(mask_folders *index, const char *folder, const char *pictures)
{
    pg_path_list names = {0};
    pg_status status = pg_folder_list(&names, folder, is_shown);
    for (size_t i = 0; status == PG_OK && i < names.count; i++)
        if (pg_file_is_folder(names.items[i]))
            status = add_folder(index, names.items[i], pictures);
    pg_path_list_free(&names);
    return status == PG_OK && !index->count ? add_folder(index, folder, pictures) : status;
}

/* By picture, or by mask where there is none; then by name. */
static int compare_groups(const entry *a, const entry *b)
{
    int order = strcmp(a->picture ? a->picture : a->mask, b->picture ? b->picture : b->mask);
    size_t size = a->name_size < b->name_size ? a->name_size : b->name_size;
    if (order == 0)
        order = memcmp(a->name, b->name, size);
    return order ? order : a->name_size < b->name_size ? -1 : a->name_size > b->name_size;
}

/* Masks of one group: the one without a number first, then by number. */
static int compare_entries(const void *left, const void *right)
{
    const entry *a = left, *b = right;
    int order = compare_groups(a, b);
    size_t length = strlen(a->mask), other = strlen(b->mask);
    if (order == 0)
        order = length < other ? -1 : length > other;
    return order ? order : strcmp(a->mask, b->mask);
}

static pg_status make_groups(mask_folders *index, bool together)
{
    if (index->count)
        qsort(index->entries, index->count, sizeof *index->entries, compare_entries);
    for (size_t i = 0; i < index->count; i++) {
        const entry *e = &index->entries[i];
        if (together && i && e->picture && compare_groups(e - 1, e) == 0) {
            index->groups[index->group_count - 1].count++;
            continue;
        }
        PG_TRY(pg_grow((void **)&index->groups, &index->group_capacity, index->group_count + 1, sizeof *index->groups));
        index->groups[index->group_count++] = (group){i, 1};
    }
    return PG_OK;
}

pg_status pg_mask_folders_open(pg_dataset *dataset)
{
    mask_folders *index = dataset->index = pg_alloc(1, sizeof *index);
    dataset->source = &source;
    dataset->row_kind = PG_ROW_SUFFIX;
    if (!index)
        return PG_ERROR_MEMORY;
    PG_TRY(pg_segments_check(dataset));
    PG_TRY(add_folders(index, dataset->text.path, dataset->text.folder));
    PG_TRY(make_groups(index, dataset->together));
    dataset->count = index->group_count;
    return dataset->count ? PG_OK : pg_fail(PG_ERROR_FORMAT, "%s: has no PNG files", dataset->text.path);
}
