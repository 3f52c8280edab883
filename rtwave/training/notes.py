"""Where the notes of a monophonic recording lie: cut where pitch steps, where level starts again, and at rests."""

from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from .pitch import FINE, HOP_S, SILENT_DB, Track, find_change

FINE_S = HOP_S / FINE
QUIETEST_DB = -60.0
"""Below the loudest there is, nothing is a note."""
ABOVE_NOISE_DB = 6.0
BRIDGED_S, BRIDGED_SAME_S = 0.025, 0.15
"""Pitch may be lost this long within a note, the longer where it is the same before and after, and the level holds."""
STEP_COST = 250.0
"""Cents² · s that a cut must explain: two notes of 60 ms, a semitone apart, do; a vibrato of ±60 cents does not."""
SAME_CENTS = 60.0
STRIKE_DB, STRIKE_S = 5.0, 0.03
DIP_DB, DEEP_DIP_DB = 5.0, 26.0
BREAK = 0.12
"""A wave whose doubt rises by as much where its level dips by DIP_DB was begun anew; one that repeats itself all the
while, such as a flute's in deep vibrato, only if it dips by DEEP_DIP_DB."""
SHORTEST_PIECE_S = 0.06
ATTACK_DB = 30.0
LOOK_S = 0.15
SHORTEST_S = 0.15
STEADY_CENTS, STEADY_SHARE = 75.0, 0.7


@dataclass(frozen=True)
class Span:
    """One note: start and end in s, `pitch` its median (fractional MIDI), level_db of its attack, confidence 0..1.

    legato: it begins where the one before ends, at a step of the pitch alone.
    """

    start_s: float
    end_s: float
    pitch: float
    level_db: float
    confidence: float
    legato: bool


@dataclass(frozen=True)
class Gap:
    """A stretch that sounds and is no note, and why not."""

    start_s: float
    end_s: float
    reason: str


def find_spans(track: Track, path: Path) -> tuple[list[Span], list[Gap]]:
    """The notes of a recording and the stretches left out, each in order of time and none over another.

    track is of the file `path`, which is read again where one note goes over into the next.
    """
    frames = len(track.pitch)
    level = track.level_db.reshape(frames, FINE).max(axis=1)
    threshold = _threshold(track.level_db)
    sounding = (level > threshold) & np.isfinite(track.pitch)
    regions = _runs(_bridged(sounding, track.pitch, level))
    spans: list[Span] = []
    gaps: list[Gap] = []
    for number, (first, last) in enumerate(regions):
        following = regions[number + 1][0] if number + 1 < len(regions) else frames
        pitch = _filled(track.pitch[first:last])
        period_s = 1.0 / (440.0 * 2.0 ** ((np.median(pitch) - 69.0) / 12.0))
        cuts = _cuts(track, pitch, first, last, period_s)
        level_db = _lasting(track.level_db, period_s)
        starts = [(_onset(level_db, first, regions[number - 1][1] if number else 0), False), *cuts]
        ends = [start for start, _ in cuts] + [_end(level_db, last, following, threshold)]
        for (start, legato), end in zip(starts, ends, strict=True):
            low, high = int(start / FINE) - first, round(end / FINE) - first
            piece = slice(max(low, 0), max(high, low + 1, 1))
            _judge(track, pitch[piece], track.doubt[first:last][piece], start, end, legato, spans, gaps)
    unpitched = _runs(
        (level > max(threshold, level.max(initial=-np.inf) - 40.0)) & ~_bridged(sounding, track.pitch, level)
    )
    gaps += [Gap(a * HOP_S, b * HOP_S, NO_PITCH) for a, b in unpitched if (b - a) * HOP_S >= 2 * SHORTEST_S]
    spans = _sharpened(_apart(spans), track, path)
    gaps = [replace(gap, start_s=min(gap.start_s, track.seconds), end_s=min(gap.end_s, track.seconds)) for gap in gaps]
    return spans, _joined(sorted(gaps, key=lambda gap: gap.start_s))


def _joined(gaps: list[Gap]) -> list[Gap]:
    """Gaps with those in one that follow each other at once: a glide in pieces."""
    joined: list[Gap] = []
    for gap in gaps:
        if joined and gap.start_s - joined[-1].end_s < HOP_S and NO_PITCH not in (gap.reason, joined[-1].reason):
            joined[-1] = Gap(joined[-1].start_s, gap.end_s, "unsteady (its pitch does not rest)")
        else:
            joined.append(gap)
    return joined


def _apart(spans: list[Span]) -> list[Span]:
    """Spans, each ending where the next begins if it lasted longer."""
    ends = [min(one.end_s, two.start_s) for one, two in pairwise(spans)] + [span.end_s for span in spans[-1:]]
    return [replace(span, end_s=end) for span, end in zip(spans, ends, strict=True)]


