/*
 * CLDR's annotations, one XML file a language. Names of things are the short names ("tts") of their characters; the
 * keywords of all characters are words for signs.
 */
#include <errno.h>
#include <expat.h>
#include <string.h>

#include "world.h"

enum { NAME = 64 };
static char names[EW_NAMES][EW_LANGUAGES][NAME];
static char plurals[EW_NAMES][NAME];

/* CLDR knows placards for demonstrations, but no plain sign. */
static const char *const sign_names[EW_LANGUAGES] = {"sign",     "Schild", "cartel", "panneau",
                                                     "cartello", "placa",  "bord",   "牌子"};

typedef struct progress {
    int language, thing; /* thing: whose name is being read, -1: none */
    bool keywords;       /* are being read */
    char text[4096];     /* of them */
    size_t size;
} progress;

static void begin_element(void *user, const char *element, const char **attributes)
{
    progress *reader = user;
    const char *character = NULL;
    bool is_name = false;
    reader->thing = -1;
    reader->keywords = false;
    if (strcmp(element, "annotation") != 0)
        return;
    for (; *attributes; attributes += 2) {
        if (!strcmp(attributes[0], "cp"))
            character = attributes[1];
        if (!strcmp(attributes[0], "type"))
            is_name = !strcmp(attributes[1], "tts");
    }
    for (int i = 0; is_name && character && i < EW_THINGS; i++)
        if (!strcmp(ew_things[i].glyph, character))
            reader->thing = i;
    reader->keywords = !is_name;
    reader->size = 0;
}

static void end_element(void *user, const char *element)
{
    progress *reader = user;
    (void)element;
    if (reader->keywords)
        ew_add_words(reader->text, reader->size);
    reader->thing = -1;
    reader->keywords = false;
}

static void take_characters(void *user, const char *text, int size)
{
    progress *reader = user;
    if (reader->keywords && reader->size + (size_t)size <= sizeof reader->text) {
        memcpy(reader->text + reader->size, text, (size_t)size);
        reader->size += (size_t)size;
    }
    if (reader->thing < 0)
        return;
    char *name = names[reader->thing][reader->language];
    size_t length = strlen(name);
    if (length + (size_t)size >= NAME)
        ew_fail("%s: a name of more than %d bytes for %s", ew_language[reader->language], NAME,
                ew_things[reader->thing].glyph);
    memcpy(name + length, text, (size_t)size);
}

static void read_language(const char *folder, int language)
{
    char path[4096], bytes[1 << 14];
    snprintf(path, sizeof path, "%s/%s.xml", folder, ew_language[language]);
    FILE *file = fopen(path, "rb");
    if (!file)
        ew_fail("%s: %s (Debian's package unicode-cldr-core has it)", path, strerror(errno));
    progress reader = {.language = language, .thing = -1};
    XML_Parser parser = XML_ParserCreate(NULL);
    XML_SetUserData(parser, &reader);
    XML_SetElementHandler(parser, begin_element, end_element);
    XML_SetCharacterDataHandler(parser, take_characters);
    size_t size;
    do {
        size = fread(bytes, 1, sizeof bytes, file);
        if (XML_Parse(parser, bytes, (int)size, size < sizeof bytes) != XML_STATUS_OK)
            ew_fail("%s:%lu: %s", path, (unsigned long)XML_GetCurrentLineNumber(parser),
                    XML_ErrorString(XML_GetErrorCode(parser)));
    } while (size == sizeof bytes);
    XML_ParserFree(parser);
    fclose(file);
    for (int i = 0; i < EW_THINGS; i++)
        if (!names[i][language][0])
            ew_fail("%s: has no name for %s", path, ew_things[i].glyph);
}

static bool ends_in(const char *word, const char *end)
{
    size_t length = strlen(word), size = strlen(end);
    return length >= size && !strcmp(word + length - size, end);
}

/* The rules of English; exceptions are with the things. */
static void make_plural(char out[NAME], const char *word)
{
    size_t length = strlen(word);
    bool hisses = ends_in(word, "s") || ends_in(word, "x") || ends_in(word, "ch") || ends_in(word, "sh");
    if (length > 2 && word[length - 1] == 'y' && !strchr("aeiou", word[length - 2]))
        snprintf(out, NAME, "%.*sies", (int)(length - 1), word);
    else
        snprintf(out, NAME, "%s%s", word, hisses ? "es" : "s");
}

void ew_read_names(const char *folder)
{
    for (int language = 0; language < EW_LANGUAGES; language++) {
        read_language(folder, language);
        snprintf(names[EW_SIGN][language], NAME, "%s", sign_names[language]);
    }
    ew_sort_words();
    for (int i = 0; i < EW_NAMES; i++) {
        const char *plural = i < EW_THINGS ? ew_things[i].plural : NULL;
        if (plural)
            snprintf(plurals[i], NAME, "%s", plural);
        else
            make_plural(plurals[i], names[i][EW_ENGLISH]);
    }
}

const char *ew_name(int thing, int language)
{
    return names[thing][language];
}

const char *ew_plural(int thing)
{
    return plurals[thing];
}
