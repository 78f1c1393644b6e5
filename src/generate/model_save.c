/* A model that is open, written as a new one in the published layout. */
#include "generate/model.h"
#include "model/model_writer.h"

void pg_save_options_init(pg_save_options *options)
{
    *options = (pg_save_options){0};
}

pg_status pg_model_save(const char *folder, const pg_model *model, const pg_save_options *options)
{
    pg_save_options chosen;
    pg_model_write_options write;
    pg_save_options_init(&chosen);
    chosen = options ? *options : chosen;
    PG_TRY(pg_model_write_options_read(&write, chosen.dtype, chosen.threads));
    write.shard_bytes = chosen.shard_size;
    write.replace = chosen.replace;
    write.on_progress = chosen.on_progress;
    write.user = chosen.user;
    return pg_model_write(folder, model->weights, model->folder, &write);
}
