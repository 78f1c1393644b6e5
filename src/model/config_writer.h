/* config.json and preprocessor_config.json of a PaliGemma, made from its shapes, in the published form. */
#ifndef PG_MODEL_CONFIG_WRITER_H
#define PG_MODEL_CONFIG_WRITER_H

#include "base/json.h"
#include "model/config.h"

/* Rows of a table of tokens that has `rows` and must hold `tokens`: where it grows, to a multiple of 64. */
int64_t pg_config_vocabulary(int64_t rows, int64_t tokens);

/* config.json as an object, in float32; its owner calls json_decref. What pg_config does not know has the published
 * models' values. */
pg_status pg_config_describe(json_t **out, const pg_config *config);

/* FOLDER/preprocessor_config.json: how pictures become the vision tower's input. */
pg_status pg_config_write_processor(const char *folder, const pg_config *config);

#endif
