#include "naming.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "input.h"

const pg_cli_option pg_cli_naming_options[] = {
    {"labels", 0, "LABELS", PG_CLI_TEXT, offsetof(pg_cli_naming, labels),
     "names of the classes: \"cat,dog\", or a file with one on each line", 0, 0},
    {"template", 0, "TEXT", PG_CLI_LIST, offsetof(pg_cli_naming, templates),
     "what a label is put into, in the place of {}: \"a photo of a {}\"; of several, the mean counts (default: {})", 0,
     0},
    {"head", 0, "FILE", PG_CLI_TEXT, offsetof(pg_cli_naming, head),
     "a head trained with `paligemma train --objective classifier` (head.safetensors, or its folder), instead of "
     "labels",
     0, 0},
    {0},
};

int pg_cli_naming_check(const pg_cli_command *command, const pg_cli_naming *naming)
{
    if (naming->head && naming->labels)
        return pg_cli_usage(command, "--head has labels of its own; leave --labels out");
    if (naming->head && naming->templates.count)
        return pg_cli_usage(command, "--template is for --labels; a head needs none");
    return PG_CLI_DONE;
}

/* ---------------------------------------------------------------- labels */

void pg_cli_labels_free(pg_cli_list *labels)
{
    for (size_t i = 0; i < labels->count; i++)
        free((char *)labels->items[i]);
    free(labels->items);
    *labels = (pg_cli_list){0};
}

/* `text` without the blanks around it. */
static void add_label(pg_cli_list *out, const char *text, size_t size)
{
    while (size && isspace((unsigned char)*text))
        text++, size--;
    while (size && isspace((unsigned char)text[size - 1]))
        size--;
    pg_cli_list_add(out, pg_cli_text("%.*s", (int)size, text));
}

static bool is_blank(const char *text)
{
    return !text[strspn(text, " \t\r\n")];
}

static int read_file(pg_cli_list *out, const char *path)
{
    FILE *file = fopen(path, "re");
    char *line = NULL;
    size_t room = 0;
    if (!file)
        return pg_cli_fail("%s: cannot be opened: %s", path, strerror(errno));
    bool first = true;
    for (ssize_t size; (size = getline(&line, &room, file)) >= 0; first = false) {
        const char *label = first ? pg_cli_behind_mark(line) : line;
        if (!is_blank(label))
            add_label(out, label, (size_t)(size - (label - line)));
    }
    bool failed = ferror(file);
    free(line);
    fclose(file);
    if (failed)
        return pg_cli_fail("%s: cannot be read", path);
    return out->count ? PG_CLI_DONE : pg_cli_fail("%s: has no labels; expected one on each line", path);
}

static void split(pg_cli_list *out, const char *text)
{
    for (const char *end; (end = strchr(text, ',')); text = end + 1)
        add_label(out, text, (size_t)(end - text));
    add_label(out, text, strlen(text));
}

int pg_cli_labels_read(pg_cli_list *out, const char *text)
{
    struct stat info;
    int code = PG_CLI_DONE;
    *out = (pg_cli_list){0};
    if (is_blank(text))
        return pg_cli_fail("--labels: no labels; expected \"cat,dog\", or a file with one on each line");
    if (stat(text, &info) == 0 && !S_ISDIR(info.st_mode))
        code = read_file(out, text);
    else
        split(out, text);
    if (code != PG_CLI_DONE)
        pg_cli_labels_free(out);
    return code;
}

int pg_cli_recognizer_open(pg_recognizer **out, const pg_cli_engine *engine, const pg_cli_naming *naming,
                           const pg_cli_list *labels)
{
    const pg_cli_list *templates = &naming->templates;
    return pg_cli_check(naming->head ? pg_recognizer_open(out, engine->model, naming->head)
                                     : pg_recognizer_new(out, engine->session, labels->items, labels->count,
                                                         templates->items, templates->count));
}
