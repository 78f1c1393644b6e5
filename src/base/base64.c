#include "base/base64.h"

#define BLOCK 768 /* bytes that are written at a time; a multiple of 3 */

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int value_of(char letter)
{
    if (letter >= 'A' && letter <= 'Z')
        return letter - 'A';
    if (letter >= 'a' && letter <= 'z')
        return letter - 'a' + 26;
    if (letter >= '0' && letter <= '9')
        return letter - '0' + 52;
    return letter == '+' ? 62 : letter == '/' ? 63 : -1;
}

static bool is_blank(char letter)
{
    return letter == ' ' || letter == '\t' || letter == '\r' || letter == '\n';
}

/* Bytes in the making. */
typedef struct decoding {
    uint32_t bits;
    int bit_count;
    size_t letters, padding, made;
    uint8_t block[BLOCK];
} decoding;

static pg_status take_letter(decoding *state, pg_buffer *out, int value)
{
    state->bits = state->bits << 6 | (uint32_t)value;
    state->bit_count += 6;
    state->letters++;
    if (state->bit_count < 8)
        return PG_OK;
    state->bit_count -= 8;
    state->block[state->made++] = (uint8_t)(state->bits >> state->bit_count);
    if (state->made < BLOCK)
        return PG_OK;
    state->made = 0;
    return pg_buffer_append(out, state->block, BLOCK);
}

pg_status pg_base64_decode(pg_buffer *out, const char *text, size_t size)
{
    decoding state = {0};
    for (size_t i = 0; i < size; i++) {
        int value = value_of(text[i]);
        if (value >= 0 && !state.padding)
            PG_TRY(take_letter(&state, out, value));
        else if (text[i] == '=' && state.padding < 2)
            state.padding++;
        else if (!is_blank(text[i]))
            return pg_fail(PG_ERROR_FORMAT, "character %zu is not base64", i + 1);
    }
    if (state.letters % 4 == 1 || (state.padding && (state.letters + state.padding) % 4))
        return pg_fail(PG_ERROR_FORMAT, "the base64 text ends within a byte: %zu characters", state.letters);
    return pg_buffer_append(out, state.block, state.made);
}

static void encode_group(char out[4], const uint8_t *bytes, size_t count)
{
    uint32_t bits = (uint32_t)bytes[0] << 16 | (uint32_t)(count > 1 ? bytes[1] : 0) << 8 | (count > 2 ? bytes[2] : 0);
    for (size_t i = 0; i < 4; i++)
        out[i] = i <= count ? letters[bits >> (18 - 6 * i) & 63] : '=';
}

pg_status pg_base64_encode(pg_buffer *out, const void *bytes, size_t size)
{
    const uint8_t *from = bytes;
    char block[BLOCK / 3 * 4];
    for (size_t at = 0; at < size; at += BLOCK) {
        size_t here = size - at < BLOCK ? size - at : BLOCK, made = 0;
        for (size_t i = 0; i < here; i += 3, made += 4)
            encode_group(block + made, from + at + i, here - i < 3 ? here - i : 3);
        PG_TRY(pg_buffer_append(out, block, made));
    }
    return PG_OK;
}
