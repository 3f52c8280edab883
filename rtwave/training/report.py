"""One page that shows what `prepare` found, so that a person trusts or mends a corpus in a minute."""

import re
from collections import defaultdict
from html import escape
from pathlib import Path

import numpy as np

from ..errors import RtwaveError
from ..wavenet.keys import key_name
from .corpus import Corpus, Entry
from .modes import frequencies
from .parts import clock
from .report_page import TEMPLATE
from .report_strips import onset_strips, timeline
from .svg import Plot, ramp

PAGE = "report.html"
MOST_WARNINGS = 6
TRUST_S, TRUST_EACH = 2.0, 4
"""Phases are looked at in this much of this many recordings a key."""


def write(corpus: Corpus, warnings: list[str], fault: str | None = None) -> Path:
    """Write `report.html` into a corpus's folder and return its path: one page, nothing outside it, light and dark.

    `warnings` and `fault` are what `soundness.judge` found, the second why the corpus cannot work.
    """
    kind = corpus.index.kind
    parts = [_head(corpus), _verdict(warnings, fault), timeline(corpus)]
    if kind == "texture":
        parts.append(_pieces(corpus))
    else:
        parts += [_map(corpus), _levels(corpus)]
    parts.append(onset_strips(corpus))
    if kind == "notes":
        parts += [_tuning(corpus), _trust(corpus)]
    parts.append(_skipped(corpus))
    title = escape(corpus.folder.resolve().name)
    page = TEMPLATE.replace("{title}", title).replace("{body}", "\n".join(part for part in parts if part))
    path = corpus.folder / PAGE
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise RtwaveError(f"{path}: cannot be written ({error.strerror}); make room") from None
    return path


def _head(corpus: Corpus) -> str:
    index = corpus.index
    keys = corpus.notes()
    facts = [(f"{len(index.entries)}", "pieces" if index.kind == "texture" else "recordings")]
    if index.kind != "texture":
        facts.append((f"{len(keys)}", f"keys, {key_name(round(keys[0]))} to {key_name(round(keys[-1]))}"))
        facts.append((f"{len({entry.velocity for entry in index.entries})}", "velocities"))
    if len(index.timbres) > 1:
        facts.append((f"{len(index.timbres)}", "sounds" if index.kind == "drums" else "timbres"))
    facts += [
        (clock(corpus.seconds)[:-3], "minutes"),
        (f"{sum(entry.held_out for entry in index.entries)}", "held out"),
        (f"{len(index.skipped)}", "left out"),
        (f"{index.sample_rate / 1000:g} kHz", f"gain {20 * np.log10(index.gain):+.1f} dB"),
    ]
    listed = "".join(f"<div><b>{escape(value)}</b>{escape(name)}</div>" for value, name in facts)
    return f'<h1>{escape(corpus.folder.resolve().name)}</h1><div class="facts">{listed}</div>'


def _verdict(warnings: list[str], fault: str | None) -> str:
    css, title = "doubtful", "Look at this first"
    if fault:
        css, title, warnings = "bad", "This cannot work yet", [fault, *warnings]
    if warnings:
        more = len(warnings) - MOST_WARNINGS
        folded = f"<details><summary>{more} more</summary><ul>{_items(warnings[MOST_WARNINGS:])}</ul></details>"
        listed = f"<ul>{_items(warnings[:MOST_WARNINGS])}</ul>{folded if more > 0 else ''}"
        return f'<div class="verdict {css}"><h2>{title}</h2>{listed}</div>'
    return '<div class="verdict good"><h2>Nothing stands out</h2>A look at the pictures, and it can be trained.</div>'


def _items(lines: list[str]) -> str:
    return "".join(f"<li>{escape(line[:1].upper() + line[1:])}</li>" for line in lines)


def _span(corpus: Corpus) -> tuple[float, float]:
    """Two octaves at the least around the keys there are."""
    keys = corpus.notes()
    spare = max(0.0, 24.0 - (keys[-1] - keys[0])) / 2.0
    return np.floor(keys[0] - spare) - 1.0, np.ceil(keys[-1] + spare) + 1.0


