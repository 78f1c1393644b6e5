/* Names of classes. A table found in a file is sorted, so that its order does not depend on that of the rows. */
#include <string.h>

#include "data/dataset.h"

/* Where `name` is in a sorted table, or belongs. */
static size_t find_place(bool *found, const pg_label_table *labels, const char *name)
{
    size_t low = 0, high = labels->count;
    *found = false;
    while (low < high && !*found) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(name, labels->names[middle]);
        *found = order == 0;
        if (order <= 0)
            high = middle;
        else
            low = middle + 1;
    }
    return high;
}

static pg_status insert(pg_label_table *labels, size_t place, const char *name)
{
    PG_TRY(pg_grow((void **)&labels->names, &labels->capacity, labels->count + 1, sizeof *labels->names));
    char *copy = pg_copy_text(name, SIZE_MAX);
    if (!copy)
        return PG_ERROR_MEMORY;
    memmove(labels->names + place + 1, labels->names + place, (labels->count - place) * sizeof *labels->names);
    labels->names[place] = copy;
    labels->count++;
    return PG_OK;
}

pg_status pg_labels_add(pg_label_table *labels, const char *name)
{
    bool found;
    size_t place = find_place(&found, labels, name);
    labels->sorted = true;
    return found ? PG_OK : insert(labels, place, name);
}

pg_status pg_labels_set(pg_label_table *labels, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        PG_TRY(insert(labels, i, names[i]));
    return PG_OK;
}

pg_status pg_labels_find(int64_t *out, const pg_label_table *labels, const char *name)
{
    bool found = false;
    size_t place = 0;
    if (labels->sorted)
        place = find_place(&found, labels, name);
    else
        while (place < labels->count && !(found = strcmp(labels->names[place], name) == 0))
            place++;
    if (!found)
        return pg_fail(PG_ERROR_FORMAT, "the label \"%.80s\" is none of the %zu classes", name, labels->count);
    *out = (int64_t)place;
    return PG_OK;
}

void pg_labels_free(pg_label_table *labels)
{
    for (size_t i = 0; i < labels->count; i++)
        pg_free(labels->names[i]);
    pg_free(labels->names);
    *labels = (pg_label_table){0};
}
