"""The random numbers of many voices at once: Philox4x32-10 of extensions/philox.h, in NumPy."""

import numpy as np

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_ROUNDS = 10
_MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_WEYL = 0x9E3779B9, 0xBB67AE85


def philox(key: int, low: np.ndarray, high: np.ndarray) -> list[np.ndarray]:
    """The four words, each uint64 below 2**32, of the counters (low, high), uint64 of one shape."""
    low, high = np.broadcast_arrays(np.asarray(low, np.uint64), np.asarray(high, np.uint64))
    c0, c1, c2, c3 = low & _LOW, low >> _HALF, high & _LOW, high >> _HALF
    for turn in range(_ROUNDS):
        k0, k1 = (np.uint64(half + turn * weyl & 0xFFFFFFFF) for half, weyl in zip(_halves(key), _WEYL, strict=True))
        a, b = _MULTIPLIERS[0] * c0, _MULTIPLIERS[1] * c2
        c0, c1, c2, c3 = (b >> _HALF) ^ c1 ^ k0, b & _LOW, (a >> _HALF) ^ c3 ^ k1, a & _LOW
    return [c0, c1, c2, c3]


def normals(key: int, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Standard normal variates, float32: Box and Muller, of the upper 24 bits of two words."""
    u, v = (((word >> np.uint64(8)) + 0.5) * 2.0**-24 for word in philox(key, low, high)[:2])
    return (np.sqrt(-2.0 * np.log(u)) * np.cos(2.0 * np.pi * v)).astype(np.float32)


def uniforms(key: int, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Numbers within 0..1, float32, never 1."""
    return np.minimum((philox(key, low, high)[0] + 0.5) * 2.0**-32, 1.0 - 2.0**-24).astype(np.float32)


def _halves(key: int) -> tuple[int, int]:
    return key & 0xFFFFFFFF, key >> 32