def _colour(corpus: Corpus, entry: Entry) -> str:
    """By velocity, or by timbre where there are several."""
    if len(corpus.index.timbres) > 1 and corpus.index.kind == "notes":
        return ramp(entry.timbre / (len(corpus.index.timbres) - 1))
    return ramp(entry.velocity / 127.0)


def _place(corpus: Corpus, entry: Entry) -> float:
    """Where on the keyboard a recording is drawn: those of several timbres a little apart."""
    last = len(corpus.index.timbres) - 1
    return entry.note + (0.6 * (entry.timbre / last - 0.5) if last > 0 and corpus.index.kind == "notes" else 0.0)


def _legend(corpus: Corpus) -> str:
    if len(corpus.index.timbres) > 1 and corpus.index.kind == "notes":
        names = enumerate(corpus.index.timbres)
        last = len(corpus.index.timbres) - 1
        return "".join(f'<i style="background:{ramp(n / last)}"></i>{escape(name)} ' for n, name in names)
    return '<i class="ramp"></i>soft to loud'


def _title(entry: Entry) -> str:
    held = ", held out" if entry.held_out else ""
    return f"{entry.name}: {key_name(entry.note)}, velocity {entry.velocity:g}{held}"


def _map(corpus: Corpus) -> str:
    plot = Plot(_span(corpus), (0, 130), height=280, below=34)
    plot.horizontal_lines((1, 32, 64, 96, 127), ("1", "32", "64", "96", "127"))
    plot.keyboard()
    longest = max(entry.samples for entry in corpus.index.entries)
    for entry in corpus.index.entries:
        radius = 2.5 + 4.0 * (entry.samples / longest) ** 0.5
        title = f"{_title(entry)}, {entry.samples / corpus.index.sample_rate:.1f} s"
        colour = _colour(corpus, entry)
        plot.dot(
            _place(corpus, entry), entry.velocity, radius=radius, colour=colour, title=title, hollow=entry.held_out
        )
    told = "Each dot is a recording, the larger the longer; rings are held out of training."
    if corpus.index.kind == "notes":
        told += " Gaps will be guessed."
    return _section("Keys and velocities", told, str(plot), _legend(corpus))


def _levels(corpus: Corpus) -> str:
    entries = corpus.index.entries
    peaks = [float(corpus.loudness_db(entry).max()) for entry in entries]
    low, high = 10.0 * np.floor(min(peaks) / 10.0), 10.0 * np.ceil((max(peaks) + 0.1) / 10.0)
    plot = Plot(_span(corpus), (low, high), height=260, below=34)
    lines = np.arange(low, high + 1.0, 10.0)
    plot.horizontal_lines(lines, [f"{line:.0f} dB" for line in lines])
    plot.keyboard()
    for entry, peak in zip(entries, peaks, strict=True):
        title, colour = f"{_title(entry)}, {peak:.1f} dB", _colour(corpus, entry)
        plot.dot(_place(corpus, entry), peak, radius=4, colour=colour, title=title, hollow=entry.held_out)
    told = "The loudest moment of each recording. Louder velocities should lie above softer ones"
    told += ", neighbours alike." if corpus.index.kind == "notes" else "."
    return _section("Levels", told, str(plot), _legend(corpus))


def _tuning(corpus: Corpus) -> str:
    cents = {(entry.note, entry.timbre): entry for entry in corpus.index.entries}
    plot = Plot(_span(corpus), (-65, 65), height=220, below=34)
    plot.horizontal_lines((-60, -40, -20, 0, 20, 40, 60), ("−60 ¢", "−40 ¢", "−20 ¢", "0", "+20 ¢", "+40 ¢", "+60 ¢"))
    plot.keyboard()
    stiff = Plot(_span(corpus), (-5.2, -1.8), height=200, below=34)
    stiff.horizontal_lines((-5, -4, -3, -2), ("0.00001", "0.0001", "0.001", "0.01"))
    stiff.keyboard()
    any_stiff = False
    for (note, _), entry in sorted(cents.items()):
        colour = _colour(corpus, entry) if len(corpus.index.timbres) > 1 else "var(--accent)"
        title = f"{key_name(note)}: {entry.cents:+.1f} cents, stiffness {entry.stiffness:.1e}"
        plot.dot(_place(corpus, entry), float(np.clip(entry.cents, -64, 64)), radius=4, colour=colour, title=title)
        if entry.stiffness > 0.0:
            any_stiff = True
            stiff.dot(_place(corpus, entry), np.log10(entry.stiffness), radius=4, colour=colour, title=title)
    told = "How far each key is off equal temperament: kept, not mended. A dot beyond ±40 may be a wrong label."
    page = _section("Tuning", told, str(plot))
    if any_stiff:
        told = "How far the overtones are stretched by a string's stiffness: rising smoothly on a piano."
        page += _section("Stiffness", told, str(stiff))
    return page


