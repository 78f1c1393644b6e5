/*
 * paligemma.h: run PaliGemma, SigLIP and Gemma from C.
 *
 * The only public header, from simple to advanced:
 *   1. errors      every function that can fail returns pg_status
 *   2. pictures    decode and resize
 *   3. text        tokenizers
 *   4. models      open a folder in the published layout
 *   5. answers     pg_describe() in one call; sessions, batches, streaming, sampling and beams
 *   6. insight     every intermediate, embeddings, perplexity
 *   7. speed       times beside what the machine can do
 *   8. smaller     models with quantised weights
 *
 * Conventions. A result comes first, through `out`, and is the caller's to free; what a function returns directly is
 * borrowed from its parent. Strings are UTF-8 and end in NUL. Sizes are in bytes, pixels or tokens as named. Objects
 * are opaque. Unless a function says otherwise, an object may be read by several threads at once and changed by one.
 * Option structures are filled by their _init function first, so that later versions can add fields.
 */
#ifndef PALIGEMMA_H
#define PALIGEMMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PG_API __attribute__((visibility("default")))

/* ---------------------------------------------------------------- 1. errors */

typedef enum pg_status {
    PG_OK = 0,
    PG_ERROR_ARGUMENT = -1,    /* the caller asked for something that makes no sense */
    PG_ERROR_MEMORY = -2,      /* out of memory */
    PG_ERROR_FILE = -3,        /* a file cannot be opened, read or written */
    PG_ERROR_FORMAT = -4,      /* bytes from outside are not what they should be */
    PG_ERROR_UNSUPPORTED = -5, /* well formed, but of a kind that this library does not run */
    PG_ERROR_LIMIT = -6,       /* larger than a limit, or longer than the context */
    PG_ERROR_CANCELLED = -7,   /* a callback asked to stop */
} pg_status;

/* One line about the last failure in this thread: what was found, what was expected, what to do. Never NULL. Valid
 * until the next failure in the same thread. */
PG_API const char *pg_error_last(void);

/* "out of memory" for PG_ERROR_MEMORY, and so on. */
PG_API const char *pg_status_name(pg_status status);

/* "0.1.0" */
PG_API const char *pg_version(void);

/* The libraries that this one was built with: "jansson 2.14, libjpeg 6.2, ..." */
PG_API const char *pg_libraries(void);

/* ---------------------------------------------------------------- 2. pictures */

/* A picture: 8-bit RGB, rows from the top. Immutable once made. */
typedef struct pg_image pg_image;

typedef struct pg_image_options {
    bool keep_orientation; /* leave the picture as stored, whatever its EXIF orientation says (default: turn it) */
    uint64_t max_pixels;   /* refuse larger pictures before anything is allocated (default: 178,956,970) */
} pg_image_options;

PG_API void pg_image_options_init(pg_image_options *options);

/* Reads a JPEG, PNG, WebP, GIF (first frame), BMP, PPM/PGM or TIFF (first page) file; "-" is standard input. The kind
 * is told by the content, not by the name. options: NULL for the defaults. As Pillow's convert("RGB") does it: alpha is
 * dropped, palettes are expanded; of 16-bit samples the high byte is taken. */
PG_API pg_status pg_image_load(pg_image **out, const char *path, const pg_image_options *options);

/* The same from memory. `name` stands for the picture in error messages. */
PG_API pg_status pg_image_decode(pg_image **out, const void *bytes, size_t size, const char *name,
                                 const pg_image_options *options);

/* A copy of width x height RGB pixels; stride: bytes from one row to the next (0: 3 * width). */
PG_API pg_status pg_image_new(pg_image **out, const uint8_t *rgb, size_t width, size_t height, size_t stride);

PG_API void pg_image_free(pg_image *image);
PG_API size_t pg_image_width(const pg_image *image);
PG_API size_t pg_image_height(const pg_image *image);

