/* Masks to codes and back. */
#include <string.h>

#include "base/threads.h"
#include "kernels/kernels.h"
#include "model/mask_codec.h"
#include "ops/ops.h"

#define AT_ONCE 4 /* masks that are in memory at a time: more are slower, for new memory costs more than products */
#define PLACES  ((size_t)PG_MASK_SIDE * PG_MASK_SIDE)

/* In an arena of the codec's: encoding one mask after another, new memory would cost as much as the products. */
static pg_status start(pg_context *g, const pg_mask_codec *codec, int threads)
{
    *g = (pg_context){.kernels = pg_kernels_best(), .threads = threads ? threads : pg_threads_default()};
    g->compute = PG_COMPUTE_F32;
    if (threads < 0 || g->threads > PG_THREADS_MAX)
        return pg_fail(PG_ERROR_ARGUMENT, "threads: %d, expected 1 to %d", threads, PG_THREADS_MAX);
    g->arena = pg_arena_pool_take(codec->arenas);
    return PG_OK;
}

static pg_status finish(const pg_context *g, const pg_mask_codec *codec)
{
    pg_arena_pool_give(codec->arenas, g->arena);
    return g->status;
}

static void decode_some(pg_context *g, float *values, const pg_mask_codec *codec, const int32_t *codes, size_t count)
{
    pg_tensor *x = pg_embed(g, &codec->codebook, codes, (int64_t)count * PG_MASK_CODES, 1, 0);
    x = pg_mask_codec_masks(g, codec, x);
    if (x)
        memcpy(values, x->data, count * PLACES * sizeof *values);
}

pg_status pg_mask_codec_decode(float *values, const pg_mask_codec *codec, const int32_t *codes, size_t count,
                               int threads)
{
    pg_context g;
    for (size_t i = 0; i < count * PG_MASK_CODES; i++)
        if (codes[i] < 0 || codes[i] >= PG_MASK_CODEBOOK)
            return pg_fail(PG_ERROR_ARGUMENT, "mask %zu has the code %d, expected 0 to %d", i / PG_MASK_CODES, codes[i],
                           PG_MASK_CODEBOOK - 1);
    PG_TRY(start(&g, codec, threads));
    pg_arena_mark mark = pg_arena_get_mark(&g.arena);
    for (size_t first = 0; first < count && g.status == PG_OK; first += AT_ONCE) {
        size_t some = count - first < AT_ONCE ? count - first : AT_ONCE;
        decode_some(&g, values + first * PLACES, codec, codes + first * PG_MASK_CODES, some);
        pg_arena_release(&g.arena, mark);
    }
    return finish(&g, codec);
}

static void encode_some(pg_context *g, int32_t *codes, const pg_mask_codec *codec, const float *masks, size_t count)
{
    pg_tensor *x = pg_tensor_new(g, (int64_t)(count * PLACES), 1);
    for (size_t i = 0; x && i < count * PLACES; i++)
        ((float *)x->data)[i] = 2 * masks[i] - 1;
    pg_nearest_code(g, pg_mask_codec_features(g, codec, x), &codec->codebook, codes);
}

pg_status pg_mask_codec_encode(int32_t *codes, const pg_mask_codec *codec, const float *masks, size_t count,
                               int threads)
{
    pg_context g;
    if (!codec->has_encoder)
        return pg_fail(PG_ERROR_UNSUPPORTED, "the mask codec's file has a decoder only; encoding needs both parts");
    PG_TRY(start(&g, codec, threads));
    pg_arena_mark mark = pg_arena_get_mark(&g.arena);
    for (size_t first = 0; first < count && g.status == PG_OK; first += AT_ONCE) {
        size_t some = count - first < AT_ONCE ? count - first : AT_ONCE;
        encode_some(&g, codes + first * PG_MASK_CODES, codec, masks + first * PLACES, some);
        pg_arena_release(&g.arena, mark);
    }
    return finish(&g, codec);
}

pg_status pg_mask_codec_encode_view(void *user, int codes[16], const pg_mask_view *mask)
{
    float values[PLACES];
    int32_t numbers[PG_MASK_CODES];
    PG_TRY(pg_mask_cut(values, mask));
    PG_TRY(pg_mask_codec_encode(numbers, user, values, 1, 1));
    for (int i = 0; i < PG_MASK_CODES; i++)
        codes[i] = numbers[i];
    return PG_OK;
}
