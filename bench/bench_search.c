/* How fast an index of pictures is searched: bench_search MODEL INDEX [THREADS]. Prints one line of JSON: pictures,
 * bytes of their rows, the best and the median time of a search for the ten best in milliseconds, and the bytes a
 * second that the median is. bench/grow_index.py makes large indexes. Linked to the shared library: only the public
 * header is used.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "stopwatch.h"

#define ROUNDS 15
#define BEST   10

/* The first search brings the file into memory and is not counted. */
static void time_searches(double times[ROUNDS], pg_session *session, const pg_picture_index *index, const float *query)
{
    pg_match matches[BEST];
    size_t found;
    for (int i = -1; i < ROUNDS; i++) {
        double start = now();
        stop_on(pg_picture_index_search(matches, &found, session, index, query, BEST));
        if (i >= 0)
            times[i] = 1000 * (now() - start);
    }
    qsort(times, ROUNDS, sizeof *times, compare_doubles);
}

int main(int argc, char **argv)
{
    pg_model *model;
    pg_session *session;
    pg_session_options options;
    pg_picture_index *index;
    double times[ROUNDS];
    struct stat file;
    if (argc < 3) {
        fprintf(stderr, "usage: bench_search MODEL INDEX [THREADS]\n");
        return 2;
    }
    pg_session_options_init(&options);
    options.threads = argc > 3 ? atoi(argv[3]) : 0;
    double start = now();
    stop_on(pg_picture_index_open(&index, argv[2]));
    double opened = 1000 * (now() - start);
    stop_on(pg_model_open(&model, argv[1]));
    stop_on(pg_session_new(&session, model, &options));
    size_t width = pg_model_embedding_size(model);
    float *query = calloc(width, sizeof *query);
    const char *text = "a cow on the beach";
    if (!query || stat(argv[2], &file) != 0)
        return 1;
    stop_on(pg_embed_texts(query, session, &text, 1));
    time_searches(times, session, index, query);
    printf("{\"pictures\": %zu, \"width\": %zu, \"file_bytes\": %lld, \"threads\": %d, \"open_ms\": %.2f, \"best_ms\": "
           "%.2f, \"median_ms\": %.2f, \"gigabytes_per_second\": %.2f}\n",
           pg_picture_index_count(index), width, (long long)file.st_size, pg_session_threads(session), opened, times[0],
           times[ROUNDS / 2], (double)file.st_size / times[ROUNDS / 2] / 1e6);
    free(query);
    pg_session_free(session);
    pg_model_close(model);
    pg_picture_index_close(index);
    return 0;
}
