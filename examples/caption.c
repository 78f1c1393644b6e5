/*
 * The shortest program on libpaligemma: the answer to a prompt about a picture.
 *
 *   cc caption.c -o caption $(pkg-config --cflags --libs paligemma)
 *   ./caption MODEL_FOLDER photo.jpg "caption en"
 */
#include <paligemma.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: %s MODEL_FOLDER PICTURE PROMPT\n", argv[0]);
        return 2;
    }
    pg_model *model = NULL;
    char *answer = NULL;
    pg_status status = pg_model_open(&model, argv[1]);
    if (status == PG_OK)
        status = pg_ask(&answer, model, argv[2], argv[3]);
    if (status == PG_OK)
        puts(answer);
    else
        fprintf(stderr, "%s: %s\n", argv[0], pg_error_last());
    pg_free(answer);
    pg_model_close(model);
    return status == PG_OK ? 0 : 1;
}