/* height * width * 3 bytes, row by row. */
PG_API const uint8_t *pg_image_pixels(const pg_image *image);

typedef enum pg_resize_order {
    PG_RESIZE_PILLOW13 = 0, /* Pillow 13: the height first for tall pictures */
    PG_RESIZE_CLASSIC = 1,  /* Pillow up to 11.3: the width first, always */
} pg_resize_order;

/* Pillow's bicubic resize, bit for bit. The aspect ratio is not kept. */
PG_API pg_status pg_image_resize(pg_image **out, const pg_image *image, size_t width, size_t height,
                                 pg_resize_order order);

/* Writes a PNG file; nothing is left behind on failure. */
PG_API pg_status pg_image_save_png(const pg_image *image, const char *path);

/* ---------------------------------------------------------------- 3. text */

/* Text to token ids and back. Immutable; any number of threads may use one. */
typedef struct pg_tokenizer pg_tokenizer;

/* Opens tokenizer.json (BPE with byte fallback), tokenizer.model or spiece.model (SentencePiece: BPE or unigram), or a
 * folder that holds one of them (in this order of preference). A tokenizer_config.json beside the file is heeded: added
 * tokens, add_bos_token, SigLIP's way of preparing text. */
PG_API pg_status pg_tokenizer_open(pg_tokenizer **out, const char *path);
PG_API void pg_tokenizer_close(pg_tokenizer *tokenizer);

/* Number of ids: one more than the largest. */
PG_API int32_t pg_tokenizer_size(const pg_tokenizer *tokenizer);

/* The id of a piece such as "<eos>", "<loc0000>" or "\n"; -1 if there is none. */
PG_API int32_t pg_tokenizer_id(const pg_tokenizer *tokenizer, const char *piece);

/* The piece of an id as the vocabulary spells it; NULL if there is none. */
PG_API const char *pg_tokenizer_piece(const pg_tokenizer *tokenizer, int32_t id);

/* True for control tokens: <pad>, <bos>, <eos>, <unk>, <image>, turn markers. */
PG_API bool pg_tokenizer_is_special(const pg_tokenizer *tokenizer, int32_t id);

/* Other added tokens than control tokens, such as <loc0000>, always count in a text. In that of a SentencePiece file,
 * control tokens never do unless tokenizer_config.json declares them. */
typedef enum pg_encode_flags {
    PG_ENCODE_PLAIN = 0,
    PG_ENCODE_SPECIAL = 1, /* control tokens spelled out in the text count as such; else they are plain text */
    PG_ENCODE_BOS = 2,     /* <bos> in front */
    PG_ENCODE_EOS = 4,     /* <eos> at the end */
} pg_encode_flags;

/* Token ids of `size` bytes of text (size SIZE_MAX: up to the NUL). *out: *count ids, freed with pg_free. Invalid UTF-8
 * is PG_ERROR_FORMAT with the offset of the first bad byte. */
PG_API pg_status pg_tokenizer_encode(int32_t **out, size_t *count, const pg_tokenizer *tokenizer, const char *text,
                                     size_t size, unsigned flags);

/* Text of `count` ids; bytes that are not UTF-8 become U+FFFD. skip_special leaves control tokens out; ids that have no
 * piece always are (only negative ones are an error), and SentencePiece's unknown piece shows as U+2047
 * between spaces. *out is freed with pg_free. */
PG_API pg_status pg_tokenizer_decode(char **out, const pg_tokenizer *tokenizer, const int32_t *ids, size_t count,
                                     bool skip_special);

/* Decodes token by token for streaming: a character is shown once all its bytes are there. One thread at a time. */
typedef struct pg_decoder pg_decoder;
PG_API pg_status pg_decoder_new(pg_decoder **out, const pg_tokenizer *tokenizer, bool skip_special);
PG_API void pg_decoder_free(pg_decoder *decoder);

/* Adds one id. *text: what can be shown now, possibly "", borrowed until the next call; *size: its bytes (may be NULL).
 */
