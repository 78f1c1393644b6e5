/* Settings published for PaliGemma's transfers: big_vision's configurations
 * (big_vision/configs/proj/paligemma/transfers). All of them: Adam with beta2 0.999, clip 1, cosine after 5 % of
 * warm-up, nothing frozen, batch 256, text of 32 tokens. */
#include <string.h>

#include "train/settings.h"

#define COMMON(rate, decay, epochs, batch, length)                                                                   \
    {"learning_rate", rate}, {"weight_decay", decay}, {"epochs", epochs}, {"batch", batch}, {"text_length", length}, \
        {"schedule", "cosine"}, {"warmup", "0.05"}, {"clip", "1"}, {"beta2", "0.999"}, {"decay", "all"},             \
    {                                                                                                                \
        "objective", "sft"                                                                                           \
    }
#define END        \
    {              \
        NULL, NULL \
    }

static const pg_recipe caption[] = {COMMON("1e-5", "1e-6", "5", "256", "32"), END};
static const pg_recipe vqa[] = {COMMON("1e-5", "1e-6", "10", "256", "32"), END};
static const pg_recipe textvqa[] = {COMMON("3e-6", "0", "5", "256", "32"), END};
static const pg_recipe infovqa[] = {COMMON("1e-5", "1e-6", "3", "256", "48"), {"label_smoothing", "0.4"}, END};
static const pg_recipe stvqa[] = {COMMON("1e-5", "1e-6", "3", "256", "48"), {"label_smoothing", "0.1"}, END};
static const pg_recipe chartqa[] = {COMMON("1e-5", "1e-6", "30", "256", "48"),
                                    {"label_smoothing", "0.2"},
                                    {"dropout", "0.1"},
                                    END};
static const pg_recipe ai2d[] = {COMMON("1e-5", "1e-6", "10", "256", "128"), END};
static const pg_recipe okvqa[] = {COMMON("5e-6", "0", "10", "128", "32"), END};
static const pg_recipe aokvqa_mc[] = {COMMON("5e-6", "0", "15", "128", "128"), END};
static const pg_recipe gqa[] = {COMMON("1e-5", "0", "1", "256", "32"), END};
static const pg_recipe scienceqa[] = {COMMON("1e-5", "0", "20", "128", "512"), {"train", "decoder"}, END};
static const pg_recipe nlvr2[] = {COMMON("1e-5", "1e-6", "3", "256", "64"), END};
static const pg_recipe ocrvqa[] = {COMMON("3e-6", "0", "3", "128", "32"), END};
static const pg_recipe tallyqa[] = {COMMON("1e-5", "1e-6", "2", "256", "32"), END};
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
    {"infovqa", infovqa},
    {"stvqa", stvqa},
    {"chartqa", chartqa},
    {"ai2d", ai2d},
    {"okvqa", okvqa},
    {"aokvqa", okvqa},
    {"aokvqa-mc", aokvqa_mc},
    {"gqa", gqa},
    {"scienceqa", scienceqa},
    {"nlvr2", nlvr2},
    {"ocrvqa", ocrvqa},
    {"tallyqa", tallyqa},
    {"vizwiz", vizwiz},
    {"scicap", scicap},
    {"screen2words", screen2words},
    {"widgetcap", widgetcap},
    {"rsvqa-hr", rsvqa_hr},
    {"rsvqa-lr", rsvqa_lr},
    {"refcoco", refcoco},
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

const char *pg_recipe_names(void)
{
    return "caption, textcaps, coco35l, vqa, docvqa, textvqa, infovqa, stvqa, chartqa, ai2d, okvqa, aokvqa, aokvqa-mc, "
           "gqa, scienceqa, nlvr2, ocrvqa, tallyqa, vizwiz, scicap, screen2words, widgetcap, rsvqa-hr, rsvqa-lr, "
           "refcoco, "
           "own-data, attention, lora";
}
