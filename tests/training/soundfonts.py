"""A SoundFont made by hand: what a test needs to know every sample of."""

import struct

import numpy as np

RATE = 22_050
RELEASE_S = 1.0
"""100 dB down, as the format has it."""
_INSTRUMENT, _KEY_RANGE, _RELEASE, _SAMPLE_ID, _LOOPED, _ROOT = 41, 43, 38, 53, 54, 58


def chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def sounds() -> list[tuple[str, np.ndarray, int, bool]]:
    """(name, samples, root key, looped): a steady tone, a plucked one, and two bursts of noise."""
    time = np.arange(RATE) / RATE
    steady = 0.5 * sum(np.sin(2 * np.pi * 220 * k * time) / k for k in (1, 2, 3))
    plucked = 0.5 * np.exp(-4 * time) * sum(np.sin(2 * np.pi * 440 * k * time) / k for k in (1, 2, 3, 4))
    noise = 0.5 * np.random.default_rng(0).standard_normal(RATE // 2) * np.exp(-20 * time[: RATE // 2])
    return [
        ("steady", steady, 57, True),
        ("plucked", plucked, 69, False),
        ("boom", noise, 36, False),
        ("tick", noise[::2], 38, False),
    ]


def write_soundfont(path, harp_range=None):
    """Bank 0: program 0 "Organ" and 5 "Harp"; bank 128: program 0 "Kit" with keys 36 and 38.

    `harp_range`: the keys (low, high) that a zone for all of the harp's zones says.
    """
    smpl, headers = b"", b""
    for name, samples, root, _ in sounds():
        start = len(smpl) // 2
        pcm = (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()
        smpl += pcm + b"\0" * 92
        end = start + len(pcm) // 2
        headers += struct.pack(
            "<20s5IBbHH", name.encode(), start, end, start + 2205, start + 19_845, RATE, root, 0, 0, 1
        )
    headers += struct.pack("<20s5IBbHH", b"EOS", 0, 0, 0, 0, 0, 0, 0, 0, 0)

    release = int(1200 * np.log2(RELEASE_S))
    shared = [] if harp_range is None else [[(_KEY_RANGE, harp_range[1] << 8 | harp_range[0])]]
    instruments = [
        ("organ", [[(_RELEASE, release), (_LOOPED, 1), (_SAMPLE_ID, 0)]]),
        ("harp", [*shared, [(_RELEASE, release), (_SAMPLE_ID, 1)]]),
        ("kit", [[(_KEY_RANGE, key << 8 | key), (_ROOT, key), (_SAMPLE_ID, n)] for n, key in ((2, 36), (3, 38))]),
    ]
    ibag, igen, inst = b"", b"", b""
    for name, zones in instruments:
        inst += struct.pack("<20sH", name.encode(), len(ibag) // 4)
        for zone in zones:
            ibag += struct.pack("<HH", len(igen) // 4, 0)
            igen += b"".join(struct.pack("<HH", operator, amount & 0xFFFF) for operator, amount in zone)
    inst += struct.pack("<20sH", b"EOI", len(ibag) // 4)
    ibag += struct.pack("<HH", len(igen) // 4, 0)
    igen += struct.pack("<HH", 0, 0)

    phdr, pbag, pgen = b"", b"", b""
    for number, (name, program, bank) in enumerate((("Organ", 0, 0), ("Harp", 5, 0), ("Kit", 0, 128))):
        phdr += struct.pack("<20sHHHIII", name.encode(), program, bank, number, 0, 0, 0)
        pbag += struct.pack("<HH", number, 0)
        pgen += struct.pack("<HH", _INSTRUMENT, number)
    phdr += struct.pack("<20sHHHIII", b"EOP", 0, 0, 3, 0, 0, 0)
    pbag += struct.pack("<HH", 3, 0)
    pgen += struct.pack("<HH", 0, 0)

    info = (
        b"INFO" + chunk(b"ifil", struct.pack("<HH", 2, 1)) + chunk(b"isng", b"EMU8000\0") + chunk(b"INAM", b"test\0\0")
    )
    tables = (
        (b"phdr", phdr),
        (b"pbag", pbag),
        (b"pmod", b"\0" * 10),
        (b"pgen", pgen),
        (b"inst", inst),
        (b"ibag", ibag),
        (b"imod", b"\0" * 10),
        (b"igen", igen),
        (b"shdr", headers),
    )
    pdta = b"pdta" + b"".join(chunk(name, data) for name, data in tables)
    body = b"sfbk" + chunk(b"LIST", info) + chunk(b"LIST", b"sdta" + chunk(b"smpl", smpl)) + chunk(b"LIST", pdta)
    path.write_bytes(chunk(b"RIFF", body))
    return path