def _sharpened(spans: list[Span], track: Track, path: Path) -> list[Span]:
    """Spans with every step of pitch where the wave itself changes, not only its pitch over 40 ms."""
    spans = list(spans)
    for number in range(1, len(spans)):
        one, two = spans[number - 1 : number + 1]
        if two.legato and two.start_s == one.end_s:
            around = [int(two.start_s / HOP_S) + offset for offset in (-4, 5)]
            local = [track.pitch[np.clip(frame, 0, len(track.pitch) - 1)] for frame in around]
            pitches = [a if abs(a - b) < 1.5 else b for a, b in zip(local, (one.pitch, two.pitch), strict=True)]
            change = find_change(path, two.start_s, *pitches)
            if one.start_s + SHORTEST_PIECE_S < change < two.end_s - SHORTEST_PIECE_S:
                spans[number - 1], spans[number] = replace(one, end_s=change), replace(two, start_s=change)
    return spans


NO_PITCH = "no clear pitch (noise, or several notes at once)"


def _threshold(level_db: np.ndarray) -> float:
    """The level in dB below which there is no note: a little above the noise between notes, if there is any."""
    loudest, quiet = np.percentile(_lasting(level_db, 0.02), [99.0, 2.0])
    return max(loudest + QUIETEST_DB, min(quiet + ABOVE_NOISE_DB, loudest - 30.0), SILENT_DB)


def _runs(mask: np.ndarray) -> list[tuple[int, int]]:
    """(first, end) of every run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def _bridged(sounding: np.ndarray, pitch: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Where it sounds with a pitch, and between two such places where it was lost but for a moment."""
    bridged = sounding.copy()
    for first, last in _runs(~sounding):
        if first == 0 or last == len(sounding):
            continue
        same = 100.0 * abs(pitch[first - 1] - pitch[last]) < SAME_CENTS
        holds = level[first:last].min() > min(level[first - 1], level[last]) - DIP_DB
        if (last - first) * HOP_S <= (BRIDGED_SAME_S if same and holds else BRIDGED_S):
            bridged[first:last] = True
    return bridged


def _filled(pitch: np.ndarray) -> np.ndarray:
    """Pitch without gaps or glitches of up to 20 ms: interpolated, then the median of five frames."""
    known = np.flatnonzero(np.isfinite(pitch))
    pitch = np.interp(np.arange(len(pitch)), known, pitch[known])
    return np.median(np.lib.stride_tricks.sliding_window_view(np.pad(pitch, 2, mode="edge"), 5), axis=1)


def _cuts(track: Track, pitch: np.ndarray, first: int, last: int, period_s: float) -> list[tuple[int, bool]]:
    """(fine frame, legato) of every new note within a voiced region, rising."""
    struck = _restarts(track, first, last, period_s)
    stepped = [(first + cut) * FINE for cut in _steps(100.0 * pitch)]
    near = LOOK_S / 2 / FINE_S
    cuts = [(cut, False) for cut in struck]
    cuts += [(cut, True) for cut in stepped if all(abs(cut - other) > near for other in struck)]
    kept: list[tuple[int, bool]] = []
    for cut, legato in sorted(cuts):
        before = kept[-1][0] if kept else first * FINE
        if cut - before >= SHORTEST_PIECE_S / FINE_S and last * FINE - cut >= SHORTEST_PIECE_S / FINE_S:
            kept.append((cut, legato))
    return _without_same(kept, pitch, first, last)


def _without_same(cuts: list[tuple[int, bool]], pitch: np.ndarray, first: int, last: int) -> list[tuple[int, bool]]:
    """Cuts less those steps of pitch across which the notes are the same after all."""
    kept: list[tuple[int, bool]] = []
    for number, (cut, legato) in enumerate(cuts):
        start = (kept[-1][0] if kept else first * FINE) // FINE - first
        end = (cuts[number + 1][0] if number + 1 < len(cuts) else last * FINE) // FINE - first
        middle = cut // FINE - first
        apart = 100.0 * abs(np.median(pitch[max(start, 0) : middle]) - np.median(pitch[middle:end]))
        if not legato or apart > SAME_CENTS:
            kept.append((cut, legato))
    return kept


def _steps(cents: np.ndarray) -> list[int]:
    """Frames at which a piecewise constant pitch steps: least squares, and STEP_COST a step (PELT, exact).

    Squares, because a vibrato of any length then costs less within one note than its halves cost as notes.
    """
    count = len(cents)
    penalty = STEP_COST / HOP_S
    cents = cents - np.median(cents)
    sums = np.concatenate([[0.0], np.cumsum(cents)])
    squares = np.concatenate([[0.0], np.cumsum(cents**2)])
    best = np.zeros(count + 1)
    best[0] = -penalty
    origin = np.zeros(count + 1, np.int64)
    alive = np.array([0])
    for end in range(1, count + 1):
        spread = squares[end] - squares[alive] - (sums[end] - sums[alive]) ** 2 / (end - alive)
        cost = best[alive] + spread
        cheapest = int(cost.argmin())
        best[end], origin[end] = cost[cheapest] + penalty, alive[cheapest]
        alive = np.append(alive[cost <= best[end]], end)
    steps, at = [], int(origin[count])
    while at > 0:
        steps.append(at)
        at = int(origin[at])
    return steps[::-1]