PG_API pg_status pg_decoder_push(pg_decoder *decoder, int32_t id, const char **text, size_t *size);

/* What was held back at the end: every byte of an unfinished character as one U+FFFD. Empties the decoder. */
PG_API pg_status pg_decoder_finish(pg_decoder *decoder, const char **text, size_t *size);

/* Frees what functions of this library return through `out` and document as freed with pg_free. NULL is allowed. */
PG_API void pg_free(void *memory);

/* ---------------------------------------------------------------- 4. models */

/* A model: weights (mapped from their files), configuration and tokenizer. Immutable; any number of threads and
 * sessions may use one. */
typedef struct pg_model pg_model;

typedef enum pg_model_kind {
    PG_MODEL_PALIGEMMA, /* pictures and a prompt in, text out */
    PG_MODEL_GEMMA,     /* text in, text out */
    PG_MODEL_SIGLIP,    /* pictures and texts in, embeddings out */
} pg_model_kind;

/* Opens a folder in the published layout: config.json, model.safetensors (or shards with their index), tokenizer files,
 * and, where they exist, preprocessor_config.json and generation_config.json. Every tensor is checked against the
 * configuration; nothing is read but headers. The files must not change while the model is open. */
PG_API pg_status pg_model_open(pg_model **out, const char *folder);

/* Weights are read from their mapped files when they are needed, unless: */
typedef struct pg_model_options {
    bool prefault; /* all of them are brought into memory before the model is open */
    bool lock;     /* the same, and they stay there (mlock); PG_ERROR_LIMIT where the system does not allow as much */
} pg_model_options;

PG_API void pg_model_options_init(pg_model_options *options);

/* options: NULL for the defaults. */
PG_API pg_status pg_model_open_with(pg_model **out, const char *folder, const pg_model_options *options);

PG_API void pg_model_close(pg_model *model);

PG_API pg_model_kind pg_model_get_kind(const pg_model *model);
PG_API const pg_tokenizer *pg_model_tokenizer(const pg_model *model);

/* Side of the square picture in pixels (0 for Gemma), and how many tokens one picture becomes. */
PG_API size_t pg_model_image_size(const pg_model *model);
PG_API size_t pg_model_image_tokens(const pg_model *model);

/* Longest sequence in tokens, pictures included. */
PG_API size_t pg_model_context(const pg_model *model);

/* What `paligemma inspect` prints, as one JSON object: architecture, shapes, parameters, dtypes, files, memory. *out is
 * freed with pg_free. */
PG_API pg_status pg_model_describe(char **out, const pg_model *model);

/* ---------------------------------------------------------------- 5. answers */

/* The shortest way: the model's answer to a prompt about one picture file (image may be NULL), greedily decoded with
 * the model's own limits. *out is freed with pg_free. */
PG_API pg_status pg_ask(char **out, const pg_model *model, const char *image, const char *prompt);

/* Memory and threads of one conversation with a model. One thread at a time. */
typedef struct pg_session pg_session;

/* How products are computed, whatever the weights are stored in. */
typedef enum pg_compute {
    PG_COMPUTE_AUTO, /* INT8 for quantised weights; BF16 for bf16 ones where the machine has bf16 products; else F32 */
    PG_COMPUTE_F32,
    PG_COMPUTE_BF16, /* factors rounded to bf16, sums in f32 */
    PG_COMPUTE_INT8, /* quantised weights times activations quantised on the way, sums in whole numbers and f32; weights
                        that are not quantised as AUTO does them. Only for models that have quantised weights. */
} pg_compute;

typedef struct pg_session_options {
    int threads;                  /* 0: one per physical core that this process may use */
    pg_compute compute;           /* PG_COMPUTE_AUTO */
    pg_resize_order resize_order; /* PG_RESIZE_PILLOW13 */
    size_t context;               /* longest sequence in tokens (0: the model's) */
    size_t sequences;             /* requests, or beams, that run at the same time (0: 1); further ones wait */
} pg_session_options;

