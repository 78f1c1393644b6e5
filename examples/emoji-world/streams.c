/*
 * The files of a world. Workers write parts of each, which are put together in order when all are done; a file that has
 * no rows is not kept.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "world.h"

static const char *const names[EW_STREAMS] = {
    "caption-en.jsonl",      "caption-de.jsonl", "caption-es.jsonl", "caption-fr.jsonl", "caption-it.jsonl",
    "caption-pt.jsonl",      "caption-nl.jsonl", "caption-zh.jsonl", "vqa.jsonl",        "vqa-more.jsonl",
    "vqa-world.jsonl",       "detect.jsonl",     "ocr.jsonl",        "pairs.jsonl",      "retrieval.jsonl",
    "zeroshot.jsonl",        "patches.jsonl",    "letters.jsonl",    "truth.jsonl",      "instances.images",
    "instances.annotations",
};

static void part_path(char out[4096], const char *folder, int stream, int part)
{
    snprintf(out, 4096, "%s/%s.part%d", folder, names[stream], part);
}

static FILE *open_file(const char *path, const char *mode)
{
    FILE *file = fopen(path, mode);
    if (!file)
        ew_fail("%s: %s", path, strerror(errno));
    return file;
}

static void close_file(FILE *file)
{
    if (fclose(file) != 0)
        ew_fail("writing: %s", strerror(errno));
}

void ew_streams_open(ew_streams *streams, const char *folder, int part)
{
    char path[4096];
    for (int i = 0; i < EW_STREAMS; i++) {
        part_path(path, folder, i, part);
        streams->files[i] = open_file(path, "wb");
    }
}

void ew_streams_close(ew_streams *streams)
{
    for (int i = 0; i < EW_STREAMS; i++)
        close_file(streams->files[i]);
}

/* All of a part, without its first `skip` bytes; the part is removed. */
static void move_part(FILE *out, const char *path, size_t skip)
{
    char bytes[1 << 16];
    FILE *in = open_file(path, "rb");
    size_t size;
    if (skip && fread(bytes, 1, skip, in) == 0 && ferror(in))
        ew_fail("%s: %s", path, strerror(errno));
    while ((size = fread(bytes, 1, sizeof bytes, in)) > 0)
        fwrite(bytes, 1, size, out);
    fclose(in);
    unlink(path);
}

/* Objects stand after commas; the first does not. */
static void move_objects(FILE *out, const char *folder, int stream, int parts)
{
    char path[4096];
    bool first = true;
    for (int part = 0; part < parts; part++) {
        part_path(path, folder, stream, part);
        long before = ftell(out);
        move_part(out, path, first ? 1 : 0);
        first = first && ftell(out) == before;
    }
}

static void write_categories(FILE *out)
{
    for (int i = 0; i < EW_NAMES; i++)
        fprintf(out, "%s{\"id\":%d,\"name\":\"%s\",\"supercategory\":\"%s\"}", i ? "," : "", i + 1,
                ew_name(i, EW_ENGLISH), ew_kind_name[i == EW_SIGN ? EW_OTHER : ew_things[i].kind]);
}

static void join_instances(const char *folder, int parts)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/instances.json", folder);
    FILE *out = open_file(path, "wb");
    fprintf(out, "{\"categories\":[");
    write_categories(out);
    fprintf(out, "],\n\"images\":[");
    long before = ftell(out);
    move_objects(out, folder, EW_STREAM_IMAGES, parts);
    bool empty = ftell(out) == before;
    fprintf(out, "],\n\"annotations\":[");
    move_objects(out, folder, EW_STREAM_ANNOTATIONS, parts);
    fprintf(out, "]}\n");
    close_file(out);
    if (empty)
        unlink(path);
}

static void join_lines(const char *folder, int stream, int parts)
{
    char path[4096], part_name[4096];
    snprintf(path, sizeof path, "%s/%s", folder, names[stream]);
    FILE *out = open_file(path, "wb");
    for (int part = 0; part < parts; part++) {
        part_path(part_name, folder, stream, part);
        move_part(out, part_name, 0);
    }
    bool empty = ftell(out) == 0;
    close_file(out);
    if (empty)
        unlink(path);
}

void ew_streams_join(const char *folder, int parts)
{
    for (int stream = 0; stream < EW_STREAM_IMAGES; stream++)
        join_lines(folder, stream, parts);
    join_instances(folder, parts);
}
