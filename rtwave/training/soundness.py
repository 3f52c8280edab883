"""Whether a corpus can become an instrument: told in plain words before hours are spent on it."""

from collections import Counter
from itertools import pairwise

import numpy as np

from ..errors import RtwaveError
from ..wavenet.features import note_frequency
from ..wavenet.keys import key_name
from .corpus import PEAK, Corpus, Entry
from .labels import label_error

OFF_CENTS = 40.0
"""A key so far off its pitch may be called wrongly."""
HEARD_S = 0.7
"""Of a recording, to tell its pitch."""
TOO_LITTLE_S, LITTLE_S, ENOUGH_S = 5.0, 40.0, 120.0
"""Drums are short by nature, and none of this is asked of them."""
FEWEST_KEYS = 3
SILENT_GAIN_DB = 60.0
WIDEST_GAP = 7
NOISE_DB, DYING_DB, ENDS_DB = -40.0, -20.0, -30.0
PEAK_POWER = 10.0
"""A peak in a spectrum is as many times the median around it."""
UNLIKE_DB = 12.0
MOST_HEARD = 300
"""Recordings listened to, evenly chosen: two or three seconds in all."""
NAMED = 3


def judge(corpus: Corpus) -> list[str]:
    """Warnings, one line each with what to do about it, the weightiest first; RtwaveError where it cannot work."""
    _require_sound(corpus)
    index = corpus.index
    warnings = []
    if corpus.seconds < LITTLE_S and index.kind != "drums":
        warnings.append(
            f"{corpus.seconds:.0f} s of material: expect a tone that fits only these recordings and hisses between "
            f"them; record {ENOUGH_S:.0f} s or more, and {LITTLE_S:.0f} s at the least"
        )
    if index.kind == "texture":
        return warnings
    heard = [index.entries[n] for n in _evenly(len(index.entries), MOST_HEARD)]
    if index.kind == "notes":
        warnings += _labels(corpus, heard) + _range(corpus)
    return warnings + _velocities(corpus) + _levels(corpus) + _tails(corpus, heard)


def _require_sound(corpus: Corpus) -> None:
    """Raise RtwaveError for what no training can mend."""
    index = corpus.index
    clipped = sum(reason.startswith("clipped") for _, reason in index.skipped)
    if 20.0 * np.log10(index.gain) > SILENT_GAIN_DB:
        loudest = 20.0 * np.log10(PEAK / index.gain)
        raise RtwaveError(f"nothing but silence: the loudest sample is at {loudest:.0f} dBFS; record at a higher level")
    if clipped > len(index.entries):
        total = clipped + len(index.entries)
        raise RtwaveError(f"{clipped} of {total} recordings are clipped; record them again at a lower level")
    if corpus.seconds < TOO_LITTLE_S and index.kind != "drums":
        raise RtwaveError(
            f"{corpus.seconds:.1f} s of material, expected {TOO_LITTLE_S:.0f} s at the very least and "
            f"{ENOUGH_S:.0f} s for a good tone; record more"
        )
    keys = corpus.notes()
    if index.kind == "notes" and len(keys) < FEWEST_KEYS:
        names = " and ".join(key_name(key) for key in keys)
        raise RtwaveError(
            f"{len(keys)} different note{'s' * (len(keys) > 1)} ({names}), expected {FEWEST_KEYS} or more, best one "
            "every 3 semitones; record others"
        )


def _labels(corpus: Corpus, heard: list[Entry]) -> list[str]:
    """What the notes sound like beside what they are called."""
    entries = corpus.index.entries
    far = [entry for entry in entries if abs(entry.cents) >= OFF_CENTS]
    rate = corpus.index.sample_rate
    errors = [label_error(corpus.sound(entry, 0, int(HEARD_S * rate)), rate, entry.note) for entry in heard]
    wrong = [(entry, round(error)) for entry, error in zip(heard, errors, strict=True) if round(error)]
    semitones = [(entry, off) for entry, off in wrong if off % 12]
    if len(semitones) > len(heard) / 2 and len(semitones) >= FEWEST_KEYS:
        raise RtwaveError(
            f"labels do not fit: {_sounding(semitones, len(heard))}; correct the names, or give a manifest"
        )
    if len(far) > len(entries) / 2:
        raise RtwaveError(
            f"labels do not fit: {len(far)} of {len(entries)} recordings are {OFF_CENTS:.0f} cents or more "
            "off the notes they are called; correct the names, or give a manifest"
        )
    warnings = []
    if semitones:
        warnings.append(f"{_sounding(semitones, len(heard))}; check their labels")
    octaves = [(entry, off) for entry, off in wrong if not off % 12]
    if octaves:
        warnings.append(
            f"{_sounding(octaves, len(heard))}; if C4 is not middle C in these names, rename them or give a manifest"
        )
    if far:
        warnings.append(f"{_are(len(far))} {OFF_CENTS:.0f} cents or more off: {_named(far)}; check their labels")
    return warnings


def _range(corpus: Corpus) -> list[str]:
    gaps = [(low, high) for low, high in pairwise(corpus.notes()) if high - low > WIDEST_GAP]
    if not gaps:
        return []
    listed = ", ".join(f"{key_name(low)} to {key_name(high)}" for low, high in gaps[:NAMED])
    more = f" and {len(gaps) - NAMED} more" if len(gaps) > NAMED else ""
    return [f"no recording within {listed}{more}: keys there will be guessed; record one every 3 semitones"]


