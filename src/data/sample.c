/*
 * From a row to a sample. Prompts are made by the functions that inference uses; the answer is tokenized on its own and
 * ends in <eos>. Pictures stay bytes: the trainer has the model's mean and deviation.
 */
#include "data/sample.h"

#include <string.h>

#include "base/random.h"
#include "data/augment.h"
#include "data/dataset.h"
#include "image/image.h"
#include "text/prompt.h"
#include "text/siglip_text.h"
#include "text/tokenizer.h"

/* Streams of random numbers. */
#define MIRROR 0x6d61736b
#define MERGES 0x6d657267

/* One sample in the making. */
typedef struct maker {
    const pg_loader_options *options;
    const pg_dataset *dataset;
    pg_sample *sample;
    pg_data_row *row;
    pg_image **images;
    bool skipped; /* too long */
} maker;

void pg_sample_free(pg_sample *sample)
{
    if (!sample)
        return;
    pg_free(sample->pixels);
    pg_free(sample->ids);
    pg_free(sample->rejected);
    pg_free(sample->patch_labels);
    pg_free(sample->mask);
    pg_free(sample);
}

/* ---------------------------------------------------------------- options */

void pg_loader_options_init(pg_loader_options *options)
{
    *options = (pg_loader_options){.bad_share = 0.01, .bad_listed = 100};
}

static pg_status check_model(const pg_loader_options *options)
{
    if (!options->tokenizer)
        return PG_OK; /* masks need none */
    if (options->context == 0)
        return pg_fail(PG_ERROR_ARGUMENT, "a loader needs the longest row in ids (context)");
    if (options->image_size > PG_IMAGE_MAX_SIDE / 100)
        return pg_fail(PG_ERROR_ARGUMENT, "pictures of %zu pixels a side", options->image_size);
    if (options->image_size && options->model == PG_MODEL_PALIGEMMA && options->image_tokens >= options->context)
        return pg_fail(PG_ERROR_ARGUMENT, "a picture has %zu ids, the context holds %zu", options->image_tokens,
                       options->context);
    return PG_OK;
}

pg_status pg_loader_options_check(const pg_loader_options *options)
{
    PG_TRY(check_model(options));
    if (options->threads < 0 || options->threads > 256)
        return pg_fail(PG_ERROR_ARGUMENT, "threads: %d, expected 1 to 256", options->threads);
    if (options->ahead > 65536)
        return pg_fail(PG_ERROR_ARGUMENT, "rows ahead: %zu, at most 65536", options->ahead);
    if (!(options->bad_share >= 0 && options->bad_share <= 1))
        return pg_fail(PG_ERROR_ARGUMENT, "the share of bad rows is %g, expected 0 to 1", options->bad_share);
    if (options->end && options->end < options->first)
        return pg_fail(PG_ERROR_ARGUMENT, "rows end at position %llu, before they begin at %llu",
                       (unsigned long long)options->end, (unsigned long long)options->first);
    return pg_augmentation_check(&options->augment);
}

/* ---------------------------------------------------------------- pictures */

static pg_status load_images(const maker *make)
{
    pg_image_options options;
    pg_image_options_init(&options);
    options.keep_orientation = make->options->keep_orientation;
    for (size_t i = 0; i < make->row->image_count; i++)
        PG_TRY(pg_row_load_image(&make->images[i], &make->row->images[i], &options));
    return PG_OK;
}

static pg_status place_pixels(const maker *make)
{
    size_t side = make->options->image_size, bytes = 3 * side * side, count = make->row->image_count;
    pg_sample *sample = make->sample;
    if (count == 0)
        return PG_OK;
    sample->pixels = pg_alloc(count, bytes);
    if (!sample->pixels)
        return PG_ERROR_MEMORY;
    for (size_t i = 0; i < count; i++) {
        pg_image *resized;
        PG_TRY(pg_image_resize(&resized, make->images[i], side, side, make->options->resize_order));
        memcpy(sample->pixels + i * bytes, resized->pixels, bytes);
        pg_image_free(resized);
        pg_augment_colour(sample->pixels + i * bytes, side * side, &make->options->augment, make->options->seed,
                          sample->position);
    }
    sample->image_count = count;
    sample->side = side;
    return PG_OK;
}