def _restarts(track: Track, first: int, last: int, period_s: float) -> list[int]:
    """Fine frames at which a sounding pitch begins anew: after a dip of level, or struck while it still sounds."""
    low, high = first * FINE, min(last * FINE, len(track.level_db))
    level = _lasting(track.level_db, period_s)[low:high]
    look, strike = int(LOOK_S / FINE_S), int(STRIKE_S / FINE_S)
    lowest = np.flatnonzero((level[1:-1] <= level[:-2]) & (level[1:-1] < level[2:])) + 1
    found: list[int] = []
    for n in lowest:
        since = max(n - look, found[-1] if found else 0)
        rise, fall = level[n : n + look].max() - level[n], level[since : n + 1].max() - level[n]
        broken = _break(track.doubt, (low + n) // FINE) / BREAK
        enough_db = DEEP_DIP_DB + (DIP_DB - DEEP_DIP_DB) * min(max(broken, 0.0), 1.0)
        struck = broken >= 1.0 and level[n : n + strike].max() - level[n] >= STRIKE_DB
        if struck or min(rise, fall) >= enough_db:
            if found and level[found[-1] : n].max() - level[n] < DIP_DB:
                found[-1] = int(n)
            else:
                found.append(int(n))
    return [low + n for n in found]


def _lasting(level_db: np.ndarray, period_s: float) -> np.ndarray:
    """The highest level of the last period and 5 ms, so that a wave's own zeros do not show and rises stay in place."""
    width = int(period_s / FINE_S) + 3
    padded = np.concatenate([np.full(width - 1, level_db[0]), level_db])
    return np.lib.stride_tricks.sliding_window_view(padded, width).max(axis=1)


def _break(doubt: np.ndarray, frame: int) -> float:
    """How much less the wave repeats itself about a frame than around it."""
    near = doubt[max(frame - 2, 0) : frame + 6]
    return float(near.max() - np.median(doubt[max(frame - 15, 0) : frame + 20]))


def _onset(level_db: np.ndarray, first: int, earliest: int) -> int:
    """The fine frame at which a note after a rest begins: where its level comes within 30 dB of its attack's."""
    low = max(first - int(0.1 / HOP_S), earliest, 0) * FINE
    at = first * FINE
    attack = level_db[at : at + int(LOOK_S / FINE_S)].max()
    quiet = np.flatnonzero(level_db[low : at + int(0.05 / FINE_S)] < attack - ATTACK_DB)
    return int(low + quiet[-1] + 1) if len(quiet) else low + int(np.argmin(level_db[low : at + 1]))


def _end(level_db: np.ndarray, last: int, following: int, threshold: float) -> int:
    """The fine frame at which a note before a rest has died away: not before its pitch ends, nor into the next note."""
    low, high = last * FINE, min(following * FINE, len(level_db))
    quiet = np.flatnonzero(level_db[low:high] < threshold)
    end = low + int(quiet[0]) if len(quiet) else high
    rising = np.flatnonzero(level_db[low:end] > level_db[max(low - FINE, 0) : low].max(initial=-np.inf) + 3.0)
    return low + int(rising[0]) if len(rising) else end


def _judge(
    track: Track,
    pitch: np.ndarray,
    doubt: np.ndarray,
    start: int,
    end: int,
    legato: bool,
    spans: list[Span],
    gaps: list[Gap],
) -> None:
    """Append a stretch to the notes, or to what is left out."""
    start_s = min(start * FINE_S, track.seconds)
    end_s = min(max(end * FINE_S, start_s), track.seconds)
    if end_s - start_s < SHORTEST_S:
        gaps.append(Gap(start_s, end_s, f"too short ({end_s - start_s:.2f} s, expected {SHORTEST_S} s)"))
        return
    centre = float(np.median(pitch))
    near = np.abs(pitch - centre) * 100.0 <= STEADY_CENTS
    if near.mean() < STEADY_SHARE or _glides(pitch):
        low, high = np.percentile(pitch, [10.0, 90.0])
        gaps.append(Gap(start_s, end_s, f"unsteady (its pitch moves over {100 * (high - low):.0f} cents)"))
        return
    attack = 10.0 ** (track.level_db[start : min(end, start + int(0.2 / FINE_S))] / 10.0)
    level_db = float(10.0 * np.log10(attack.mean()))
    confidence = float(near.mean() * (1.0 - np.median(doubt[near])))
    spans.append(Span(start_s, end_s, centre, level_db, confidence, legato))


def _glides(pitch: np.ndarray) -> bool:
    """Whether a pitch moves on and on: a straight slope of more than SAME_CENTS explains most of its spread."""
    time = np.arange(len(pitch)) - (len(pitch) - 1) / 2.0
    slope = float((time * pitch).sum() / max((time**2).sum(), 1.0))
    left = pitch - pitch.mean() - slope * time
    straight = (left**2).sum() < 0.15 * ((pitch - pitch.mean()) ** 2).sum()
    return bool(straight) and 100.0 * abs(slope) * len(pitch) > SAME_CENTS
