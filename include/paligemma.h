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
 *   9. making      models written anew, merged with adapters, or from nothing
 *  10. data        rows to train on: data sets, mixtures, a loader that works ahead
 *  11. training    runs that can be stopped and go on; losses and gradients
 *  12. curves      what training runs recorded, as pictures
 *  13. objects     boxes and masks out of answers, found by a model
 *  14. drawing     boxes, masks, labels and heat maps on pictures; contact sheets
 *  15. recognition classes of pictures, search among them, and how they bear damage
 *  16. why         which patches of a picture a word, a box or a match comes from
 *  17. metrics     answers, boxes, masks and rankings against what is true, by the official rules
 *  18. evaluation  how well predictions, or a model, do on a data set
 *  19. the hub     published models fetched by name, into the cache that other programs share
 *  20. conversion  models in the layouts of other programs, there and back
 *  21. serving     many requests that come and go, answered together by one scheduler
 *  22. feedback    answers and what people said about them, kept and made into rows to train on
 *  23. server      all of this over HTTP
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
    PG_ERROR_BUSY = -8,        /* no room for more work at the moment; later there may be */
    PG_ERROR_DEADLINE = -9,    /* not done in the time that was given */
    PG_ERROR_DEVICE = -10,     /* a GPU or its driver failed */
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

/* The devices that models can be opened on (pg_model_options.device): "cpu, cuda:0 (NVIDIA H100 80GB HBM3, 79 GiB)".
 * Why there is no GPU, if there is none, stands behind it: "cpu (built without CUDA)". */
PG_API const char *pg_devices(void);

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

/* Loads `count` files on several threads (0: one per physical core). Where one cannot be read, images[i] is NULL and
 * reasons[i] says why (freed with pg_free, as all of them; else NULL). Fails, with no picture left, only for lack of
 * memory. */
PG_API pg_status pg_image_load_all(pg_image **images, char **reasons, const char *const *paths, size_t count,
                                   const pg_image_options *options, int threads);

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

/* Writes a file of the kind that its name ends in, in either case: .png, or .jpg and .jpeg (quality 92, full colour
 * resolution); another ending is PG_ERROR_ARGUMENT. Nothing is left behind on failure. */
PG_API pg_status pg_image_save(const pg_image *image, const char *path);

/* A PNG file in memory: *size bytes, freed with pg_free. */
PG_API pg_status pg_image_encode_png(uint8_t **out, size_t *size, const pg_image *image);

/* ---------------------------------------------------------------- 3. text */

/* Text to token ids and back. Immutable; any number of threads may use one. */
typedef struct pg_tokenizer pg_tokenizer;

/* Opens tokenizer.json (BPE with byte fallback), tokenizer.model or spiece.model (SentencePiece: BPE or unigram), or a
 * folder that holds one of them (spiece.model first, then in this order). A tokenizer_config.json beside the file is
 * heeded: added tokens, add_bos_token, SigLIP's way of preparing text. */
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
    bool prefault;   /* all of them are brought into memory before the model is open */
    bool lock;       /* the same, and they stay there (mlock); PG_ERROR_LIMIT where the system does not allow as much */
    bool huge_pages; /* all of them are copied into memory of this process, in huge pages where the system gives them:
                        tokens come faster, but opening takes as long as reading all weights, other processes do not
                        share the memory, and the system cannot give it to others. PG_ERROR_MEMORY without room */
    const char
        *adapter;       /* folder of a LoRA adapter in PEFT's layout, which is added to the weights as they are used,
                           quantised ones too (NULL: none). A key in it that matches nothing in the model is an error */
    const char *device; /* where the weights are and where is computed: "cpu" (NULL: the same), "cuda" (the first GPU)
                           or "cuda:N". On a GPU all weights are copied into its memory while the model is opened, and
                           prefault, lock and huge_pages mean nothing. PG_ERROR_UNSUPPORTED where this build or this
                           machine has no such device, PG_ERROR_MEMORY where its memory is too small */
} pg_model_options;

PG_API void pg_model_options_init(pg_model_options *options);

/* options: NULL for the defaults. */
PG_API pg_status pg_model_open_with(pg_model **out, const char *folder, const pg_model_options *options);

PG_API void pg_model_close(pg_model *model);

/* The folder of the small model that ships: of PG_MODEL_PALIGEMMA or PG_MODEL_SIGLIP (there is no Gemma). It is looked
 * for in $PALIGEMMA_MODELS or, without that variable, beside the library: in PREFIX/share/paligemma/models, or in the
 * source tree's models. PG_ERROR_FILE where it is not installed. *out is freed with pg_free. */
PG_API pg_status pg_default_model(char **out, pg_model_kind kind);

/* The same of the mask codec's file. */
PG_API pg_status pg_default_mask_codec(char **out);

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

/* How keys and values of earlier tokens are kept. */
typedef enum pg_cache_type {
    PG_CACHE_AUTO, /* BF16 where products are computed in bf16, else F32 */
    PG_CACHE_F32,
    PG_CACHE_BF16,
    PG_CACHE_INT8, /* signed bytes, with an f32 scale for every token, layer and head: half the memory of BF16, and
                      values that are off by at most 1/254 of the largest one of their head */
} pg_cache_type;

