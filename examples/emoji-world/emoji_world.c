/*
 * emoji-world: makes pictures and training files of a small world (README.md says what is in them).
 *
 * Scenes are shared out to processes: what a scene becomes depends on seed, split and number alone, and the parts of
 * the files are put together in order, so the files are the same for any number of them.
 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "world.h"

static const char usage[] =
    "usage: emoji-world scenes --out FOLDER --scenes N [OPTION...]   pictures and training files\n"
    "       emoji-world letters --out FOLDER --scenes N [OPTION...]  signs to read: parts of pictures of twice the "
    "size\n"
    "       emoji-world primer --out FOLDER --scenes N [OPTION...]   pictures full of letters\n"
    "       emoji-world text --out FILE --scenes N [OPTION...]       scenes as documents, blank lines between them\n"
    "       emoji-world pairs --out FILE --scenes N [OPTION...]      what pairs.jsonl says of pictures, a line each\n"
    "\n"
    "  --split NAME     train (default), validation, test or unseen\n"
    "  --size PIXELS    side of the pictures (112)\n"
    "  --signs          scenes: each with a sign, large in half of them\n"
    "  --seed N         of everything random (1)\n"
    "  --first N        number of the first scene (0): a second folder may go on where a first one ends\n"
    "  --threads N      how many processes work (all processors)\n"
    "  --names FOLDER   CLDR's annotations (/usr/share/unicode/cldr/common/annotations)\n";

typedef struct task {
    const char *command, *out, *names;
    ew_split split;
    int size, workers;
    bool signs; /* in every scene */
    uint64_t seed, first, scenes;
} task;

void ew_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "emoji-world: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    exit(1);
}

void *ew_alloc(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (!memory)
        ew_fail("out of memory");
    return memory;
}

/* ---------------------------------------------------------------- options */

static uint64_t read_number(const char *text, const char *option, uint64_t low, uint64_t high)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno || *end || end == text || *text == '-' || value < low || value > high)
        ew_fail("--%s: found \"%s\", expected a number from %llu to %llu", option, text, (unsigned long long)low,
                (unsigned long long)high);
    return value;
}

static ew_split read_split(const char *text)
{
    for (int i = 0; i < EW_SPLITS; i++)
        if (!strcmp(ew_split_name[i], text))
            return (ew_split)i;
    ew_fail("--split: found \"%s\", expected train, validation, test or unseen", text);
}

static void read_option(task *job, int option, const char *name)
{
    switch (option) {
    case 'o': job->out = optarg; break;
    case 'n': job->scenes = read_number(optarg, name, 1, 100000000); break;
    case 'p': job->split = read_split(optarg); break;
    case 's': job->size = (int)read_number(optarg, name, 32, 1024); break;
    case 'g': job->signs = true; break;
    case 'r': job->seed = read_number(optarg, name, 0, UINT64_MAX); break;
    case 'f': job->first = read_number(optarg, name, 0, 100000000); break;
    case 't': job->workers = (int)read_number(optarg, name, 1, 1024); break;
    case 'a': job->names = optarg; break;
    case 'h': fputs(usage, stdout); exit(0);
    default: fputs(usage, stderr); exit(2);
    }
}