PG_API void pg_session_options_init(pg_session_options *options);
PG_API pg_status pg_session_new(pg_session **out, const pg_model *model, const pg_session_options *options);
PG_API void pg_session_free(pg_session *session);

/* What PG_COMPUTE_AUTO became. */
PG_API pg_compute pg_session_compute(const pg_session *session);
PG_API int pg_session_threads(const pg_session *session);

/* The instruction set of the kernels in use: "ref", "avx2", "avx512", "avx512bf16", "neon". The environment variable
 * PG_ISA names the best one that may be used. */
PG_API const char *pg_isa(void);

typedef enum pg_prompt_style {
    PG_PROMPT_TASK, /* PaliGemma: <image> tokens, <bos>, the prompt, a newline; Gemma: as PG_PROMPT_TEXT */
    PG_PROMPT_TEXT, /* <bos> and the text, to be continued */
    PG_PROMPT_CHAT, /* one user turn in Gemma's chat format */
} pg_prompt_style;

/* Receives text as it is made: `size` bytes of whole characters for request `index` of the call. Returning false ends
 * that request with PG_FINISH_CANCELLED. Called from the thread that runs pg_generate. */
typedef bool pg_text_callback(void *user, size_t index, const char *text, size_t size);

/* What an answer may be, token by token. Immutable; any number of requests, sessions and threads may use one. */
typedef struct pg_constraint pg_constraint;

/* Which tokens may follow the `count` tokens of an answer so far: writes their ids, ascending, to `ids`, which has room
 * for the model's whole vocabulary, and returns how many there are; PG_PERMIT_ALL: any. With 0 the answer ends
 * (PG_FINISH_STOP). An end token may come only where it is listed. Called from the thread that runs pg_generate, also
 * about tokens that only may come; the same tokens must always permit the same ids. */
#define PG_PERMIT_ALL SIZE_MAX
typedef size_t pg_permit_callback(void *user, int32_t *ids, const int32_t *tokens, size_t count);

/* A constraint of the caller's own. Freed, as all of them, with pg_constraint_free, after the last use. */
PG_API pg_status pg_constraint_new(pg_constraint **out, pg_permit_callback *permit, void *user);
PG_API void pg_constraint_free(pg_constraint *constraint);

/* One of `count` texts, each tokenized on its own as answers are in training, and the end token. Control tokens spelled
 * out in a text are plain text. */
PG_API pg_status pg_constraint_new_texts(pg_constraint **out, const pg_model *model, const char *const *texts,
                                         size_t count);

typedef enum pg_masks {
    PG_MASKS_NONE,     /* detection: boxes and labels */
    PG_MASKS_OPTIONAL, /* an object has a mask or none */
    PG_MASKS_ALWAYS,   /* segmentation: every object has one */
} pg_masks;

/* What detection and segmentation answer: nothing, or objects with " ; " between them; then the end token. An object is
 * four location tokens <locY1><locX1><locY2><locX2> with Y1 < Y2 and X1 < X2, a mask of 16 <segNNN> tokens, a space and
 * one of the labels. No box comes twice. A label that could not be read back (empty, with blanks around it, ";", a line
 * break, "<eos>", location or mask tokens) is PG_ERROR_ARGUMENT with its number. The model's tokenizer must have the
 * location tokens and, for masks, the mask tokens. */
PG_API pg_status pg_constraint_new_objects(pg_constraint **out, const pg_model *model, const char *const *labels,
                                           size_t count, pg_masks masks);

/* One question. 0 means "off" unless noted; a negative number (length_penalty: NAN), as pg_request_init sets it, leaves
 * the choice to the model: generation_config.json's value. */