typedef struct pg_session_options {
    int threads;                  /* 0: one per physical core that this process may use */
    pg_compute compute;           /* PG_COMPUTE_AUTO */
    pg_cache_type cache;          /* PG_CACHE_AUTO */
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

/* Bytes of the cache that one token takes; 0 without a decoder. */
PG_API size_t pg_session_token_memory(const pg_session *session);

/* The instruction set of the kernels in use: "ref", "avx2", "avxvnni", "avx512", "avx512vnni", "avx512bf16", "amx",
 * "neon", "neondot", "neonbf16". The environment variable PG_ISA names the best one that may be used; with any other
 * text in it no model opens (PG_ERROR_ARGUMENT). */
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

/* A token that was chosen, and the logits that it was chosen from. */
typedef struct pg_step {
    int32_t token;
    float logprob;       /* of it, as in pg_answer */
    const float *logits; /* [count], raw */
    const int32_t *ids;  /* whose they are, ascending: what the constraint permits; NULL: logits[i] is token i's */
    size_t count;
    double total; /* log of the sum of exp(logits): exp(logits[i] - total) is a probability */
} pg_step;

/* Sees each step of request `index` of the call. Called from the thread that runs pg_generate. */
typedef void pg_step_callback(void *user, size_t index, const pg_step *step);

/* One question. 0 means "off" unless noted; a negative number (length_penalty: NAN), as pg_request_init sets it, leaves
 * the choice to the model: generation_config.json's value. */
typedef struct pg_request {
    const pg_image *const *images;
    size_t image_count;
    const char *prompt;
    pg_prompt_style style;
    bool special; /* control tokens spelled out in the prompt count, as the reference does it; else they are text */

    /* The prompt as token ids, with each picture's image tokens among them, in place of prompt, style and `special`;
     * borrowed for the call. The last `answer_ids` of them begin an answer: each sees only what stands before it, as
     * the tokens that follow (PaliGemma; Gemma's always do). For SigLIP (pg_trace) the ids of one text, filled up. */
    const int32_t *ids; /* NULL: none */
    size_t id_count, answer_ids;

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
    pg_step_callback *on_step; /* does not go with beams either */
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

/* How likely a text is as a whole answer, with the end token. */
typedef struct pg_text_score {
    double logprob;     /* of all its tokens under the model's own distribution */
    double probability; /* that it is the answer if one of the texts is: the probabilities divided by their sum */
    size_t tokens;
} pg_text_score;

/* Scores `count` texts, tokenized as answers are in training, as answers to a request (of which pictures, prompt, style
 * and `special` count): multiple choice. The prompt goes through the model once, the texts follow it together. A text
 * too long for the context is PG_ERROR_LIMIT with its number. */
PG_API pg_status pg_score_texts(pg_text_score *out, pg_session *session, const pg_request *request,
                                const char *const *texts, size_t count);

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

/* Runs the request's prompt once, forward only, and hands out every intermediate in the order in which it is made; last
 * the logits of all its tokens. With a SigLIP model, the pictures and the prompt go through their towers. */
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
    pg_cache_type cache;  /* the same */
    pg_model_options model;
    bool profile; /* one more round, in which every operation is timed */
    bool once;    /* the first request alone, unwarmed and unchecked, is the one round: where requests take minutes */
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
    pg_figure limit; /* work per second that the machine can do: arithmetic from registers, reads of memory; of a
                        device, copies in its memory, and 0 for arithmetic, which is not measured there */
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
    size_t token_memory;   /* bytes of the cache that one token takes */
    size_t peak_memory;    /* resident bytes of the process after the first request, at most; 0: not known */
    size_t private_memory; /* what of it is not mapped weights */

    pg_bench_operation *operations;
    size_t operation_count;
} pg_bench;

/* Times a PaliGemma or Gemma model with random pixels and tokens; every round times every part once. Before that, one
 * unwarmed request is checked: its logits are finite, and the last of them are, but for rounding, those of a pass over
 * all tokens at once. Every round, and the first sequence of the batch, must choose the same tokens again; otherwise
 * PG_ERROR_FORMAT. With `once` all this is left out, and a batch or a profile is a PG_ERROR_ARGUMENT. options: NULL for
 * the defaults. Freed with pg_bench_free. */
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

/* How the whole numbers are chosen. */
typedef enum pg_rounding {
    PG_ROUNDING_NONE,        /* the original values */
    PG_ROUNDING_NEAREST,     /* each value by itself */
    PG_ROUNDING_COMPENSATED, /* each makes good the errors of others in its row, for activations as in the examples */
} pg_rounding;

PG_API const char *pg_rounding_name(pg_rounding rounding); /* "original", "nearest", "compensated" */

/* Errors of a weight's values, and of its products with activations: root mean square of the differences as a part of
 * that of the values (of the products). */
typedef struct pg_quantized_error {
    double values;   /* 0 for a copy */
    double products; /* NAN: not known. Taken from every eighth group of 16 rows where there are more than 64 groups */
} pg_quantized_error;

/* What became of one weight. */
typedef struct pg_quantized_weight {
    const char *name;   /* "text.layer.3.gate" */
    const char *format; /* "int8", "int4", "BF16", ... */
    size_t bytes_before, bytes_after;
    pg_rounding rounding;
    pg_quantized_error error, nearest_error; /* of the result; of rounding to the nearest (the same without examples) */
    size_t index, count;                     /* this one of how many */
} pg_quantized_weight;

/* How well a model, as it was or as it was rounded, predicts the examples that are not calibrated with. */
typedef struct pg_quantized_model {
    pg_rounding rounding;
    size_t examples, tokens; /* tokens: that were predicted, each given the right ones before it */
    double nll;              /* mean of minus their log-probability, in nats; the perplexity is e^nll */
    double agreement;        /* share of the tokens in whose place the likeliest token is the original's */
} pg_quantized_model;

/* Called as weights are written, and now and then before. Returning false ends the call with PG_ERROR_CANCELLED. */
typedef bool pg_quantize_progress(void *user, size_t done, size_t total);

/* Called for the original, for the nearest and, with `calibrate`, for the compensated values. */
typedef bool pg_quantize_judgement(void *user, const pg_quantized_model *model);

/* Called for each weight that was read back. */
typedef bool pg_quantize_report(void *user, const pg_quantized_weight *weight);

typedef struct pg_quantize_options {
    pg_weight_format text;   /* decoder, or SigLIP's text tower (PG_WEIGHTS_INT8) */
    pg_weight_format vision; /* vision tower and projector (PG_WEIGHTS_INT8) */
    size_t block;            /* inputs that share a scale: 32, 64, 128 or 256 (0: 256) */
    int threads;             /* 0: one per physical core that this process may use */

    /* Examples: any data set of prompts with answers (PG_ROW_SUFFIX, as pg_dataset_open finds it; of JSON lines, the
     * suffix may be missing) or, for Gemma, of texts. Predicted are the suffix and <eos>; without a suffix, Gemma
     * predicts the prompt and PaliGemma its own greedy answer. */
    const char *calibrate; /* round with compensation; NULL: to the nearest */
    const char *evaluate;  /* judge by these; NULL: by every eighth of `calibrate`, which is then not calibrated with */
    size_t window;         /* inputs that make each other's errors good (0: 2048) */

    pg_quantize_progress *on_progress;
    pg_quantize_report *on_weight;
    pg_quantize_judgement *on_model;
    void *user;
} pg_quantize_options;

PG_API void pg_quantize_options_init(pg_quantize_options *options);

/* Writes the model into a new folder: matrices in the wanted formats in model.safetensors, the scheme in config.json,
 * everything else copied. Then reads it back and compares it, weight by weight. The folder appears when all of this has
 * succeeded. options: NULL for the defaults. Weights are read and written piece by piece.
 *
 * With `calibrate`, the weights are first rounded to the nearest and judged, then rounded again with compensation:
 * layer by layer the second moments of its inputs are collected, and each value is rounded so as to make good what the
 * errors of those before it do to the products (GPTQ, Frantar et al. 2022). That takes up to a gigabyte of memory (and
 * 8 window^2 bytes), twice the result's room on the disk, and a pass of all examples for each gigabyte of moments (for
 * the 3B model: six). Weights that no example reaches are rounded to the nearest. */
PG_API pg_status pg_quantize(const char *folder, const pg_model *model, const pg_quantize_options *options);

/* ---------------------------------------------------------------- 9. making */

/* Called as weights are written. Returning false ends the call with PG_ERROR_CANCELLED. */
typedef bool pg_save_progress(void *user, size_t done, size_t total);

typedef struct pg_save_options {
    const char *dtype;   /* "F32", "BF16" or "F16"; NULL: as stored, quantised weights as BF16 */
    size_t shard_size;   /* bytes of a file, unless one weight alone has more (0: 5,000,000,000) */
    int threads;         /* 0: one per physical core that this process may use */
    bool replace;        /* a folder of this name is replaced, in one step where the file system can */
    const pg_model *mix; /* a model with the same weights, of which each becomes (1 - share) of the one that is saved +
                            share of this one's, in f32, rounded once; NULL: none */
    double share;        /* 0 to 1 (0.5) */
    pg_save_progress *on_progress;
    void *user;
} pg_save_options;

PG_API void pg_save_options_init(pg_save_options *options);

/* Writes a full model in the published layout: weights in one file or in shards with their index, config.json with its
 * dtype, everything else copied. An adapter in use becomes part of the weights, w + scale b a in f32, rounded once. The
 * folder appears complete or not at all. Weights are read and written piece by piece. options: NULL for the defaults.
 *
 * Models that began from the same weights and were trained on different things can be mixed (`mix`): between a model
 * and what it became by training lie ones that can do most of both (Wortsman et al. 2021, "Robust fine-tuning of
 * zero-shot models"; 2022, "Model soups"). */
PG_API pg_status pg_model_save(const char *folder, const pg_model *model, const pg_save_options *options);

typedef struct pg_create_options {
    const char *config;    /* config.json of the model; NULL: that of `from`, or a PaliGemma of `vision` and `text` */
    const char *tokenizer; /* folder; all files in it but weights and config.json are copied. NULL: those of `from` */
    const char *from;      /* folder of a model of which all is taken over that is not named below; NULL: none */
    const char *vision;    /* folder of a model whose vision tower is taken over; NULL: that of `from` */
    const char *text;      /* folder of a model whose decoder is taken over; NULL: that of `from` */
    size_t image_size;     /* side of the square picture in pixels; 0: as config.json has it */
    bool smooth_locations; /* rows of location tokens that no model gives are smooth functions of the place */
    uint64_t seed;         /* the same seed gives the same values, whatever the threads */
    const char *dtype;     /* "F32", "BF16" or "F16"; NULL: that of `from`, else F32 */
    size_t shard_size;     /* as in pg_save_options */
    int threads;
    pg_save_progress *on_progress;
    void *user;
} pg_create_options;

PG_API void pg_create_options_init(pg_create_options *options);

/* Writes a new model: weights that no other model gives start as transformers starts them (SigLIP's logit scale and
 * bias as in its paper). Where `vision` and `text` are given without `from`, the projector is zero instead; a decoder's
 * tokens that the new model has more are normal with deviation 0.02. `from` with `image_size` is the same model for
 * larger or smaller pictures: positions of patches are interpolated as big_vision does it, linearly, corners upon
 * corners. With `smooth_locations`, <loc0000> to <loc1023> start as random Fourier features of their number with the
 * same deviation, so that neighbours start out alike. A picture whose tokens leave no room
 * for text in the decoder's context is PG_ERROR_LIMIT. The folder appears complete or not at all. */
PG_API pg_status pg_model_create(const char *folder, const pg_create_options *options);

/* ---------------------------------------------------------------- 10. data */

/* Rows to train on, by index. Immutable; any number of threads may read one. Only an index is kept in memory: a row is
 * read when it is asked for. The files must not change while a data set is open. */
typedef struct pg_dataset pg_dataset;

typedef enum pg_data_kind {
    PG_DATA_AUTO,          /* told by the content, and of a folder by what lies in it */
    PG_DATA_JSONL,         /* one object a line; see pg_row_kind. Also imagefolder's metadata.jsonl ("file_name") */
    PG_DATA_COCO_CAPTIONS, /* a row for each caption */
    PG_DATA_COCO_DETECT,   /* a row for each picture with objects: "detect A ; B", "<loc>x4 A ; <loc>x4 B"; no crowds */
    PG_DATA_COCO_SEGMENT,  /* a row for each object: "segment A", "<loc>x4<seg>x16 A"; needs a mask encoder. Of several
                              objects of a name each has a row of its own, unless they go together */
    PG_DATA_VQA,           /* VQA v2: questions, and annotations in a second file; the most frequent answer */
    PG_DATA_TEXT,          /* plain text: documents with blank lines between them */
    PG_DATA_SHARDS,        /* tar files in webdataset's layout: KEY.jpg with KEY.txt, KEY.json or KEY.cls */
    PG_DATA_MASKS, /* masks: PNG files, white on black (a folder, or one), or a COCO file's objects; never guessed */
    PG_DATA_MASK_FOLDERS, /* a row for each mask FOLDER/A/PICTURE.png, white on black: as PG_DATA_COCO_SEGMENT. Of
                             PICTURE_1.png, PICTURE_2.png, ... each is an object of PICTURE.jpg (png, jpeg, webp) in
                             `images` (NULL: the folder's own folder); never guessed */
} pg_data_kind;

/* "jsonl", "coco-captions", ...; NULL beyond the last. */
PG_API const char *pg_data_kind_name(pg_data_kind kind);

/* What the rows of a data set are; all rows of one set are of the same kind. */
typedef enum pg_row_kind {
    PG_ROW_SUFFIX,     /* {"image", "prefix", "suffix"}: pictures (none, one or a list), a prompt and its answer. The
                          prompt may also be called "prompt"; "suffixes": several right answers, of which the first is
                          the row's suffix */
    PG_ROW_PREFERENCE, /* {"image", "prefix", "chosen", "rejected"} */
    PG_ROW_LABEL,      /* {"image", "text", "label"}: a class, as a number from 0 or a name; or a list of them, one for
                          each patch of the picture */
    PG_ROW_TEXT,       /* {"text"}: a document; {"image", "text"}: a picture and what is said of it */
    PG_ROW_MASK,       /* a mask, cut to its box */
} pg_row_kind;

PG_API const char *pg_row_kind_name(pg_row_kind kind); /* "suffix", "preference", "label", "text", "mask" */

/* An object's mask in a picture: height * width bytes 0 or 1, row by row; box: x1, y1, x2, y2 in pixels. */
typedef struct pg_mask_view {
    const uint8_t *pixels;
    size_t width, height;
    double box[4];
} pg_mask_view;

#define PG_MASK_SIDE  64 /* of a mask as a mask codec takes it */
#define PG_MASK_CODES 16

/* A mask as a mask codec takes it: what lies in the box, rounded to whole pixels, resized to 64 x 64 values 0 .. 1 as
 * the reference does (antialiased bilinear). A box without a pixel is PG_ERROR_FORMAT. */
PG_API pg_status pg_mask_cut(float out[PG_MASK_SIDE * PG_MASK_SIDE], const pg_mask_view *mask);

/* Makes the numbers of 16 <seg> tokens (0 .. 127) of a mask. Called by several threads at once. */
typedef pg_status pg_mask_encoder(void *user, int codes[16], const pg_mask_view *mask);

typedef struct pg_dataset_options {
    pg_data_kind kind;  /* PG_DATA_AUTO */
    const char *images; /* folder that picture names are relative to (NULL: the file's own folder) */
    const char *split;  /* of a folder with several: "train", "valid" or "test" (NULL: "train") */
    const char *prefix; /* prompt of captions and of pictures with text (NULL: "caption en"); of questions, what stands
                           before them (NULL: "answer en") */
    const char *annotations;   /* VQA: the file with the answers */
    const char *image_name;    /* VQA: names of pictures, with a # for each digit of the id:
                                  "COCO_train2014_############.jpg" (NULL: this, if the file names its subset) */
    const char *const *labels; /* names of the classes in order; NULL: those found in the file, sorted by bytes */
    size_t label_count;
    bool together;      /* segmentation: a row for each name in a picture; its answer has all objects of that name */
    bool unanswered;    /* JSONL: the suffix may be missing, and is NULL then */
    double bpe_dropout; /* share of the merges that are left out when answers and texts become ids, 0 to 1: with 1 all
                           characters stay alone (0). For byte-pair tokenizers */
    pg_mask_encoder *encode_mask;
    void *user;
} pg_dataset_options;

PG_API void pg_dataset_options_init(pg_dataset_options *options);

/* Opens a file, or a folder: a Roboflow export (dataset/_annotations.SPLIT.jsonl, SPLIT/annotations.jsonl), an image
 * folder with metadata.jsonl, or one of tar shards. Shards may also be named in one path: "set-{000..127}.tar".
 * options: NULL for the defaults. */
PG_API pg_status pg_dataset_open(pg_dataset **out, const char *path, const pg_dataset_options *options);
PG_API void pg_dataset_close(pg_dataset *dataset);
PG_API size_t pg_dataset_count(const pg_dataset *dataset);
PG_API pg_data_kind pg_dataset_get_kind(const pg_dataset *dataset);
PG_API pg_row_kind pg_dataset_row_kind(const pg_dataset *dataset);
PG_API const char *pg_dataset_path(const pg_dataset *dataset);

/* Number of classes of PG_ROW_LABEL, and the name of one; 0 and NULL where labels are numbers. */
PG_API size_t pg_dataset_label_count(const pg_dataset *dataset);
PG_API const char *pg_dataset_label(const pg_dataset *dataset, size_t label);

/* A picture of a row: a file's path, or (of shards) the bytes of a picture file and its name in the archive. */
typedef struct pg_row_image {
    char *name;
    const uint8_t *bytes; /* NULL: `name` is a path. Borrowed from the data set */
    size_t size;
} pg_row_image;

/* Texts that the row's kind does not have are NULL. */
typedef struct pg_data_row {
    pg_row_kind kind;
    pg_row_image *images;
    size_t image_count;
    char *prefix, *suffix, *chosen, *rejected, *text;
    int64_t label;         /* -1 where each patch has its own: */
    int32_t *patch_labels; /* row by row, from the top left; NULL elsewhere */
    size_t patch_count;
    float *mask; /* PG_ROW_MASK: as pg_mask_cut makes it; else NULL */
} pg_data_row;

/* Reads a row; freed with pg_data_row_free. A bad one is an error that says where it is ("FILE:LINE: ...") and why:
 * malformed JSON, text that is not UTF-8, an empty suffix, a key that is missing or misspelt. Pictures are not looked
 * at. */
PG_API pg_status pg_dataset_row(pg_data_row **out, const pg_dataset *dataset, size_t index);
PG_API void pg_data_row_free(pg_data_row *row);

/* Where a row stands: "FILE:LINE", "FILE: image 7". *out is freed with pg_free. */
PG_API pg_status pg_dataset_place(char **out, const pg_dataset *dataset, size_t index);

/* Called as rows are written. Returning false ends the call with PG_ERROR_CANCELLED. */
typedef bool pg_convert_progress(void *user, size_t done, size_t total);

/* Called for a row that cannot be used, in the rows' order: "FILE: annotation 7: ..." */
typedef void pg_convert_complaint(void *user, const char *text);

typedef struct pg_convert_options {
    int threads;      /* that make rows (0: one per physical core) */
    double bad_share; /* of rows that may be bad and are left out; more is an error (default 0.01). All rows bad is one
                         anyway */
    pg_convert_progress *on_progress;
    pg_convert_complaint *on_bad;
    void *user;
} pg_convert_options;

PG_API void pg_convert_options_init(pg_convert_options *options);

/* Writes the rows as JSON lines, which PG_DATA_JSONL reads: masks have become <seg> tokens, and pictures are named
 * relative to the file's folder. Pictures inside archives, and PG_ROW_MASK, have no such lines: PG_ERROR_UNSUPPORTED.
 * The file appears complete or not at all. *written: rows in it (NULL: not asked). options: NULL for the defaults. */
PG_API pg_status pg_dataset_convert(size_t *written, const char *path, const pg_dataset *dataset,
                                    const pg_convert_options *options);

/* Data sets mixed into one endless sequence of rows. What stands at a position is a function of the seed and the
 * position alone, so a run goes on from one number. Every data set is gone through in rounds that show each of its rows
 * once. Borrows its data sets. Immutable. */
typedef struct pg_mixture pg_mixture;

typedef struct pg_mixture_part {
    const pg_dataset *dataset;
    double weight;   /* share of the rows, relative to the others'; 0 for all parts: by size */
    uint64_t repeat; /* by size: how often each row comes in one pass over the mixture (0: once) */
} pg_mixture_part;

/* shuffle: false leaves the order as it is (parts by size one after the other). */
PG_API pg_status pg_mixture_new(pg_mixture **out, const pg_mixture_part *parts, size_t count, uint64_t seed,
                                bool shuffle);
PG_API void pg_mixture_free(pg_mixture *mixture);

/* Rows of one pass: by size, every row as often as its part says; by weight, as many rows as all parts have. */
PG_API uint64_t pg_mixture_count(const pg_mixture *mixture);
PG_API size_t pg_mixture_parts(const pg_mixture *mixture);
PG_API const pg_dataset *pg_mixture_dataset(const pg_mixture *mixture, size_t part);

/* The part and the row at a position. */
PG_API void pg_mixture_at(size_t *part, size_t *row, const pg_mixture *mixture, uint64_t position);

/* Random changes to pictures, chosen by seed and position. <loc> boxes in the texts move along; a box of which too
 * little is left goes with its name. A row with <seg> codes, which cannot move, is neither cropped nor flipped. */
typedef struct pg_augmentation {
    double crop;     /* smallest part of the area that is left, in (0, 1]; 0: no crop. Aspect ratio 3/4 to 4/3 of it */
    double keep;     /* part of a box's area that must be left (0: 0.5) */
    double flip;     /* probability of a mirrored picture; 0: never */
    bool flip_sides; /* mirror also where a text says left or right */
    double brightness; /* factors from 1 - x to 1 + x, x in [0, 1) */
    double contrast;
    double saturation;
} pg_augmentation;

typedef enum pg_long_row {
    PG_LONG_TRUNCATE, /* the suffix is cut at the context, without <eos> */
    PG_LONG_SKIP,
} pg_long_row;

typedef struct pg_loader_options {
    /* of the model; pg_loader_options_use_model sets all of these */
    pg_model_kind model;
    const pg_tokenizer *tokenizer;
    size_t image_size;   /* side of the square picture in pixels; 0: the model takes no pictures. Of PG_ROW_LABEL and
                            Gemma: those of a second model that looks at them */
    size_t image_tokens; /* ids of one picture in the prompt */
    int32_t image_token; /* their id */
    size_t context;      /* longest row in ids, pictures included. SigLIP: the length of every text */
    size_t text_length; /* the same without pictures; whichever of the two is shorter counts (0: only the other does) */
    size_t vocabulary;  /* ids that have an embedding */

    pg_prompt_style style; /* PG_PROMPT_TASK: <image> tokens, <bos>, prefix, newline, also for Gemma; PG_PROMPT_TEXT and
                              PG_PROMPT_CHAT for rows without pictures */
    bool special;          /* control tokens spelled out in the texts count */
    pg_resize_order resize_order;
    bool keep_orientation;
    pg_augmentation augment;
    uint64_t seed;  /* of the augmentations */
    uint64_t first; /* position to begin with */
    uint64_t end;   /* position to end before (0: never) */
    int threads;    /* that load, besides the caller's (0: 1) */
    size_t ahead;   /* rows kept ready (0: 32) */
    pg_long_row long_rows;
    double bad_share;  /* of rows that may be bad; more is an error (default 0.01). Counted over at least 100 rows */
    size_t bad_listed; /* bad rows that the report lists (default 100) */
} pg_loader_options;

PG_API void pg_loader_options_init(pg_loader_options *options);
PG_API pg_status pg_loader_options_use_model(pg_loader_options *options, const pg_model *model);

/* A row as a model takes it. */
typedef struct pg_sample {
    uint64_t position;
    size_t part, row; /* of the mixture, of the data set: for pg_dataset_place */
    pg_row_kind kind;
    uint8_t *pixels; /* [image_count][side][side][3], RGB */
    size_t image_count, side;
    int32_t *ids;         /* prefix, then the answer with <eos> (suffix, chosen, text): the ids that carry loss */
    size_t count, prefix; /* all ids; those of the prefix. Of PG_ROW_LABEL all are prefix, SigLIP's have none */
    int32_t *rejected;    /* PG_ROW_PREFERENCE: the other answer with <eos>, behind the same prefix */
    size_t rejected_count;
    int64_t label;         /* PG_ROW_LABEL; else, and where each patch has its own, -1 */
    int32_t *patch_labels; /* as in pg_data_row */
    size_t patch_count;
    float *mask; /* PG_ROW_MASK: [64][64], 0 .. 1; else NULL */
    bool truncated;
} pg_sample;

PG_API void pg_sample_free(pg_sample *sample);

/* Makes one sample, in the calling thread. */
PG_API pg_status pg_sample_make(pg_sample **out, const pg_mixture *mixture, const pg_loader_options *options,
                                uint64_t position);

/* Threads that read, decode, change, resize and tokenize rows ahead of whoever takes them: in order, and the same for
 * any number of threads. Borrows the mixture and the tokenizer. Used by one thread at a time. */
typedef struct pg_loader pg_loader;

PG_API pg_status pg_loader_open(pg_loader **out, const pg_mixture *mixture, const pg_loader_options *options);
PG_API void pg_loader_close(pg_loader *loader);

/* The next good row; *out is the caller's, NULL at the end. Bad ones are passed over and counted; too many of them are
 * PG_ERROR_LIMIT, and a pass over the whole mixture without a good one PG_ERROR_FORMAT. */
PG_API pg_status pg_loader_next(pg_sample **out, pg_loader *loader);

typedef struct pg_loader_report {
    uint64_t position; /* where a loader must begin to go on behind the last row taken */
    uint64_t rows;     /* taken or passed over */
    uint64_t bad, too_long, truncated;
    double waited; /* seconds in which the caller waited for rows */
    size_t listed; /* texts that pg_loader_bad gives */
} pg_loader_report;

PG_API pg_loader_report pg_loader_get_report(const pg_loader *loader);

/* Why row i of those listed was passed over: "FILE:LINE: ...". Borrowed. */
PG_API const char *pg_loader_bad(const pg_loader *loader, size_t i);

/* ---------------------------------------------------------------- 11. training */

/* What a run is told, by name: the keys of a configuration file and the flags of `paligemma train` are the same. */
typedef struct pg_train_config pg_train_config;

typedef struct pg_train_setting {
    const char *name;     /* "learning_rate" */
    const char *argument; /* "X", "a|b|c"; NULL: true or false */
    const char *help;
} pg_train_setting;

/* Setting number i, or NULL beyond the last. */
PG_API const pg_train_setting *pg_train_setting_at(size_t i);

/* With the defaults that the settings' help names. */
PG_API pg_status pg_train_config_new(pg_train_config **out);
PG_API void pg_train_config_free(pg_train_config *config);

/* Sets one; a name may have dashes for underscores. "data" and "validation" add a set each time. A name that does not
 * exist is an error that names the nearest one. */
PG_API pg_status pg_train_config_set(pg_train_config *config, const char *name, const char *value);

/* What a setting that is a text (a folder, a file) is set to; NULL where it is not set, or no text. */
PG_API const char *pg_train_config_text(const pg_train_config *config, const char *name);

/* Settings published for a task: "caption", "docvqa", ... */
PG_API pg_status pg_train_config_use(pg_train_config *config, const char *recipe);

/* A JSON object of settings; its "recipe" comes first, whatever its place. */
PG_API pg_status pg_train_config_load(pg_train_config *config, const char *path);

/* Names what is not set and has a usual value: the model to start from, which is `folder` or, where that is NULL, the
 * one that ships; and the codec in that model's folder, where data have masks. What is needed and not there is
 * PG_ERROR_FILE. */
PG_API pg_status pg_train_config_complete(pg_train_config *config, const char *folder);

/* A run: model, rows, optimizer, and a folder (setting "out") with
 *     config.json                 all settings
 *     checkpoint.safetensors      everything that going on needs, written as a whole or not at all
 *     scalars.csv, scalars.jsonl  curves; events.out.tfevents... the same for TensorBoard
 *     bad_rows.txt                rows that could not be used, and why
 *     best/, last/                models or adapters in the published layouts
 * A run whose folder holds a checkpoint goes on from it, and on the same instruction set arrives at the same bits as
 * one that was never stopped. One thread at a time. */
typedef struct pg_trainer pg_trainer;

/* Starts a run or goes on with it. The configuration is copied. Settings that contradict each other, a model that
 * cannot do what is asked, and a folder that belongs to a run with other settings are errors. */
PG_API pg_status pg_trainer_open(pg_trainer **out, const pg_train_config *config);
PG_API void pg_trainer_close(pg_trainer *trainer); /* saves nothing */

typedef struct pg_measurement {
    double loss;     /* mean over scored tokens (of pictures with texts: over pictures; of preferences: over pairs) */
    double accuracy; /* share of them that were predicted right (preferences: of pairs in the right order) */
    uint64_t rows, tokens;
} pg_measurement;

typedef struct pg_train_report {
    int64_t step, steps;  /* done, of all */
    pg_measurement train; /* of this step */
    double gradient_norm; /* before clipping */
    double learning_rate;
    double seconds, waited; /* of this step; of it, for rows */
    double operations; /* of this step, as model FLOPs are counted: 6 for each weight and row, whatever is trained */
    uint64_t bad_rows; /* so far */
    bool validated;    /* these were measured after this step: */
    pg_measurement validation;
    double best_loss; /* of all validations so far; infinite before the first */
    bool saved;       /* a checkpoint was written after this step */
    bool finished;    /* nothing is left to do: all steps are done, or patience is used up */
} pg_train_report;

/* One step of the optimizer, and what is due after it: curves, validation, checkpoint. At the end last/ is written. A
 * loss or gradient that is not finite, or a loss that diverges, is PG_ERROR_FORMAT: the text names the step, its rows
 * and the checkpoint that is left as it was. */
PG_API pg_status pg_trainer_step(pg_train_report *out, pg_trainer *trainer);

/* The loss of the validation rows as the weights are now. */
PG_API pg_status pg_trainer_validate(pg_measurement *out, pg_trainer *trainer);

/* Writes the checkpoint, between steps. */
PG_API pg_status pg_trainer_save(pg_trainer *trainer);

/* Writes the model or adapter as it is now into a new folder. */
PG_API pg_status pg_trainer_export(const char *folder, pg_trainer *trainer);

/* "loss" and "grad.NAME" (published names) of one batch of all rows of the data, without a step, into a safetensors
 * file: for comparison with other implementations. Needs no "out". */
PG_API pg_status pg_train_gradients(const char *path, const pg_train_config *config);

/* ---------------------------------------------------------------- 12. curves */

typedef struct pg_plot_options {
    const char *const *tags; /* whole tags ("validation/loss"), or what follows their last "/" ("loss") */
    size_t tag_count;        /* 0: all */
    double smooth;           /* weight of the past in a running mean, 0 (none) up to but not 1; raw values stay behind
                                it, paler */
    bool log;                /* the y axes */
    size_t width;            /* pixels (900) */
    size_t height;           /* 0: 500, or more where there are many panels */
} pg_plot_options;

PG_API void pg_plot_options_init(pg_plot_options *options);

/* Draws what `count` training runs recorded: folders with a scalars.csv, or such files. Tags that end alike share a
 * panel; several runs are compared in one picture. The file's name ends in .png or .svg; it appears complete or not at
 * all. options: NULL for the defaults. */
PG_API pg_status pg_plot_save(const char *path, const char *const *runs, size_t count, const pg_plot_options *options);

/* ---------------------------------------------------------------- 13. objects */

/* An object in a picture, as detection and segmentation answer it: "<locY1><locX1><locY2><locX2>", 16 "<segNNN>" or
 * none, and a label. */
typedef struct pg_object {
    char *label;   /* "" where the answer has none */
    double score;  /* 0 .. 1 (pg_detect); NAN: not known */
    double box[4]; /* x1, y1, x2, y2 in pixels of the picture: number / 1023 * width or height */
    int places[4]; /* numbers of the <loc> tokens, y1, x1, y2, x2: 0 .. 1023 */
    bool has_codes;
    int32_t codes[PG_MASK_CODES]; /* numbers of the <seg> tokens: 0 .. 127 */
    float *mask;                  /* [64][64], the box's inside, above 0 in the object: for pg_mask_place; NULL: none */
    size_t at, size;              /* the bytes of the text that it was read from, up to the end of its label */
} pg_object;

/* What could not be read: "loc_count_N" (N <loc> tokens in a row instead of 4), "empty_box" (y2 <= y1 or x2 <= x1),
 * "seg_count_N" (N <seg> tokens behind a box, neither 0 nor 16), "stray_seg" (<seg> tokens without a box). */
typedef struct pg_object_problem {
    char name[32];
    size_t at; /* byte of the text */
} pg_object_problem;

typedef struct pg_objects {
    size_t width, height; /* of the picture, in pixels */
    pg_object *items;
    size_t count;
    pg_object_problem *problems;
    size_t problem_count;
    char *text; /* the answer they were read from, `text_size` bytes */
    size_t text_size;
    pg_finish finish; /* of the answer; PG_FINISH_STOP where it was not a model's */
} pg_objects;

/* Reads objects out of `size` bytes of text (SIZE_MAX: up to the NUL) about a picture of width x height pixels. Tokens
 * are exactly <locDDDD> below 1024 and <segDDD> below 128; everything else is text. A run of <loc> tokens, a run of
 * <seg> tokens right behind it and the text up to the next token are one candidate; its label is that text up to the
 * first ";", line break or "<eos>", without blanks around it. A candidate that is no object becomes a problem; objects
 * that come twice stay. Text that is not UTF-8 is PG_ERROR_FORMAT, a picture without pixels PG_ERROR_ARGUMENT. *out is
 * freed with pg_objects_free. */
PG_API pg_status pg_objects_parse(pg_objects **out, const char *text, size_t size, size_t width, size_t height);
PG_API void pg_objects_free(pg_objects *objects); /* NULL is allowed */

/* The four <loc> tokens of a box x1, y1, x2, y2 in pixels: round(1023 * coordinate / size), in f32 as the reference
 * does it, halves to even, kept within 0 .. 1023. `text` has room for 37 bytes. */
#define PG_BOX_TEXT 37
PG_API void pg_box_text(char text[PG_BOX_TEXT], const double box[4], size_t width, size_t height);

/* The pixels that a decoded mask fills: x1, y1, x2, y2, each number / 1023 * size, truncated. False if there are none.
 */
PG_API bool pg_box_pixels(size_t out[4], const int places[4], size_t width, size_t height);

/* Puts a decoded mask (pg_mask_codec_decode, 64 x 64 values) into its box, as the reference does it: resized to the
 * box's pixels (Pillow's bilinear filter for floats), inside where above 0. out: [height][width], becomes 0 or 1; all 0
 * where the box has no pixel. */
PG_API pg_status pg_mask_place(uint8_t *out, size_t width, size_t height, const float *values, const int places[4]);

/* The compressed run lengths of a mask, "counts" in COCO's files: height * width bytes, inside where not 0. *out is
 * freed with pg_free. Masks here and below have at most 100,000 pixels a side and 2^28 in all; larger ones are
 * PG_ERROR_FORMAT. */
PG_API pg_status pg_mask_counts(char **out, const uint8_t *pixels, size_t width, size_t height);

/* Outlines of a mask. */
typedef struct pg_polygons {
    double *corners; /* x, y of all outlines one after the other, in pixels */
    size_t *ends;    /* of each outline: corners (pairs) up to its end */
    size_t count;    /* outlines */
    size_t corner_capacity, capacity;
} pg_polygons;

/* One outline around each part of the mask whose pixels hang together by their sides, in the order of their upper left
 * pixels, clockwise, corners on the corners of pixels. COCO's polygons know no holes: a part that has some is cut open
 * from each hole to its outside by a cut without width. Filled again, the outlines give the mask back, pixel for pixel.
 * Freed with pg_polygons_free. */
PG_API pg_status pg_polygons_trace(pg_polygons *out, const uint8_t *pixels, size_t width, size_t height);
PG_API void pg_polygons_free(pg_polygons *polygons);

/* Reads a mask of a picture as COCO's records have their "segmentation": JSON text (size SIZE_MAX: up to the NUL), a
 * list of polygons or an object of "size" and "counts". out: [height][width], becomes 0 or 1. Another size than the
 * picture's, and what is no such text, is PG_ERROR_FORMAT. */
PG_API pg_status pg_mask_read(uint8_t *out, size_t width, size_t height, const char *json, size_t size);

/* A mask codec: 64 x 64 masks as 16 numbers below 128, which are <seg> tokens, and back. Immutable; any number of
 * threads may use one. */
typedef struct pg_mask_codec pg_mask_codec;

/* Reads an .npz with the published names and shapes (vae-oid.npz). A file with the decoder alone will do for decoding.
 */
PG_API pg_status pg_mask_codec_open(pg_mask_codec **out, const char *path);
PG_API void pg_mask_codec_close(pg_mask_codec *codec); /* NULL is allowed */

/* The codec's file in a model's folder, mask_codec.npz or vae-oid.npz; *out is NULL where there is neither. Codes mean
 * nothing to the codec of another model. *out is freed with pg_free. */
PG_API pg_status pg_mask_codec_find(char **out, const char *folder);

/* values: [count][64][64], above 0 inside; codes: [count][16], row by row. A code out of range is PG_ERROR_ARGUMENT.
 * threads: 0 for one per physical core. */
PG_API pg_status pg_mask_codec_decode(float *values, const pg_mask_codec *codec, const int32_t *codes, size_t count,
                                      int threads);

/* The other way; masks: [count][64][64], 0 .. 1 (pg_mask_cut). */
PG_API pg_status pg_mask_codec_encode(int32_t *codes, const pg_mask_codec *codec, const float *masks, size_t count,
                                      int threads);

/* pg_mask_cut and pg_mask_codec_encode, for pg_dataset_options.encode_mask; `user` is the codec. */
PG_API pg_status pg_mask_codec_encode_view(void *user, int codes[16], const pg_mask_view *mask);

typedef struct pg_detect_options {
    const char *const *labels; /* what to look for, as pg_constraint_new_objects wants them */
    size_t label_count;
    pg_masks masks;             /* PG_MASKS_NONE: detection; else segmentation (PG_MASKS_ALWAYS is usual) */
    const pg_mask_codec *codec; /* decodes masks; NULL: objects have their codes only */
    const char *prompt;         /* NULL: "detect LABEL ; LABEL", with masks "segment LABEL ; LABEL" */
    bool free;                  /* let the model answer anything, and read out of it what can be read */
    size_t max_objects;         /* 0: 100 */
    double threshold;           /* objects with a lower score are left out (0) */
    pg_text_callback *on_text;  /* as in pg_request; NULL: none */
    void *user;
} pg_detect_options;

PG_API void pg_detect_options_init(pg_detect_options *options);

/* Looks for objects in `count` pictures, which run together as far as the session has sequences; out[i], freed with
 * pg_objects_free, belongs to images[i], with boxes in its pixels. The model is a PaliGemma and answers greedily.
 * Unless `free`, its answers are of the form that pg_constraint_new_objects describes: none is malformed or cut off, no
 * box comes twice, and only the logits of permitted tokens are computed. On failure nothing is left in `out`.
 *
 * An object's score is the probability, as the model has it, that an answer drawn at random instead of greedily has
 * this object with nearly this box: the product of the probabilities
 *   - of what stands between the object before and this one, which is that there is another object;
 *   - of each corner coordinate c, given those before it: not of its one token of 1,024, among which the model spreads
 *     what it knows, but of all <loc> tokens within max(2, side / 8) of it, where side is the box's height or width in
 *     tokens. Where that is 16 or more, a box with every side that near overlaps this one by more than half (IoU of at
 *     least 0.56), which is what average precision at 0.5 asks;
 *   - of the label's tokens. Masks do not count.
 * Models are surer or less sure than they are right: pg_evaluation_fit_scores makes a model correct its scores. */
PG_API pg_status pg_detect(pg_objects **out, pg_session *session, const pg_image *const *images, size_t count,
                           const pg_detect_options *options);

/* How a model corrects scores, for those who make them themselves: p becomes 1 / (1 + exp(-(slope * log(p / (1 - p)) +
 * intercept))). 1 and 0 leave them as they are. */
PG_API void pg_model_get_score_correction(double *slope, double *intercept, const pg_model *model);

/* pg_detect in two steps, for answers that something else than pg_generate makes, such as a pg_scheduler. */
typedef struct pg_detection pg_detection;

/* What is asked about a picture, which must be there until the request has been answered, or submitted; all that the
 * options name must outlive the detection (their on_text is not used). context: longest sequence in tokens of whoever
 * answers (0: the model's). */
PG_API pg_status pg_detection_new(pg_detection **out, const pg_model *model, const pg_image *image,
                                  const pg_detect_options *options, size_t context);

/* To be answered once, with its on_step and user, which note what scores are made of. */
PG_API const pg_request *pg_detection_request(const pg_detection *detection);

/* The objects in the answer: of it, text, tokens and finish are read. Masks are decoded by the calling thread. */
PG_API pg_status pg_detection_read(pg_objects **out, const pg_detection *detection, const pg_answer *answer);
PG_API void pg_detection_free(pg_detection *detection); /* NULL is allowed */

/* ---------------------------------------------------------------- 14. drawing */

/* Something to be drawn on a picture. Borrowed. */
typedef struct pg_mark {
    const char *label;   /* UTF-8, of one line; NULL: none */
    double score;        /* shown behind the label as 0.93; NAN: none */
    const double *box;   /* x1, y1, x2, y2 in pixels of the picture, finite; NULL: none */
    const uint8_t *mask; /* height * width bytes of the whole picture, inside where not 0; NULL: none */
} pg_mark;

typedef struct pg_draw_options {
    double line;    /* width of boxes' and masks' lines in pixels (0: by the picture's size) */
    double text;    /* size of letters in pixels (0: by the picture's size) */
    double opacity; /* of masks and of the hottest place of a heat map, 0 .. 1 (-1: 0.45 for masks, 0.8 for heat) */
} pg_draw_options;

PG_API void pg_draw_options_init(pg_draw_options *options);

/* A copy with boxes, masks and labels on it. A label has the same colour in every picture, one of Okabe and Ito's,
 * which the colour-blind tell apart; where several labels share one, the boxes of the later ones are dashed. Labels
 * stay inside the picture, readable on any ground, and off each other where there is room; long ones are shortened. A
 * mark without box and mask is a note at the top. options: NULL for the defaults. Text that is not UTF-8 and boxes that
 * are not finite are PG_ERROR_ARGUMENT; of what lies outside the picture nothing is shown; sides above 32767 pixels are
 * PG_ERROR_LIMIT. Letters come from the fonts that the system has (fontconfig); without any, only ASCII is readable.
 * Several threads may draw at once. */
PG_API pg_status pg_image_draw_marks(pg_image **out, const pg_image *image, const pg_mark *marks, size_t count,
                                     const pg_draw_options *options);

/* A copy with a heat map over it: values [rows][columns], row by row, the smallest transparent, the largest strongest,
 * smoothly enlarged; NaN counts as the smallest. The colours are matplotlib's inferno, black to pale yellow. caption:
 * at the bottom, in up to four lines; NULL: none. options, errors: as above. */
PG_API pg_status pg_image_draw_heat(pg_image **out, const pg_image *image, const float *values, size_t columns,
                                    size_t rows, const char *caption, const pg_draw_options *options);

/* A contact sheet: pictures in a grid on white, each fitted into cell x cell pixels (32 .. 4096) with its aspect ratio,
 * captions below, wrapped, in up to eight lines; a caption may have line breaks. captions, single ones and single
 * pictures may be NULL. columns: 0 for a nearly square sheet. Errors: as above. */
PG_API pg_status pg_image_sheet(pg_image **out, const pg_image *const *images, const char *const *captions,
                                size_t count, size_t columns, size_t cell);

/* ---------------------------------------------------------------- 15. recognition */

/* Classes of pictures, and what tells them apart: their names' embeddings, or a trained head. Immutable; any number of
 * threads and of sessions of the same model may use one. */
typedef struct pg_recognizer pg_recognizer;

/* SigLIP, without training (zero-shot). A label stands in the place of "{}" in every template ("a photo of a {}"); the
 * mean of the texts' embeddings, of length 1, stands for the label (the ensembling of CLIP, Radford et al. 2021). No
 * templates: the labels themselves. Refused: no labels, an empty one, one that comes twice, a template without exactly
 * one "{}". */
PG_API pg_status pg_recognizer_new(pg_recognizer **out, pg_session *session, const char *const *labels, size_t count,
                                   const char *const *templates, size_t template_count);

/* A head trained on pictures with the objective "classifier": the file (head.safetensors), or its folder. The model,
 * SigLIP or PaliGemma, is borrowed: the one that the head was trained on, or that was trained with it. A head for
 * features of another width, or of texts, is PG_ERROR_ARGUMENT. */
PG_API pg_status pg_recognizer_open(pg_recognizer **out, const pg_model *model, const char *path);
PG_API void pg_recognizer_free(pg_recognizer *recognizer); /* NULL is allowed */

PG_API size_t pg_recognizer_count(const pg_recognizer *recognizer);
PG_API const char *pg_recognizer_label(const pg_recognizer *recognizer, size_t i); /* borrowed; NULL beyond the last */

/* True for a head, whose classes exclude each other: softmax of its logits are probabilities. Of names, the sigmoid of
 * each logit is (SigLIP, Zhai et al. 2023). */
PG_API bool pg_recognizer_exclusive(const pg_recognizer *recognizer);

/* logits: [count][labels], row by row. The session is one of the model that the recognizer was made with. */
PG_API pg_status pg_recognize(float *logits, pg_session *session, const pg_recognizer *recognizer,
                              const pg_image *const *images, size_t count);

/* Of one picture's logits: softmax over them, or the sigmoid of each. In place too. */
PG_API void pg_class_scores(float *scores, const float *logits, size_t count, bool softmax);

/* An index of pictures: their embeddings, in a file that is mapped, not read. A safetensors file:
 *     embeddings  [n, width]  F32 or BF16, rows of length 1
 *     names       [bytes]     U8: paths, each with a NUL behind it, in order; those below the index's folder
 *                             start there, so that both can be moved together; others are absolute
 *     offsets     [n + 1]     I64: where each name begins
 *     stamps      [n, 3]      I64: size, time of the last change in nanoseconds, CRC-32C of each file
 * and in the metadata format, version, and a fingerprint of the model. Immutable; any number of threads may use one. */
typedef struct pg_picture_index pg_picture_index;

typedef struct pg_index_options {
    const char *dtype; /* "F32" or "BF16": half the size, cosines off by at most 0.004 (NULL: as they are, F32 in a new
                          index) */
    bool compare_contents;  /* files that look unchanged are read and compared as well */
    pg_image_options image; /* how pictures are read */
    double save_after;      /* seconds between saves, so that little is lost when the process is killed (0: 60) */

    /* Called after every few pictures, with those done and those there are to embed. Returning false ends the call with
     * PG_ERROR_CANCELLED; what was embedded by then is saved. */
    bool (*on_progress)(void *user, size_t done, size_t total);
    void (*on_skipped)(void *user, const char *path, const char *why); /* of files that are no pictures after all */
    void *user;
} pg_index_options;

PG_API void pg_index_options_init(pg_index_options *options);

typedef struct pg_index_report {
    size_t kept, added, changed, removed, skipped;
} pg_index_report;

/* Makes the index at `path` hold exactly these pictures: files, and all in folders and folders below that are named
 * like pictures (not hidden ones). An index that is there already goes on: only new and changed files are embedded,
 * what is no longer named or no longer there goes. Unchanged: same size and time, or else same contents. The file is
 * replaced as a whole or not at all. One of another model, or a file that is no index, is an error and stays as it is.
 * No pictures at all are PG_ERROR_ARGUMENT. options: NULL for the defaults. */
PG_API pg_status pg_picture_index_update(pg_index_report *out, const char *path, pg_session *session,
                                         const char *const *pictures, size_t count, const pg_index_options *options);

/* Everything but the embeddings' values is checked. */
PG_API pg_status pg_picture_index_open(pg_picture_index **out, const char *path);
PG_API void pg_picture_index_close(pg_picture_index *index); /* NULL is allowed */
PG_API size_t pg_picture_index_count(const pg_picture_index *index);

/* Path of a picture, from where the process stands, or an absolute one. *out is freed with pg_free. */
PG_API pg_status pg_picture_index_name(char **out, const pg_picture_index *index, size_t i);

typedef struct pg_match {
    size_t picture; /* for pg_picture_index_name */
    float cosine;
} pg_match;

/* The pictures most like an embedding of the session's model (pg_embed_texts, pg_embed_images), best first: at most
 * `most` of them, *found in all. Every row is looked at, in the session's threads. PG_ERROR_ARGUMENT where the index
 * was made with another model. */
PG_API pg_status pg_picture_index_search(pg_match *out, size_t *found, pg_session *session,
                                         const pg_picture_index *index, const float *embedding, size_t most);

/* Kinds of damage: those of ImageNet-C (Hendrycks and Dietterich 2019), and rotation. */
typedef enum pg_corruption {
    PG_CORRUPT_GAUSSIAN_NOISE,
    PG_CORRUPT_SHOT_NOISE,
    PG_CORRUPT_IMPULSE_NOISE,
    PG_CORRUPT_DEFOCUS_BLUR,
    PG_CORRUPT_GLASS_BLUR,
    PG_CORRUPT_MOTION_BLUR,
    PG_CORRUPT_ZOOM_BLUR,
    PG_CORRUPT_SNOW,
    PG_CORRUPT_FROST,
    PG_CORRUPT_FOG,
    PG_CORRUPT_BRIGHTNESS,
    PG_CORRUPT_CONTRAST,
    PG_CORRUPT_ELASTIC,
    PG_CORRUPT_PIXELATE,
    PG_CORRUPT_JPEG,
    PG_CORRUPT_ROTATION, /* by 10, 20, 30, 45 or 60 degrees, either way */
} pg_corruption;

#define PG_CORRUPTIONS 16
#define PG_SEVERITIES  5

/* "gaussian-noise", ...; "noise", "blur", "weather", "digital" or "rotation". NULL beyond the last. */
PG_API const char *pg_corruption_name(pg_corruption kind);
PG_API const char *pg_corruption_family(pg_corruption kind);

/* A damaged copy. severity: 1 to 5, with the paper's parameters; lengths, which it has for 224 x 224 pixels, grow and
 * shrink with the shorter side. The same picture, kind, severity and seed give the same bytes. */
PG_API pg_status pg_image_corrupt(pg_image **out, const pg_image *image, pg_corruption kind, int severity,
                                  uint64_t seed);

typedef struct pg_robustness_options {
    const pg_corruption *kinds; /* NULL: all */
    size_t kind_count;
    const int *severities; /* NULL: 1 to 5 */
    size_t severity_count;
    size_t rows;  /* the first so many of the data (0: all) */
    size_t batch; /* rows at a time (0: 16) */
    uint64_t seed;
    pg_image_options image;

    /* SigLIP: the classes; required. PaliGemma: a head, or NULL for answers. */
    const pg_recognizer *recognizer;
    int64_t max_new_tokens; /* of an answer (0: 32) */

    /* Returning false ends the call with PG_ERROR_CANCELLED. */
    bool (*on_progress)(void *user, size_t done, size_t total); /* damaged batches */
    void *user;
} pg_robustness_options;

PG_API void pg_robustness_options_init(pg_robustness_options *options);

/* Shares of rows that were answered right. Of what was not asked for: NAN. */
typedef struct pg_robustness {
    size_t rows;
    double clean;
    double accuracy[PG_CORRUPTIONS][PG_SEVERITIES];
    double corruption[PG_CORRUPTIONS]; /* mean over severities */
    double mean_error;                 /* 1 - the mean over corruptions */
    double relative_error;             /* mean_error - (1 - clean): what damage costs */
} pg_robustness;

/* How well labelled pictures are recognised when they are damaged: pictures are resized to the model's size, damaged
 * there, and classified or asked about. With a recognizer, a row's label (PG_ROW_LABEL) or suffix (PG_ROW_SUFFIX) is
 * the name of a class, or its number; right is the class with the largest logit. Without, the greedy answer to the
 * prefix must be the suffix, white space at the ends aside. Every row is damaged by random numbers of its own. A row
 * that cannot be used is an error that says where it is. */
PG_API pg_status pg_robustness_run(pg_robustness *out, pg_session *session, const pg_dataset *dataset,
                                   const pg_robustness_options *options);

/* ---------------------------------------------------------------- 16. why */

typedef enum pg_explain_method {
    PG_EXPLAIN_AUTO, /* GRADIENT; of SigLIP SIMILARITY */

    /* Gradient x attention (Chefer, Gur and Wolf 2021): what raised the logit of this token. Each layer's attention A
     * counts by the positive part of A dlogit/dA, mean over the heads, and adds to what the layers behind it passed on.
     * A pass back through the model for each token. */
    PG_EXPLAIN_GRADIENT,

    /* Attention rollout (Abnar and Zuidema 2020): where the position that says a token has its contents from, whatever
     * it then says: the product of all layers' (A + 1) / 2, A being the mean over the heads. One pass forward for all
     * tokens. */
    PG_EXPLAIN_ROLLOUT,

    PG_EXPLAIN_ATTENTION,  /* A itself, mean over the heads and over the last `layers` layers; of SigLIP, the probe's */
    PG_EXPLAIN_SIMILARITY, /* SigLIP only; see pg_explain_texts */
} pg_explain_method;

/* Called as tokens, or texts, are explained. Returning false ends the call with PG_ERROR_CANCELLED. */
typedef bool pg_explain_progress(void *user, size_t done, size_t total);

typedef struct pg_explain_options {
    pg_explain_method method;
    bool tower; /* GRADIENT and ROLLOUT go on through the vision tower, to the patches as they enter it; else they end
                   at its output, of which each row stands for its patch but has seen the others */
    size_t layers; /* of ATTENTION (0: 1; more than there are: all) */
    pg_explain_progress *on_progress;
    void *user;
} pg_explain_options;

PG_API void pg_explain_options_init(pg_explain_options *options);

typedef enum pg_explained_kind {
    PG_EXPLAINED_WORD,  /* what stands between blanks; a token where the script has none (Chinese, Thai) */
    PG_EXPLAINED_BOX,   /* the location tokens of an object */
    PG_EXPLAINED_MASK,  /* its mask tokens */
    PG_EXPLAINED_LABEL, /* its name, of one or more words */
    PG_EXPLAINED_TEXT,  /* of pg_explain_texts */
} pg_explained_kind;

PG_API const char *pg_explained_kind_name(pg_explained_kind kind); /* "word", "box", "mask", "label", "text" */

/* A part of an answer, and where it comes from. */
typedef struct pg_explained {
    pg_explained_kind kind;
    char *text;          /* the word, label or text; of a box or mask, its object's label (may be "") */
    size_t first, count; /* tokens of the answer: first .. first + count - 1 */
    double share;        /* of what it has from other places than its own, how much is from the pictures, 0 .. 1; the
                            rest is from the prompt and the answer before it */
    const float *map;    /* [images][rows][columns] in [0, 1], of sum 1 (or all 0 where nothing in the pictures had a
                            part); of SIMILARITY, cosines in [-1, 1] */
} pg_explained;

/* Maps show patches row by row from the upper left; a patch covers 1 / columns of the picture's width and 1 / rows of
 * its height (but for a rest at the right and below that fills no patch, where the model's picture has one). */
typedef struct pg_explanation {
    pg_explain_method method; /* what PG_EXPLAIN_AUTO became */
    size_t images, rows, columns;
    pg_explained *parts; /* in the order of the answer; end tokens and separators belong to none */
    size_t part_count;
    int32_t *tokens; /* the answer's; none with texts */
    size_t token_count;
    double *token_shares; /* [token_count] */
    float *token_maps;    /* [token_count][images][rows][columns]; those of a part are their mean */
    float *maps;          /* [part_count][images][rows][columns]: the parts' */
} pg_explanation;

/* Why a PaliGemma model answers `count` tokens, <eos> included or not, to the request's prompt about its pictures:
 * those of pg_generate, or any others, such as an answer that was expected. Of the request, only pictures, prompt,
 * style and `special` count. Freed with pg_explanation_free.
 *
 * With T tokens of prompt and answer, D the decoder's width and L its layers, the memory beside an answer's own is
 * about 4 T (D L + 20 D + 6 mlp width) bytes for GRADIENT, which computes every layer again on its way back, and 4 T L
 * (width of queries and keys) for ROLLOUT; `tower` adds the same for the vision tower. Attention's own weights exist
 * for a few rows at a time. An answer without tokens and a request without pictures are PG_ERROR_ARGUMENT, models of
 * other kinds PG_ERROR_UNSUPPORTED. options: NULL for the defaults. */
PG_API pg_status pg_explain(pg_explanation **out, pg_session *session, const pg_request *request, const int32_t *tokens,
                            size_t count, const pg_explain_options *options);

/* Where in a picture a SigLIP model finds each of `count` texts; a part for each.
 *
 * SIMILARITY: every patch's last hidden state alone through the pooling head, and its cosine with the text's embedding.
 * With one patch the probe's attention is 1, which leaves value, output and MLP: the head's way from a patch into the
 * space of the texts (as MaskCLIP, Zhou, Loy and Dai 2022, reads CLIP's). GRADIENT: as above, from the cosine of
 * picture and text to the patches by way of the probe's attention. ROLLOUT and ATTENTION are the same for every text.
 */
PG_API pg_status pg_explain_texts(pg_explanation **out, pg_session *session, const pg_image *image,
                                  const char *const *texts, size_t count, const pg_explain_options *options);

PG_API void pg_explanation_free(pg_explanation *explanation); /* NULL is allowed */

/* Writes maps and shares into a file whose name ends in .npz or .safetensors: `maps` [parts, images, rows, columns],
 * `shares` [parts] and `spans` [parts, 2] (first token and their number) of the parts; of answers `tokens`,
 * `token_maps` and `token_shares` as well. F32 and I64. The file appears complete or not at all. */
PG_API pg_status pg_explanation_save(const char *path, const pg_explanation *explanation);

/* ---------------------------------------------------------------- 17. metrics */

/* A predicted text, and one or more that are right. Texts are UTF-8; others are PG_ERROR_FORMAT. */
typedef struct pg_comparison {
    const char *prediction;
    const char *const *references;
    size_t reference_count;
} pg_comparison;

/* The words that captions are compared by, with a space between each two: Penn Treebank tokens as Stanford's tokenizer
 * 3.4.1 makes them, in small letters, without punctuation. (The official scripts tokenize all captions in one text,
 * where the next caption can decide over an abbreviation at the end of this one; here each stands alone.) *out is freed
 * with pg_free. */
PG_API pg_status pg_caption_words(char **out, const char *text);

typedef struct pg_caption_scores {
    double cider;   /* CIDEr-D, 0 to 10; document frequencies from the references */
    double bleu[4]; /* BLEU-1 to BLEU-4: over all texts, not a mean of texts' values */
    double rouge_l;
} pg_caption_scores;

/* Scores of `count` texts, as pycocoevalcap computes them. Words are what stands between spaces: texts go through
 * pg_caption_words first. each: room for the scores of every text by itself; NULL: not wanted. */
PG_API pg_status pg_caption_score(pg_caption_scores *out, pg_caption_scores *each, const pg_comparison *items,
                                  size_t count);

/* Accuracy of the VQA challenge, 0 to 1, references being the answers of (ten) people: min(others who gave it / 3, 1),
 * averaged over leaving each of them out; texts are normalised unless all people gave the same. With fewer than four
 * references, 1 if one of them is the same, normalised. */
PG_API pg_status pg_vqa_accuracy(double *out, const pg_comparison *item);

/* An answer as the VQA challenge normalises it: marks, articles, capitals, numbers, contractions. *out is freed with
 * pg_free. */
PG_API pg_status pg_vqa_normalise(char **out, const char *answer);

/* Average normalised Levenshtein similarity of one text (DocVQA): 1 - edits / characters of the longer one, the best of
 * the references; 0 where half of it or more had to be edited. */
#define PG_ANLS_KEEP_HALF 1u /* where exactly half was edited, it still counts, as in the official script */
#define PG_ANLS_FOLD      2u /* small letters and single blanks are compared */
PG_API pg_status pg_anls(double *out, const pg_comparison *item, unsigned flags);

/* Relaxed accuracy (ChartQA): numbers may be off by 5 % of the target, which is not 0; else texts must be equal. "50%"
 * is 0.5. */
PG_API bool pg_relaxed_match(const char *prediction, const char *target);

/* What was misread: Levenshtein's edits, and the reference's length. Character and word error rates are sums of edits
 * over sums of lengths. */
typedef struct pg_reading_errors {
    size_t character_edits, characters, word_edits, words;
} pg_reading_errors;

PG_API pg_status pg_reading_compare(pg_reading_errors *out, const char *prediction, const char *reference);

/* Whether two texts list the same things: phrases between commas, semicolons, full stops, line breaks and the word
 * "and", in any order, without articles and capitals. */
PG_API pg_status pg_phrases_match(bool *out, const char *prediction, const char *reference);

/* COCO's summary of boxes or masks that were found, as pycocotools computes it; -1 where there is nothing to measure.
 */
typedef struct pg_coco_scores {
    double ap, ap50, ap75;                /* average precision: mean over overlaps of 0.50 to 0.95, at 0.50, at 0.75 */
    double ap_small, ap_medium, ap_large; /* of objects up to 32 x 32 pixels, up to 96 x 96, larger */
    double ar1, ar10, ar100;              /* average recall of so many finds a picture and category */
    double ar_small, ar_medium, ar_large;
} pg_coco_scores;

/* Objects of COCO's annotations, and what was found. One thread at a time. */
typedef struct pg_coco_evaluation pg_coco_evaluation;

/* Reads the true objects from a COCO file with "images", "categories" and "annotations". masks: masks are compared, not
 * boxes. An object of an unknown picture or category, without a box (a mask), or with one that lies outside of its
 * picture is PG_ERROR_FORMAT, and named. Pictures must state "width" and "height". An object without "area" has that of
 * its box or mask. As in pycocotools, an "ignore" in the file is ignored: crowds alone neither count nor harm. */
PG_API pg_status pg_coco_evaluation_open(pg_coco_evaluation **out, const char *path, bool masks);
PG_API void pg_coco_evaluation_close(pg_coco_evaluation *evaluation); /* NULL is allowed */

/* Adds what a file of results has found: a list of {"image_id", "category_id", "score"} with "bbox" (x, y, width,
 * height) or "segmentation" (polygons, or "size" and "counts"). The area that decides about small and large is the
 * box's, where there is one, else the mask's. Errors as above, for the first bad result. */
PG_API pg_status pg_coco_evaluation_load(pg_coco_evaluation *evaluation, const char *path);

/* Adds one find. box: x, y, width, height in pixels; runs: the mask's "counts" as COCO compresses them. One of them may
 * be NULL unless it is what is compared. */
PG_API pg_status pg_coco_evaluation_add(pg_coco_evaluation *evaluation, int64_t image_id, int64_t category_id,
                                        double score, const double box[4], const char *runs);

/* Categories, in the order of the file: how many, and the name (borrowed) and *id (may be NULL) of one. */
PG_API size_t pg_coco_evaluation_categories(const pg_coco_evaluation *evaluation);
PG_API const char *pg_coco_evaluation_category(const pg_coco_evaluation *evaluation, size_t i, int64_t *id);

/* Compares all finds with all objects. by_category: room for one a category, or NULL. */
PG_API pg_status pg_coco_evaluation_measure(pg_coco_scores *out, pg_coco_scores *by_category,
                                            const pg_coco_evaluation *evaluation);

/* Answers to referring expressions: one box, and perhaps one mask, a phrase. */
typedef struct pg_referring_scores {
    double miou;                             /* mean over cases of pixels in both masks / pixels in either */
    double ciou;                             /* pixels in both, over all cases / pixels in either, over all cases */
    double box_accuracy_50, box_accuracy_75; /* share of cases whose boxes overlap by at least 0.5, 0.75 */
    size_t cases, invalid;                   /* invalid: nothing was found; they count as overlaps of 0 */
} pg_referring_scores;

/* Whether confidences can be believed. */
#define PG_RELIABILITY_BINS 15

typedef struct pg_reliability_bin {
    size_t count;
    double confidence, accuracy; /* means; 0 of none */
} pg_reliability_bin;

typedef struct pg_reliability_scores {
    double calibration_error;                     /* expected |confidence - accuracy| over the bins (Guo et al. 2017) */
    double brier;                                 /* mean of (confidence - 1 where right, 0 where wrong) squared */
    pg_reliability_bin bins[PG_RELIABILITY_BINS]; /* (i / 15, (i + 1) / 15]; 0 is in the first */
} pg_reliability_scores;

/* ---------------------------------------------------------------- 18. evaluation */

/* What is measured; a case's own score is the figure named first. */
typedef enum pg_eval_task {
    PG_EVAL_CAPTION,  /* CIDEr-D, BLEU-1 to BLEU-4, ROUGE-L; the same text, the same set (pg_phrases_match) */
    PG_EVAL_VQA,      /* accuracy, also by type of question (VQA's "answer_type", JSONL's "type"); the same text */
    PG_EVAL_TEXTVQA,  /* the same */
    PG_EVAL_DOCVQA,   /* ANLS, also in small letters and with the official script's threshold; the same text */
    PG_EVAL_CHARTQA,  /* relaxed accuracy; the same text */
    PG_EVAL_OCR,      /* 1 - character error rate; character and word error rates; the same text */
    PG_EVAL_DETECT,   /* boxes' F1 at an overlap of 0.5; COCO's AP and AR; mean overlap of true objects with what was
                         found for them, over all and over those that something was found for; how far
                         scores are from the share that is right */
    PG_EVAL_SEGMENT,  /* the same of masks */
    PG_EVAL_REFCOCO,  /* overlap of masks (boxes where there are none); its mean, the overall one, accuracy at 0.5, 0.75
                       */
    PG_EVAL_CLASSIFY, /* accuracy of the first and the first five */
    PG_EVAL_RETRIEVAL, /* recall@1, @5, @10 of texts for pictures and of pictures for texts */
} pg_eval_task;

/* "caption", "vqa", ...; NULL beyond the last. */
PG_API const char *pg_eval_task_name(pg_eval_task task);

/* Cases of a data set: what is asked, what is right, what was predicted, and how good that is. One thread at a time. */
typedef struct pg_evaluation pg_evaluation;

typedef struct pg_evaluation_options {
    pg_dataset_options data;    /* how the data set is read */
    size_t limit;               /* cases at most, the first ones (0: all) */
    const pg_mask_codec *codec; /* what <seg> tokens mean, in answers and in JSONL's true ones; borrowed. NULL: masks
                                   are not looked at */
} pg_evaluation_options;

PG_API void pg_evaluation_options_init(pg_evaluation_options *options);

/* Reads what is asked and what is right: COCO captions, VQA v2 questions (with data.annotations), COCO instances, JSONL
 * with suffixes, labels or texts. Rows about the same picture with the same prompt are one case with several right
 * answers (of a data set of pictures and texts, rows about the same picture). options: NULL for the defaults. */
PG_API pg_status pg_evaluation_open(pg_evaluation **out, pg_eval_task task, const char *path,
                                    const pg_evaluation_options *options);
PG_API void pg_evaluation_close(pg_evaluation *evaluation); /* NULL is allowed */

/* Reads predictions: COCO's caption results, VQA results, COCO's detection results, or JSONL, an object a line, as
 * `generate --batch` and `eval --out` write it. Which case it is for say "question_id", "image_id", or "image" with
 * "prompt" or "prefix"; a line without any is for the case of the same number. The answer is "prediction", "text",
 * "answer", "caption" or "suffix". It may have a "probability", "objects" ("label", "score", "box", "mask" with
 * "counts") and a "ranking", texts, the best first; "error" says why there is none. A prediction for no case, a second
 * one for a case, and (when measured) a case without one are errors that name the first. */
PG_API pg_status pg_evaluation_load(pg_evaluation *evaluation, const char *path);

typedef struct pg_evaluation_run_options {
    const char *out; /* JSONL file that predictions are added to as they are made; those in it are not made again.
                        NULL: none */
    size_t together; /* cases that are answered at the same time (0: the session's sequences) */
    int64_t max_new_tokens; /* of an answer (0: the model's) */
    bool blank;             /* pictures are replaced by grey ones of the same size: what does the model know without? */
    bool free;              /* answers to detect, segment, refcoco and classify may be anything */
    const char *const *labels; /* detect and segment: look for these in every picture (NULL: for those that the prompt
                                  names). classify: the classes (NULL: those of the data) */
    size_t label_count;
    const char *const *templates; /* classify with SigLIP: as in pg_recognizer_new */
    size_t template_count;
    pg_image_options image;

    /* Called now and then with the cases that have a prediction; returning false ends the call with PG_ERROR_CANCELLED,
     * what is in `out` stays. */
    bool (*on_progress)(void *user, size_t done, size_t total);
    void *user;
} pg_evaluation_run_options;

PG_API void pg_evaluation_run_options_init(pg_evaluation_run_options *options);

/* Lets a model answer the cases that have no prediction yet, greedily, several at a time. detect and segment: as
 * pg_detect does, with the labels that the prompt names ("detect cat ; dog"), and its scores; of COCO's pictures masks
 * are asked for one label at a time ("segment cat", then "segment dog"). classify: SigLIP compares pictures with the
 * names of the classes; PaliGemma answers the prompt with one of them. retrieval: SigLIP. A picture that cannot be read
 * is a case without an answer, which counts as wrong. */
PG_API pg_status pg_evaluation_run(pg_evaluation *evaluation, pg_session *session,
                                   const pg_evaluation_run_options *options);

/* Compares predictions with what is right. */
PG_API pg_status pg_evaluation_measure(pg_evaluation *evaluation);

typedef struct pg_eval_figure {
    const char *name; /* "CIDEr", "AP50", "AP cat" */
    double value;     /* -1 where COCO has nothing to measure */
} pg_eval_figure;

/* What was measured, the most important first: how many figures, and one of them. */
PG_API size_t pg_evaluation_figures(const pg_evaluation *evaluation);
PG_API pg_eval_figure pg_evaluation_figure(const pg_evaluation *evaluation, size_t i);

/* Borrowed from the evaluation. */
typedef struct pg_eval_case {
    const char *place;  /* where it stands: "FILE:12" */
    const char *image;  /* as the data set names it; NULL: none */
    const char *prompt; /* "": none */
    const char *const *references;
    size_t reference_count;
    const char *prediction; /* NULL: none yet */
    const char *error;      /* why there is no answer; NULL */
    double probability;     /* of the answer; NAN: not known */
    double score;           /* higher is better; NAN before it is measured */
} pg_eval_case;

PG_API size_t pg_evaluation_cases(const pg_evaluation *evaluation);
PG_API pg_eval_case pg_evaluation_case(const pg_evaluation *evaluation, size_t i);

/* Fits the scores of detected objects to how often they are right: with the right label and an overlap of 0.5 at least.
 * The evaluation is of detect or segment, measured, its answers made by the model in `folder`, whose
 * generation_config.json gets "paligemma_scores" {"slope", "intercept"}: whoever opens the model from then on has
 * scores of 1 / (1 + exp(-(slope logit(p) + intercept))) (Platt 1999), p being the probability that pg_detect speaks
 * of. A correction that is there already is corrected further. Fewer than 50 objects, and scores that do not tell right
 * from wrong, are PG_ERROR_ARGUMENT. */
PG_API pg_status pg_evaluation_fit_scores(const pg_evaluation *evaluation, const char *folder);

typedef struct pg_eval_report_options {
    const char *title; /* NULL: the task and the data set's file */
    size_t worst;      /* cases with the lowest scores that are shown (0: 24) */
    size_t side;       /* of pictures in pixels, at most (0: 320) */
    pg_image_options image;
} pg_eval_report_options;

PG_API void pg_eval_report_options_init(pg_eval_report_options *options);

/* Writes figures, the distribution of scores and the worst cases with their pictures (true boxes and masks, and those
 * found, drawn on them) into one HTML file that needs no other. It appears complete or not at all. options: NULL for
 * the defaults. */
PG_API pg_status pg_evaluation_report(const pg_evaluation *evaluation, const char *path,
                                      const pg_eval_report_options *options);

/* ---------------------------------------------------------------- 19. the hub */

/*
 * Published models by name, from a server that speaks the protocol of huggingface.co, into the cache that
 * huggingface_hub uses: what either has fetched serves both. In CACHE/models--ORG--NAME lie
 *
 *   blobs/ETAG                 files, named by their SHA-256, or (small ones) by the SHA-1 that git gives them
 *   blobs/ETAG.incomplete      the beginning of one that is not complete yet
 *   snapshots/COMMIT/FILE      links to blobs
 *   refs/REVISION              the commit that a branch or tag stood for
 *
 * The environment, as huggingface_hub reads it, says where and how: HF_HUB_CACHE (default: $HF_HOME/hub), HF_HOME
 * (default: ~/.cache/huggingface), HF_ENDPOINT (default: https://huggingface.co), HF_TOKEN, else the file HF_TOKEN_PATH
 * (default: $HF_HOME/token), HF_HUB_OFFLINE, HF_HUB_ETAG_TIMEOUT and HF_HUB_DOWNLOAD_TIMEOUT in seconds; and
 * http_proxy, https_proxy, no_proxy, SSL_CERT_FILE.
 */

typedef struct pg_hub_progress {
    uint64_t done, total; /* bytes; what was there before the call is in both */
    uint64_t before;      /* bytes that were there when the call began */
    size_t files, files_total;
    bool waiting; /* another process fetches what is missing, or the server asked for patience */
} pg_hub_progress;

typedef struct pg_hub_options {
    const char *revision;       /* a branch, a tag or a commit (NULL: what the name says, else "main") */
    const char *const *include; /* globs of the files that are wanted; * matches slashes too (none: weights in
                                   safetensors and npz, configurations, tokenizers, and what is written about them) */
    size_t include_count;
    int connections; /* at the same time (0: 8) */

    /* Called several times a second; returning false ends the call with PG_ERROR_CANCELLED, and the next call goes on
     * where it was. */
    bool (*on_progress)(void *user, const pg_hub_progress *progress);
    void *user;
} pg_hub_options;

PG_API void pg_hub_options_init(pg_hub_options *options);

/* True for "hub:ORG/NAME", "hub:NAME", either with "@REVISION" behind it, and for ORG/NAME where there is neither a
 * file or folder of this name nor a folder ORG. */
PG_API bool pg_hub_is_name(const char *name);

/* Asks the hub what the revision stands for, and fetches the files that the cache lacks; *out is the snapshot's
 * folder, freed with pg_free. Goes on where an earlier call was interrupted, over several connections, with patience
 * for servers that are busy and connections that break. Every file that is fetched is compared with its sum before
 * anything can find it, and the snapshot appears when all are there. The token goes to the endpoint and to no other
 * host. Other processes, huggingface_hub among them, may fetch the same at the same time.
 *
 * Where HF_HUB_OFFLINE is set, the cache must have it. PG_ERROR_FILE: cannot be reached, not there, not allowed (the
 * text names the page where access is given), no space; PG_ERROR_FORMAT: a server that does not keep to the protocol,
 * or wrong sums. options: NULL for the defaults. Thread-safe. */
PG_API pg_status pg_hub_pull(char **out, const char *name, const pg_hub_options *options);

/* The folder of a model that is named anywhere: a path stays as it is; a name of the hub is its snapshot in the cache,
 * which is fetched first where it is not there or not complete. What is there is used without asking the hub, so that
 * results do not change by themselves: pg_hub_pull brings it up to date. *out is freed with pg_free. */
PG_API pg_status pg_hub_find(char **out, const char *name, const pg_hub_options *options);

/* ---------------------------------------------------------------- 20. conversion */

/* How a model lies on the disk. */
typedef enum pg_model_layout {
    PG_LAYOUT_AUTO,      /* told by the name's ending: .npz, .gguf; else the published one */
    PG_LAYOUT_PUBLISHED, /* a folder: config.json, safetensors in one file or in shards, tokenizer */
    PG_LAYOUT_JAX,       /* big_vision's .npz: weights of a PaliGemma, a Gemma or a SigLIP, nothing else */
    PG_LAYOUT_GGUF,      /* llama.cpp's: a decoder with its tokenizer; written only */
} pg_model_layout;

typedef struct pg_model_convert_options {
    pg_model_layout to;    /* of the result (PG_LAYOUT_AUTO) */
    const char *adapter;   /* a folder's model: a LoRA adapter that becomes part of it; NULL: none */
    const char *tokenizer; /* an .npz: a folder whose files, but for weights and config.json, are copied. NULL: none */
    const char *config;    /* an .npz: config.json of the result. NULL: made from the arrays' shapes and the tokenizer;
                              what neither says has the published models' values */
    const char *dtype;     /* "F32", "BF16" or "F16"; NULL: as stored, quantised weights as BF16 */
    size_t shard_size;     /* of a folder, as in pg_save_options */
    bool compress;         /* an .npz: deflated */
    bool unchecked;        /* the result is not read again */
    int threads;           /* 0: one per physical core that this process may use */
    pg_save_progress *on_progress; /* counts weights, and those of the result once more as they are compared */
    void *user;
} pg_model_convert_options;

PG_API void pg_model_convert_options_init(pg_model_convert_options *options);

/* What became of a model. */
typedef struct pg_model_conversion {
    pg_model_layout from, to;
    size_t weights; /* in the result */
    bool checked;   /* every value was read again and is the original's, rounded to its dtype */

    /* Folder to folder, with a tokenizer: the largest difference between the logits (SigLIP: embeddings) of both
     * models for a picture and a prompt, computed in f32, and the largest of them; NAN: not computed. */
    double difference, largest;
    char *lost; /* one line: what the result lacks; NULL: nothing */
} pg_model_conversion;

/* Writes a model, a folder or an .npz file, in another layout, dtype or number of files. Weights are read and written
 * piece by piece: memory is needed for the largest matrix, twice, in its dtype. An output matrix that is the embedding
 * once more is left out. The result appears complete or not at all, after it was read again and compared: any value
 * that is not the original's, rounded to its dtype, is PG_ERROR_FORMAT and named, as are, where no dtype changed,
 * logits that are not the same bits. The result must not exist yet. options: NULL for the defaults. *out is emptied
 * with pg_model_conversion_free. */
PG_API pg_status pg_model_convert(pg_model_conversion *out, const char *to, const char *from,
                                  const pg_model_convert_options *options);
PG_API void pg_model_conversion_free(pg_model_conversion *conversion);

/* ---------------------------------------------------------------- 21. serving */

/* Answers requests as they come. They join the running ones and leave them between two tokens, and all of them go
 * through the model together; the picture or prompt of a new one is computed in slices between the tokens of the
 * others. Each answer has the bits that pg_generate gives the request alone. One thread of its own computes; every
 * function but pg_scheduler_free may be called by any thread at any time. */
typedef struct pg_scheduler pg_scheduler;

typedef struct pg_scheduler_options {
    pg_session_options session; /* .sequences: answers that are in the making at the same time (0: 16); .context: of
                                   each of them. Cache memory is taken as tokens fill it */
    size_t queue;               /* jobs that may wait; more are PG_ERROR_BUSY (0: 64) */
    size_t feature_bytes; /* what pictures became is kept for the next who shows the same pixels, in so many bytes,
                             the latest used (0: 256 MiB; SIZE_MAX: nothing is kept) */
    size_t prefix_bytes;  /* the same of whole prompts, for jobs with the same pictures and text (0: 256 MiB; SIZE_MAX:
                             nothing is kept) */
    double slice; /* most time between two tokens that goes to the prompts and pictures of others, as a multiple of the
                     time that a step of tokens takes (0: 1) */
} pg_scheduler_options;

PG_API void pg_scheduler_options_init(pg_scheduler_options *options);

/* The model must be one with a decoder and outlive the scheduler. options: NULL for the defaults. */
PG_API pg_status pg_scheduler_new(pg_scheduler **out, const pg_model *model, const pg_scheduler_options *options);

/* Ends what still runs (its last event has PG_ERROR_CANCELLED), waits for the thread and frees everything. Not from a
 * callback, and not while another thread is in a function of this scheduler. NULL is allowed. */
PG_API void pg_scheduler_free(pg_scheduler *scheduler);

/* Jobs from now on may name a LoRA adapter, a folder in PEFT's layout: it is opened over the scheduler's model (without
 * the adapter that this one may have). A name that is in use stands for the new folder from now on, while jobs that
 * have come before keep the old one; folder NULL forgets the name. Adapters share the model's weights; each step goes
 * through the model once for every adapter that takes part in it. */
PG_API pg_status pg_scheduler_set_adapter(pg_scheduler *scheduler, const char *name, const char *folder);

typedef enum pg_event_kind {
    PG_EVENT_TOKEN,  /* answer `index` has one more token */
    PG_EVENT_ANSWER, /* answer `index` is complete */
    PG_EVENT_END,    /* the last event of the job, and of every job: all is said, or `status` says why not */
} pg_event_kind;

/* Where a job's time went, in seconds, and what it used. */
typedef struct pg_usage {
    double queued;                       /* from pg_scheduler_submit until it took part */
    double pictures;                     /* vision tower and projector */
    double prefill;                      /* the prompt through the decoder */
    double first_token;                  /* from pg_scheduler_submit to the first token; 0 without one */
    double decode;                       /* from the first token to the last */
    double total;                        /* from pg_scheduler_submit to the end */
    size_t prompt_tokens, answer_tokens; /* of all its answers */
    bool features_kept, prefix_kept;     /* pictures, or the whole prompt, were computed for an earlier job */
} pg_usage;

typedef struct pg_event {
    pg_event_kind kind;
    uint64_t ticket;
    size_t index; /* of the answer */

    /* PG_EVENT_TOKEN */
    int32_t token;           /* -1: none, only text that had been held back */
    float logprob;           /* as in pg_answer */
    const pg_candidate *top; /* [top_count], as in pg_answer */
    size_t top_count;
    const char *text; /* what became certain with this token: `size` bytes of whole characters, perhaps none. All of
                         them together are the answer's text */
    size_t size;

    const pg_answer *answer; /* PG_EVENT_ANSWER: borrowed for the call; .timings are the job's */

    /* PG_EVENT_END: PG_OK; PG_ERROR_CANCELLED, _DEADLINE; else what failed. The reason is "" or one line. */
    pg_status status;
    const char *reason;
    pg_usage usage;
} pg_event;

/* Called from the scheduler's thread, one event after another: what it does delays everybody's next token, so it hands
 * on and returns. It may call any function of the scheduler but pg_scheduler_drain and pg_scheduler_free. Returning
 * false cancels the job. */
typedef bool pg_event_callback(void *user, const pg_event *event);

typedef struct pg_job {
    pg_request request;  /* Copied, pictures, prompt and stop texts too; only its constraint is borrowed until the last
                            event. beams (1 at most) and on_text do not go with a scheduler; on_step is called from its
                            thread, before the event of the token. It tokenizes and resizes in the thread that submits */
    size_t answers;      /* how many; answer i is the one of the seed request.seed + i (0: 1) */
    const char *adapter; /* as pg_scheduler_set_adapter named it; NULL or "": the model as it is */
    const char *key; /* whose job it is: within a priority, keys take turns in starting jobs (NULL: ""; at most 63 bytes
                        of it count) */
    int priority;    /* higher ones start first */
    double deadline; /* seconds from now, after which it ends with PG_ERROR_DEADLINE (0: none) */
    pg_event_callback *on_event;
    void *user;
} pg_job;

/* As pg_request_init leaves the request; one answer, no deadline. */
PG_API void pg_job_init(pg_job *job);

/* Puts a job into the queue. *ticket names it. PG_ERROR_BUSY: the queue is full, or the scheduler is draining. What can
 * be known to be wrong fails here, in the words of pg_generate; no event comes then. After PG_OK, exactly one
 * PG_EVENT_END comes, perhaps before this returns. */
PG_API pg_status pg_scheduler_submit(uint64_t *ticket, pg_scheduler *scheduler, const pg_job *job);

/* The job ends with PG_ERROR_CANCELLED before its next token. One that has ended already, or never was, is passed
 * over. */
PG_API void pg_scheduler_cancel(pg_scheduler *scheduler, uint64_t ticket);

/* Takes no more jobs and waits until all have ended. After `seconds` (negative: any time) those that are left are
 * cancelled, and the result is PG_ERROR_DEADLINE. */
PG_API pg_status pg_scheduler_drain(pg_scheduler *scheduler, double seconds);

/* How often something took how long. buckets[i] counts times up to pg_time_bound(i) and above pg_time_bound(i - 1);
 * the last bucket has no bound (INFINITY). */
#define PG_TIME_BUCKETS 18
typedef struct pg_times {
    uint64_t count;
    double sum; /* seconds */
    uint64_t buckets[PG_TIME_BUCKETS];
} pg_times;

PG_API double pg_time_bound(size_t bucket);

typedef struct pg_scheduler_figures {
    size_t waiting, starting, running;             /* jobs: in the queue, in their prompts, making tokens */
    size_t sequences, sequences_used;              /* answers that may be, and are, in the making */
    uint64_t submitted, refused;                   /* refused: PG_ERROR_BUSY */
    uint64_t finished, cancelled, expired, failed; /* how jobs ended */
    uint64_t prompt_tokens, answer_tokens, pictures;
    uint64_t proposed, accepted; /* tokens that were computed ahead, and those that came true */
    uint64_t steps;              /* times that tokens went through the model together */
    uint64_t feature_hits, feature_misses, prefix_hits, prefix_misses; /* pictures, and jobs */
    size_t feature_bytes, prefix_bytes;                                /* kept */
    pg_times queued, first_token, between_tokens, total;               /* of jobs; between_tokens: of each answer */
} pg_scheduler_figures;

/* A consistent picture of the moment. */
PG_API void pg_scheduler_get_figures(pg_scheduler_figures *out, pg_scheduler *scheduler);

/* ---------------------------------------------------------------- 22. feedback */

/* Answers that were given and what people said about them, in one SQLite database that any number of threads and
 * processes may use at a time. */
typedef struct pg_feedback_store pg_feedback_store;

typedef struct pg_feedback_options {
    bool existing;      /* a file that does not exist is PG_ERROR_FILE; else it is made */
    uint64_t max_bytes; /* the file does not grow beyond this (0: no limit) */
    double wait;        /* seconds that a call waits while another process writes (5) */
} pg_feedback_options;

PG_API void pg_feedback_options_init(pg_feedback_options *options);

/* Opens the database, or makes it, readable for its owner alone. A file that is damaged, of another
 * program, or of a later version of this one is PG_ERROR_FORMAT and stays as it is. options: NULL for the defaults. */
PG_API pg_status pg_feedback_open(pg_feedback_store **out, const char *path, const pg_feedback_options *options);
PG_API void pg_feedback_close(pg_feedback_store *store); /* NULL is allowed */

typedef enum pg_judgement {
    PG_JUDGEMENT_DOWN = -1,
    PG_JUDGEMENT_NONE = 0, /* taken back, or only corrected */
    PG_JUDGEMENT_UP = 1,
} pg_judgement;

PG_API const char *pg_judgement_name(pg_judgement judgement); /* "down", "none", "up" */

#define PG_FEEDBACK_HASH     65 /* room for a SHA-256 in hexadecimal digits */
#define PG_FEEDBACK_PICTURES 16 /* of one record, at most */

/* A picture that was asked about. */
typedef struct pg_feedback_picture {
    const void *bytes; /* the picture's file; NULL where there is only its hash, and in pg_feedback_list */
    size_t size;
    bool keep;                   /* the bytes are in the database (when adding: shall be), not only their hash */
    char hash[PG_FEEDBACK_HASH]; /* SHA-256 of the bytes. When adding with bytes, it is computed from them */
} pg_feedback_picture;

/* An answer and a judgement. Texts are UTF-8; those that are not known are NULL. */
typedef struct pg_feedback_record {
    int64_t id;          /* from 1, given by the store */
    int64_t time;        /* milliseconds since 1970; when adding, 0 is now */
    const char *request; /* a name of the answer: a second record of that name replaces the first */
    const char *task;    /* "detect" */
    const char *prompt;  /* needed */
    const char *answer;  /* needed; may be "" */
    pg_judgement judgement;
    const char *correction;            /* what would have been right; blank text is NULL */
    const char *model, *model_version; /* name and pg_model_fingerprint */
    const char *adapter, *adapter_version;
    const char *settings; /* how the answer was drawn, as JSON */
    const pg_feedback_picture *pictures;
    size_t picture_count;
} pg_feedback_record;

/* Adds a record. When this returns, it is on the disk: neither the end of the process nor of the machine's power loses
 * it; on failure nothing was stored. Text that is not UTF-8 or above 1 MiB, a picture above 64 MiB, and a correction
 * that says what the answer says are PG_ERROR_ARGUMENT; without room on the disk PG_ERROR_FILE, within max_bytes
 * PG_ERROR_LIMIT. *id: the record's (NULL: not asked). */
PG_API pg_status pg_feedback_add(int64_t *id, pg_feedback_store *store, const pg_feedback_record *record);

/* Sees a record, borrowed for the call. May read pictures of the same store. Returning false ends the list. */
typedef bool pg_feedback_visitor(void *user, const pg_feedback_record *record);

typedef struct pg_feedback_query {
    int64_t after; /* records of higher ids only (0: all) */
    size_t limit;  /* records at most (0: all) */
    bool newest;   /* the highest ids first; else the lowest */
} pg_feedback_query;

/* Lists records. query: NULL for all, the oldest first. */
PG_API pg_status pg_feedback_list(pg_feedback_store *store, const pg_feedback_query *query,
                                  pg_feedback_visitor *visitor, void *user);

/* The bytes of a picture that was kept, freed with pg_free. One that was not is PG_ERROR_ARGUMENT. */
PG_API pg_status pg_feedback_read_picture(void **out, size_t *size, pg_feedback_store *store, const char *hash);

typedef struct pg_feedback_export_options {
    pg_row_kind kind; /* PG_ROW_SUFFIX: corrections. PG_ROW_PREFERENCE: corrections before the answers that they
                         correct, and answers judged up before answers judged down to the same prompt and pictures */
    bool approved;    /* PG_ROW_SUFFIX: also answers judged up that were not corrected */
} pg_feedback_export_options;

PG_API void pg_feedback_export_options_init(pg_feedback_export_options *options);

typedef struct pg_feedback_export_report {
    size_t rows, pictures; /* written */
    size_t left_out;       /* rows about pictures that were not kept */
} pg_feedback_export_report;

/* Writes rows as JSON lines, which PG_DATA_JSONL and `paligemma train` read, and the pictures that they name, each
 * once, into the folder NAME.pictures beside NAME.jsonl. Rows that say the same come once. The file appears complete or
 * not at all; without any row it is PG_ERROR_ARGUMENT. options: NULL for the defaults, out: NULL if not asked. */
PG_API pg_status pg_feedback_export(pg_feedback_export_report *out, pg_feedback_store *store, const char *path,
                                    const pg_feedback_export_options *options);

/* A name for what a model computes, its adapter included: "paligemma-0123456789abcdef", a hash of shapes, types,
 * preparation of pictures and samples of all weights. Training any weight changes it; moving its folder does not. */
#define PG_FINGERPRINT 64 /* room for one */
PG_API void pg_model_fingerprint(char out[PG_FINGERPRINT], const pg_model *model);

/* ---------------------------------------------------------------- 23. server */

/* An HTTP server: OpenAI's routes for chat, completions and embeddings, routes of its own for captions, boxes, masks
 * and classes, a page for people, figures for Prometheus. What it answers to is described by its /openapi.json.
 * Requests have threads of its own; the functions below are for one thread at a time. */
typedef struct pg_server pg_server;

typedef struct pg_server_adapter {
    const char *name, *folder; /* as clients name it; a LoRA adapter in PEFT's layout */
} pg_server_adapter;

typedef struct pg_server_options {
    const char *host; /* an address to listen on (NULL: 127.0.0.1). One that other machines reach needs a key file */
    int port;         /* 0: any free one */

    const char *model;      /* folder of a PaliGemma, Gemma or SigLIP; required */
    const char *model_name; /* as clients name it (NULL: the folder's own name); siglip_name: the same */
    const char *siglip;     /* folder of a SigLIP as well, for embeddings and classes; NULL: none */
    const char *siglip_name;
    const char *codec; /* the mask codec's file; NULL: that of the model's folder, without which segmentation answers
                          with codes alone */
    const pg_server_adapter *adapters;
    size_t adapter_count;
    pg_model_options how; /* .adapter: not used */
    pg_scheduler_options scheduler;

    const char
        *key_file; /* a key a line; empty lines and those that begin with # are none. NULL: no key is asked for */
    const char *feedback;    /* database that /v1/feedback stores in (section 22); NULL: it refuses */
    bool feedback_images;    /* pictures go into it as well, where their owners allow it; else only their hashes */
    uint64_t feedback_bytes; /* the database does not grow beyond this (0: no limit) */
    const char *const *image_hosts; /* from where pictures may be fetched by URL ("example.org", "example.org:8443") */
    size_t image_host_count;        /* 0: pictures come with the request only */

    size_t max_body;     /* bytes of a request (0: 20 MiB) */
    uint64_t max_pixels; /* of a picture (0: 50,000,000) */
    size_t max_images;   /* of a request (0: 16) */
    size_t connections;  /* at the same time (0: 256) */
    double timeout;      /* seconds that a client may take to send a request or to read an answer, and a second more for
                            every 16 KiB; idle connections are closed after it (0: 30) */
    double deadline;     /* seconds that an answer may take (0: 300) */

    bool metrics;     /* /metrics answers */
    bool log_content; /* what is asked and answered is in the log */
    double slow;      /* seconds after which a request is logged as slow (0: 10) */

    /* Receives the log: JSON objects in a line each, without line break. Called from many threads, one at a time. */
    void (*on_log)(void *user, const char *line);
    void *user;
} pg_server_options;

PG_API void pg_server_options_init(pg_server_options *options);

/* Opens the models and listens; requests are answered by threads of the server from now on. The options are copied.
 * Other machines could reach it without a key, or a port that is taken: an error. */
PG_API pg_status pg_server_new(pg_server **out, const pg_server_options *options);

/* All that pg_server_new does but listening: an error says what would keep the server from starting. */
PG_API pg_status pg_server_check(const pg_server_options *options);

PG_API int pg_server_port(const pg_server *server);

/* Opens models, adapters and keys anew from the same names: requests from now on are answered with these, those that
 * have begun with the old ones. After a failure all stays as it was. */
PG_API pg_status pg_server_reload(pg_server *server);

/* Takes no more connections, refuses further requests (503) and waits until all have been answered. After `seconds`
 * (negative: any time) those that are left are cancelled, and the result is PG_ERROR_DEADLINE. */
PG_API pg_status pg_server_drain(pg_server *server, double seconds);

/* Ends what still runs, and frees everything. NULL is allowed. */
PG_API void pg_server_free(pg_server *server);

#ifdef __cplusplus
}
#endif
#endif
