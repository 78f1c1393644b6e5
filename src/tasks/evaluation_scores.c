/* Whether the scores of detected objects can be believed, and how a model is told to correct them. */
#include "base/file.h"
#include "generate/model.h"
#include "metrics/reliability.h"
#include "tasks/evaluation.h"

#define LEAST_OBJECTS 50 /* that a correction is fitted to */

/* Predictions without scores have 1 everywhere. */
static bool has_scores(const pg_evaluation *evaluation)
{
    for (size_t i = 0; i < evaluation->found_count; i++)
        if (evaluation->found_scores[i] != 1)
            return true;
    return false;
}

pg_status pg_evaluation_measure_scores(pg_evaluation *evaluation)
{
    pg_reliability_scores scores;
    if (!has_scores(evaluation))
        return PG_OK;
    for (size_t i = 0; i < evaluation->found_count; i++) /* others have scores that are no probabilities */
        if (!(evaluation->found_scores[i] >= 0 && evaluation->found_scores[i] <= 1))
            return PG_OK;
    PG_TRY(pg_reliability(&scores, evaluation->found_scores, evaluation->found_right, evaluation->found_count));
    return pg_evaluation_add_figure(evaluation, scores.calibration_error, "calibration error");
}

/* The correction that the model has already, then another one: a line through a line is a line. */
static pg_correction together(const pg_generation_config *config, const pg_correction *then)
{
    return (pg_correction){then->slope * config->score_slope, then->slope * config->score_intercept + then->intercept};
}

static pg_status save(const char *path, const pg_correction *correction)
{
    json_t *document = NULL;
    if (pg_file_exists(path))
        PG_TRY(pg_json_load(&document, path));
    else
        document = json_object();
    pg_json_put(&document, PG_SCORES_KEY,
                json_pack("{s:f, s:f}", "slope", correction->slope, "intercept", correction->intercept));
    pg_status status = document ? pg_json_save(document, path) : pg_fail_memory(0);
    json_decref(document);
    return status;
}

static pg_status fit(pg_correction *out, const pg_evaluation *evaluation)
{
    if (evaluation->found_count < LEAST_OBJECTS)
        return pg_fail(PG_ERROR_ARGUMENT, "scores are fitted to at least %d objects; the answers have %zu",
                       LEAST_OBJECTS, evaluation->found_count);
    if (!has_scores(evaluation))
        return pg_fail(PG_ERROR_ARGUMENT, "the objects of these answers have no scores to be fitted");
    PG_TRY(pg_correction_fit(out, evaluation->found_scores, evaluation->found_right, evaluation->found_count));
    return out->slope > 0 ? PG_OK
                          : pg_fail(PG_ERROR_ARGUMENT,
                                    "the scores of these answers say nothing of what is right (slope %g): they cannot "
                                    "be corrected",
                                    out->slope);
}

pg_status pg_evaluation_fit_scores(const pg_evaluation *evaluation, const char *folder)
{
    pg_correction correction;
    pg_config config;
    pg_generation_config generation;
    pg_buffer path = {0};
    PG_TRY(fit(&correction, evaluation));
    pg_status status = pg_file_join(&path, folder, "config.json");
    if (status == PG_OK)
        status = pg_config_load(&config, path.data);
    if (status == PG_OK)
        status = pg_file_join(&path, folder, "generation_config.json");
    if (status == PG_OK)
        status = pg_generation_config_load(&generation, &config, path.data);
    if (status == PG_OK) {
        correction = together(&generation, &correction);
        status = save(path.data, &correction);
    }
    pg_buffer_free(&path);
    return status;
}
