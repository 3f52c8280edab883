"""The parts of the report that look into the recordings: the notes found over time, and where onsets were found."""

import csv
from collections import defaultdict
from html import escape
from pathlib import Path

import numpy as np

from ..errors import RtwaveError
from ..wavenet.keys import key_name, key_number
from .corpus import Corpus, Entry
from .cut import find_onset
from .parts import clock, find_place, read_part
from .recordings import read_samples
from .svg import Plot, wave
from .unlabelled import LABELS

SURE = 0.75
ROW_S, MOST_ROWS, LATEST_S = 45.0, 40, 86_400.0
STRIPS, DOUBTFUL, MOST_LOOKED_AT = 12, 4, 300
BEFORE_S, STRIP_S = 0.06, 0.4
SLOW_S, SUDDEN_DB = 0.08, -8.0


def timeline(corpus: Corpus) -> str:
    """Pitch over time of recordings without labels, from the notes.csv in the corpus folder; nothing without one."""
    try:
        with (corpus.folder / LABELS).open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
        notes: dict[str, list[tuple[float, float, float, float, str]]] = defaultdict(list)
        for row in rows:
            key, sure = key_number(row["note"]), float(row.get("confidence") or 1.0)
            start, end = float(row["start_s"]), float(row["end_s"])
            told = f"velocity {row.get('velocity')}, {sure:.0%} sure"
            if 0 <= key <= 127 and 0 <= start < end < LATEST_S:
                notes[row["file"]].append((start, end, key, sure, told))
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, TypeError, ValueError):
        return ""
    gaps: dict[str, list[tuple[float, float, str]]] = defaultdict(list)
    for source, reason in corpus.index.skipped:
        if found := find_place(source):
            gaps[str(Path(found[0]).resolve())].append((*found[1:], reason))
    keys = [note[2] for found in notes.values() for note in found]
    if not keys:
        return ""
    drawn, left = "", 0
    for name in sorted(notes):
        last = max(note[1] for note in notes[name])
        for start in np.arange(0.0, last, ROW_S):
            if drawn.count("<svg") >= MOST_ROWS:
                left += 1
                continue
            title = f"<b>{escape(Path(name).name)}</b>" if start == 0.0 and len(notes) > 1 else ""
            drawn += title + _row(notes[name], gaps[name], float(start), (min(keys) - 2, max(keys) + 2))
    doubtful = sum(note[3] < SURE for found in notes.values() for note in found)
    more = f" {left} further rows are not drawn; all notes are in {LABELS}." if left else ""
    return (
        f"<section><h2>Notes found</h2><p>{len(keys)} notes, {doubtful} of them doubtful (amber); red: left out. Wrong "
        f"ones? Correct or delete their lines in {LABELS}, and prepare again with --labels {LABELS}.{more}</p>"
        f"{drawn}</section>"
    )


def _row(notes: list, gaps: list, start: float, keys: tuple[float, float]) -> str:
    plot = Plot((start, start + ROW_S), keys, height=150)
    octaves = [key for key in range(int(keys[0]), int(keys[1]) + 1) if key % 12 == 0] or [round(sum(keys) / 2)]
    plot.horizontal_lines(octaves, [key_name(key) for key in octaves])
    ticks = start + np.arange(0.0, ROW_S + 1.0, 5.0)
    plot.ticks_below(ticks, [clock(tick)[:-3] for tick in ticks])
    for first, last, reason in gaps:
        if last > start and first < start + ROW_S:
            title = f"left out, {clock(first)} to {clock(last)}: {reason}"
            plot.box((max(first, start), min(last, start + ROW_S)), keys, css="gap", title=title)
    for first, last, key, sure, told in notes:
        if last > start and first < start + ROW_S:
            place = (max(first, start), min(last, start + ROW_S))
            title = f"{key_name(key)}, {clock(first)} to {clock(last)}, {told}"
            plot.box(place, (key - 0.5, key + 0.5), css="note" if sure >= SURE else "unsure", title=title)
    return str(plot)


def onset_strips(corpus: Corpus) -> str:
    """Where recordings were found to begin: evenly chosen ones, after the most doubtful of all."""
    if corpus.index.kind == "texture":
        return ""
    entries = corpus.index.entries
    looked_at = entries[:: max(1, len(entries) // MOST_LOOKED_AT)]
    judged = sorted(((*_doubt(corpus, entry), entry) for entry in looked_at), key=lambda item: -item[0])
    doubtful = [(entry, why) for doubt, why, entry in judged[:DOUBTFUL] if doubt >= 1.0]
    known = {entry.name for entry, _ in doubtful}
    even = [entries[n * len(entries) // STRIPS] for n in range(min(STRIPS, len(entries)))]
    even = list({entry.name: entry for entry in even if entry.name not in known}.values())
    strips = "".join(_strip(corpus, entry, why) for entry, why in [*doubtful, *((entry, "") for entry in even)])
    told = "Red: where a recording was found to begin. The sound should start there, neither before nor long after."
    return f'<section><h2>Onsets</h2><p>{told}</p><div class="strips">{strips}</div></section>'


def _doubt(corpus: Corpus, entry: Entry) -> tuple[float, str]:
    """How doubtful a recording's onset is, 1 for worth a look, and why."""
    rate = corpus.index.sample_rate
    step = max(1, int(0.003 * rate))
    sound = corpus.sound(entry, 0, rate)
    level = np.sqrt(np.mean(np.square(sound[: len(sound) // step * step].reshape(-1, step)), axis=1))
    level_db = 20.0 * np.log10(level / max(float(level.max(initial=0.0)), 1e-9) + 1e-6)
    if not len(level_db):
        return 0.0, ""
    slow_s = float(np.argmax(level_db > -12.0)) * step / rate
    if slow_s > SLOW_S:
        return slow_s / SLOW_S, f"sounds {1000 * slow_s:.0f} ms after its onset: slow, or found too early"
    if level_db[0] > SUDDEN_DB:
        return 1.0 + (level_db[0] - SUDDEN_DB) / 8.0, "begins at full level: cut into, or tied to the note before"
    return 0.0, ""


def _strip(corpus: Corpus, entry: Entry, why: str) -> str:
    samples, rate, onset = _around_onset(corpus, entry)
    first = onset - int(BEFORE_S * rate)
    window = samples[max(first, 0) : first + int(STRIP_S * rate)]
    window = np.pad(window, (max(-first, 0), 0))
    window = np.pad(window, (0, max(0, int(STRIP_S * rate) - len(window))))
    told = escape(why) or f"{key_name(entry.note)}, velocity {entry.velocity:g}"
    name = f'<b title="{escape(entry.source or entry.name)}">{escape(entry.name)}</b>'
    css = "strip odd" if why else "strip"
    return f'<div class="{css}">{wave(window, STRIP_S, BEFORE_S)}{name}<span>{told}</span></div>'


def _around_onset(corpus: Corpus, entry: Entry) -> tuple[np.ndarray, int, int]:
    """(samples, rate, onset) from the file where it still is, so that what was cut off is seen; else the corpus's."""
    try:
        if found := find_place(entry.source):
            path, start, end = found
            before = min(start, STRIP_S)
            samples, rate = read_part(Path(path), start - before, end)
            lead = round(before * rate)
            return samples, rate, lead + find_onset(samples[lead:], rate)
        if entry.source and Path(entry.source).is_file():
            samples, rate = read_samples(Path(entry.source))
            return samples, rate, find_onset(samples, rate)
    except (RtwaveError, ValueError, OSError):
        pass
    return corpus.sound(entry), corpus.index.sample_rate, 0
