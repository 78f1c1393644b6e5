/* Finds out what a terminal can show, and shows it. */
#include "terminal.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "progress.h"

#define ANSWER_SECONDS 1.0  /* in which a terminal says what it is */
#define KITTY_CHUNK    4096 /* characters of base64 in one command */

typedef enum picture_protocol { SHOW_NOTHING, SHOW_KITTY, SHOW_ITERM, SHOW_SIXEL, SHOW_AUTO } picture_protocol;

/* ---------------------------------------------------------------- asking the terminal */

/* Its answer to "what are you", ESC [ ? class ; feature ; ... c, as far as it came in time. */
static void read_answer(char *answer, size_t room, int terminal)
{
    double end = pg_cli_clock() + ANSWER_SECONDS;
    size_t size = 0;
    answer[0] = 0;
    while (size + 1 < room && !strchr(answer, 'c')) {
        int left = (int)((end - pg_cli_clock()) * 1000);
        struct pollfd ready = {.fd = terminal, .events = POLLIN};
        if (left <= 0 || poll(&ready, 1, left) <= 0)
            return;
        ssize_t count = read(terminal, answer + size, room - size - 1);
        if (count <= 0)
            return;
        size += (size_t)count;
        answer[size] = 0;
    }
}

/* Whether feature 4, sixel, is in the answer; its first number is not a feature. */
static bool names_sixel(const char *answer)
{
    const char *at = strstr(answer, "\033[?");
    if (!at || !strchr(at, 'c'))
        return false;
    while ((at = strchr(at, ';')))
        if (strtol(++at, NULL, 10) == 4)
            return true;
    return false;
}

/* Signals wait until the terminal is as it was. */
static bool ask_in_raw_mode(int terminal, const struct termios *before)
{
    struct termios raw = *before;
    sigset_t all, old;
    char answer[128] = "";
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &old);
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    if (tcsetattr(terminal, TCSANOW, &raw) == 0) {
        if (write(terminal, "\033[c", 3) == 3)
            read_answer(answer, sizeof answer, terminal);
        tcsetattr(terminal, TCSANOW, before);
    }
    sigprocmask(SIG_SETMASK, &old, NULL);
    return names_sixel(answer);
}

/* Not from the background, where asking would stop the program, nor when the user has typed ahead: that would be read
 * in the answer's place. */
static bool terminal_has_sixel(void)
{
    int terminal = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    struct termios before;
    bool has = false;
    if (terminal < 0)
        return false;
    struct pollfd typed = {.fd = terminal, .events = POLLIN};
    if (tcgetpgrp(STDOUT_FILENO) == getpgrp() && poll(&typed, 1, 0) == 0 && tcgetattr(terminal, &before) == 0)
        has = ask_in_raw_mode(terminal, &before);
    close(terminal);
    return has;
}

/* ---------------------------------------------------------------- choosing */

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value ? value : "";
}

static bool is_one_of(const char *value, const char *const *names)
{
    for (; *names; names++)
        if (strcmp(value, *names) == 0)
            return true;
    return false;
}

static bool begins_with(const char *text, const char *beginning)
{
    return strncmp(text, beginning, strlen(beginning)) == 0;
}

static picture_protocol guess(void)
{
    static const char *const kitty_terms[] = {"xterm-kitty", "xterm-ghostty", NULL};
    static const char *const iterm_programs[] = {"iTerm.app", "WezTerm", "mintty", NULL};
    const char *term = variable("TERM");
    bool inside_another =
        *variable("TMUX") || *variable("STY") || begins_with(term, "screen") || begins_with(term, "tmux");
    if (!*term || strcmp(term, "dumb") == 0 || *variable("NO_COLOR"))
        return SHOW_NOTHING;
    if (!inside_another && (*variable("KITTY_WINDOW_ID") || is_one_of(term, kitty_terms)))
        return SHOW_KITTY;
    if (!inside_another &&
        (is_one_of(variable("TERM_PROGRAM"), iterm_programs) || strcmp(variable("LC_TERMINAL"), "iTerm2") == 0))
        return SHOW_ITERM;
    return terminal_has_sixel() ? SHOW_SIXEL : SHOW_NOTHING;
}

/* What the user wants; a word that is none of them is complained about, and nothing is shown. */
static picture_protocol wanted(void)
{
    static const char *const words[] = {"never", "kitty", "iterm", "sixel",
                                        "auto"}; /* in the order of picture_protocol */
    const char *word = variable("PALIGEMMA_PICTURES");
    if (!*word)
        return SHOW_AUTO;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(word, words[i]) == 0)
            return (picture_protocol)i;
    pg_cli_fail("PALIGEMMA_PICTURES: '%s' is none of never, auto, kitty, iterm, sixel", word);
    return SHOW_NOTHING;
}

