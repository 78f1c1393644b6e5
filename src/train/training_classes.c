/* The classes of a run: the names that its rows have, sorted by bytes, or where labels are numbers, those up to the
 * largest. */
#include <string.h>

#include "data/dataset.h"
#include "train/trainer.h"

#define CLASSES_MOST 1000000

static pg_status add_names(pg_label_table *out, const pg_dataset *set)
{
    for (size_t i = 0; i < pg_dataset_label_count(set); i++)
        PG_TRY(pg_labels_add(out, pg_dataset_label(set, i)));
    return PG_OK;
}

static int64_t larger(int64_t largest, const pg_data_row *row)
{
    largest = row->label > largest ? row->label : largest;
    for (size_t i = 0; i < row->patch_count; i++)
        largest = row->patch_labels[i] > largest ? row->patch_labels[i] : largest;
    return largest;
}

/* The largest label so far; rows that cannot be read are the loader's to report. */
static pg_status find_largest(int64_t *largest, const pg_dataset *set)
{
    for (size_t i = 0; i < pg_dataset_count(set); i++) {
        pg_data_row *row;
        pg_status status = pg_dataset_row(&row, set, i);
        if (status == PG_ERROR_MEMORY)
            return status;
        if (status == PG_OK)
            *largest = larger(*largest, row);
        pg_data_row_free(row);
    }
    return PG_OK;
}

static pg_status add_numbers(pg_label_table *out, int64_t largest)
{
    if (largest >= CLASSES_MOST)
        return pg_fail(PG_ERROR_LIMIT,
                       "data: the label %lld; numbers of classes begin with 0, and there are at most %d",
                       (long long)largest, CLASSES_MOST);
    for (int64_t i = 0; i <= largest; i++) {
        char text[32];
        const char *name = text;
        snprintf(text, sizeof text, "%lld", (long long)i);
        PG_TRY(pg_labels_set(out, &name, 1));
    }
    return PG_OK;
}

pg_status pg_classes_find(pg_label_table *out, const pg_rows *rows)
{
    int64_t largest = -1;
    *out = (pg_label_table){0};
    for (size_t i = 0; i < rows->count; i++)
        PG_TRY(pg_dataset_label_count(rows->sets[i]) ? add_names(out, rows->sets[i])
                                                     : find_largest(&largest, rows->sets[i]));
    if (out->count && largest >= 0)
        return pg_fail(PG_ERROR_ARGUMENT, "data: labels are names in some files and numbers in others");
    return out->count ? PG_OK : add_numbers(out, largest);
}

pg_status pg_classes_look(pg_objective *objective, const pg_rows *rows)
{
    const pg_model *reader = objective->other ? objective->other : objective->model;
    pg_data_row *row;
    pg_status status = pg_dataset_row(&row, rows->sets[0], 0);
    for (size_t i = 1; status != PG_OK && status != PG_ERROR_MEMORY && i < pg_dataset_count(rows->sets[0]); i++)
        status = pg_dataset_row(&row, rows->sets[0], i);
    PG_TRY(status);
    objective->pictures = row->image_count > 0;
    objective->patches = row->patch_labels;
    objective->texts = !row->patch_labels && row->text && *row->text && reader->weights->config.kind != PG_MODEL_SIGLIP;
    pg_data_row_free(row);
    if (objective->pictures)
        PG_TRY(pg_model_require(objective->model, objective->model->weights->config.kind != PG_MODEL_GEMMA,
                                "see pictures; with a SigLIP or PaliGemma as \"model\" it can be the \"text_model\""));
    if (!objective->pictures && !objective->texts)
        return pg_fail(PG_ERROR_ARGUMENT, "%s: rows have neither a picture nor a text that the model can read",
                       pg_dataset_path(rows->sets[0]));
    return PG_OK;
}
