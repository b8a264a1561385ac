"""Deliberate damage to files: flips, cuts, splices, doubled pieces, edited headers, each decided by a seed."""

import random

_NUMBERS = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"9" * 10, b"-1", b"[[[[", b"1e400")


def mutated(content: bytes, seed: int) -> bytes:
    """The content, damaged in one to four ways."""
    rng, data = random.Random(seed), bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4))):
        size = max(1, len(data))
        # Half of all damage is done to the head, where the promises stand.
        at = rng.randrange(min(size, 400)) if rng.random() < 0.5 else rng.randrange(size)
        length = min(1 + int(rng.expovariate(1 / 40)), size)
        kind = rng.randrange(6)
        if kind == 0:
            for _ in range(rng.choice((1, 1, 3, 20))):
                if data:
                    data[rng.randrange(len(data)) if rng.random() < 0.5 else at % len(data)] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del data[at:]
        elif kind == 2:
            del data[at : at + length]
        elif kind == 3:
            data[at:at] = data[at : at + length] * rng.choice((1, 2, 50))
        elif kind == 4:
            other = rng.randrange(size)
            data[at : at + length] = data[other : other + length]
        else:
            number = rng.choice(_NUMBERS)
            data[at : at + len(number)] = number
    return bytes(data)