static pg_status make_pictures(const maker *make)
{
    const pg_loader_options *options = make->options;
    PG_TRY(load_images(make));
    PG_TRY(pg_augment_place(make->images, make->row->image_count, make->row, &options->augment, options->seed,
                            make->sample->position));
    return place_pixels(make);
}

/* ---------------------------------------------------------------- ids */

static unsigned flags_of(const maker *make)
{
    return make->options->special ? PG_ENCODE_SPECIAL : PG_ENCODE_PLAIN;
}

static pg_merge_dropout dropout_of(const maker *make)
{
    return (pg_merge_dropout){make->dataset->bpe_dropout, make->options->seed,
                              pg_random_bits(make->options->seed, MERGES, make->sample->position)};
}

/* The prompt in the wanted style. */
static pg_status add_prefix(pg_prompt *out, const maker *make, const char *text)
{
    const pg_loader_options *options = make->options;
    if (make->row->image_count && options->style != PG_PROMPT_TASK)
        return pg_fail(PG_ERROR_ARGUMENT, "pictures go with task prompts, not with chat or plain text");
    if (options->style == PG_PROMPT_CHAT) {
        pg_chat_turn turn = {"user", text};
        return pg_prompt_chat(out, options->tokenizer, &turn, 1, true, flags_of(make));
    }
    if (options->style == PG_PROMPT_TEXT)
        return pg_prompt_text(out, options->tokenizer, text, flags_of(make));
    pg_prompt_images images = {make->row->image_count, options->image_tokens, options->image_token};
    return pg_prompt_paligemma(out, options->tokenizer, text, images, flags_of(make));
}

/* <bos>, if the tokenizer has one, and the text. Of a document <bos> is given and everything else is to be predicted.
 */
static pg_status add_document(pg_prompt *out, const maker *make, const char *text, unsigned end)
{
    *out = (pg_prompt){0};
    bool bos = pg_tokenizer_bos(make->options->tokenizer) >= 0;
    unsigned flags = flags_of(make) | end | (bos ? PG_ENCODE_BOS : 0);
    pg_merge_dropout dropout = dropout_of(make);
    out->prefix = bos;
    return pg_tokenizer_append(&out->ids, make->options->tokenizer, text, SIZE_MAX, flags, &dropout);
}

/* Of text that is classified nothing is to be predicted. Gemma's stands for itself: a picture beside it is for another
 * model, whose features are joined to Gemma's. */
static pg_status add_labelled(pg_prompt *out, const maker *make, const char *text)
{
    if (make->options->model == PG_MODEL_PALIGEMMA)
        return add_prefix(out, make, text);
    PG_TRY(add_document(out, make, text, 0));
    out->prefix = out->ids.count;
    return PG_OK;
}

static pg_status add_answer(pg_prompt *out, const maker *make, const char *text)
{
    pg_merge_dropout dropout = dropout_of(make);
    return pg_prompt_add_suffix(out, make->options->tokenizer, text, flags_of(make), &dropout);
}

static pg_status add_all(pg_prompt *out, const maker *make)
{
    const pg_data_row *row = make->row;
    switch (row->kind) {
    case PG_ROW_LABEL: return add_labelled(out, make, row->text);
    case PG_ROW_TEXT:
        if (row->image_count == 0)
            return add_document(out, make, row->text, PG_ENCODE_EOS);
        PG_TRY(add_prefix(out, make, row->prefix ? row->prefix : ""));
        return add_answer(out, make, row->text);
    default:
        PG_TRY(add_prefix(out, make, row->prefix));
        return add_answer(out, make, row->kind == PG_ROW_SUFFIX ? row->suffix : row->chosen);
    }
}

/* Ids that have an embedding, and image tokens for pictures only. */
static pg_status check_ids(const maker *make, const int32_t *ids, size_t count, size_t pictures)
{
    const pg_loader_options *options = make->options;
    size_t places = 0;
    for (size_t i = 0; i < count; i++) {
        if (ids[i] < 0 || (options->vocabulary && (size_t)ids[i] >= options->vocabulary))
            return pg_fail(PG_ERROR_FORMAT, "the text has token %d, the model knows %zu tokens", ids[i],
                           options->vocabulary);
        places += options->image_size && options->model == PG_MODEL_PALIGEMMA && ids[i] == options->image_token;
    }
    if (places != pictures * options->image_tokens && options->model == PG_MODEL_PALIGEMMA)
        return pg_fail(PG_ERROR_FORMAT, "the text has %zu image tokens, %zu pictures fill %zu", places, pictures,
                       pictures * options->image_tokens);
    return PG_OK;
}

