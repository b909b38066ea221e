"""Pictures of screens made small: PNG with a palette, from the true colours that a browser writes."""

import struct
import zlib
from collections import Counter
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOURS = 128
CLOSE = 100
"""Colours no further apart than this, as the sum of the squares of their channels' differences, look alike."""


def with_palette(png: bytes) -> bytes:
    """The same picture with at most 128 colours, none close to another: frequent ones first, the rest as the nearest.

    `png`: 8 bits a channel, RGB or RGBA (the alpha is dropped), not interlaced.
    """
    width, height, pixels = _read(png)
    frequent = [colour for colour, _ in Counter(pixels).most_common()]
    palette: list[bytes] = []
    for colour in frequent:
        if len(palette) < COLOURS and all(_distance(colour, other) > CLOSE for other in palette):
            palette.append(colour)
    place = {
        colour: min(range(len(palette)), key=lambda number: _distance(colour, palette[number]))
        for colour in frequent
    }
    indices = bytes(place[pixel] for pixel in pixels)
    lines = b"".join(b"\0" + indices[start : start + width] for start in range(0, width * height, width))
    return b"".join(
        (
            SIGNATURE,
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
            _chunk(b"PLTE", b"".join(palette)),
            _chunk(b"IDAT", zlib.compress(lines, 9)),
            _chunk(b"IEND", b""),
        )
    )


def _distance(one: bytes, other: bytes) -> int:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _read(png: bytes) -> tuple[int, int, list[bytes]]:
    """Width, height, and each pixel's three bytes, line by line."""
    chunks = dict(_chunks(png))
    width, height, depth, colours, _, _, interlaced = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    if depth != 8 or colours not in (2, 6) or interlaced:
        raise ValueError("not a PNG as browsers write them")
    size = 3 if colours == 2 else 4
    lines = _unfiltered(zlib.decompress(chunks[b"IDAT"]), width * size, size)
    pixels = [bytes(line[start : start + 3]) for line in lines for start in range(0, width * size, size)]
    return width, height, pixels


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and data of each chunk; the picture's data, which may be in several, as one."""
    at, data = len(SIGNATURE), b""
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        kind, content = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        if kind == b"IDAT":
            data += content
        else:
            yield kind, content
        at += length + 12
    yield b"IDAT", data


def _unfiltered(data: bytes, length: int, size: int) -> Iterator[bytearray]:
    """The lines of a picture, of `length` bytes each, `size` bytes a pixel, without PNG's filters."""
    above = bytearray(length)
    for start in range(0, len(data), length + 1):
        kind, line = data[start], bytearray(data[start + 1 : start + 1 + length])
        for at in range(length if kind else 0):
            left = line[at - size] if at >= size else 0
            corner = above[at - size] if at >= size else 0
            line[at] = (line[at] + _predicted(kind, left, above[at], corner)) & 255
        yield line
        above = line


def _predicted(kind: int, left: int, up: int, corner: int) -> int:
    if kind == 1:
        return left
    if kind == 2:
        return up
    if kind == 3:
        return (left + up) // 2
    guess = left + up - corner
    return min((left, up, corner), key=lambda known: abs(guess - known))
