/* A model that is open, written as a new one in the published layout. */
#include "generate/model.h"
#include "model/model_writer.h"

void pg_save_options_init(pg_save_options *options)
{
    *options = (pg_save_options){.share = 0.5};
}

pg_status pg_model_save(const char *folder, const pg_model *model, const pg_save_options *options)
{
    pg_save_options chosen;
    pg_model_write_options write;
    pg_save_options_init(&chosen);
    chosen = options ? *options : chosen;
    PG_TRY(pg_model_write_options_read(&write, chosen.dtype, chosen.threads));
    if (chosen.mix && !(chosen.share >= 0 && chosen.share <= 1))
        return pg_fail(PG_ERROR_ARGUMENT, "share: %g, expected 0 to 1", chosen.share);
    write.with = chosen.mix ? chosen.mix->weights : NULL;
    write.share = chosen.share;
    write.shard_bytes = chosen.shard_size;
    write.replace = chosen.replace;
    write.on_progress = chosen.on_progress;
    write.user = chosen.user;
    return pg_model_write(folder, model->weights, model->folder, &write);
}
