/* Scenes as documents: what is to be seen, and questions about it; in sentences, or as the tasks have it. */
#include <ctype.h>
#include <string.h>

#include "world.h"

static bool ends_in(const char *text, const char *end)
{
    size_t length = strlen(text), size = strlen(end);
    return length >= size && !strcmp(text + length - size, end);
}

/* The text with a large first letter, if that is one of ASCII's, and a full stop where no question mark is. */
static void write_sentence(FILE *file, const char *text, int language)
{
    bool asks = ends_in(text, "?") || ends_in(text, "？");
    const char *stop = language == EW_CHINESE ? "。" : ".";
    fprintf(file, "%c%s%s", toupper((unsigned char)text[0]), text + 1, asks ? "" : stop);
}

static int choose_language(ew_chance *chance)
{
    return ew_happens(chance, 0.4) ? EW_ENGLISH : ew_below(chance, EW_LANGUAGES);
}

static void write_answers(FILE *file, const ew_scene *scene, int language, ew_chance *chance)
{
    ew_question questions[EW_QUESTIONS];
    int count = ew_ask(questions, scene, language, chance);
    for (int i = 0; i < count; i++) {
        if (ew_happens(chance, 0.4))
            continue;
        write_sentence(file, questions[i].question, language);
        putc(' ', file);
        write_sentence(file, questions[i].answer, language);
        putc('\n', file);
    }
}

/* One language, rarely the same scene in all of them. */
static void write_prose(FILE *file, const ew_scene *scene, ew_chance *chance)
{
    char text[EW_TEXT];
    int first = choose_language(chance), last = first;
    if (ew_happens(chance, 0.1)) {
        first = 0;
        last = EW_LANGUAGES - 1;
    }
    for (int language = first; language <= last; language++) {
        ew_caption(text, scene, language);
        write_sentence(file, text, language);
        putc('\n', file);
        if (first == last)
            write_answers(file, scene, language, chance);
    }
    if (scene->has_sign && first == last && first == EW_ENGLISH) {
        ew_sign_text(text, &scene->sign, " ");
        fprintf(file, "The sign says %s.\n", text);
    }
}

/* As the tasks have it, without a picture: a prompt, and on the next line its answer. */
static void write_task(FILE *file, const ew_scene *scene, const ew_outline *outline, ew_chance *chance)
{
    char prefix[EW_TEXT] = "", answer[EW_TEXT] = "";
    int language = choose_language(chance), task = ew_below(chance, 3);
    ew_question questions[EW_QUESTIONS];
    int count = task == 0 ? ew_ask(questions, scene, language, chance) : 0;
    if (task == 1)
        ew_detection(prefix, answer, scene, outline, chance);
    else if (count > 0) {
        const ew_question *question = &questions[ew_below(chance, count)];
        ew_append(prefix, "answer %s %s", ew_language[language], question->question);
        ew_append(answer, "%s", question->answer);
    } else {
        ew_append(prefix, "caption %s", ew_language[language]);
        ew_caption(answer, scene, language);
    }
    fprintf(file, "%s\n%s\n", prefix, answer);
}

void ew_write_document(FILE *file, const ew_scene *scene, const ew_outline *outline)
{
    ew_chance chance = {ew_mix(scene->seed, 4)};
    if (ew_happens(&chance, 0.5))
        write_prose(file, scene, &chance);
    else
        write_task(file, scene, outline, &chance);
    putc('\n', file);
}
