/* paligemma score: predictions against what is right, without a model. */
#include "commands.h"
#include "evaluating.h"
#include "finding.h"

typedef struct score_settings {
    pg_cli_evaluating evaluating;
    const char *predictions, *references;
} score_settings;

static const pg_cli_option score_options[] = {
    {"predictions", 0, "FILE", PG_CLI_TEXT, offsetof(score_settings, predictions),
     "COCO's results, VQA results, or JSONL as generate --batch and eval --out write it", 0, 0},
    {"references", 0, "FILE", PG_CLI_TEXT, offsetof(score_settings, references),
     "what is asked and right: COCO captions or instances, VQA v2 questions, or JSONL", 0, 0},
    {0},
};

static const pg_cli_group groups[] = {
    {"Files", score_options, 0},
    {"Data", pg_cli_evaluating_options, offsetof(score_settings, evaluating)},
    {"Output", pg_cli_figures_options, offsetof(score_settings, evaluating)},
    {0},
};

static void init(void *memory)
{
    pg_cli_evaluating_init(&((score_settings *)memory)->evaluating);
}

static int check(const pg_cli_command *command, const score_settings *settings)
{
    if (!settings->predictions || !settings->references)
        return pg_cli_usage(command, "--%s is missing", settings->predictions ? "references" : "predictions");
    return pg_cli_evaluating_check(command, &settings->evaluating);
}

static int run(const pg_cli_command *command, void *memory, const pg_cli_list *operands)
{
    score_settings *settings = memory;
    pg_mask_codec *codec = NULL;
    pg_evaluation *evaluation = NULL;
    int code;
    (void)operands;
    PG_CLI_TRY(check(command, settings));
    PG_CLI_TRY(pg_cli_codec_open(&codec, settings->evaluating.codec, NULL));
    PG_CLI_TRY(pg_cli_evaluating_open(&evaluation, &settings->evaluating, settings->references, codec, 0));
    PG_CLI_TRY(pg_cli_check(pg_evaluation_load(evaluation, settings->predictions)));
    code = pg_cli_evaluating_finish(evaluation, &settings->evaluating);
done:
    pg_evaluation_close(evaluation);
    pg_mask_codec_close(codec);
    return code;
}

const pg_cli_command pg_cli_score = {
    .name = "score",
    .usage = "--task TASK --predictions FILE --references FILE",
    .summary = "measure predictions by the official rules",
    .details =
        "Figures: caption: CIDEr-D, BLEU, ROUGE-L as pycocoevalcap has them (METEOR, which needs data of its own, is "
        "not "
        "among them), share of the same texts and of the same sets; vqa, textvqa: VQA accuracy; docvqa: ANLS; chartqa: "
        "relaxed accuracy; ocr: character and word error rates; detect, segment: AP and AR as pycocotools has them, "
        "mIoU; "
        "refcoco: mIoU, cIoU, accuracy; classify: top-1, top-5; retrieval: recall@1, 5, 10. Where predictions have a "
        "probability, also the expected calibration error.\n\n"
        "A prediction names its case by \"question_id\", \"image_id\", or \"image\" and \"prompt\" (or \"prefix\") as "
        "the "
        "references have them; a line of JSONL that names none is for the case of the same number. A prediction for no "
        "case, a second one, and a case without one are errors. Rows of JSONL references may have \"suffixes\", a list "
        "of "
        "right answers; rows about the same picture with the same prefix are one case.",
    .groups = groups,
    .settings_size = sizeof(score_settings),
    .init = init,
    .run = run,
};
