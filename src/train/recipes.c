/* Settings published for PaliGemma's transfers: big_vision's configurations
 * (big_vision/configs/proj/paligemma/transfers). All of them: Adam with beta2 0.999, clip 1, cosine after 5 % of
 * warm-up, nothing frozen, batch 256, text of 32 tokens, unless a task says otherwise. Where the larger resolutions
 * have settings of their own, those have a name of their own. */
#include <string.h>

#include "train/settings.h"

#define COMMON(rate, decay, epochs, batch, length)                                                                   \
    {"learning_rate", rate}, {"weight_decay", decay}, {"epochs", epochs}, {"batch", batch}, {"text_length", length}, \
        {"schedule", "cosine"}, {"warmup", "0.05"}, {"clip", "1"}, {"beta2", "0.999"}, {"decay", "all"},             \
    {                                                                                                                \
        "objective", "sft"                                                                                           \
    }
/* Everything but the vision tower. */
#define BLIND                                                 \
    {                                                         \
        "train", "^(language_model|multi_modal_projector)\\." \
    }
#define END        \
    {              \
        NULL, NULL \
    }

static const pg_recipe caption[] = {COMMON("1e-5", "1e-6", "5", "256", "32"), END};
static const pg_recipe vqa[] = {COMMON("1e-5", "1e-6", "10", "256", "32"), END};
static const pg_recipe textvqa[] = {COMMON("3e-6", "0", "5", "256", "32"), END};
static const pg_recipe textvqa_large[] = {COMMON("3e-6", "0", "10", "256", "32"), END};
static const pg_recipe infovqa[] = {COMMON("1e-5", "1e-6", "3", "256", "48"), {"label_smoothing", "0.4"}, END};
static const pg_recipe infovqa_448[] = {COMMON("1e-5", "1e-6", "3", "128", "48"), {"label_smoothing", "0.4"}, END};
static const pg_recipe infovqa_896[] = {COMMON("3e-6", "1e-6", "3", "32", "48"), {"label_smoothing", "0.4"}, END};
static const pg_recipe stvqa[] = {COMMON("1e-5", "1e-6", "3", "256", "48"), {"label_smoothing", "0.1"}, END};
static const pg_recipe stvqa_448[] = {COMMON("1e-5", "1e-6", "3", "128", "48"), {"label_smoothing", "0.1"}, END};
static const pg_recipe stvqa_896[] = {COMMON("3e-6", "1e-6", "3", "32", "48"), {"label_smoothing", "0.1"}, END};
static const pg_recipe chartqa[] = {COMMON("1e-5", "1e-6", "30", "256", "48"),
                                    {"label_smoothing", "0.2"},
                                    {"dropout", "0.1"},
                                    END};
static const pg_recipe ai2d[] = {COMMON("1e-5", "1e-6", "10", "256", "128"), END};
static const pg_recipe okvqa[] = {COMMON("5e-6", "0", "10", "128", "32"), END};
static const pg_recipe aokvqa_mc[] = {COMMON("5e-6", "0", "15", "128", "128"), END};
static const pg_recipe gqa[] = {COMMON("1e-5", "0", "1", "256", "32"), END};
static const pg_recipe gqa_448[] = {COMMON("1e-5", "0", "1", "256", "32"), BLIND, END};
static const pg_recipe scienceqa[] = {COMMON("1e-5", "0", "20", "128", "512"), BLIND, END};
static const pg_recipe nlvr2[] = {COMMON("1e-5", "1e-6", "3", "256", "64"), END};
static const pg_recipe nlvr2_448[] = {COMMON("3e-6", "1e-6", "10", "256", "64"), END};
static const pg_recipe ocrvqa[] = {COMMON("3e-6", "0", "3", "128", "32"), END};
static const pg_recipe ocrvqa_896[] = {COMMON("1e-5", "0", "3", "128", "32"), END};
static const pg_recipe tallyqa[] = {COMMON("1e-5", "1e-6", "2", "256", "32"), END};
static const pg_recipe tallyqa_896[] = {COMMON("7e-6", "1e-6", "2", "256", "32"), END};
static const pg_recipe vizwiz[] = {COMMON("1e-5", "0", "10", "256", "48"), END};
static const pg_recipe scicap[] = {COMMON("3e-5", "0", "80", "256", "96"),
                                   {"label_smoothing", "0.1"},
                                   {"dropout", "0.1"},
                                   END};