/* The longest row in ids with the pictures that this one has. */
static size_t longest(const maker *make)
{
    const pg_loader_options *options = make->options;
    size_t text = options->text_length + make->row->image_count * options->image_tokens;
    return options->text_length && text < options->context ? text : options->context;
}

/* Cuts an answer of *count ids behind `prefix` others at the longest row. False: the row is passed over. */
static bool fit(maker *make, size_t prefix, size_t *count)
{
    size_t room = longest(make) > prefix ? longest(make) - prefix : 0;
    if (*count <= room)
        return true;
    make->skipped = make->options->long_rows == PG_LONG_SKIP || room == 0;
    make->sample->truncated = true;
    *count = room;
    return !make->skipped;
}

/* The text of a class is cut as an answer is. */
static void fit_labelled(maker *make)
{
    size_t count = make->sample->count;
    if (make->row->image_count && count > longest(make))
        make->skipped = true;
    else if (fit(make, 0, &count))
        make->sample->count = make->sample->prefix = count;
}

static pg_status add_rejected(maker *make, size_t prefix)
{
    pg_ids ids = {0};
    pg_merge_dropout dropout = dropout_of(make);
    pg_status status = pg_tokenizer_append(&ids, make->options->tokenizer, make->row->rejected, SIZE_MAX,
                                           flags_of(make) | PG_ENCODE_EOS, &dropout);
    make->sample->rejected = ids.data;
    if (status == PG_OK)
        status = check_ids(make, ids.data, ids.count, 0);
    if (status == PG_OK && fit(make, prefix, &ids.count))
        make->sample->rejected_count = ids.count;
    return status;
}

static pg_status take_ids(maker *make, pg_prompt *prompt)
{
    pg_sample *sample = make->sample;
    size_t answer = prompt->ids.count - prompt->prefix;
    sample->ids = prompt->ids.data;
    sample->prefix = prompt->prefix;
    sample->count = prompt->ids.count;
    prompt->ids = (pg_ids){0};
    PG_TRY(check_ids(make, sample->ids, sample->count, sample->image_count));
    if (make->row->kind == PG_ROW_LABEL)
        fit_labelled(make);
    else if (fit(make, sample->prefix, &answer))
        sample->count = sample->prefix + answer;
    if (make->skipped)
        return PG_OK;
    return make->row->kind == PG_ROW_PREFERENCE ? add_rejected(make, sample->prefix) : PG_OK;
}

/* SigLIP's text has a fixed length; captions and the answers of other rows are what a picture is paired with. */
static pg_status make_siglip_text(maker *make)
{
    const pg_data_row *row = make->row;
    pg_sample *sample = make->sample;
    const char *text = row->text ? row->text : row->suffix;
    if (row->kind == PG_ROW_LABEL)
        return PG_OK; /* its picture is classified */
    if (!text)
        return pg_fail(PG_ERROR_ARGUMENT, "rows of kind \"%s\" are not for SigLIP", pg_row_kind_name(row->kind));
    if (make->dataset->bpe_dropout > 0)
        return pg_fail(PG_ERROR_UNSUPPORTED,
                       "bpe_dropout is for answers and texts of decoders, not for SigLIP's texts");
    sample->ids = pg_alloc(make->options->context, sizeof *sample->ids);
    if (!sample->ids)
        return PG_ERROR_MEMORY;
    sample->count = make->options->context;
    return pg_siglip_text_encode(sample->ids, sample->count, make->options->tokenizer, text, flags_of(make));
}

static pg_status make_ids(maker *make)
{
    if (make->options->model == PG_MODEL_SIGLIP)
        return make_siglip_text(make);
    pg_prompt prompt = {0};
    pg_status status = add_all(&prompt, make);
    if (status == PG_OK)
        status = take_ids(make, &prompt);
    pg_prompt_free(&prompt);
    return status;
}

