"""Mutations of a file's content, the same for the same seed."""

import json
import random
import re

NUMBERS = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**63 - 1]
TOKEN = re.compile(rb"-?\d+(?:\.\d+)?(?:e-?\d+)?|\"[^\"]{0,60}\"|true|false|null|[\w.]+")
TOKENS = [
    b"-1", b"0", b"NaN", b"Infinity", b"1e999", b"9" * 400, b"2147483648", b"0.5", b"null", b"true",
    b"[]", b"{}", b'""', b'"../../x"', b'"/dev/zero"', b'"\\u001b[2J"', b'"' + b"a" * 20_000 + b'"',
    b"[" * 20_000, b'{"a":' * 20_000, b"\x00", b"\xff\xfe", b"=1+1", b",", b"\n",
]  # fmt: skip


def mutate(content, seed):
    """Changes a content at one to four places.

    Args:
        content: Bytes.
        seed: An integer.

    Returns:
        Other bytes, which may be equal by chance.
    """
    choice = random.Random(seed)
    is_text = b"\0" not in content[:4096]
    changes = (*ANY, *ANY, *TEXT) if is_text else ANY
    for _ in range(choice.choice((1, 1, 1, 2, 4))):
        content = choice.choice(changes)(content, choice)
    return content


def _place(content, choice):
    """A place: half of all are in the first kilobyte, where most headers are."""
    end = len(content) if choice.random() < 0.5 else min(len(content), 1024)
    return choice.randrange(max(end, 1))


def flip(content, choice):
    content = bytearray(content)
    for _ in range(choice.choice((1, 1, 8))):
        if content:
            content[_place(content, choice)] ^= 1 << choice.randrange(8)
    return bytes(content)


def overwrite(content, choice):
    at, count = _place(content, choice), choice.choice((1, 2, 4, 8, 64))
    return content[:at] + choice.randbytes(count) + content[at + count :]


def number(content, choice):
    at, size = _place(content, choice), choice.choice((1, 2, 4, 8))
    value, order = choice.choice(NUMBERS) % 256**size, choice.choice(("little", "big"))
    return content[:at] + value.to_bytes(size, order) + content[at + size :]


def cut(content, choice):
    return content[: _place(content, choice)]


def remove(content, choice):
    at = _place(content, choice)
    return content[:at] + content[at + choice.choice((1, 4, 100, 5000)) :]


def insert(content, choice):
    at = _place(content, choice)
    return content[:at] + choice.randbytes(choice.choice((1, 4, 100))) + content[at:]


def repeat(content, choice):
    at = _place(content, choice)
    part = content[at : at + choice.choice((1, 16, 1000))]
    return content[:at] + part * choice.choice((2, 50)) + content[at + len(part) :]


def zeros(content, choice):
    at, count = _place(content, choice), choice.choice((4, 100, 10_000))
    return content[:at] + bytes(len(content[at : at + count])) + content[at + count :]


def swap(content, choice):
    first, second = sorted((_place(content, choice), _place(content, choice)))
    return content[second:] + content[first:second] + content[:first]


def token(content, choice):
    found = list(TOKEN.finditer(content))
    if not found:
        return content
    match = choice.choice(found)
    return content[: match.start()] + choice.choice(TOKENS) + content[match.end() :]


def line(content, choice):
    lines = content.splitlines(keepends=True)
    if not lines:
        return content
    at = choice.randrange(len(lines))
    lines[at : at + 1] = choice.choice(([], 2 * [lines[at]], [choice.choice(lines)]))
    return b"".join(lines)


def value(content, choice):
    """Replaces a value of a JSON document by one of another type, or removes it."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return token(content, choice)
    if not isinstance(document, dict | list):  # a number, alone
        return token(content, choice)
    places, stack = [], [document]
    while stack:
        holder = stack.pop()
        keys = list(holder) if isinstance(holder, dict) else range(len(holder))
        places += [(holder, key) for key in keys]
        stack += [holder[key] for key in keys if isinstance(holder[key], dict | list)]
    if not places:
        return b"null"
    holder, key = choice.choice(places)
    others = (None, True, -1, 0, 10**30, 0.5, "", "..", "x", [], {}, [[]], {"a": 1}, 3 * ["a"])
    holder[key] = choice.choice(others)
    if choice.random() < 0.3:
        del holder[key]
    return json.dumps(document).encode()


ANY = (flip, overwrite, number, cut, remove, insert, repeat, zeros, swap)
TEXT = (token, token, line, value, value, value)
