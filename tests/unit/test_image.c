/* image/: the public functions, their limits and failures. */
#include "image_files.h"
#include "temporary_folder.h"
#include "sweep.h"

#include <signal.h>
#include <sys/resource.h>

static pg_status decode_text(pg_image **out, const char *bytes, size_t size)
{
    return pg_image_decode(out, bytes, size, "x.jpg", NULL);
}

static void errors_say_what_was_found(void **state)
{
    (void)state;
    static const struct {
        const char *bytes, *found;
        size_t size;
    } cases[] = {
        {"", "found an empty file, expected JPEG, PNG, WebP, GIF, BMP, PPM/PGM or TIFF", 0},
        {"<!DOCTYPE html>", "found markup such as HTML or SVG", 15},
        {"hello world", "found text that begins with \"hello wo\"", 11},
        {"\0\1\2\3", "found the bytes 00 01 02 03", 4},
        {"\0\0\0\x18"
         "ftypheic",
         "found HEIC, AVIF or video", 12},
        {"%PDF-1.7", "found PDF", 8},
        {"RIFF\0\0\0\0WAVE", "found the bytes 52 49 46 46", 12},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pg_image *image = (pg_image *)&cases;
        CHECK_FAILS(decode_text(&image, cases[i].bytes, cases[i].size), PG_ERROR_FORMAT, cases[i].found);
        assert_null(image);
        assert_memory_equal(pg_error_last(), "x.jpg: not a picture", 20);
    }
}

static void sizes_are_limited(void **state)
{
    (void)state;
    pg_image *image;
    pg_buffer bytes = read_golden(IMAGES, "hostile", "png_65535.png");
    CHECK_FAILS(pg_image_decode(&image, bytes.data, bytes.size, "x.png", NULL), PG_ERROR_LIMIT,
                "x.png: 65535 x 65535 pixels, at most 178956970 are accepted");
    pg_buffer_free(&bytes);
    bytes = read_golden(IMAGES, "files", "sub420.jpg"); /* 150 x 101 */
    pg_image_options options;
    pg_image_options_init(&options);
    assert_int_equal(options.max_pixels, 178956970);
    assert_false(options.keep_orientation);
    options.max_pixels = 150 * 101 - 1;
    CHECK_FAILS(pg_image_decode(&image, bytes.data, bytes.size, "x", &options), PG_ERROR_LIMIT, "at most 15149");
    options.max_pixels++;
    CHECK_OK(pg_image_decode(&image, bytes.data, bytes.size, "x", &options));
    pg_image_free(image);
    pg_buffer_free(&bytes);
    options.max_pixels = UINT64_MAX;
    CHECK_FAILS(pg_image_decode(&image, "P5 2000000 1 255\n", 17, "x", &options), PG_ERROR_LIMIT,
                "at most 1000000 on a");
}

/* A few bytes must not make a picture of hundreds of megabytes, where the format tells how many there must be. */
static void short_files_are_refused_before_allocation(void **state)
{
    (void)state;
    pg_buffer jpeg = read_golden(IMAGES, "files", "px1.jpg"), png = read_golden(IMAGES, "hostile", "png_65535.png");
    char *frame = memmem(jpeg.data, jpeg.size, "\xff\xc0", 2);
    assert_non_null(frame);
    memcpy(frame + 5, "\x30\x00\x30\x00", 4);
    pg_image *image;
    CHECK_FAILS(pg_image_decode(&image, jpeg.data, jpeg.size, "x", NULL), PG_ERROR_FORMAT, "12288 x 12288");
    CHECK_FAILS(pg_image_decode(&image, "P6 10000 10000 255\n", 19, "x", NULL), PG_ERROR_FORMAT, "found 19 bytes");
    pg_image_options options = {.max_pixels = UINT64_MAX};
    CHECK_FAILS(pg_image_decode(&image, png.data, png.size, "x", &options), PG_ERROR_FORMAT, "the file ends early");
    pg_buffer_free(&jpeg);
    pg_buffer_free(&png);
}