def _trust(corpus: Corpus) -> str:
    by_key: dict[float, list[float]] = defaultdict(list)
    for entry in corpus.index.entries:
        if len(by_key[entry.note]) < TRUST_EACH:
            by_key[entry.note].append(_trusted(corpus, entry))
    plot = Plot(_span(corpus), (0, 1.05), height=180, below=34)
    plot.horizontal_lines((0, 0.5, 1), ("0 %", "50 %", "100 %"))
    plot.keyboard()
    for note, shares in by_key.items():
        share = float(np.mean(shares))
        css = "bar" if share >= 0.5 else "bar weak"
        plot.box((note - 0.38, note + 0.38), (0, share), css=css, title=f"{key_name(note)}: {share:.0%}")
    told = "How much of the partials is strong enough to show its phase in the first 2 s. Where little is, is noise."
    return _section("Phases trusted", told, str(plot))


def _trusted(corpus: Corpus, entry: Entry) -> float:
    """Share of partials and moments of a recording at which the phase was read and not held."""
    index = corpus.index
    heard = frequencies(entry, index.partials, index.partials, index.sample_rate) > 0.0
    phases = corpus.phases_of(entry)[: max(2, int(TRUST_S * index.sample_rate / index.phase_stride)), heard]
    return float((np.diff(phases, axis=0) != 0.0).mean()) if phases.size and len(phases) > 1 else 0.0


def _pieces(corpus: Corpus) -> str:
    index = corpus.index
    page = ""
    names = index.timbres or [corpus.folder.resolve().name]
    for timbre, name in enumerate(names):
        pieces = [entry for entry in index.entries if entry.timbre == timbre]
        if not pieces:
            continue
        level = np.concatenate([corpus.loudness_db(entry) for entry in pieces])
        seconds = len(level) * index.control_period / index.sample_rate
        plot = Plot((0, seconds), (-60, 0), height=130)
        plot.horizontal_lines((-60, -40, -20, 0), ("−60 dB", "−40", "−20", "0"))
        times = np.linspace(0, seconds, 6)
        plot.ticks_below(times, [clock(time)[:-3] for time in times])
        shown = np.linspace(0, len(level) - 1, min(len(level), 900)).astype(int)
        plot.line(shown * seconds / len(level), np.clip(level[shown], -60, 0), css="level")
        page += _section(name, f"{len(pieces)} pieces, {clock(seconds)[:-3]}: level over 1 s.", str(plot))
    return page


def _skipped(corpus: Corpus) -> str:
    groups: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for place, reason in corpus.index.skipped:
        groups[re.sub(r"[-+]?\d[\d.]*", "…", reason)].append((place, reason))
    if not groups:
        return _section("Left out", "Nothing was left out.", "")
    page = ""
    for _, items in sorted(groups.items(), key=lambda item: -len(item[1])):
        listed = "".join(f"<li>{escape(place)}<span>{escape(reason)}</span></li>" for place, reason in items)
        many = f"{len(items)} × " if len(items) > 1 else ""
        page += f"<details><summary>{many}{escape(items[0][1])}</summary><ul>{listed}</ul></details>"
    return _section("Left out", "Everything that is not in the corpus, and why; open a line for all of it.", page)


def _section(title: str, told: str, content: str, legend: str = "") -> str:
    legend = f'<div class="legend">{legend}</div>' if legend else ""
    return f"<section><h2>{escape(title)}</h2><p>{escape(told)}</p>{legend}{content}</section>"
