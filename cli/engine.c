/* Opens models, sessions and pictures as the options say. */
#include "engine.h"

#include <math.h>
#include <stdlib.h>

#include "fetching.h"
#include "progress.h"

#define MODEL_HELP                                                                                                  \
    "folder in the published layout, or ORG/NAME on the hub (default: $PALIGEMMA_MODEL, else world, the PaliGemma " \
    "that ships)"
#define SIGLIP_HELP                                                                                              \
    "folder in the published layout, or ORG/NAME on the hub (default: $PALIGEMMA_MODEL, else world-siglip, the " \
    "SigLIP that ships)"

/* The rest of pg_cli_source. */
#define ADAPTER_OPTION                                                            \
    {                                                                             \
        "adapter", 0, "FOLDER", PG_CLI_TEXT, offsetof(pg_cli_source, adapter),    \
            "a LoRA adapter in PEFT's layout, added to the model's weights", 0, 0 \
    }

const pg_cli_option pg_cli_model_options[] = {
    {"model", 'm', "MODEL", PG_CLI_TEXT, 0, MODEL_HELP, 0, 0},
    {0},
};

const pg_cli_option pg_cli_codec_options[] = {
    {"codec", 0, "FILE.npz", PG_CLI_TEXT, 0, "the mask codec's weights (default: world/mask_codec.npz, which ships)", 0,
     0},
    {0},
};

const pg_cli_option pg_cli_source_options[] = {
    {"model", 'm', "MODEL", PG_CLI_TEXT, offsetof(pg_cli_source, model), MODEL_HELP, 0, 0},
    ADAPTER_OPTION,
    {0},
};

const pg_cli_option pg_cli_siglip_source_options[] = {
    {"model", 'm', "MODEL", PG_CLI_TEXT, offsetof(pg_cli_source, model), SIGLIP_HELP, 0, 0},
    ADAPTER_OPTION,
    {0},
};

const pg_cli_option pg_cli_arithmetic_options[] = {
    {"device", 0, "DEVICE", PG_CLI_TEXT, offsetof(pg_cli_arithmetic, device),
     "where to compute: cpu, cuda or cuda:N (default: $PALIGEMMA_DEVICE, else cpu); --version names those that there "
     "are",
     0, 0},
    {"compute", 0, "auto|f32|bf16|int8", PG_CLI_CHOICE, offsetof(pg_cli_arithmetic, compute),
     "arithmetic of products; auto: int8 for quantised weights, bf16 for bf16 ones where the machine has it, else f32",
     0, 0},
    {"cache", 0, "auto|f32|bf16|int8", PG_CLI_CHOICE, offsetof(pg_cli_arithmetic, cache),
     "how keys and values of earlier tokens are kept; auto: as products are computed, bf16 or f32", 0, 0},
    {"threads", 't', "N", PG_CLI_INTEGER, offsetof(pg_cli_arithmetic, threads),
     "threads (default: one per physical core)", 1, 1024},
    {"prefault", 0, NULL, PG_CLI_FLAG, offsetof(pg_cli_arithmetic, prefault),
     "read all weights before anything else, not when they are needed", 0, 0},
    {"mlock", 0, NULL, PG_CLI_FLAG, offsetof(pg_cli_arithmetic, lock), "the same, and keep them in memory", 0, 0},
    {"huge-pages", 0, NULL, PG_CLI_FLAG, offsetof(pg_cli_arithmetic, huge_pages),
     "copy all weights into huge pages first: a slower start, faster tokens, memory that is not shared", 0, 0},
    {0},
};

const pg_cli_option pg_cli_looking_options[] = {
    {"no-exif", 0, NULL, PG_CLI_FLAG, offsetof(pg_cli_looking, keep_orientation),
     "leave pictures as stored, whatever their EXIF orientation says", 0, 0},
    {"order", 0, "pillow13|classic", PG_CLI_CHOICE, offsetof(pg_cli_looking, order),
     "order of the passes of the resize: Pillow 13's, or Pillow's up to 11.3", 0, 0},
    {0},
};

const char *pg_cli_model_named(const char *given)
{
    const char *folder = getenv("PALIGEMMA_MODEL");
    return given ? given : folder && *folder ? folder : NULL;
}

/* Puts what the library found where it may stay. */
static const char *keep(char **place, char *found)
{
    free(*place);
    *place = pg_cli_text("%s", found);
    pg_free(found);
    return *place;
}

int pg_cli_model_find(const char **out, const pg_cli_command *command, const char *given, unsigned kinds)
{
    static char *place;
    char *found;
    *out = pg_cli_model_named(given);
    if (*out && !**out)
        return pg_cli_usage(command, "no model: the name of its folder is empty");
    if (*out)
        return pg_cli_fetch(out);
    if (pg_default_model(&found, kinds & 1u << PG_MODEL_PALIGEMMA ? PG_MODEL_PALIGEMMA : PG_MODEL_SIGLIP) != PG_OK)
        return pg_cli_usage(command, "no model: name its folder with -m MODEL or in PALIGEMMA_MODEL (%s)",
                            pg_error_last());
    *out = keep(&place, found);
    return PG_CLI_DONE;
}

int pg_cli_codec_find(const char **out, const pg_cli_command *command, const char *given)
{
    static char *place;
    char *found;
    *out = given;
    if (given)
        return PG_CLI_DONE;
    if (pg_default_mask_codec(&found) != PG_OK)
        return pg_cli_usage(command, "no codec: name its file with --codec FILE.npz (%s)", pg_error_last());
    *out = keep(&place, found);
    return PG_CLI_DONE;
}