/* Bytes that ask for much more work than their size and their picture's suggest. */
static void endless_scans_are_refused(void **state)
{
    (void)state;
    pg_buffer jpeg = read_golden(IMAGES, "files", "gray_progressive.jpg"), bytes = {0};
    const char *scan = memmem(jpeg.data, jpeg.size, "\xff\xc4", 2); /* its table comes first */
    assert_non_null(scan);
    const char *next = memmem(scan + 2, jpeg.size - (size_t)(scan + 2 - jpeg.data), "\xff\xc4", 2);
    assert_non_null(next);
    CHECK_OK(pg_buffer_append(&bytes, jpeg.data, (size_t)(next - jpeg.data)));
    for (int i = 0; i < 100; i++)
        CHECK_OK(pg_buffer_append(&bytes, scan, (size_t)(next - scan)));
    CHECK_OK(pg_buffer_append(&bytes, next, jpeg.size - (size_t)(next - jpeg.data)));
    pg_image *image;
    CHECK_FAILS(pg_image_decode(&image, bytes.data, bytes.size, "x", NULL), PG_ERROR_LIMIT, "more than 100 scans");
    pg_buffer_free(&bytes);
    pg_buffer_free(&jpeg);
}

/* The entry of a tag in the first directory of a little-endian TIFF file. */
static char *find_tag(const pg_buffer *tiff, int tag)
{
    uint32_t directory;
    memcpy(&directory, tiff->data + 4, 4);
    char *entry = tiff->data + directory + 2;
    for (; (uint8_t)entry[0] + 256 * (uint8_t)entry[1] != tag; entry += 12)
        assert_true(entry + 12 < tiff->data + tiff->size);
    return entry;
}

static void check_tiff_work(const pg_buffer *tiff, const char *text)
{
    pg_image *image;
    CHECK_FAILS(pg_image_decode(&image, tiff->data, tiff->size, "x", NULL), PG_ERROR_LIMIT, text);
}

static void needless_tiff_work_is_refused(void **state)
{
    (void)state;
    const uint32_t large = 1 << 14, huge = 1 << 20, tall = 900000;
    pg_buffer tiff = read_golden(IMAGES, "variants", "tiles.tiff"); /* 6 tiles of 16 x 32 */
    char *width = find_tag(&tiff, 322) + 8, *height = find_tag(&tiff, 257) + 8, *sizes = find_tag(&tiff, 325) + 8;
    uint32_t at;
    memcpy(&at, sizes, 4);
    memset(tiff.data + at, 0x7f, 6 * 4);
    check_tiff_work(&tiff, "x: TIFF: 6 strips or tiles, far more");
    memset(tiff.data + at, 0, 6 * 4);
    memcpy(width, &huge, 4);
    check_tiff_work(&tiff, "x: TIFF: 2 strips or tiles, far more");
    memcpy(width, &large, 4);
    memcpy(height, &tall, 4);
    check_tiff_work(&tiff, "x: TIFF: 28125 strips or tiles, far more");
    pg_buffer_free(&tiff);
}

static void unsupported_kinds_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        int tag;
        uint32_t value;
        pg_status status;
        const char *text;
    } cases[] = {
        {"grey8.tiff", 258, 12, PG_ERROR_UNSUPPORTED, "1 samples of 12 bits in format 1 are not supported"},
        {"grey8.tiff", 259, 6, PG_ERROR_UNSUPPORTED, "compression 6 is not supported"},
        {"grey8.tiff", 262, 8, PG_ERROR_UNSUPPORTED, "colour space 8 with 1 samples"},
        {"grey8.tiff", 277, 9, PG_ERROR_UNSUPPORTED, "colour space 1 with 9 samples"},
        {"rgb_premultiplied.tiff", 284, 2, PG_ERROR_UNSUPPORTED, "premultiplied alpha in planes"},
        {"palette8.tiff", 262, 2, PG_ERROR_UNSUPPORTED, "colour space 2 with 1 samples"},
        {"grey4.tiff", 262, 3, PG_ERROR_FORMAT, "Colormap"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        pg_buffer tiff = read_golden(IMAGES, "variants", cases[i].file);
        memcpy(find_tag(&tiff, cases[i].tag) + 8, &cases[i].value, 2);
        pg_image *image;
        CHECK_FAILS(pg_image_decode(&image, tiff.data, tiff.size, "x", NULL), cases[i].status, cases[i].text);
        pg_buffer_free(&tiff);
    }
    pg_buffer bmp = read_golden(IMAGES, "variants", "rle8.bmp");
    bmp.data[30] = 4; /* compression: JPEG inside */
    pg_image *image;
    CHECK_FAILS(pg_image_decode(&image, bmp.data, bmp.size, "x", NULL), PG_ERROR_UNSUPPORTED,
                "x: BMP: 8 bits a pixel with compression 4 are not supported");
    pg_buffer_free(&bmp);
    CHECK_FAILS(pg_image_decode(&image, "P5 1 1 0\n1", 10, "x", NULL), PG_ERROR_FORMAT, "the largest sample is 0");
    CHECK_FAILS(pg_image_decode(&image, "P5 1 70000000000 1\n1", 20, "x", NULL), PG_ERROR_FORMAT,
                "the height, a number");
}

