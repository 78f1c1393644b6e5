/*
 * paligemma.h: run PaliGemma, SigLIP and Gemma from C.
 *
 * The only public header, from simple to advanced:
 *   1. errors      every function that can fail returns pg_status
 *   2. pictures    decode and resize
 *   3. text        tokenizers
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
 * folder that holds one of them (in this order of preference) with its tokenizer_config.json. */
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

/* Text of `count` ids; bytes that are not UTF-8 become U+FFFD. skip_special leaves control tokens out. *out is freed
 * with pg_free. */
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

#ifdef __cplusplus
}
#endif
#endif