typedef struct pg_request {
    const pg_image *const *images;
    size_t image_count;
    const char *prompt;
    pg_prompt_style style;
    bool special; /* control tokens spelled out in the prompt count, as the reference does it; else they are text */

    int64_t max_new_tokens; /* -1: generation_config.json's, else what max_length leaves, else 256 */
    int64_t max_length; /* of prompt (pictures included) and answer; -1: generation_config.json's, else the context */
    int64_t min_new_tokens;
    const char *const *stop; /* texts that end the answer; they are not part of it */
    size_t stop_count;

    double temperature; /* 0: greedy; else sampling */
    int64_t top_k;
    double top_p, min_p; /* 1 and 0: off */
    uint64_t seed;
    double repetition_penalty; /* 1: off; sees the prompt too */
    int64_t no_repeat_ngram;

    int64_t beams;          /* 1: no beam search; does not go with sampling, stop texts or callbacks */
    int64_t beams_returned; /* 0: 1; at most `beams` */
    double length_penalty;  /* 1: the score is the mean log-probability */
    bool early_stopping;    /* stop as soon as `beams` answers are complete */

    /* The tokens that the answer is made of (NULL: all); borrowed for the call. Only the logits of permitted tokens are
     * computed; penalties, filters and the draw see no others, and where penalties leave none, the first one comes.
     * Does not go with beams. */
    const pg_constraint *constraint;

    /* Tokens that are proposed at a time, from what stood behind the same tokens before or because the constraint
     * leaves one only, and computed together with the next; those that the request would have chosen anyway are kept.
     * Changes no token and no log-probability, only the time. -1: as many as are likely to make the answer faster. */
    int64_t speculate;

    size_t top_logits; /* keep the best this many logits of every step */
    pg_text_callback *on_text;
    void *user;
} pg_request;

PG_API void pg_request_init(pg_request *request);

/* Replaces what pg_request_init left to the model by generation_config.json's values, or by "off"; token limits stay as
 * they are. pg_generate does this itself: it is for callers that want to know, for example how many beams there are. */
PG_API void pg_request_complete(pg_request *request, const pg_model *model);

typedef enum pg_finish {
    PG_FINISH_STOP,   /* <eos> or a stop text */
    PG_FINISH_LENGTH, /* max_new_tokens, max_length or the context */
    PG_FINISH_CANCELLED,
} pg_finish;

PG_API const char *pg_finish_name(pg_finish finish); /* "stop", "length", "cancelled" */

typedef struct pg_candidate {
    int32_t id;  /* -1: the constraint permitted fewer */
    float logit; /* raw, before penalties and temperature */
} pg_candidate;

typedef struct pg_beam {
    char *text;
    int32_t *tokens; /* <eos> included if it came */
    size_t count;
    float score; /* sum of log-probabilities / count^length_penalty */
} pg_beam;

typedef struct pg_timings { /* seconds; shared by the requests that ran together */
    double pictures;        /* decode excluded: resize, vision tower, projector */
    double prefill;         /* the prompt through the decoder, up to the first token */
    double first_token;     /* from the call to the first token of this request */
    double decode;          /* from the first token to the last */
} pg_timings;

typedef struct pg_answer {
    char *text;       /* control tokens and stop text left out */
    size_t text_size; /* bytes of it: a byte of it may be NUL */
    int32_t *tokens;  /* <eos> included if it came */
    float *logprobs;  /* of each chosen token under the model's own distribution (temperature 1, no filters), given that
                         it is one that the constraint permits; NULL with beams */
    size_t count;
    pg_finish finish;
    size_t prompt_tokens;
    size_t proposed, accepted; /* tokens that were computed ahead, and those of them that are part of the answer */
    pg_candidate *top;         /* count * top_count, best first in each step */
    size_t top_count;
    pg_beam *beams; /* best first; the first is also in text and tokens */
    size_t beam_count;
    pg_timings timings;
} pg_answer;

