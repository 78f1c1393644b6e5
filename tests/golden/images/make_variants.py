"""Writes variants/ and variants.jsonl: small pictures for the corners of each format that files/ does not reach, with the
sha256 of their upright RGB bytes. Needs Pillow 13 and numpy; run in this folder: python3 make_variants.py

Expected pixels come from Pillow, except where it cannot read a file or is known to be wrong (rows with "own": 16-bit grey,
BMP with 2 bits, TIFF in planes): there they follow from the samples that were written."""
import hashlib
import io
import json
import struct
import zlib

import numpy as np
from PIL import Image, ImageOps

rng = np.random.default_rng(20240607)
rows = []


def add(name, data, own=None):
    if own is None:
        picture = Image.open(io.BytesIO(data))
        pixels = np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
    else:
        pixels = np.broadcast_to(own, own.shape[:2] + (3,)).astype(np.uint8)
    with open("variants/" + name, "wb") as file:
        file.write(data)
    row = {"file": name, "width": pixels.shape[1], "height": pixels.shape[0],
           "rgb_sha256": hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()}
    rows.append(row | ({"own": True} if own is not None else {}))


def save(picture, kind, **options):
    data = io.BytesIO()
    picture.save(data, kind, **options)
    return data.getvalue()


def samples(height, width, channels, bits):
    return rng.integers(0, 1 << bits, (height, width, channels))


def picture(width=19, height=11):
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / 5 + c) * np.cos(y / 4 - c) * 100 + 128 for c in range(3)]
    return Image.fromarray(np.stack(waves, 2).astype(np.uint8))