/* ---------------------------------------------------------------- the whole */

/* Mirrored, as pictures are, with the probability that augmentation has. */
static void take_mask(const maker *make)
{
    const pg_loader_options *options = make->options;
    float *mask = make->sample->mask = make->row->mask;
    make->row->mask = NULL;
    if (pg_random_uniform(options->seed, MIRROR, make->sample->position) >= options->augment.flip)
        return;
    for (float *line = mask; line < mask + PG_MASK_SIDE * PG_MASK_SIDE; line += PG_MASK_SIDE)
        for (size_t x = 0; x < PG_MASK_SIDE / 2; x++) {
            float left = line[x];
            line[x] = line[PG_MASK_SIDE - 1 - x];
            line[PG_MASK_SIDE - 1 - x] = left;
        }
}

static pg_status take_labels(const maker *make)
{
    pg_sample *sample = make->sample;
    const pg_augmentation *augment = &make->options->augment;
    sample->label = make->row->kind == PG_ROW_LABEL ? make->row->label : -1;
    sample->patch_labels = make->row->patch_labels;
    sample->patch_count = make->row->patch_count;
    make->row->patch_labels = NULL;
    if (sample->patch_labels && (augment->crop > 0 || augment->flip > 0))
        return pg_fail(PG_ERROR_ARGUMENT, "a label for each patch does not move along with \"crop\" and \"flip\"");
    return PG_OK;
}

static pg_status make_all(maker *make)
{
    make->sample->kind = make->row->kind;
    PG_TRY(take_labels(make));
    if (make->row->kind == PG_ROW_MASK) {
        take_mask(make);
        return PG_OK;
    }
    if (!make->options->tokenizer)
        return pg_fail(PG_ERROR_ARGUMENT, "a loader needs a tokenizer");
    if (make->row->image_count && !make->options->image_size)
        return pg_fail(PG_ERROR_UNSUPPORTED, "the row has pictures, and the model has no eyes");
    make->images = pg_alloc(make->row->image_count, sizeof *make->images);
    if (!make->images)
        return PG_ERROR_MEMORY;
    PG_TRY(make_pictures(make));
    return make_ids(make);
}

/* Puts the row's place in front of why it is bad. */
static pg_status fail_at(pg_status reason, const pg_dataset *dataset, size_t row)
{
    pg_buffer place = {0};
    pg_status status = dataset->source->place(&place, dataset, row);
    if (status == PG_OK)
        status = pg_fail_context(reason, "%s", place.data);
    pg_buffer_free(&place);
    return status;
}

static pg_status make_from_row(maker *make)
{
    pg_status status = make_all(make);
    for (size_t i = 0; make->images && i < make->row->image_count; i++)
        pg_image_free(make->images[i]);
    pg_free(make->images);
    return status == PG_OK || status == PG_ERROR_MEMORY ? status : fail_at(status, make->dataset, make->sample->row);
}

pg_status pg_sample_load(pg_sample **out, const pg_mixture *mixture, const pg_loader_options *options,
                         uint64_t position)
{
    maker make = {.options = options, .sample = pg_alloc(1, sizeof *make.sample)};
    *out = NULL;
    if (!make.sample)
        return PG_ERROR_MEMORY;
    make.sample->position = position;
    pg_mixture_at(&make.sample->part, &make.sample->row, mixture, position);
    make.dataset = pg_mixture_dataset(mixture, make.sample->part);
    pg_status status = pg_dataset_row(&make.row, make.dataset, make.sample->row);
    if (status == PG_OK)
        status = make_from_row(&make);
    pg_data_row_free(make.row);
    if (status == PG_OK && !make.skipped)
        *out = make.sample;
    else
        pg_sample_free(make.sample);
    return status;
}

pg_status pg_sample_make(pg_sample **out, const pg_mixture *mixture, const pg_loader_options *options,
                         uint64_t position)
{
    *out = NULL;
    PG_TRY(pg_loader_options_check(options));
    PG_TRY(pg_sample_load(out, mixture, options, position));
    return *out ? PG_OK
                : pg_fail(PG_ERROR_LIMIT, "the row at position %llu is longer than the context of %zu ids",
                          (unsigned long long)position, options->context);
}