/* Answers `count` requests; answers[i] belongs to requests[i]. The requests run together as far as the session has
 * sequences; each gets the result it would get alone. On failure no answer is left. Each answer is freed with
 * pg_answer_free. A request that cannot be run (too long for the context, pictures for a model without eyes) fails the
 * call before anything is computed, with its index in the error text. */
PG_API pg_status pg_generate(pg_answer **answers, pg_session *session, const pg_request *requests, size_t count);
PG_API void pg_answer_free(pg_answer *answer);

/* ---------------------------------------------------------------- 6. insight */

/* A named intermediate of a forward pass: f32, u8 or i64 ("F32", "U8", "I64"), row-major, borrowed for the call. */
typedef struct pg_trace_array {
    const char *name; /* "vision.layer.3", "features", "text.norm", "logits", ... */
    const char *dtype;
    const int64_t *shape;
    int dimensions;
    const void *data;
} pg_trace_array;

typedef pg_status pg_trace_callback(void *user, const pg_trace_array *array);

/* Runs the request's prompt once, forward only, and hands out every intermediate in the order in which it is made. With
 * a SigLIP model, the pictures and the prompt go through their towers. */
PG_API pg_status pg_trace(pg_session *session, const pg_request *request, pg_trace_callback *callback, void *user);

/* The same into one safetensors file. */
PG_API pg_status pg_trace_save(pg_session *session, const pg_request *request, const char *path);

/* SigLIP: `count` embeddings of pg_model_embedding_size() floats each, of length 1, one after another in `out`. */
PG_API size_t pg_model_embedding_size(const pg_model *model);
PG_API pg_status pg_embed_images(float *out, pg_session *session, const pg_image *const *images, size_t count);
PG_API pg_status pg_embed_texts(float *out, pg_session *session, const char *const *texts, size_t count);

/* SigLIP: the probability that picture and text belong together is sigmoid(cosine * scale + bias). */
PG_API pg_status pg_model_logit_scale(float *scale, float *bias, const pg_model *model);

/* Minus the log-probability in nats of ids[1] .. ids[count - 1], each given those before it: count - 1 floats. */
PG_API pg_status pg_perplexity(float *nll, pg_session *session, const int32_t *ids, size_t count);

/* Writes a NumPy .npy file. dtype: "F32", "U8", "I32" or "I64". */
PG_API pg_status pg_save_npy(const char *path, const char *dtype, const int64_t *shape, int dimensions,
                             const void *data);

/* ---------------------------------------------------------------- 7. speed */

/* Called after each round; returning false ends the benchmark with PG_ERROR_CANCELLED. */
typedef bool pg_bench_callback(void *user, size_t rounds_done);

typedef struct pg_bench_options {
    size_t image_size;    /* side of the picture in pixels (0: the model's). Another one than the model's gets random
                             positions in place of learned ones, which changes no timing */
    size_t prompt_tokens; /* of text: behind the picture (0: 12), or without one (0: 268) */
    size_t new_tokens;    /* 0: 32 */
    size_t batch;         /* so many sequences are continued together as well (0, 1: none) */
    size_t rounds;        /* 0: 5 */
    int threads;          /* as in pg_session_options */
    pg_compute compute;   /* the same */
    pg_model_options model;
    bool profile; /* one more round, in which every operation is timed */
    pg_bench_callback *on_round;
    void *user;
} pg_bench_options;

PG_API void pg_bench_options_init(pg_bench_options *options);

/* Of all rounds. */
typedef struct pg_figure {
    double median, low, high;
} pg_figure;

/* A part of the work, beside what the machine was able to do right before and after it in the same round. */
typedef struct pg_bench_part {
    pg_figure seconds;
    double work;     /* multiplications and additions; of the decoder's steps, bytes that must be read */
    pg_figure limit; /* work per second that the machine can do: arithmetic from registers, reads of memory */
    pg_figure share; /* of the limit that was reached: work / seconds / limit */
} pg_bench_part;

