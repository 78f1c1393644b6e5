/*
 * The models that ship: world (PaliGemma, with the codec of its masks) and world-siglip (SigLIP), in
 *
 *   $PALIGEMMA_MODELS, where it is set, and nowhere else
 *   ../share/paligemma/models, ../../share/paligemma/models (lib/TRIPLET) and ../models (a build folder in the source
 *   tree), as seen from the library or, if it is part of a program, from that
 *   the folder that was configured (PG_MODELS_FOLDER)
 *
 * so that a tree that was moved finds its own.
 */
#include <dlfcn.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/folder.h"
#include "base/paths.h"

/* The file that this code was loaded from. dladdr knows a program by the name that it was called by only. */
static const char *own_file(void)
{
    Dl_info info;
    bool shared =
        dladdr((const void *)(uintptr_t)&pg_default_model, &info) && info.dli_fname && strstr(info.dli_fname, ".so");
    return shared ? info.dli_fname : "/proc/self/exe";
}

/* FOLDER/BELOW, so many folders above the file. */
static pg_status add_place(pg_path_list *places, const char *file, int above, const char *below)
{
    pg_buffer folder = {0}, path = {0};
    pg_status status = pg_path_folder(&folder, file);
    for (; status == PG_OK && above; above--) {
        status = pg_path_folder(&path, folder.data);
        pg_buffer up = folder;
        folder = path;
        path = up;
    }
    if (status == PG_OK)
        status = pg_file_join(&path, folder.data, below);
    if (status == PG_OK)
        status = pg_path_list_add(places, path.data);
    pg_buffer_free(&folder);
    pg_buffer_free(&path);
    return status;
}

/* Places relative to the library; none where its file cannot be found. */
static pg_status add_own_places(pg_path_list *places)
{
    char file[PATH_MAX];
    if (!realpath(own_file(), file))
        return PG_OK;
    PG_TRY(add_place(places, file, 1, "share/paligemma/models"));
    PG_TRY(add_place(places, file, 2, "share/paligemma/models"));
    return add_place(places, file, 1, "models");
}

static pg_status find_places(pg_path_list *places)
{
    const char *named = getenv("PALIGEMMA_MODELS");
    if (named && *named)
        return pg_path_list_add(places, named);
    PG_TRY(add_own_places(places));
    return pg_path_list_add(places, PG_MODELS_FOLDER);
}

/* PLACE/NAME of the first place where PLACE/MARK exists. */
static pg_status find_in(pg_buffer *out, const pg_path_list *places, const char *name, const char *mark)
{
    pg_buffer looked = {0};
    pg_status status = PG_OK;
    for (size_t i = 0; status == PG_OK && i < places->count; i++) {
        status = pg_file_join(out, places->items[i], mark);
        if (status == PG_OK && pg_file_exists(out->data)) {
            pg_buffer_free(&looked);
            return pg_file_join(out, places->items[i], name);
        }
        if (status == PG_OK)
            status = pg_buffer_print(&looked, "%s%s", i ? ", " : "", places->items[i]);
    }
    if (status == PG_OK)
        status = pg_fail(PG_ERROR_FILE, "%s, which ships with paligemma, is not installed: it is not in %s", name,
                         looked.data);
    pg_buffer_free(&looked);
    return status;
}

static pg_status find(char **out, const char *name, const char *mark)
{
    pg_path_list places = {0};
    pg_buffer path = {0};
    *out = NULL;
    pg_status status = find_places(&places);
    if (status == PG_OK)
        status = find_in(&path, &places, name, mark);
    pg_path_list_free(&places);
    if (status == PG_OK)
        *out = path.data;
    else
        pg_buffer_free(&path);
    return status;
}

pg_status pg_default_model(char **out, pg_model_kind kind)
{
    *out = NULL;
    if (kind == PG_MODEL_GEMMA)
        return pg_fail(PG_ERROR_ARGUMENT, "no Gemma ships with paligemma; PaliGemma's decoder reads texts, too");
    return kind == PG_MODEL_SIGLIP ? find(out, "world-siglip", "world-siglip/config.json")
                                   : find(out, "world", "world/config.json");
}

pg_status pg_default_mask_codec(char **out)
{
    return find(out, "world/mask_codec.npz", "world/mask_codec.npz");
}
