/* How fast a tokenizer opens and encodes: bench_tokenizer TOKENIZER [TEXT_FILE [SECONDS]]. Prints one line of JSON: the
 * best time to open in milliseconds, and the speed of encoding the file as one text in megabytes a second. Linked to
 * the shared library: only the public header is used. */
#include <stdio.h>
#include <stdlib.h>

#include "stopwatch.h"

#define OPENINGS 9

/* The fastest of some openings, in seconds; the last tokenizer stays open. */
static double time_opening(pg_tokenizer **out, const char *path)
{
    double best = 1e9;
    for (int i = 0; i < OPENINGS; i++) {
        if (i)
            pg_tokenizer_close(*out);
        double start = now();
        stop_on(pg_tokenizer_open(out, path));
        double spent = now() - start;
        if (spent < best)
            best = spent;
    }
    return best;
}

static char *read_text(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0) {
        perror(path);
        exit(1);
    }
    *size = (size_t)ftell(file);
    rewind(file);
    char *text = malloc(*size + 1);
    if (!text || fread(text, 1, *size, file) != *size) {
        perror(path);
        exit(1);
    }
    fclose(file);
    return text;
}

/* Seconds of the fastest encoding within the time given. */
static double time_encoding(const pg_tokenizer *tokenizer, const char *text, size_t size, double limit, size_t *count)
{
    double best = 1e9, end = now() + limit;
    do {
        int32_t *ids;
        double start = now();
        stop_on(pg_tokenizer_encode(&ids, count, tokenizer, text, size, PG_ENCODE_SPECIAL));
        double spent = now() - start;
        pg_free(ids);
        if (spent < best)
            best = spent;
    } while (now() < end);
    return best;
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 4) {
        fprintf(stderr, "usage: bench_tokenizer TOKENIZER [TEXT_FILE [SECONDS]]\n");
        return 2;
    }
    pg_tokenizer *tokenizer = NULL;
    printf("{\"open_ms\": %.2f", 1e3 * time_opening(&tokenizer, argv[1]));
    if (argc > 2) {
        size_t size, count;
        char *text = read_text(argv[2], &size);
        double seconds = time_encoding(tokenizer, text, size, argc > 3 ? atof(argv[3]) : 1, &count);
        printf(", \"bytes\": %zu, \"tokens\": %zu, \"mb_per_s\": %.2f", size, count, (double)size / seconds / 1e6);
        free(text);
    }
    printf("}\n");
    pg_tokenizer_close(tokenizer);
    return 0;
}
