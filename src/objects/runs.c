#include "objects/runs.h"

#define SIDE_MAX   100000
#define PIXELS_MAX ((size_t)1 << 28)

pg_status pg_runs_check_size(size_t width, size_t height)
{
    if (!width || !height || width > SIDE_MAX || height > SIDE_MAX || width * height > PIXELS_MAX)
        return pg_fail(PG_ERROR_FORMAT, "a mask of %zu x %zu pixels", width, height);
    return PG_OK;
}

void pg_runs_free(pg_runs *runs)
{
    pg_free(runs->lengths);
    *runs = (pg_runs){0};
}

static pg_status make_runs(pg_runs *out, size_t width, size_t height, size_t count)
{
    *out = (pg_runs){0};
    PG_TRY(pg_runs_check_size(width, height));
    *out = (pg_runs){width, height, pg_alloc(count, sizeof *out->lengths), count};
    return out->lengths ? PG_OK : PG_ERROR_MEMORY;
}

static pg_status check_lengths(const int64_t *lengths, size_t count, size_t pixels)
{
    size_t left = pixels;
    for (size_t i = 0; i < count; i++) {
        if (lengths[i] < 0 || (uint64_t)lengths[i] > left)
            return pg_fail(PG_ERROR_FORMAT, "run %zu of a mask is %lld pixels, %zu are left", i, (long long)lengths[i],
                           left);
        left -= (size_t)lengths[i];
    }
    if (left)
        return pg_fail(PG_ERROR_FORMAT, "the runs of a mask are %zu pixels, the picture has %zu", pixels - left,
                       pixels);
    return PG_OK;
}

pg_status pg_runs_new(pg_runs *out, size_t width, size_t height, const int64_t *lengths, size_t count)
{
    *out = (pg_runs){0};
    PG_TRY(pg_runs_check_size(width, height));
    PG_TRY(check_lengths(lengths, count, width * height));
    PG_TRY(make_runs(out, width, height, count));
    for (size_t i = 0; i < count; i++)
        out->lengths[i] = (uint32_t)lengths[i];
    return PG_OK;
}

pg_status pg_runs_from_changes(pg_runs *out, size_t width, size_t height, const uint32_t *places, size_t count)
{
    PG_TRY(make_runs(out, width, height, count + 1));
    uint32_t before = 0;
    for (size_t i = 0; i < count; i++) {
        out->lengths[i] = places[i] - before;
        before = places[i];
    }
    out->lengths[count] = (uint32_t)(width * height) - before;
    return PG_OK;
}

/* ---------------------------------------------------------------- text */

/* One number: five bits a character from '0' on, the lowest first; the sixth bit says that more follow, and the fifth
 * of the last one is the sign. Returns the characters taken, 0 if there is no number. */
static size_t read_number(int64_t *out, const char *text, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size && i < 7; i++) {
        unsigned digit = (unsigned)(unsigned char)text[i] - '0';
        if (digit > 63)
            return 0;
        value |= (uint64_t)(digit & 31) << 5 * i;
        if (!(digit & 32)) {
            bool negative = digit & 16;
            *out = negative ? (int64_t)(value | ~(uint64_t)0 << 5 * (i + 1)) : (int64_t)value;
            return i + 1;
        }
    }
    return 0;
}

/* From the fourth on, numbers are differences from the run before the last. */
pg_status pg_runs_parse(pg_runs *out, size_t width, size_t height, const char *text, size_t size)
{
    *out = (pg_runs){0};
    int64_t *lengths = pg_alloc(size, sizeof *lengths);
    size_t count = 0;
    pg_status status = lengths ? PG_OK : PG_ERROR_MEMORY;
    for (size_t at = 0, taken; status == PG_OK && at < size; at += taken, count++) {
        taken = read_number(&lengths[count], text + at, size - at);
        if (!taken)
            status = pg_fail(PG_ERROR_FORMAT, "the runs of a mask are no numbers from character %zu on", at);
        else if (count > 2)
            lengths[count] += lengths[count - 2];
    }
    if (status == PG_OK)
        status = pg_runs_new(out, width, height, lengths, count);
    pg_free(lengths);
    return status;
}