static bool is_command(const char *name)
{
    static const char *const commands[] = {"scenes", "letters", "primer", "text", "pairs"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (!strcmp(name, commands[i]))
            return true;
    return false;
}

static void read_options(task *job, int argc, char **argv)
{
    static const struct option options[] = {
        {"out", required_argument, NULL, 'o'},
        {"scenes", required_argument, NULL, 'n'},
        {"split", required_argument, NULL, 'p'},
        {"size", required_argument, NULL, 's'},
        {"seed", required_argument, NULL, 'r'},
        {"first", required_argument, NULL, 'f'},
        {"threads", required_argument, NULL, 't'},
        {"names", required_argument, NULL, 'a'},
        {"signs", no_argument, NULL, 'g'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    int option, index = 0;
    while ((option = getopt_long(argc, argv, "h", options, &index)) != -1)
        read_option(job, option, options[index].name);
    bool known = optind + 1 == argc && is_command(argv[optind]);
    if (!known || !job->out || job->scenes == 0) {
        fputs(usage, stderr);
        exit(2);
    }
    job->command = argv[optind];
}

/* ---------------------------------------------------------------- scenes */

static void make_folder(const char *path)
{
    if (mkdir(path, 0777) != 0 && errno != EEXIST)
        ew_fail("%s: %s", path, strerror(errno));
}

/* A thousand pictures a folder. */
static void picture_name(char out[64], uint64_t number)
{
    snprintf(out, 64, "images/%05llu/%08llu.jpg", (unsigned long long)number / 1000, (unsigned long long)number);
}

static void make_picture_folders(const task *job)
{
    char path[4096];
    make_folder(job->out);
    snprintf(path, sizeof path, "%s/images", job->out);
    make_folder(path);
    for (uint64_t i = job->first / 1000; i <= (job->first + job->scenes - 1) / 1000; i++) {
        snprintf(path, sizeof path, "%s/images/%05llu", job->out, (unsigned long long)i);
        make_folder(path);
    }
}

/* What a worker has at hand, for pictures of `side` pixels. */
typedef struct worker {
    const task *job;
    ew_streams streams;
    ew_scene scene;
    ew_outline outline;
    uint8_t *rgb, *letters;
} worker;

static void start_worker(worker *w, const task *job, int part, int side)
{
    *w = (worker){.job = job,
                  .rgb = ew_alloc((size_t)side * (size_t)side, 3),
                  .letters = ew_alloc((size_t)side * (size_t)side, 1)};
    ew_streams_open(&w->streams, job->out, part);
    ew_outline_init(&w->outline, side);
}

static void end_worker(worker *w)
{
    ew_outline_free(&w->outline);
    ew_streams_close(&w->streams);
    free(w->rgb);
    free(w->letters);
}

static void paint(worker *w)
{
    ew_trace(&w->outline, &w->scene);
    ew_trace_letters(w->letters, &w->scene, w->outline.size);
    ew_paint_scene(w->rgb, &w->scene, w->outline.size);
}

/* The part of the picture, as a file; name: what rows call it. */
static void write_picture(char name[64], const worker *w, ew_window window)
{
    char path[4096];
    picture_name(name, w->scene.number);
    snprintf(path, sizeof path, "%s/%s", w->job->out, name);
    ew_write_jpeg(path, w->rgb, w->outline.size, window);
}

static void make_scenes(const task *job, int part, uint64_t from, uint64_t to)
{
    char name[64];
    worker w;
    start_worker(&w, job, part, job->size);
    for (uint64_t number = from; number < to; number++) {
        (job->signs ? ew_make_sign_scene : ew_make_scene)(&w.scene, job->seed, job->split, number);
        paint(&w);
        write_picture(name, &w, (ew_window){0, 0, job->size});
        ew_write_rows(&w.streams, &w.scene, &w.outline, w.letters, name);
    }
    end_worker(&w);
}

/* Letters as large as they are in pictures of twice the side, for a quarter of the patches. */
static void make_letters(const task *job, int part, uint64_t from, uint64_t to)
{
    char name[64];
    worker w;
    start_worker(&w, job, part, 2 * job->size);
    for (uint64_t number = from; number < to; number++) {
        ew_make_sign_scene(&w.scene, job->seed, job->split, number);
        paint(&w);
        ew_chance chance = {ew_mix(w.scene.seed, 4)};
        ew_window window = ew_choose_window(&w.scene, &w.outline, job->size, &chance);
        write_picture(name, &w, window);
        ew_write_reading_rows(&w.streams, &w.scene, &w.outline, w.letters, window, name);
    }
    end_worker(&w);
}

static void make_primer(const task *job, int part, uint64_t from, uint64_t to)
{
    char name[64], text[EW_TEXT];
    worker w;
    start_worker(&w, job, part, job->size);
    for (uint64_t number = from; number < to; number++) {
        ew_chance chance = {ew_mix(ew_mix(ew_mix(job->seed, (uint64_t)job->split), number), 5)};
        w.scene.number = number;
        ew_paint_primer(w.rgb, w.letters, text, job->size, job->split, &chance);
        write_picture(name, &w, (ew_window){0, 0, job->size});
        ew_write_primer_rows(&w.streams, w.letters, text, job->size, name);
    }
    end_worker(&w);
}

typedef void maker(const task *job, int part, uint64_t from, uint64_t to);

static maker *maker_of(const char *command)
{
    return !strcmp(command, "letters") ? make_letters : !strcmp(command, "primer") ? make_primer : make_scenes;
}

static void work_together(const task *job)
{
    uint64_t from = 0;
    for (int part = 0; part < job->workers; part++) {
        uint64_t to = job->scenes * (uint64_t)(part + 1) / (uint64_t)job->workers;
        pid_t child = fork();
        if (child < 0)
            ew_fail("fork: %s", strerror(errno));
        if (child == 0) {
            maker_of(job->command)(job, part, job->first + from, job->first + to);
            exit(0);
        }
        from = to;
    }
    bool good = true;
    int state;
    while (wait(&state) > 0)
        good = good && WIFEXITED(state) && WEXITSTATUS(state) == 0;
    if (!good)
        ew_fail("a worker failed");
}

static void make_world(const task *job)
{
    char path[4096];
    make_picture_folders(job);
    work_together(job);
    ew_streams_join(job->out, job->workers);
    snprintf(path, sizeof path, "%s/names.json", job->out);
    ew_write_names(path);
}

static void write_pair(FILE *file, const ew_scene *scene)
{
    char text[EW_TEXT];
    ew_pair_text(text, scene);
    fprintf(file, "%s\n", text);
}

static void make_text(const task *job, bool documents)
{
    ew_outline outline;
    FILE *file = fopen(job->out, "wb");
    if (!file)
        ew_fail("%s: %s", job->out, strerror(errno));
    ew_outline_init(&outline, job->size);
    for (uint64_t i = 0; i < job->scenes; i++) {
        ew_scene scene;
        ew_make_scene(&scene, job->seed, job->split, job->first + i);
        if (documents) {
            ew_trace(&outline, &scene);
            ew_write_document(file, &scene, &outline);
        } else
            write_pair(file, &scene);
    }
    ew_outline_free(&outline);
    if (fclose(file) != 0)
        ew_fail("%s: %s", job->out, strerror(errno));
}

int main(int argc, char **argv)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    task job = {.names = "/usr/share/unicode/cldr/common/annotations",
                .size = 112,
                .seed = 1,
                .workers = processors > 0 ? (int)processors : 1};
    read_options(&job, argc, argv);
    ew_read_names(job.names);
    ew_load_glyphs();
    ew_load_fonts();
    if (!strcmp(job.command, "text") || !strcmp(job.command, "pairs"))
        make_text(&job, !strcmp(job.command, "text"));
    else
        make_world(&job);
    return 0;
}