typedef struct pg_bench_operation {
    const char *part; /* "vision", "prefill", "decode" */
    char name[48];    /* "linear text.layer.gate", "attention", ...; "other" is what lies between operations */
    int64_t calls;
    double seconds;
} pg_bench_operation;

typedef struct pg_bench {
    size_t image_size; /* 0: no pictures */
    size_t prompt_tokens, new_tokens, batch, rounds;
    int threads;
    pg_compute compute;

    pg_figure load;      /* seconds to open the model and make a session */
    double first_answer; /* seconds from opening the model to the first token of a first, unwarmed request */
    pg_bench_part vision, prefill, decode;
    pg_figure first_token;             /* seconds: vision, prefill and the choice */
    pg_figure tokens_per_second;       /* of one sequence */
    pg_figure batch_tokens_per_second; /* of all sequences of the batch; 0 without one */

    size_t weight_bytes;   /* as mapped from the files */
    size_t peak_memory;    /* resident bytes of the process after the first request, at most; 0: not known */
    size_t private_memory; /* what of it is not mapped weights */

    pg_bench_operation *operations;
    size_t operation_count;
} pg_bench;

/* Times a PaliGemma or Gemma model with random pixels and tokens; every round times every part once. Before that, one
 * unwarmed request is checked: its logits are finite, and the last of them are, but for rounding, those of a pass over
 * all tokens at once. Every round, and the first sequence of the batch, must choose the same tokens again; otherwise
 * PG_ERROR_FORMAT. options: NULL for the defaults. Freed with pg_bench_free. */
PG_API pg_status pg_bench_run(pg_bench **out, const char *folder, const pg_bench_options *options);
PG_API void pg_bench_free(pg_bench *bench);

/* ---------------------------------------------------------------- 8. smaller */

/* How the matrices of a part of the model are stored. Vectors and tables of positions always stay as they are. */
typedef enum pg_weight_format {
    PG_WEIGHTS_STORED, /* as in the model that is read */
    PG_WEIGHTS_BF16,   /* rounded to bf16 */
    PG_WEIGHTS_INT8,   /* a byte each, a scale for each row and block */
    PG_WEIGHTS_INT4,   /* half a byte each, 4 bits for each row and 16 inputs, a scale for each row and block */
} pg_weight_format;

/* What became of one weight. */
typedef struct pg_quantized_weight {
    const char *name;   /* "text.layer.3.gate" */
    const char *format; /* "int8", "int4", "BF16", ... */
    size_t bytes_before, bytes_after;
    double error;        /* root mean square of the differences as a part of that of the values; 0 for a copy */
    size_t index, count; /* this one of how many */
} pg_quantized_weight;

/* Called as weights are written. Returning false ends the call with PG_ERROR_CANCELLED. */
typedef bool pg_quantize_progress(void *user, size_t done, size_t total);

/* Called for each weight that was read back. */
typedef bool pg_quantize_report(void *user, const pg_quantized_weight *weight);

typedef struct pg_quantize_options {
    pg_weight_format text;   /* decoder, or SigLIP's text tower (PG_WEIGHTS_INT8) */
    pg_weight_format vision; /* vision tower and projector (PG_WEIGHTS_INT8) */
    size_t block;            /* inputs that share a scale: 32, 64, 128 or 256 (0: 256) */
    int threads;             /* 0: one per physical core that this process may use */
    pg_quantize_progress *on_progress;
    pg_quantize_report *on_weight;
    void *user;
} pg_quantize_options;

PG_API void pg_quantize_options_init(pg_quantize_options *options);

/* Writes the model into a new folder: matrices in the wanted formats in model.safetensors, the scheme in config.json,
 * everything else copied. Then reads it back and compares it, weight by weight. The folder appears when all of this has
 * succeeded. options: NULL for the defaults. Weights are read and written piece by piece. */
PG_API pg_status pg_quantize(const char *folder, const pg_model *model, const pg_quantize_options *options);

#ifdef __cplusplus
}
#endif
#endif