def _velocities(corpus: Corpus) -> list[str]:
    velocities = {entry.velocity for entry in corpus.index.entries}
    if len(velocities) > 1:
        return []
    return [
        f"all recordings have velocity {velocities.pop():g}, as where names say none: the tone will not change with "
        "velocity; record soft and loud ones, and name them like A4_v40.wav and A4_v110.wav"
    ]


def _levels(corpus: Corpus) -> list[str]:
    """Recordings much louder or softer than their neighbours of the same timbre and velocity."""
    entries = corpus.index.entries
    if corpus.index.kind != "notes":
        return []
    peak = np.array([float(corpus.loudness_db(entry).max()) for entry in entries])
    key = np.array([entry.note for entry in entries])
    velocity = np.array([entry.velocity for entry in entries])
    timbre = np.array([entry.timbre for entry in entries])
    unlike = []
    for n in range(len(entries)):
        near = (timbre == timbre[n]) & (np.abs(velocity - velocity[n]) <= 12) & (np.abs(key - key[n]) <= WIDEST_GAP)
        near[n] = False
        if near.sum() >= 2 and abs(peak[n] - np.median(peak[near])) > UNLIKE_DB:
            unlike.append((abs(peak[n] - np.median(peak[near])), peak[n] - np.median(peak[near]), entries[n]))
    if not unlike:
        return []
    unlike.sort(key=lambda item: -item[0])
    listed = ", ".join(f"{entry.name} ({apart:+.0f} dB)" for _, apart, entry in unlike[:NAMED])
    return [
        f"{_are(len(unlike))} {UNLIKE_DB:.0f} dB or more louder or softer than their neighbours: {listed}; "
        "set their level as it was played, or leave them out"
    ]


def _tails(corpus: Corpus, heard: list[Entry]) -> list[str]:
    """Recordings that end in noise or hum, and ones that end while they still sound."""
    notes, rate = corpus.index.kind == "notes", corpus.index.sample_rate
    loudest = max(float(corpus.loudness_db(entry).max()) for entry in heard)
    floors, cut = [], []
    for entry in heard:
        tail = corpus.sound(entry, max(0, entry.samples - rate // 2))
        level_db = float(corpus.loudness_db(entry)[-1])
        below = level_db - float(corpus.loudness_db(entry).max())
        noise = _noise_share(tail, rate, float(note_frequency(entry.note, entry.cents))) if notes else 0.0
        noise_db = 10.0 * np.log10(noise * float(np.mean(np.square(tail, dtype=np.float64))) + 1e-12) - loudest
        if noise_db > NOISE_DB and noise > 0.5 and below < DYING_DB:
            floors.append(noise_db)
        elif below > ENDS_DB and noise < 0.5:
            cut.append(entry)
    warnings = []
    if len(floors) > len(heard) / 10:
        warnings.append(
            f"{len(floors)} of {len(heard)} recordings end in noise or hum {-np.median(floors):.0f} dB below the "
            "loudest note: the instrument will hiss too; record closer, or remove the noise first"
        )
    if len(cut) > len(heard) / 10 and not corpus.index.sustained:
        warnings.append(
            f"{len(cut)} of {len(heard)} recordings end before they died away, such as {_named(cut)}; record until "
            "silence, take more of each with --seconds (10 unless you say), or say --sustained where tones hold as "
            "long as the key"
        )
    return warnings


def _noise_share(samples: np.ndarray, sample_rate: int, f0: float) -> float:
    """Share of a sound's power that stands in no peak of its spectrum from its note's f0 (Hz) on."""
    if len(samples) < sample_rate // 20:
        return 0.0
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
    around = np.lib.stride_tricks.sliding_window_view(np.pad(power, 20, mode="reflect"), 41)
    peaks = power > PEAK_POWER * np.median(around, axis=1)
    peaks = np.convolve(peaks, np.ones(5), mode="same") > 0
    peaks[: int(0.9 * f0 * len(samples) / sample_rate)] = False
    return float(power[~peaks].sum() / (power.sum() + 1e-20))


def _evenly(count: int, most: int) -> list[int]:
    return sorted({n * count // min(count, most) for n in range(min(count, most))})


def _sounding(wrong: list[tuple[Entry, int]], heard: int) -> str:
    off, often = Counter(off for _, off in wrong).most_common(1)[0]
    entry = next(entry for entry, other in wrong if other == off)
    direction = "above" if off > 0 else "below"
    sound = "sounds other than it is" if len(wrong) == 1 else "sound other than they are"
    by = f"{abs(off)} semitone{'s' * (abs(off) > 1)}"
    many = f"{often} by {by}, " if often > 1 else ""
    return (
        f"{len(wrong)} of {heard} recordings {sound} called, {many}such as {entry.name}: called "
        f"{key_name(entry.note)}, it sounds {by} {direction}"
    )


def _named(entries: list[Entry]) -> str:
    more = f" and {len(entries) - NAMED} more" if len(entries) > NAMED else ""
    return ", ".join(entry.name for entry in entries[:NAMED]) + more


def _are(count: int) -> str:
    return "1 recording is" if count == 1 else f"{count} recordings are"