def pack(values, bits, order="<"):
    """Rows of samples, each row padded to whole bytes."""
    out = b""
    for row in values:
        flat = row.reshape(-1)
        if bits >= 8:
            out += flat.astype(order + "u%d" % (bits // 8)).tobytes()
        else:
            text = "".join(format(int(v), "0%db" % bits) for v in flat)
            out += int(text.ljust(-(-len(text) // 8) * 8, "0"), 2).to_bytes(-(-len(text) // 8), "big")
    return out


# BMP

def bmp(width, height, bits, data, compression=0, palette=b"", masks=b"", header=40, colours=0):
    if header == 12:
        head = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        head = struct.pack("<IiiHHIIiiII", header, width, height, 1, bits, compression, len(data), 0, 0, colours, 0)
        if header > 40:
            head, masks = (head + masks).ljust(header, b"\0"), b""
    start = 14 + len(head) + len(masks) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start) + head + masks + palette + data


def bmp_rows(width, height, bits):
    return rng.integers(0, 256, (height, (width * bits + 31) // 32 * 4), dtype=np.uint8).tobytes()


palette = rng.integers(0, 256, (256, 4), dtype=np.uint8)
for bits in (1, 4, 8):
    for width in (8, 13):
        add(f"bits{bits}_w{width}.bmp", bmp(width, 5, bits, bmp_rows(width, 5, bits), palette=palette[:1 << bits].tobytes()))
    add(f"core{bits}.bmp", bmp(13, 5, bits, bmp_rows(13, 5, bits), palette=palette[:1 << bits, :3].tobytes(), header=12))
add("few_colours.bmp", bmp(13, 5, 8, bmp_rows(13, 5, 8), palette=palette[:200].tobytes(), colours=200))
indices = samples(3, 5, 1, 2)
add("bits2.bmp", bmp(5, -3, 2, b"".join(pack(r[None], 2).ljust(4, b"\0") for r in indices), palette=palette[:4].tobytes()),
    palette[:4, 2::-1][indices[:, :, 0]])
add("top_down.bmp", bmp(7, -5, 24, bmp_rows(7, 5, 24)))
add("bits16.bmp", bmp(7, 5, 16, bmp_rows(7, 5, 16)))
add("bits32.bmp", bmp(7, 5, 32, bmp_rows(7, 5, 32)))
add("masks565.bmp", bmp(7, 5, 16, bmp_rows(7, 5, 16), 3, masks=struct.pack("<III", 0xF800, 0x7E0, 0x1F)))
for header, masks in ((40, (0xFF000000, 0xFF0000, 0xFF00)), (56, (0xFF, 0xFF00, 0xFF0000, 0xFF000000)),
                      (108, (0xFF0000, 0xFF00, 0xFF, 0xFF000000)), (124, (0xFF000000, 0xFF0000, 0xFF00, 0xFF)),
                      (124, (0, 0, 0, 0))):
    packed = struct.pack("<%dI" % len(masks), *masks)
    add(f"masks_v{header}_{masks[0]:x}.bmp", bmp(6, 5, 32, bmp_rows(6, 5, 32), 3, masks=packed, header=header))
add("rle8.bmp", bmp(6, 3, 8, bytes([3, 7, 2, 9, 1, 8, 0, 0, 0, 5, 1, 2, 3, 4, 5, 0, 1, 6, 0, 0, 6, 200, 0, 1]), 1,
                    palette.tobytes()))
add("rle8_over.bmp", bmp(6, 3, 8, bytes([9, 7, 0, 0, 6, 8, 0, 0, 6, 9, 0, 1]), 1, palette.tobytes()))
add("rle8_delta.bmp", bmp(6, 3, 8, bytes([3, 7, 0, 2, 1, 1, 2, 5, 0, 0, 6, 9, 0, 1]), 1, palette.tobytes()))
add("rle4.bmp", bmp(6, 3, 4, bytes([3, 0x12, 2, 0x34, 1, 0x56, 0, 0, 0, 5, 0x12, 0x34, 0x50, 0, 1, 0x60, 0, 0, 6, 0xAB,
                                    0, 1]), 2, palette[:16].tobytes()))

# PPM and PGM

add("text.ppm", b"P3 # a comment\n3 2\n255\n" + b" ".join(b"%d" % v for v in rng.integers(0, 256, 18)) + b"\n")
add("text100.pgm", b"P2\n4 2\n100\n0 1 50 99\n100 #x\n 33\t66\r\n7")
add("maxval100.ppm", b"P6 5 3 100\n" + rng.integers(0, 101, 45, dtype=np.uint8).tobytes())
add("maxval1023.ppm", b"P6 5 3 1023\n" + rng.integers(0, 1024, 45).astype(">u2").tobytes())
add("maxval65535.ppm", b"P6\n#c\n5 3\n65535\n" + rng.integers(0, 65536, 45).astype(">u2").tobytes())
deep = samples(3, 5, 1, 16)
add("maxval65535.pgm", b"P5 5 3 65535\n" + deep.astype(">u2").tobytes(), np.rint(deep / 65535 * 255))

# GIF

def gif(screen, frame, indices, colours=None, own_colours=None, transparent=None):
    data = b"GIF89a" + struct.pack("<HHBBB", *screen, 0x81 if colours else 0, 1, 0) + (colours or b"")
    if transparent is not None:
        data += b"!\xf9\x04\x01\0\0" + bytes([transparent]) + b"\0"
    data += b"," + struct.pack("<HHHHB", *frame, 0x81 if own_colours else 0) + (own_colours or b"") + b"\x08"
    codes = [256] + list(indices) + [257]
    bits = sum(code << 9 * i for i, code in enumerate(codes)).to_bytes(-(-9 * len(codes) // 8), "little")
    return data + bytes([len(bits)]) + bits + b"\0;"


four = bytes([10, 20, 30, 200, 100, 50, 1, 2, 3, 4, 5, 6])
add("frame_inside.gif", gif((4, 2), (1, 0, 2, 1), [1, 2], four))
add("frame_inside_transparent.gif", gif((4, 2), (1, 0, 2, 1), [1, 2], four, transparent=3))
add("frame_over_screen.gif", gif((2, 1), (1, 1, 2, 1), [0, 1], four))
add("no_screen.gif", gif((0, 0), (0, 0, 2, 1), [1, 1], four))
add("no_colours.gif", gif((3, 1), (0, 0, 3, 1), [0, 1, 99]))
add("own_colours.gif", gif((3, 1), (0, 0, 3, 1), [0, 1, 3], four, four[::-1]))
add("index_over_colours.gif", gif((3, 1), (0, 0, 3, 1), [0, 1, 9], four))

# WebP, PNG, JPEG

small = picture()
turned = Image.Exif()
turned[0x0112] = 8
add("exif8.webp", save(small, "WEBP", lossless=True, exif=turned))
add("lossy.webp", save(small, "WEBP", quality=60))
add("animated.webp", save(small, "WEBP", save_all=True, append_images=[small.rotate(90)], duration=50, lossless=True))


def riff(chunks):
    body = b"".join(kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2) for kind, data in chunks)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def u24(value):
    return struct.pack("<I", value)[:3]


still = save(small, "WEBP", lossless=True)[12:]
frame = u24(2) + u24(3) + u24(small.width - 1) + u24(small.height - 1) + u24(50) + b"\0" + still
add("frame_inside.webp", riff([(b"VP8X", b"\x02\0\0\0" + u24(29) + u24(23)), (b"ANIM", b"\xff\xff\xff\xff\0\0"),
                               (b"ANMF", frame)]))


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


plain = save(small, "PNG")
header, image_data = plain[:33], plain[33:-12]
exif = struct.pack(">2sHIHHHIHHI", b"MM", 42, 8, 1, 0x0112, 3, 1, 5, 0, 0)
add("exif_behind.png", header + image_data + png_chunk(b"eXIf", exif) + plain[-12:])
add("bad_comment.png", header + png_chunk(b"zTXt", b"Comment\0\0not deflated") + image_data + plain[-12:] + b"garbage")
deep = samples(11, 19, 1, 16)
add("grey16.png", save(Image.fromarray(deep[:, :, 0].astype(np.uint16)), "PNG"), deep >> 8)
jpeg = save(small, "JPEG", quality=80)
for order, value in (("<", 3), (">", 6)):
    entry = struct.pack(order + "2sHIHHHIHHI", b"II" if order == "<" else b"MM", 42, 8, 1, 0x0112, 3, 1, value, 0, 0)
    block = b"Exif\0\0" + entry
    add(f"exif{value}_{'little' if order == '<' else 'big'}.jpg",
        jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + jpeg[2:])
add("stray_bytes.jpg", jpeg[:-2] + b"\0\0\0\0" + jpeg[-2:])

# TIFF

def tiff(values, bits, photometric, planar=1, tile=None, extras=(), colours=None, rows_per_strip=None, orientation=None,
         order="<"):
    height, width, channels = values.shape
    chunks = []
    for plane in [values] if planar == 1 else [values[:, :, c:c + 1] for c in range(channels)]:
        if tile:
            for y in range(0, height, tile[1]):
                for x in range(0, width, tile[0]):
                    part = plane[y:y + tile[1], x:x + tile[0]]
                    whole = np.zeros((tile[1], tile[0], plane.shape[2]), plane.dtype)
                    whole[:part.shape[0], :part.shape[1]] = part
                    chunks.append(pack(whole, bits, order))
        else:
            for y in range(0, height, rows_per_strip or height):
                chunks.append(pack(plane[y:y + (rows_per_strip or height)], bits, order))
    tags = [(256, "I", [width]), (257, "I", [height]), (258, "H", [bits] * channels), (259, "H", [1]),
            (262, "H", [photometric]), (277, "H", [channels]), (284, "H", [planar])]
    tags += [(274, "H", [orientation])] if orientation else []
    tags += [(338, "H", list(extras))] if extras else []
    tags += [(320, "H", list(colours))] if colours is not None else []
    body, offsets = b"", []
    for chunk in chunks:
        offsets.append(8 + len(body))
        body += chunk + b"\0" * (len(chunk) % 2)
    sizes = [len(chunk) for chunk in chunks]
    if tile:
        tags += [(322, "I", [tile[0]]), (323, "I", [tile[1]]), (324, "I", offsets), (325, "I", sizes)]
    else:
        tags += [(273, "I", offsets), (278, "I", [rows_per_strip or height]), (279, "I", sizes)]
    directory, extra = struct.pack(order + "H", len(tags)), b""
    behind = 8 + len(body) + 2 + 12 * len(tags) + 4
    for tag, kind, numbers in sorted(tags):
        data = struct.pack(order + str(len(numbers)) + kind, *numbers)
        head = struct.pack(order + "HHI", tag, 3 if kind == "H" else 4, len(numbers))
        if len(data) <= 4:
            directory += head + data.ljust(4, b"\0")
        else:
            directory += head + struct.pack(order + "I", behind + len(extra))
            extra += data + b"\0" * (len(data) % 2)
    start = b"II*\0" if order == "<" else b"MM\0*"
    return start + struct.pack(order + "I", 8 + len(body)) + body + directory + struct.pack(order + "I", 0) + extra


for bits in (1, 2, 4, 8):
    add(f"grey{bits}.tiff", tiff(samples(11, 19, 1, bits), bits, 1, rows_per_strip=4))
    add(f"white{bits}.tiff", tiff(samples(11, 19, 1, bits), bits, 0))
    add(f"palette{bits}.tiff", tiff(samples(11, 19, 1, bits), bits, 3, colours=rng.integers(0, 65536, 3 << bits)))
deep = samples(11, 19, 1, 16)
add("grey16.tiff", tiff(deep, 16, 1), deep >> 8)
add("grey_alpha.tiff", tiff(samples(11, 19, 2, 8), 8, 1, extras=[2]))
add("rgb16_big_endian.tiff", tiff(samples(11, 19, 3, 16), 16, 2, order=">"))
for extra, name in ((0, "other"), (1, "premultiplied"), (2, "alpha")):
    add(f"rgb_{name}.tiff", tiff(samples(11, 19, 4, 8), 8, 2, extras=[extra]))
add("cmyk.tiff", tiff(samples(11, 19, 4, 8), 8, 5))
add("tiles.tiff", tiff(samples(40, 33, 3, 8), 8, 2, tile=(16, 32)))
for tile in (None, (16, 32)):
    values = samples(19, 21, 3, 8)
    add(f"planes{'_in_tiles' if tile else ''}.tiff", tiff(values, 8, 2, planar=2, tile=tile, rows_per_strip=5), values)
for orientation in range(2, 9):
    add(f"orientation{orientation}.tiff", tiff(samples(3, 4, 3, 8), 8, 2, orientation=orientation))
for compression, mode in (("packbits", "RGB"), ("tiff_adobe_deflate", "L"), ("group4", "1"), ("group3", "1"),
                          ("jpeg", "RGB"), ("jpeg", "YCbCr"), ("jpeg", "L"), ("tiff_lzw", "CMYK"), ("tiff_lzw", "YCbCr")):
    add(f"{compression}_{mode.lower()}.tiff", save(small.convert(mode), "TIFF", compression=compression))
add("ycbcr_orientation6.tiff", save(small.convert("YCbCr"), "TIFF", compression="tiff_lzw", tiffinfo={0x0112: 6}))
add("big.tiff", save(small, "TIFF", big_tiff=True))
add("two_pages.tiff", save(small, "TIFF", save_all=True, append_images=[small.rotate(90)]))

with open("variants.jsonl", "w") as file:
    for row in rows:
        file.write(json.dumps(row) + "\n")
