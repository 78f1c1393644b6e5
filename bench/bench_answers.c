/*
 * One answer a line: bench_answers MODEL PICTURE TOKENS THREADS
 *
 * For every line of its input, reads the picture file, answers "caption en" with so many tokens, and prints the seconds
 * that this took, and those of the processor: bench/time_python.py lets it take turns with Python. Linked to the shared
 * library: only the public header is used.
 */
#include "stopwatch.h"

static void answer(pg_session *session, const char *path, int64_t tokens)
{
    pg_image *picture;
    pg_answer *made;
    pg_request request;
    stop_on(pg_image_load(&picture, path, NULL));
    pg_request_init(&request);
    request.images = (const pg_image *const *)&picture;
    request.image_count = 1;
    request.prompt = "caption en";
    request.min_new_tokens = request.max_new_tokens = tokens;
    stop_on(pg_generate(&made, session, &request, 1));
    pg_answer_free(made);
    pg_image_free(picture);
}

int main(int count, char **arguments)
{
    pg_model *model;
    pg_session *session;
    pg_session_options options;
    char line[16];
    if (count != 5) {
        fprintf(stderr, "usage: %s MODEL PICTURE TOKENS THREADS\n", arguments[0]);
        return 2;
    }
    pg_session_options_init(&options);
    options.threads = atoi(arguments[4]);
    stop_on(pg_model_open(&model, arguments[1]));
    stop_on(pg_session_new(&session, model, &options));
    while (fgets(line, sizeof line, stdin)) {
        double start = now(), before = worked();
        answer(session, arguments[2], atoll(arguments[3]));
        printf("%.9f %.9f\n", now() - start, worked() - before);
        fflush(stdout);
    }
    pg_session_free(session);
    pg_model_close(model);
    return 0;
}
