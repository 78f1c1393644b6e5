/* What a training run is told: the one table of settings, each a key of config files and a flag of the command line. */
#ifndef PG_TRAIN_SETTINGS_H
#define PG_TRAIN_SETTINGS_H

#include "base/buffer.h"
#include "base/json.h"

typedef enum pg_objective_kind {
    PG_OBJECTIVE_SFT,
    PG_OBJECTIVE_LM,
    PG_OBJECTIVE_SIGLIP,
    PG_OBJECTIVE_DPO,
    PG_OBJECTIVE_CLASSIFIER,
    PG_OBJECTIVE_MASKCODEC,
} pg_objective_kind;

/* A data set as it was named: PATH, or PATH,key=value,... with the fields below as keys. */
typedef struct pg_data_setting {
    char *path, *kind, *images, *split, *prefix, *annotations, *image_name; /* NULL: not given */
    double weight, bpe_dropout;
    int64_t repeat;
    bool together;
} pg_data_setting;

typedef struct pg_data_list {
    pg_data_setting *items;
    size_t count, capacity;
} pg_data_list;

/* Texts are owned; NULL where they were not given. */
struct pg_train_config {
    char *model, *out, *recipe, *reference, *text_model, *adapter, *codec;
    pg_data_list data, validation;
    int objective; /* a pg_objective_kind */
    double beta;

    char *train; /* a preset, or a pattern */
    char *lora_modules, *lora_parts;
    int64_t lora_rank;
    double lora_alpha, lora_dropout;
    bool lora_rslora;

    int64_t steps, batch, micro_batch, text_length;
    double epochs;
    int optimizer, schedule, decay, reduction; /* indexes of the table's choices */
    double learning_rate, weight_decay, beta1, beta2, epsilon, momentum, clip, average, warmup, final_rate;
    double label_smoothing, dropout;
    double timescale, step_clip, decay_exponent;
    bool relative_step;
    int relative_scale; /* PG_SWITCH_ON, ... */
    int compute;        /* a pg_compute without INT8 */
    char *device;       /* NULL: the host */
    bool checkpointing;
    int64_t threads, loader_threads, seed;

    double crop, flip, brightness, contrast, saturation;
    int long_rows, style; /* a pg_prompt_style */
    double bad_share;

    int64_t validate_every, validation_rows, patience, save_every, log_every;
    double divergence;
    int dtype; /* PG_SAVE_... */
};

enum { PG_SWITCH_ON, PG_SWITCH_OFF };
enum { PG_DECAY_MATRICES, PG_DECAY_ALL };
enum { PG_REDUCE_TOKENS, PG_REDUCE_EXAMPLES };
enum { PG_SAVE_STORED, PG_SAVE_F32, PG_SAVE_BF16, PG_SAVE_F16 };

/* The settings as a JSON object that pg_train_config_load reads again. */
pg_status pg_train_config_json(json_t **out, const pg_train_config *config);

/* Sets one from its value there. */
pg_status pg_train_config_set_json(pg_train_config *config, const char *key, json_t *value);

/* Settings of a published recipe, as {key, value} pairs up to a NULL; NULL if there is none of this name. */
typedef const char *const pg_recipe[2];
const pg_recipe *pg_recipe_find(const char *name);

/* All of them: for messages and help. */
#define PG_RECIPE_NAMES                                                                                               \
    "caption, textcaps, coco35l, vqa, docvqa, textvqa, textvqa-448, textvqa-896, infovqa, infovqa-448, infovqa-896, " \
    "stvqa, stvqa-448, stvqa-896, chartqa, ai2d, okvqa, aokvqa, aokvqa-mc, gqa, gqa-448, scienceqa, nlvr2, "          \
    "nlvr2-448, ocrvqa, ocrvqa-896, tallyqa, tallyqa-896, vizwiz, scicap, screen2words, widgetcap, rsvqa-hr, "        \
    "rsvqa-lr, refcoco, refcoco-448, refcoco-896, own-data, attention, lora"

#endif