static void orientation_is_kept_on_request(void **state)
{
    (void)state;
    pg_image *upright = decode_golden(IMAGES, "files", "exif6.jpg", false);
    pg_image *stored = decode_golden(IMAGES, "files", "exif6.jpg", true);
    assert_int_equal(pg_image_width(upright), pg_image_height(stored));
    assert_int_equal(pg_image_height(upright), pg_image_width(stored));
    size_t last = pg_image_height(stored) - 1, width = pg_image_width(stored);
    assert_memory_equal(pg_image_pixels(upright), pg_image_pixels(stored) + last * width * 3, 3);
    pg_image_free(upright);
    pg_image_free(stored);
}

static void damaged_exif_turns_nothing(void **state)
{
    (void)state;
    static const uint8_t good[] = "II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    int orientation = 1;
    pg_exif_orientation(&orientation, good, sizeof good);
    assert_int_equal(orientation, 6);
    for (size_t at = 0; at < 22; at++)
        for (int value = 0; value < 256; value++) {
            uint8_t bytes[sizeof good];
            memcpy(bytes, good, sizeof good);
            bytes[at] = (uint8_t)value;
            pg_exif_orientation(&orientation, bytes, sizeof bytes);
            assert_in_range(orientation, 1, 8);
        }
    for (size_t size = 0; size < 22; size++) {
        orientation = 1;
        uint8_t *bytes = pg_alloc(size, 1); /* so that reading over the end is seen */
        memcpy(bytes, good, size);
        pg_exif_orientation(&orientation, bytes, size);
        assert_int_equal(orientation, 1);
        pg_free(bytes);
    }
}

static void check_exif(const char *bytes, size_t size, int expected)
{
    int orientation = 1;
    pg_exif_orientation(&orientation, (const uint8_t *)bytes, size);
    assert_int_equal(orientation, expected);
}

/* A SHORT says the standard; some cameras and programs write a LONG. */
static void orientation_may_be_a_long(void **state)
{
    (void)state;
    check_exif("II*\0\x08\0\0\0\x01\0\x12\x01\x04\0\x01\0\0\0\x06\0\0\0", 22, 6);
    check_exif("MM\0*\0\0\0\x08\0\x01\x01\x12\0\x04\0\0\0\x01\0\0\0\x06", 22, 6);
    check_exif("MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0", 22, 6);
    check_exif("MM\0*\0\0\0\x08\0\x01\x01\x12\0\x04\0\0\0\x01\0\x06\0\0", 22, 1); /* 393216 is none */
    check_exif("II*\0\x08\0\0\0\x01\0\x12\x01\x04\0\x01\0\0\0\x06\0\x01\0", 22, 1);
    check_exif("II*\0\x08\0\0\0\x01\0\x12\x01\x05\0\x01\0\0\0\x06\0\0\0", 22, 1); /* a fraction */
}

