/* Inside the data room: what every kind of file gives, and what rows are made with. */
#ifndef PG_DATA_DATASET_H
#define PG_DATA_DATASET_H

#include "base/buffer.h"
#include "base/file.h"
#include "base/json.h"

#define PG_LABEL_MAX 1000000000 /* of labels that are numbers */

/* Texts of options that a data set keeps. */
typedef struct pg_dataset_texts {
    char *path, *folder; /* the file; where its pictures are */
    char *prefix, *annotations, *image_name;
} pg_dataset_texts;

typedef struct pg_label_table {
    char **names; /* NULL: labels are numbers */
    size_t count, capacity;
    bool sorted; /* found in the file: looked up by halves */
} pg_label_table;

/* What a kind of file can do. `index` is the kind's own; rows are asked for below `count`. */
typedef struct pg_source {
    void (*close)(void *index);
    pg_status (*read)(pg_data_row *out, const pg_dataset *dataset, size_t row); /* errors without the place */
    pg_status (*place)(pg_buffer *out, const pg_dataset *dataset, size_t row);
    pg_status (*record)(json_t **out, const pg_dataset *dataset, size_t row); /* NULL: rows have none */
} pg_source;

struct pg_dataset {
    const pg_source *source;
    void *index;
    size_t count;
    pg_data_kind kind;
    pg_row_kind row_kind;
    pg_dataset_texts text;
    pg_label_table labels;
    bool together;   /* segmentation: all objects of a name in one row */
    bool unanswered; /* a suffix may be missing */
    double bpe_dropout;
    pg_mask_encoder *encode_mask;
    void *user;
};

/* Each fills in source, index, count and row_kind. What it has allocated by then is freed through `close`, also after a
 * failure. */
typedef pg_status pg_dataset_opener(pg_dataset *dataset);
pg_dataset_opener pg_jsonl_open, pg_plain_open, pg_captions_open, pg_instances_open, pg_vqa_open, pg_shards_open,
    pg_masks_open, pg_mask_folders_open;

/* The object of the file that a row's answer comes from, for what pg_data_row has no room for: a line of JSONL, an
 * annotation of VQA or COCO (of detection, the first of its picture). NULL where there is none; freed with json_decref.
 */
pg_status pg_dataset_record(json_t **out, const pg_dataset *dataset, size_t row);

/* ---------------------------------------------------------------- rows (row.c) */

/* What the keys of an object make it; PG_ERROR_FORMAT if nothing. */
pg_status pg_row_kind_of(pg_row_kind *out, const json_t *object);

/* Fills a row of the data set's kind from an object's fields. `outside`: pictures come from elsewhere, and the object
 * need not name any. */
pg_status pg_row_read_object(pg_data_row *row, const pg_dataset *dataset, const json_t *object, bool outside);

/* Adds a picture: a path under the data set's folder, a whole path, or bytes borrowed from the index. */
pg_status pg_row_add_file(pg_data_row *row, const pg_dataset *dataset, const char *name);
pg_status pg_row_add_path(pg_data_row *row, const char *path);
pg_status pg_row_add_bytes(pg_data_row *row, const char *name, const uint8_t *bytes, size_t size);

/* Decodes one of the row's pictures. */
pg_status pg_row_load_image(pg_image **out, const pg_row_image *image, const pg_image_options *options);

/* A copy of a text with no NUL and no invalid UTF-8 in it; `what` is its name in errors. */
pg_status pg_row_set_text(char **out, const char *text, size_t size, const char *what);

/* The same, and something other than white space. */
pg_status pg_row_set_answer(char **out, const char *text, size_t size, const char *what);

/* Frees what a row holds. */
void pg_row_clear(pg_data_row *row);

/* ---------------------------------------------------------------- labels (labels.c) */

/* Takes a name if there is none like it, and keeps the table sorted by bytes. */
pg_status pg_labels_add(pg_label_table *labels, const char *name);

/* Takes names in the order given. */
pg_status pg_labels_set(pg_label_table *labels, const char *const *names, size_t count);
pg_status pg_labels_find(int64_t *out, const pg_label_table *labels, const char *name);
void pg_labels_free(pg_label_table *labels);

/* Whether a folder has files for a part of the data: "train", "valid", "test". */
bool pg_dataset_has_split(const char *path, const char *split);

#endif