const char *pg_cli_device_named(const char *given)
{
    const char *name = getenv("PALIGEMMA_DEVICE");
    return given ? given : name && *name ? name : "cpu";
}

pg_model_options pg_cli_model_how(const pg_cli_source *source, const pg_cli_arithmetic *arithmetic)
{
    pg_model_options options;
    pg_model_options_init(&options);
    options.prefault = arithmetic->prefault;
    options.lock = arithmetic->lock;
    options.huge_pages = arithmetic->huge_pages;
    options.adapter = source->adapter;
    options.device = pg_cli_device_named(arithmetic->device);
    return options;
}

static int check_kind(const pg_cli_engine *engine, const pg_cli_command *command, const pg_cli_use *use)
{
    static const char *const names[] = {
        [PG_MODEL_PALIGEMMA] = "PaliGemma", [PG_MODEL_GEMMA] = "Gemma", [PG_MODEL_SIGLIP] = "SigLIP"};
    pg_model_kind kind = pg_model_get_kind(engine->model);
    if (use->kinds & 1u << kind)
        return PG_CLI_DONE;
    return pg_cli_fail("%s: found a %s model, but '%s' needs %s", engine->folder, names[kind], command->name,
                       use->kind_names);
}

int pg_cli_engine_load(pg_cli_engine *out, const pg_cli_command *command, const pg_cli_use *use)
{
    double start = pg_cli_clock();
    int code;
    *out = (pg_cli_engine){0};
    PG_CLI_TRY(pg_cli_model_find(&out->folder, command, use->source.model, use->kinds));
    pg_model_options options = pg_cli_model_how(&use->source, &use->arithmetic);
    PG_CLI_TRY(pg_cli_fetch(&options.adapter));
    PG_CLI_TRY(pg_cli_check(pg_model_open_with(&out->model, out->folder, &options)));
    PG_CLI_TRY(check_kind(out, command, use));
    out->load_seconds = pg_cli_clock() - start;
done:
    return code;
}

int pg_cli_engine_start(pg_cli_engine *engine, const pg_cli_use *use)
{
    double start = pg_cli_clock();
    pg_session_options options;
    pg_session_options_init(&options);
    options.threads = (int)use->arithmetic.threads;
    options.compute = (pg_compute)use->arithmetic.compute;
    options.cache = (pg_cache_type)use->arithmetic.cache;
    options.resize_order = (pg_resize_order)use->looking.order;
    options.sequences = use->sequences;
    int code = pg_cli_check(pg_session_new(&engine->session, engine->model, &options));
    engine->load_seconds += pg_cli_clock() - start;
    return code;
}

int pg_cli_engine_open(pg_cli_engine *out, const pg_cli_command *command, const pg_cli_use *use)
{
    int code = pg_cli_engine_load(out, command, use);
    if (code == PG_CLI_DONE)
        code = pg_cli_engine_start(out, use);
    if (code != PG_CLI_DONE)
        pg_cli_engine_close(out);
    return code;
}

void pg_cli_engine_close(pg_cli_engine *engine)
{
    if (engine->session)
        pg_session_free(engine->session);
    if (engine->model)
        pg_model_close(engine->model);
    *engine = (pg_cli_engine){0};
}

const char *pg_cli_compute_text(pg_compute compute)
{
    static const char *const names[] = {"auto", "f32", "bf16", "int8"};
    return names[compute];
}

const char *pg_cli_compute_name(const pg_session *session)
{
    return pg_cli_compute_text(pg_session_compute(session));
}

pg_status pg_cli_pictures_load(pg_cli_pictures *out, const char *const *paths, size_t count,
                               const pg_cli_looking *looking)
{
    pg_image_options options;
    pg_image_options_init(&options);
    options.keep_orientation = looking->keep_orientation;
    *out = (pg_cli_pictures){pg_cli_alloc(count, sizeof *out->items), 0};
    for (size_t i = 0; i < count; i++) {
        pg_status status = pg_image_load(&out->items[i], paths[i], &options);
        if (status != PG_OK) {
            pg_cli_pictures_free(out);
            return status;
        }
        out->count++;
    }
    return PG_OK;
}

pg_status pg_cli_pictures_try(pg_cli_pictures *out, const char *const *paths, size_t count,
                              const pg_cli_looking *looking, const pg_session *session)
{
    pg_image_options options;
    pg_image_options_init(&options);
    options.keep_orientation = looking->keep_orientation;
    *out = (pg_cli_pictures){pg_cli_alloc(count, sizeof *out->items), count};
    char **reasons = pg_cli_alloc(count, sizeof *reasons);
    pg_status status = pg_image_load_all(out->items, reasons, paths, count, &options, pg_session_threads(session));
    for (size_t i = 0; i < count; i++) {
        if (reasons[i])
            pg_cli_fail("%s", reasons[i]);
        pg_free(reasons[i]);
    }
    free(reasons);
    if (status != PG_OK)
        pg_cli_pictures_free(out);
    return status;
}

void pg_cli_pictures_free(pg_cli_pictures *pictures)
{
    for (size_t i = 0; i < pictures->count; i++)
        pg_image_free(pictures->items[i]);
    free(pictures->items);
    *pictures = (pg_cli_pictures){0};
}