static void pictures_are_copied_by_stride(void **state)
{
    (void)state;
    static const uint8_t rgb[] = {1, 2, 3, 4, 5, 6, 99, 7, 8, 9, 10, 11, 12};
    static const uint8_t packed[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    pg_image *image;
    CHECK_OK(pg_image_new(&image, rgb, 2, 2, 7));
    assert_memory_equal(pg_image_pixels(image), packed, sizeof packed);
    assert_int_equal((uintptr_t)pg_image_pixels(image) % PG_ALIGNMENT, 0);
    pg_image_free(image);
    CHECK_OK(pg_image_new(&image, packed, 1, 4, 0));
    assert_memory_equal(pg_image_pixels(image), packed, sizeof packed);
    pg_image_free(image);
    CHECK_FAILS(pg_image_new(&image, rgb, 2, 2, 5), PG_ERROR_ARGUMENT, "a stride of 5 bytes, expected at least 6");
    CHECK_FAILS(pg_image_new(&image, rgb, 0, 2, 0), PG_ERROR_ARGUMENT, "0 x 2 pixels");
    CHECK_FAILS(pg_image_new(&image, rgb, SIZE_MAX, SIZE_MAX, 0), PG_ERROR_LIMIT, "new picture");
    assert_null(image);
    pg_image_free(NULL);
}

/* Bytes that a file must have: a PNG has pixels without its last chunk, which says that it ends. */
static size_t needed_of(const pg_buffer *bytes)
{
    const char *end = memmem(bytes->data, bytes->size, "IEND", 4);
    return end ? (size_t)(end - bytes->data) - 4 : bytes->size;
}

/* A cut file is an error wherever it is cut, in the formats that declare how long they are. */
static void cut_files_are_errors(void **state)
{
    (void)state;
    static const char *const names[] = {"px1.jpg",       "px1.png",    "interlaced_tiny.png", "raw.ppm",
                                        "lossless.webp", "lossy.webp", "exif6.jpg",           "progressive.jpg"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        pg_buffer bytes = read_golden(IMAGES, "files", names[i]);
        size_t needed = needed_of(&bytes);
        for (size_t size = 0; size < needed; size += 1 + needed / 300) {
            uint8_t *cut = pg_alloc(size, 1);
            memcpy(cut, bytes.data, size);
            pg_image *image;
            if (pg_image_decode(&image, cut, size, names[i], NULL) == PG_OK)
                fail_msg("%s: %zu of %zu bytes are accepted", names[i], size, bytes.size);
            pg_free(cut);
        }
        pg_buffer_free(&bytes);
    }
}

static void png_files_may_lack_their_end(void **state)
{
    (void)state;
    static const char *const names[] = {"px1.png", "interlaced_tiny.png"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        pg_buffer bytes = read_golden(IMAGES, "files", names[i]);
        pg_image *whole = decode_golden(IMAGES, "files", names[i], false), *cut;
        for (size_t size = needed_of(&bytes); size < bytes.size; size++) {
            CHECK_OK(pg_image_decode(&cut, bytes.data, size, names[i], NULL));
            assert_int_equal(pg_image_width(cut), pg_image_width(whole));
            assert_memory_equal(pg_image_pixels(cut), pg_image_pixels(whole),
                                pg_image_width(whole) * pg_image_height(whole) * 3);
            pg_image_free(cut);
        }
        CHECK_FAILS(pg_image_decode(&cut, bytes.data, needed_of(&bytes) - 1, names[i], NULL), PG_ERROR_FORMAT, "");
        pg_image_free(whole);
        pg_buffer_free(&bytes);
    }
}

/* Whatever becomes of them: no crash, no leak, and a text when it is an error. */
static void damaged_files_do_no_harm(void **state)
{
    (void)state;
    json_t *rows = read_table(IMAGES, "variants.jsonl"), *row;
    size_t i;
    uint32_t random = 1;
    json_array_foreach(rows, i, row)
    {
        pg_buffer bytes = read_golden(IMAGES, "variants", text_of(row, "file"));
        for (int round = 0; round < 60; round++) {
            random = random * 1664525 + 1013904223;
            size_t at = (random >> 8) % bytes.size;
            char before = bytes.data[at];
            bytes.data[at] = (char)(random >> 3);
            pg_image *image;
            if (pg_image_decode(&image, bytes.data, bytes.size, "x", NULL) != PG_OK)
                assert_memory_equal(pg_error_last(), "x: ", 3);
            pg_image_free(image);
            bytes.data[at] = before;
        }
        pg_buffer_free(&bytes);
    }
    json_decref(rows);
}

static void files_and_standard_input_are_read(void **state)
{
    (void)state;
    pg_buffer bytes = read_golden(IMAGES, "files", "raw.ppm");
    const char *path = folder_write("x.jpg", bytes.data, bytes.size); /* the content tells the kind */
    pg_image *one, *two;
    CHECK_OK(pg_image_load(&one, path, NULL));
    assert_non_null(freopen(path, "rb", stdin));
    CHECK_OK(pg_image_load(&two, "-", NULL));
    assert_memory_equal(pg_image_pixels(one), pg_image_pixels(two), 48 * 36 * 3);
    pg_image_free(one);
    pg_image_free(two);
    pg_buffer_free(&bytes);
    CHECK_FAILS(pg_image_load(&one, "-", NULL), PG_ERROR_FORMAT, "standard input: not a picture");
    CHECK_FAILS(pg_image_load(&one, folder_file("absent"), NULL), PG_ERROR_FILE, "cannot be opened");
    CHECK_FAILS(pg_image_load(&one, folder_path, NULL), PG_ERROR_FILE, "cannot be read");
    assert_null(one);
    remove(path);
}

static pg_image *make_noise(size_t width, size_t height)
{
    uint8_t *rgb = pg_alloc(width * height, 3);
    uint32_t random = 7;
    for (size_t i = 0; i < width * height * 3; i++)
        rgb[i] = (uint8_t)((random = random * 1664525 + 1013904223) >> 24);
    pg_image *image;
    CHECK_OK(pg_image_new(&image, rgb, width, height, 0));
    pg_free(rgb);
    return image;
}

static void png_files_keep_every_pixel(void **state)
{
    (void)state;
    static const size_t sizes[][2] = {{1, 1}, {47, 33}, {1, 2000}, {5000, 1}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        pg_image *image = make_noise(sizes[i][0], sizes[i][1]), *again;
        const char *path = folder_file("out.png");
        CHECK_OK(pg_image_save_png(image, path));
        CHECK_OK(pg_image_load(&again, path, NULL));
        assert_int_equal(pg_image_width(again), sizes[i][0]);
        assert_memory_equal(pg_image_pixels(again), pg_image_pixels(image), sizes[i][0] * sizes[i][1] * 3);
        pg_image_free(image);
        pg_image_free(again);
        remove(path);
    }
}

/* In memory a PNG has the bytes of the file. */
static void png_bytes_are_those_of_the_file(void **state)
{
    (void)state;
    pg_image *image = make_noise(47, 33);
    const char *path = folder_file("out.png");
    pg_buffer file = {0};
    uint8_t *bytes;
    size_t size;
    CHECK_OK(pg_image_save(image, path));
    CHECK_OK(pg_file_read(&file, path, 1 << 20));
    CHECK_OK(pg_image_encode_png(&bytes, &size, image));
    assert_int_equal(size, file.size);
    assert_memory_equal(bytes, file.data, size);
    pg_free(bytes);
    pg_buffer_free(&file);
    pg_image_free(image);
    remove(path);
}

/* A JPEG of a smooth picture is nearly the picture, its colours too. */
static void jpeg_files_keep_colours(void **state)
{
    (void)state;
    static const char *const names[] = {"out.jpg", "out.jpeg", "OUT.JPG"};
    uint8_t rgb[40 * 30 * 3];
    for (size_t i = 0; i < sizeof rgb; i += 3) {
        size_t x = i / 3 % 40, y = i / 3 / 40;
        memcpy(rgb + i, (const uint8_t[]){(uint8_t)(6 * x), (uint8_t)(8 * y), x % 20 < 10 ? 200 : 20}, 3);
    }
    pg_image *image, *again;
    CHECK_OK(pg_image_new(&image, rgb, 40, 30, 0));
    for (size_t n = 0; n < 3; n++) {
        const char *path = folder_file(names[n]);
        CHECK_OK(pg_image_save(image, path));
        CHECK_OK(pg_image_load(&again, path, NULL));
        double sum = 0;
        for (size_t i = 0; i < sizeof rgb; i++)
            sum += abs(pg_image_pixels(again)[i] - rgb[i]);
        assert_true(sum / sizeof rgb < 4);
        pg_image_free(again);
        remove(path);
    }
    pg_image *long_one = make_noise(70000, 1);
    CHECK_FAILS(pg_image_save(long_one, folder_file("x.jpg")), PG_ERROR_ARGUMENT, "x.jpg: JPEG: ");
    CHECK_FAILS(pg_image_save(image, "absent/x.jpg"), PG_ERROR_FILE, "cannot be written");
    CHECK_FAILS(pg_image_save(image, "x.gif"), PG_ERROR_ARGUMENT, "x.gif: pictures are written to files whose names");
    CHECK_FAILS(pg_image_save(image, "jpg"), PG_ERROR_ARGUMENT, "names end in .png, .jpg or .jpeg");
    assert_int_equal(folder_count(), 0);
    pg_image_free(long_one);
    pg_image_free(image);
}

static void failed_writes_leave_nothing(void **state)
{
    (void)state;
    pg_image *image = make_noise(200, 200);
    CHECK_FAILS(pg_image_save_png(image, folder_file("absent/x.png")), PG_ERROR_FILE, "cannot be written");
    assert_int_equal(folder_count(), 0);

    struct rlimit before, small = {4096, RLIM_INFINITY};
    getrlimit(RLIMIT_FSIZE, &before);
    small.rlim_max = before.rlim_max;
    signal(SIGXFSZ, SIG_IGN); /* as a full disk: writing fails */
    setrlimit(RLIMIT_FSIZE, &small);
    pg_status status = pg_image_save_png(image, folder_file("x.png"));
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(status, PG_ERROR_FILE);
    assert_non_null(strstr(pg_error_last(), "x.png: cannot be written: File too large"));
    assert_int_equal(folder_count(), 0);
    pg_image_free(image);
}

static pg_status encode_and_free(const pg_image *image)
{
    uint8_t *bytes;
    size_t size;
    pg_status status = pg_image_encode_png(&bytes, &size, image);
    pg_free(bytes);
    return status;
}

static pg_status decode_and_free(const pg_buffer *bytes)
{
    pg_image *image;
    pg_status status = pg_image_decode(&image, bytes->data, bytes->size, "x", NULL);
    pg_image_free(image);
    return status;
}

static pg_status load_resize_save(const char *from, const char *to)
{
    pg_image *image, *resized = NULL;
    pg_status status = pg_image_load(&image, from, NULL);
    if (status == PG_OK)
        status = pg_image_resize(&resized, image, 20, 30, PG_RESIZE_PILLOW13);
    if (status == PG_OK)
        status = pg_image_save_png(resized, to);
    pg_image_free(image);
    pg_image_free(resized);
    return status;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    static const char *const names[][2] = {
        {"files", "exif6.jpg"},
        {"files", "cmyk.jpg"},
        {"files", "exif6.png"},
        {"variants", "exif8.webp"},
        {"files", "interlaced.gif"},
        {"files", "rgb.bmp"},
        {"variants", "rle8.bmp"},
        {"files", "raw.pgm"},
        {"variants", "tiles.tiff"},
        {"files", "lzw.tiff"},
        {"variants", "jpeg_ycbcr.tiff"},
        {"variants", "ycbcr_orientation6.tiff"},
        {"variants", "orientation6.tiff"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        pg_buffer bytes = read_golden(IMAGES, names[i][0], names[i][1]);
        CHECK_SWEEP(decode_and_free(&bytes));
        pg_buffer_free(&bytes);
    }
    const char *to = folder_file("out.png");
    CHECK_SWEEP(load_resize_save(IMAGES "/files/exif6.jpg", to));
    assert_int_equal(folder_count(), 1);
    remove(to);
    pg_image *image = make_noise(100, 100);
    CHECK_SWEEP(encode_and_free(image));
    to = folder_file("out.jpg");
    CHECK_SWEEP(pg_image_save(image, to));
    remove(to);
    pg_image_free(image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_say_what_was_found),
        cmocka_unit_test(sizes_are_limited),
        cmocka_unit_test(short_files_are_refused_before_allocation),
        cmocka_unit_test(endless_scans_are_refused),
        cmocka_unit_test(needless_tiff_work_is_refused),
        cmocka_unit_test(unsupported_kinds_are_named),
        cmocka_unit_test(orientation_is_kept_on_request),
        cmocka_unit_test(damaged_exif_turns_nothing),
        cmocka_unit_test(orientation_may_be_a_long),
        cmocka_unit_test(pictures_are_copied_by_stride),
        cmocka_unit_test(cut_files_are_errors),
        cmocka_unit_test(png_files_may_lack_their_end),
        cmocka_unit_test(damaged_files_do_no_harm),
        cmocka_unit_test(files_and_standard_input_are_read),
        cmocka_unit_test(png_files_keep_every_pixel),
        cmocka_unit_test(png_bytes_are_those_of_the_file),
        cmocka_unit_test(jpeg_files_keep_colours),
        cmocka_unit_test(failed_writes_leave_nothing),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