/* Decided once. */
static picture_protocol choose(void)
{
    static picture_protocol chosen = SHOW_AUTO;
    if (!isatty(STDOUT_FILENO))
        return SHOW_NOTHING;
    if (chosen == SHOW_AUTO)
        chosen = wanted();
    if (chosen == SHOW_AUTO)
        chosen = guess();
    return chosen;
}

/* ---------------------------------------------------------------- showing */

/* Freed with free. */
static char *base64(size_t *length, const uint8_t *bytes, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *text = pg_cli_alloc((size + 2) / 3 * 4 + 1, 1), *to = text;
    for (size_t i = 0; i < size; i += 3) {
        uint32_t group = (uint32_t)bytes[i] << 16;
        group |= i + 1 < size ? (uint32_t)bytes[i + 1] << 8 : 0;
        group |= i + 2 < size ? (uint32_t)bytes[i + 2] : 0;
        *to++ = digits[group >> 18];
        *to++ = digits[group >> 12 & 63];
        *to++ = i + 1 < size ? digits[group >> 6 & 63] : '=';
        *to++ = i + 2 < size ? digits[group & 63] : '=';
    }
    *length = (size_t)(to - text);
    return text;
}

/* a=T: transmit and show; f=100: PNG; q=2: no answers; m=1: more follows.
 * sw.kovidgoyal.net/kitty/graphics-protocol */
static void put_kitty(const char *text, size_t length)
{
    for (size_t at = 0; at < length; at += KITTY_CHUNK) {
        size_t size = length - at < KITTY_CHUNK ? length - at : KITTY_CHUNK;
        pg_cli_print("\033_G%sm=%d;", at == 0 ? "a=T,f=100,q=2," : "", at + size < length);
        pg_cli_put(text + at, size);
        pg_cli_print("\033\\");
    }
}

/* iterm2.com/documentation-images.html */
static void put_iterm(const char *text, size_t length, size_t size)
{
    pg_cli_print("\033]1337;File=inline=1;size=%zu:", size);
    pg_cli_put(text, length);
    pg_cli_print("\a");
}

static bool put_png(const pg_image *image, picture_protocol how)
{
    uint8_t *bytes;
    size_t size, length;
    if (pg_image_encode_png(&bytes, &size, image) != PG_OK)
        return false;
    char *text = base64(&length, bytes, size);
    pg_free(bytes);
    if (how == SHOW_KITTY)
        put_kitty(text, length);
    else
        put_iterm(text, length, size);
    free(text);
    return true;
}

/* Pixels that a picture may take: the window's width, and its height but for some lines of text. Terminals that do not
 * know their pixels have characters of about 8 x 16. */
static void find_room(size_t *width, size_t *height)
{
    struct winsize window = {0};
    ioctl(STDOUT_FILENO, TIOCGWINSZ, &window);
    size_t columns = window.ws_col ? window.ws_col : 80, rows = window.ws_row ? window.ws_row : 24;
    *width = window.ws_xpixel ? window.ws_xpixel : columns * 8;
    *height = (window.ws_ypixel ? window.ws_ypixel : rows * 16) * 3 / 4;
}

/* A smaller picture where this one does not fit, else NULL. */
static pg_status shrink(pg_image **out, const pg_image *image)
{
    size_t width, height;
    find_room(&width, &height);
    double across = (double)width / (double)pg_image_width(image);
    double down = (double)height / (double)pg_image_height(image), scale = across < down ? across : down;
    *out = NULL;
    if (scale >= 1)
        return PG_OK;
    width = (size_t)((double)pg_image_width(image) * scale);
    height = (size_t)((double)pg_image_height(image) * scale);
    return pg_image_resize(out, image, width ? width : 1, height ? height : 1, PG_RESIZE_PILLOW13);
}

bool pg_cli_show_picture(const pg_image *image)
{
    picture_protocol how = choose();
    pg_image *smaller;
    bool shown = true;
    if (how == SHOW_NOTHING || shrink(&smaller, image) != PG_OK)
        return false;
    const pg_image *fitting = smaller ? smaller : image;
    if (how == SHOW_SIXEL)
        pg_cli_put_sixels(fitting);
    else
        shown = put_png(fitting, how);
    if (shown)
        pg_cli_print("\n");
    pg_image_free(smaller);
    return shown;
}

int pg_cli_picture_deliver(const pg_image *image, const char *out, bool hidden)
{
    if (out)
        return pg_cli_check(pg_image_save(image, out));
    if (!hidden && pg_cli_show_picture(image))
        return PG_CLI_DONE;
    return pg_cli_fail("there is no terminal that shows pictures: name a file with --out FILE.png");
}
