"""Melodies whose notes are known: harmonic tones with vibrato, rests, repeated notes, legato, and traps for octaves."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Played:
    start_s: float
    end_s: float
    key: int
    level: float
    legato: bool = False


def sing(notes: list[Played], rate: int, *, partials: list[float], vibrato_cents: float = 0.0, noise: float = 1e-4):
    """The notes' sound, float64 (T,): phase runs on where legato, elsewhere 10 ms of attack and 30 ms of release."""
    total = int((max(note.end_s for note in notes) + 0.3) * rate)
    time = np.arange(total) / rate
    sound = noise * np.random.default_rng(1).standard_normal(total)
    pitch, level = np.full(total, float(notes[0].key)), np.zeros(total)
    for number, note in enumerate(notes):
        tied = number + 1 < len(notes) and notes[number + 1].legato
        place = (time >= note.start_s) & (time < note.end_s)
        pitch[time >= note.start_s] = note.key
        rise = 1.0 if note.legato else np.clip((time[place] - note.start_s) / 0.01, 0.0, 1.0)
        level[place] = note.level * rise
        if not tied:
            after = (time >= note.end_s) & (time < note.end_s + 0.03)
            level[after] = np.maximum(level[after], note.level * (1.0 - (time[after] - note.end_s) / 0.03))
    wobble = vibrato_cents / 100.0 * np.sin(2 * np.pi * 5.5 * time)
    frequency = 440.0 * 2.0 ** ((pitch + wobble - 69.0) / 12.0)
    phase = 2 * np.pi * np.cumsum(frequency) / rate
    for number, amplitude in enumerate(partials, start=1):
        sound += level * amplitude * np.sin(number * phase) * (number * frequency < 0.45 * rate)
    return sound


def melody(seed: int, count: int, low: int, high: int, *, legato: float = 0.3) -> list[Played]:
    """`count` notes of 0.2 to 0.8 s: steps and leaps, rests, ties, repeated notes with a dip of at least 40 ms."""
    generator = np.random.default_rng(seed)
    notes, time, key = [], 0.25, (low + high) // 2
    for _ in range(count):
        step = int(generator.choice([-12, -7, -5, -3, -2, -1, 0, 0, 1, 2, 3, 4, 5, 7, 12]))
        new = key + step if low <= key + step <= high else key - step
        tied = bool(notes) and new != key and generator.random() < legato
        if notes and not tied:
            time += float(generator.choice([0.04, 0.06, 0.1, 0.5]))
        length = float(generator.uniform(0.2, 0.8))
        notes.append(Played(time, time + length, new, 0.3 * 10 ** (-generator.uniform(0, 20) / 20), tied))
        time, key = time + length, new
    return notes
