/* How fast objects are found: bench_objects MODEL IMAGE [CODEC.npz [ROUNDS]]. Decodes an answer with and without the
 * constraint that detection uses, the two taking turns, and decodes masks. Prints one line of JSON: the median
 * milliseconds a token of each way, and of one mask alone and among 16. Linked to the shared library: only the public
 * header is used. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stopwatch.h"

#define TOKENS   64
#define ROUNDS   11
#define TOGETHER 16

/* Milliseconds a token of an answer of TOKENS tokens; a constraint that lets it end earlier ends it earlier. */
static double time_answer(pg_session *session, const pg_request *request, size_t *made)
{
    pg_answer *answer;
    stop_on(pg_generate(&answer, session, request, 1));
    double spent = answer->timings.decode;
    *made = answer->count;
    pg_answer_free(answer);
    return *made > 1 ? 1e3 * spent / (double)(*made - 1) : 0;
}

static void bench_answers(const char *folder, const char *path, size_t rounds)
{
    static const char *const labels[] = {"cat", "dog", "traffic light"};
    double *times[2] = {calloc(rounds, sizeof(double)), calloc(rounds, sizeof(double))};
    size_t made[2] = {0};
    pg_model *model;
    pg_session *session;
    pg_image *image;
    pg_constraint *constraint;
    pg_request requests[2];
    if (!times[0] || !times[1])
        exit(1);
    stop_on(pg_model_open(&model, folder));
    stop_on(pg_session_new(&session, model, NULL));
    stop_on(pg_image_load(&image, path, NULL));
    stop_on(pg_constraint_new_objects(&constraint, model, labels, 3, PG_MASKS_ALWAYS));
    for (size_t i = 0; i < 2; i++) {
        pg_request_init(&requests[i]);
        requests[i].prompt = "segment cat ; dog ; traffic light";
        requests[i].images = (const pg_image *const *)&image;
        requests[i].image_count = 1;
        requests[i].max_new_tokens = TOKENS;
        requests[i].constraint = i ? constraint : NULL;
    }
    for (size_t round = 0; round <= rounds; round++) /* the first one warms up */
        for (size_t i = 0; i < 2; i++) {
            double spent = time_answer(session, &requests[i], &made[i]);
            if (round)
                times[i][round - 1] = spent;
        }
    printf("{\"free_ms\": %.4f, \"free_tokens\": %zu, \"constrained_ms\": %.4f, \"constrained_tokens\": %zu",
           median(times[0], rounds), made[0], median(times[1], rounds), made[1]);
    pg_constraint_free(constraint);
    pg_image_free(image);
    pg_session_free(session);
    pg_model_close(model);
    free(times[0]);
    free(times[1]);
}

/* Milliseconds a mask. */
static double time_masks(const pg_mask_codec *codec, float *values, const int32_t *codes, size_t count)
{
    double start = now();
    stop_on(pg_mask_codec_decode(values, codec, codes, count, 0));
    return 1e3 * (now() - start) / (double)count;
}

static void bench_masks(const char *path, size_t rounds)
{
    static float values[TOGETHER * PG_MASK_SIDE * PG_MASK_SIDE];
    int32_t codes[TOGETHER * PG_MASK_CODES];
    double *alone = calloc(rounds, sizeof *alone), *together = calloc(rounds, sizeof *together);
    pg_mask_codec *codec;
    if (!alone || !together)
        exit(1);
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        codes[i] = (int32_t)(i * 37 % 128);
    stop_on(pg_mask_codec_open(&codec, path));
    time_masks(codec, values, codes, TOGETHER);
    for (size_t round = 0; round < rounds; round++) {
        alone[round] = time_masks(codec, values, codes, 1);
        together[round] = time_masks(codec, values, codes, TOGETHER);
    }
    printf(", \"mask_ms\": %.4f, \"mask_of_16_ms\": %.4f", median(alone, rounds), median(together, rounds));
    pg_mask_codec_close(codec);
    free(alone);
    free(together);
}

int main(int argc, char **argv)
{
    size_t rounds = argc > 4 ? strtoul(argv[4], NULL, 10) : ROUNDS;
    if (argc < 3 || argc > 5 || !rounds) {
        fprintf(stderr, "usage: bench_objects MODEL IMAGE [CODEC.npz [ROUNDS]]\n");
        return 2;
    }
    bench_answers(argv[1], argv[2], rounds);
    if (argc > 3)
        bench_masks(argv[3], rounds);
    printf("}\n");
    return 0;
}
