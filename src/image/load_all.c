/* Many picture files at once. */
#include "base/threads.h"
#include "image/image.h"

typedef struct load_run {
    pg_image **images;
    char **reasons;
    const char *const *paths;
    const pg_image_options *options;
    bool short_of_memory; /* set by any thread */
} load_run;

static void load_picture(void *context, int64_t i, int worker)
{
    load_run *run = context;
    (void)worker;
    pg_status status = pg_image_load(&run->images[i], run->paths[i], run->options);
    run->reasons[i] = status == PG_OK || status == PG_ERROR_MEMORY ? NULL : pg_copy_text(pg_error_last(), SIZE_MAX);
    if (status != PG_OK && !run->reasons[i])
        __atomic_store_n(&run->short_of_memory, true, __ATOMIC_RELAXED);
}

pg_status pg_image_load_all(pg_image **images, char **reasons, const char *const *paths, size_t count,
                            const pg_image_options *options, int threads)
{
    load_run run = {images, reasons, paths, options, false};
    pg_parallel(threads > 0 ? threads : pg_threads_default(), (int64_t)count, load_picture, &run);
    if (!run.short_of_memory)
        return PG_OK;
    for (size_t i = 0; i < count; i++) {
        pg_image_free(images[i]);
        pg_free(reasons[i]);
        images[i] = NULL;
        reasons[i] = NULL;
    }
    return pg_fail(PG_ERROR_MEMORY, "%zu pictures cannot be held in memory", count);
}