static size_t write_number(char *out, int64_t value)
{
    for (size_t size = 0;;) {
        int digit = (int)(value & 31);
        value >>= 5;
        bool more = digit & 16 ? value != -1 : value != 0;
        out[size++] = (char)('0' + digit + (more ? 32 : 0));
        if (!more)
            return size;
    }
}

pg_status pg_runs_print(pg_buffer *out, const pg_runs *runs)
{
    char digits[8];
    for (size_t i = 0; i < runs->count; i++) {
        int64_t before = i > 2 ? runs->lengths[i - 2] : 0;
        PG_TRY(pg_buffer_append(out, digits, write_number(digits, runs->lengths[i] - before)));
    }
    return PG_OK;
}

/* ---------------------------------------------------------------- measures */

uint64_t pg_runs_area(const pg_runs *runs)
{
    uint64_t area = 0;
    for (size_t i = 1; i < runs->count; i += 2)
        area += runs->lengths[i];
    return area;
}

void pg_runs_box(double box[4], const pg_runs *runs)
{
    size_t left = SIZE_MAX, top = SIZE_MAX, right = 0, bottom = 0, place = 0;
    for (size_t i = 0; i < runs->count; place += runs->lengths[i++]) {
        if (i % 2 == 0 || !runs->lengths[i])
            continue;
        size_t end = place + runs->lengths[i] - 1, first = place / runs->height, last = end / runs->height;
        bool wraps = first < last; /* then it touches the bottom and, a column further, the top */
        size_t low = wraps ? 0 : place % runs->height, high = wraps ? runs->height - 1 : end % runs->height;
        left = left < first ? left : first;
        top = top < low ? top : low;
        right = right > last + 1 ? right : last + 1;
        bottom = bottom > high + 1 ? bottom : high + 1;
    }
    const size_t sides[] = {left, top, right - left, bottom - top};
    for (int i = 0; i < 4; i++)
        box[i] = right ? (double)sides[i] : 0;
}

/* Two masks gone through side by side: a piece is as far as both stay what they are. */
typedef struct pieces {
    const pg_runs *runs[2];
    size_t next[2];
    uint32_t left[2]; /* of the current run of each */
} pieces;

/* Length of the next piece and whether it is inside each; false at the end. */
static bool take_piece(uint32_t *length, bool inside[2], pieces *p)
{
    for (int i = 0; i < 2; i++) {
        while (!p->left[i] && p->next[i] < p->runs[i]->count)
            p->left[i] = p->runs[i]->lengths[p->next[i]++];
        if (!p->left[i])
            return false;
        inside[i] = p->next[i] % 2 == 0;
    }
    *length = p->left[0] < p->left[1] ? p->left[0] : p->left[1];
    for (int i = 0; i < 2; i++)
        p->left[i] -= *length;
    return true;
}

uint64_t pg_runs_shared(const pg_runs *a, const pg_runs *b)
{
    pieces p = {.runs = {a, b}};
    uint64_t shared = 0;
    uint32_t length;
    bool inside[2];
    while (take_piece(&length, inside, &p))
        shared += inside[0] && inside[1] ? length : 0;
    return shared;
}

pg_status pg_runs_add(pg_runs *runs, const pg_runs *other)
{
    pieces p = {.runs = {runs, other}};
    uint32_t *changes = pg_alloc(runs->count + other->count, sizeof *changes), place = 0, length;
    size_t count = 0;
    bool now = false, inside[2];
    pg_runs sum = {0};
    if (!changes)
        return PG_ERROR_MEMORY;
    for (; take_piece(&length, inside, &p); place += length)
        if ((inside[0] || inside[1]) != now) {
            now = !now;
            changes[count++] = place;
        }
    pg_status status = pg_runs_from_changes(&sum, runs->width, runs->height, changes, count);
    pg_free(changes);
    PG_TRY(status);
    pg_runs_free(runs);
    *runs = sum;
    return PG_OK;
}
