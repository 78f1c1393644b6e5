/* Scenes as documents: what is to be seen, and questions about it, in sentences. */
#include <ctype.h>
#include <string.h>

#include "world.h"

/* The text with a large first letter, if that is one of ASCII's, and a full stop where none is. */
static void write_sentence(FILE *file, const char *text)
{
    size_t length = strlen(text);
    bool ended = strchr(".?!", text[length - 1]) || (length >= 3 && !memcmp(text + length - 3, "？", 3));
    fprintf(file, "%c%s%s", toupper((unsigned char)text[0]), text + 1, ended ? "" : ".");
}

static void write_answers(FILE *file, const ew_scene *scene, int language, ew_chance *chance)
{
    ew_question questions[EW_QUESTIONS];
    int count = ew_ask(questions, scene, language, chance);
    for (int i = 0; i < count; i++) {
        if (ew_happens(chance, 0.4))
            continue;
        write_sentence(file, questions[i].question);
        putc(' ', file);
        write_sentence(file, questions[i].answer);
        putc('\n', file);
    }
}

/* One language, rarely the same scene in all of them. */
void ew_write_document(FILE *file, const ew_scene *scene)
{
    char text[EW_TEXT];
    ew_chance chance = {ew_mix(scene->seed, 4)};
    int first = ew_happens(&chance, 0.4) ? EW_ENGLISH : ew_below(&chance, EW_LANGUAGES), last = first;
    if (ew_happens(&chance, 0.1)) {
        first = 0;
        last = EW_LANGUAGES - 1;
    }
    for (int language = first; language <= last; language++) {
        ew_caption(text, scene, language);
        write_sentence(file, text);
        putc('\n', file);
        if (first == last)
            write_answers(file, scene, language, &chance);
    }
    if (scene->has_sign && first == last && first == EW_ENGLISH) {
        ew_sign_text(text, &scene->sign, " ");
        fprintf(file, "The sign says %s.\n", text);
    }
    putc('\n', file);
}
