/* Inside the tasks: an evaluation, from what is asked to what came of it. */
#ifndef PG_TASKS_EVALUATION_H
#define PG_TASKS_EVALUATION_H

#include "base/json.h"
#include "objects/runs.h"
#include "text/index.h"

typedef struct pg_eval_object {
    char *label;
    double score;
    double box[4]; /* x1, y1, x2, y2 in pixels */
    pg_runs mask;  /* of the whole picture; without lengths: none */
} pg_eval_object;

typedef struct pg_eval_objects {
    pg_eval_object *items;
    size_t count, capacity;
} pg_eval_objects;

typedef struct pg_text_list {
    char **items;
    size_t count, capacity;
} pg_text_list;

/* A case; texts are owned. */
typedef struct pg_eval_item {
    char *key; /* which case a prediction is for */
    char *place, *image, *prompt;
    size_t row;       /* the first of those in the data set */
    int64_t image_id; /* of COCO's files; -1: none */
    char *kind;       /* of the question: VQA's "answer_type", "type" in JSONL; NULL: not said */
    pg_text_list references;

    char *prediction, *error;
    double probability, score;
    size_t width, height;    /* of the picture; 0: not known */
    pg_eval_objects objects; /* that were found */
    pg_text_list ranking;    /* of classes, or of texts for a picture: the best first */
    size_t rank;             /* of the best right one among all, from 1; 0: as the ranking has it */
} pg_eval_item;

struct pg_evaluation {
    pg_eval_task task;
    pg_dataset *dataset;
    const pg_mask_codec *codec;
    bool limited;  /* not all cases of the data set are here */
    char *results; /* COCO's detection results, a file; NULL: objects are in the cases */
    pg_eval_item *items;
    size_t count, capacity;
    pg_index keys;
    size_t *text_ranks; /* of the right picture for every text, from 0; NULL: not known */
    size_t text_count;
    struct pg_eval_named {
        char *name;
        double value;
    } * figures;
    size_t figure_count, figure_capacity;
    double *found_scores; /* detect, segment: of every object found, and whether it was right */
    bool *found_right;
    size_t found_count;
};

/* Appends a copy of a text. */
pg_status pg_text_list_add(pg_text_list *list, const char *text);
void pg_text_list_free(pg_text_list *list);
void pg_eval_objects_free(pg_eval_objects *objects);

/* Frees what a case has for an answer. */
void pg_eval_item_forget(pg_eval_item *item);

/* ---------------------------------------------------------------- cases (evaluation_cases.c) */

/* The name of a case, for the keys of predictions and for errors. */
bool pg_eval_is_id(const json_t *id); /* a whole number or a text */
pg_status pg_eval_key_of_id(pg_buffer *out, const char *what, const json_t *id);
pg_status pg_eval_key_of_picture(pg_buffer *out, const pg_evaluation *evaluation, const json_t *record,
                                 const char *image, const char *prompt);

/* NULL if there is none. */
pg_eval_item *pg_evaluation_find(const pg_evaluation *evaluation, const char *key);

/* Whether cases are pictures of a COCO file with boxes. */
bool pg_evaluation_has_coco_objects(const pg_evaluation *evaluation);

/* The pixel size of a case's picture, read from its file where it is not known. */
pg_status pg_eval_item_measure(pg_eval_item *item, const pg_evaluation *evaluation);

/* Reads a picture of a row. */
pg_status pg_eval_read_image(pg_image **out, const pg_row_image *image, const pg_image_options *options);

/* ---------------------------------------------------------------- predictions (evaluation_predictions.c) */

/* Takes the predictions of a JSONL file's text that may be of some cases only. */
pg_status pg_evaluation_take_lines(pg_evaluation *evaluation, const char *path, const char *text, size_t size);

/* A line for a case that has an answer. */
pg_status pg_eval_item_print(pg_buffer *out, const pg_evaluation *evaluation, const pg_eval_item *item);

/* ---------------------------------------------------------------- figures */

pg_status pg_evaluation_add_figure(pg_evaluation *evaluation, double value, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Each measures its tasks and sets the scores of cases. */
pg_status pg_evaluation_measure_texts(pg_evaluation *evaluation);     /* evaluation_texts.c */
pg_status pg_evaluation_measure_objects(pg_evaluation *evaluation);   /* evaluation_objects.c */
pg_status pg_evaluation_measure_referring(pg_evaluation *evaluation); /* evaluation_referring.c */

/* What a correction of scores would be fitted to: "calibration error", where objects have scores (evaluation_scores.c).
 */
pg_status pg_evaluation_measure_scores(pg_evaluation *evaluation);

/* Reads the objects of a text about a case's picture, masks included where there is a codec; scores of 1. */
pg_status pg_eval_objects_read(pg_eval_objects *out, const pg_evaluation *evaluation, const pg_eval_item *item,
                               const char *text);

/* Adds objects that pg_detect found. */
pg_status pg_eval_objects_take(pg_eval_objects *out, const pg_objects *objects);

#endif
