/* Any bytes as adapter_config.json: refused, or every module of a model is chosen or not. */
#include <assert.h>

#include "model/adapter_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pg_adapter_choice choices[] = {
        {.module = "model.language_model.layers.0.self_attn.q_proj"},
        {.module = "model.language_model.layers.17.mlp.down_proj"},
        {.module = "model.vision_tower.vision_model.encoder.layers.3.mlp.fc1"},
        {.module = "model.multi_modal_projector.linear"},
        {.module = "lm_head", .output = true},
    };
    json_t *document;
    pg_adapter_config config;
    if (pg_json_parse(&document, (const char *)data, size, "fuzz") != PG_OK)
        return 0;
    if (pg_adapter_config_read(&config, document, "fuzz") == PG_OK &&
        pg_adapter_config_choose(choices, sizeof choices / sizeof *choices, &config) == PG_OK)
        for (size_t i = 0; i < sizeof choices / sizeof *choices; i++) {
            assert(choices[i].rank >= 1);
            pg_adapter_config_replaces(&config, choices[i].module);
        }
    pg_adapter_config_free(&config);
    return 0;
}