static const pg_recipe screen2words[] = {COMMON("1e-5", "0", "10", "256", "24"),
                                         {"label_smoothing", "0.2"},
                                         {"dropout", "0.3"},
                                         END};
static const pg_recipe widgetcap[] = {COMMON("3e-6", "3e-7", "4", "64", "32"),
                                      {"label_smoothing", "0.1"},
                                      {"dropout", "0.1"},
                                      END};
static const pg_recipe rsvqa_hr[] = {COMMON("1e-5", "0", "1", "256", "32"), END};
static const pg_recipe rsvqa_lr[] = {COMMON("3e-6", "0", "3", "256", "32"), {"label_smoothing", "0.2"}, END};
static const pg_recipe refcoco[] = {COMMON("3e-5", "0", "100", "256", "48"),
                                    {"label_smoothing", "0.3"},
                                    {"crop", "0.5"},
                                    END};
static const pg_recipe refcoco_448[] = {COMMON("1e-5", "0", "100", "256", "48"),
                                        {"label_smoothing", "0.3"},
                                        {"crop", "0.5"},
                                        END};
static const pg_recipe refcoco_896[] = {COMMON("1e-5", "0", "100", "64", "48"),
                                        {"label_smoothing", "0.3"},
                                        {"crop", "0.5"},
                                        END};
static const pg_recipe own_data[] = {COMMON("1e-5", "3e-7", "15", "32", "128"), END};
/* big_vision's notebook for a small GPU: plain SGD on the decoder's attention, the mean over rows of their means. */
static const pg_recipe attention[] = {{"objective", "sft"},
                                      {"train", "attention"},
                                      {"optimizer", "sgd"},
                                      {"learning_rate", "0.03"},
                                      {"steps", "64"},
                                      {"batch", "8"},
                                      {"schedule", "cosine"},
                                      {"warmup", "0.1"},
                                      {"clip", "0"},
                                      {"compute", "f32"},
                                      {"reduction", "examples"},
                                      {"text_length", "128"},
                                      END};
/* The usual settings of published adapters. */
static const pg_recipe lora[] = {{"objective", "sft"},      {"train", "lora"},
                                 {"lora_rank", "8"},        {"lora_alpha", "16"},
                                 {"lora_dropout", "0.05"},  {"learning_rate", "2e-5"},
                                 {"batch", "32"},           {"micro_batch", "4"},
                                 {"checkpointing", "true"}, END};

static const struct {
    const char *name;
    const pg_recipe *pairs;
} recipes[] = {
    {"caption", caption},
    {"textcaps", caption},
    {"coco35l", caption},
    {"vqa", vqa},
    {"docvqa", vqa},
    {"textvqa", textvqa},
    {"textvqa-448", textvqa_large},
    {"textvqa-896", textvqa_large},
    {"infovqa", infovqa},
    {"infovqa-448", infovqa_448},
    {"infovqa-896", infovqa_896},
    {"stvqa", stvqa},
    {"stvqa-448", stvqa_448},
    {"stvqa-896", stvqa_896},
    {"chartqa", chartqa},
    {"ai2d", ai2d},
    {"okvqa", okvqa},
    {"aokvqa", okvqa},
    {"aokvqa-mc", aokvqa_mc},
    {"gqa", gqa},
    {"gqa-448", gqa_448},
    {"scienceqa", scienceqa},
    {"nlvr2", nlvr2},
    {"nlvr2-448", nlvr2_448},
    {"ocrvqa", ocrvqa},
    {"ocrvqa-896", ocrvqa_896},
    {"tallyqa", tallyqa},
    {"tallyqa-896", tallyqa_896},
    {"vizwiz", vizwiz},
    {"scicap", scicap},
    {"screen2words", screen2words},
    {"widgetcap", widgetcap},
    {"rsvqa-hr", rsvqa_hr},
    {"rsvqa-lr", rsvqa_lr},
    {"refcoco", refcoco},
    {"refcoco-448", refcoco_448},
    {"refcoco-896", refcoco_896},
    {"own-data", own_data},
    {"attention", attention},
    {"lora", lora},
};
#define RECIPES (sizeof recipes / sizeof *recipes)

const pg_recipe *pg_recipe_find(const char *name)
{
    for (size_t i = 0; i < RECIPES; i++)
        if (!strcmp(recipes[i].name, name))
            return recipes[i].pairs;
    return NULL;
}
