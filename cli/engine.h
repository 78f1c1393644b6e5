/* What most commands begin with: their options for model, arithmetic and pictures; opening a model and a session. */
#ifndef PG_CLI_ENGINE_H
#define PG_CLI_ENGINE_H

#include "output.h"

/* -m: a `const char *`. */
extern const pg_cli_option pg_cli_model_options[];

/* --codec: a `const char *`. */
extern const pg_cli_option pg_cli_codec_options[];

/* -m, --adapter */
typedef struct pg_cli_source {
    const char *model, *adapter; /* as given, or NULL */
} pg_cli_source;

extern const pg_cli_option pg_cli_source_options[];
extern const pg_cli_option pg_cli_siglip_source_options[]; /* of commands that need a SigLIP */

/* --device, --compute, --cache, -t, --prefault, --mlock, --huge-pages */
typedef struct pg_cli_arithmetic {
    const char *device; /* as given, or NULL: see pg_cli_device_named */
    int compute;        /* a pg_compute */
    int cache;          /* a pg_cache_type */
    int64_t threads;
    bool prefault, lock, huge_pages;
} pg_cli_arithmetic;

extern const pg_cli_option pg_cli_arithmetic_options[];

/* --order, --no-exif */
typedef struct pg_cli_looking {
    int order; /* a pg_resize_order */
    bool keep_orientation;
} pg_cli_looking;

extern const pg_cli_option pg_cli_looking_options[];

/* The folder that -m names, else PALIGEMMA_MODEL in the environment; NULL where neither does. */
const char *pg_cli_model_named(const char *given);

/* The same, else the model that ships for a command that can use these kinds (as in pg_cli_use); a usage error where it
 * is not installed. The text is valid until the next call. */
int pg_cli_model_find(const char **out, const pg_cli_command *command, const char *given, unsigned kinds);

/* The mask codec that --codec names, else the one that ships. */
int pg_cli_codec_find(const char **out, const pg_cli_command *command, const char *given);

/* The device that --device names, else PALIGEMMA_DEVICE in the environment, else the CPU. */
const char *pg_cli_device_named(const char *given);

pg_model_options pg_cli_model_how(const pg_cli_source *source, const pg_cli_arithmetic *arithmetic);

typedef struct pg_cli_engine {
    const char *folder;
    pg_model *model;
    pg_session *session;
    double load_seconds;
} pg_cli_engine;

/* How a command uses a model. */
typedef struct pg_cli_use {
    pg_cli_source source;
    unsigned kinds;         /* those that the command can use, 1 << PG_MODEL_GEMMA and so on */
    const char *kind_names; /* the same in words */
    pg_cli_arithmetic arithmetic;
    pg_cli_looking looking;
    size_t sequences;
} pg_cli_use;

int pg_cli_engine_open(pg_cli_engine *out, const pg_cli_command *command, const pg_cli_use *use);

/* The same in two steps, model and session. After a failure of either, pg_cli_engine_close is due. */
int pg_cli_engine_load(pg_cli_engine *out, const pg_cli_command *command, const pg_cli_use *use);
int pg_cli_engine_start(pg_cli_engine *engine, const pg_cli_use *use);

void pg_cli_engine_close(pg_cli_engine *engine);

/* "f32" or "bf16" */
const char *pg_cli_compute_text(pg_compute compute);
const char *pg_cli_compute_name(const pg_session *session);

typedef struct pg_cli_pictures {
    pg_image **items;
    size_t count;
} pg_cli_pictures;

pg_status pg_cli_pictures_load(pg_cli_pictures *out, const char *const *paths, size_t count,
                               const pg_cli_looking *looking);
/* The same on the session's threads; those that cannot be read are reported, and NULL. */
pg_status pg_cli_pictures_try(pg_cli_pictures *out, const char *const *paths, size_t count,
                              const pg_cli_looking *looking, const pg_session *session);
void pg_cli_pictures_free(pg_cli_pictures *pictures);

#endif
