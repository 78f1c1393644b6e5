/* Inside a training run. */
#ifndef PG_TRAIN_TRAINER_H
#define PG_TRAIN_TRAINER_H

#include "base/folder.h"
#include "data/dataset.h"
#include "train/codebook.h"
#include "train/objective.h"
#include "train/run_records.h"
#include "train/schedule.h"
#include "train/trainable.h"

/* Rows of one purpose. */
typedef struct pg_rows {
    pg_dataset **sets;
    pg_mixture_part *parts;
    size_t count;
    pg_mixture *mixture;  /* NULL: there are none */
    pg_mask_codec *codec; /* that makes <seg> tokens; NULL: no set needs it */
} pg_rows;

/* Those to train on, or else those to validate with. classes: names of labels, or NULL for those of each data set. */
pg_status pg_rows_open(pg_rows *out, const pg_train_config *config, bool training, const pg_objective *objective,
                       const pg_label_table *classes);
void pg_rows_close(pg_rows *rows);

/* How a run's rows become samples. */
pg_status pg_rows_options(pg_loader_options *out, const pg_objective *objective, const pg_train_config *config,
                          bool training);

/* The classes of rows with labels; freed with pg_labels_free, also after a failure. */
pg_status pg_classes_find(pg_label_table *out, const pg_rows *rows);

/* Sets what a classifier looks at: pictures, texts or both, as the first row has them. */
pg_status pg_classes_look(pg_objective *objective, const pg_rows *rows);

#define PG_HEAD_FILE "head.safetensors" /* of a classifier, beside its model or adapter */

#define PG_RECENT 20 /* steps that the watch over divergence looks at */

/* What a run remembers from step to step beside weights and optimizer: saved with them. */
typedef struct pg_progress_state {
    int64_t step;
    uint64_t position;        /* of the next row in the mixture */
    double best;              /* lowest validation loss */
    int64_t worse;            /* validations since then */
    double recent[PG_RECENT]; /* losses of the last steps */
    double lowest;            /* lowest mean of so many */
} pg_progress_state;

struct pg_trainer {
    pg_train_config *config;
    pg_device *device;       /* where is computed; NULL: the host */
    pg_model *model, *other; /* other: dpo's reference, the classifier's reader; NULL: none */
    pg_classifier *head;     /* NULL: none */
    pg_mask_codec *codec;    /* that is trained, instead of a model; NULL: none */
    pg_codebook *codebook;   /* of it */
    pg_context g;
    pg_tape tape;
    pg_objective objective;
    pg_trainable *trainable;
    pg_optimizer *optimizer;
    pg_schedule schedule;
    pg_rows train, validation;
    pg_loader *loader;
    pg_sample **batch;       /* [config->batch] */
    uint64_t batch_position; /* of the first row behind it */
    pg_sample **ahead;       /* the next batch, which is taken while a device computes; */
    uint64_t ahead_position; /* 0: not there */
    pg_status ahead_status;
    pg_records *records;
    pg_progress_state state;
    pg_folder_lock lock; /* of the run's folder */
    char *checkpoint;    /* path */
    uint64_t bad_listed; /* bad rows that bad_rows.txt has */
    bool finished;
};

/* checkpoint.safetensors: whole or not at all. Loading leaves the trainer as it was after a failure of the file, and
 * says in *found whether there was one. */
pg_status pg_run_state_save(pg_trainer *trainer);
pg_status pg_run_state_load(bool *found, pg_trainer *trainer);

/* The model or adapter as users load it; a folder that exists is replaced. */
pg_status pg_trainer_write(const char *folder, pg_trainer *trainer);

/* A copy; and a check of what settings say together (`run`: for a run, not for a batch's gradients). */
pg_status pg_train_config_copy(pg_train_config **out, const pg_train_config *config);
pg_status pg_train_config_check(const pg_train_config *config, bool run);

/* Models, rows, trained weights and schedule, from trainer->config. */
pg_status pg_trainer_open_parts(pg_trainer *trainer);

/* Makes the folder, or checks that it belongs to this run, keeps other processes out of it, and removes what a killed
 * one left half written. */
pg_status pg_run_folder_open(pg_trainer *trainer);

/* Fills trainer->batch. */
pg_status pg_trainer_take_batch(pg_trainer *trainer);

/* FOLDER/NAME of the run, freed with pg_free; NULL without memory. */
char *pg_trainer_path(const pg_trainer *trainer, const char *name);

#endif
