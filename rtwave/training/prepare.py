"""From labelled recordings to a corpus: cut, their tunings agreed on, levels kept, phases read."""

import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np

from ..errors import RtwaveError
from .corpus import FORMAT, PEAK, CorpusIndex, Entry, Kind
from .cut import SHORTEST_S, Cut, Settings, cut, fade_in, read_levels
from .holds import is_sustained, note_end
from .modes import find_modes
from .recordings import find_recordings
from .shards import CorpusWriter
from .sources import Found, Recording, Skipped
from .stiffness import stiffness_by_key
from .strokes import lags

RECORDINGS = 4
"""Of a key, that its stiffness and its modes are read from."""

DAMPER_S = 0.06
"""How a released note ends where no source says."""


def choose_held_out(keys: list[float]) -> set[int]:
    """Which recordings to hold out, given the key of each: one in twenty, and one of four to twenty.

    They are taken evenly from the keys with several recordings or, where those are few, from all but what is alone
    at an edge of the keyboard: a key is judged between its neighbours, never beyond them.
    """
    count, often = len(keys) // 20 or int(len(keys) > 3), Counter(keys)
    several = [index for index, key in enumerate(keys) if often[key] > 1]
    lowest, highest = min(keys, default=0.0), max(keys, default=0.0)
    inner = [index for index, key in enumerate(keys) if often[key] > 1 or lowest < key < highest]
    eligible = several if len(several) >= 2 * count else inner
    return {eligible[(2 * n + 1) * len(eligible) // (2 * count)] for n in range(count)}


def _held_out(recordings: list[Recording], kind: Kind) -> set[int]:
    """Which recordings to hold out: what the source says of a timbre or, where it says nothing, chosen within each
    timbre, in drums from the keys with several recordings.
    """
    keys = [recording.note for recording in recordings]
    often = Counter(keys)
    groups: dict[float, list[int]] = {}
    for index, recording in enumerate(recordings):
        if kind != "drums" or often[recording.note] > 1:
            groups.setdefault(0.0 if kind == "drums" else recording.timbre, []).append(index)
    held_out = set()
    for group in groups.values():
        said = {index for index in group if recordings[index].held_out}
        chosen = {group[place] for place in choose_held_out([keys[index] for index in group])}
        held_out |= said if 0 < len(said) < len(group) else chosen
    return held_out


def prepare(
    source: Path | Found,
    out: Path,
    *,
    kind: Kind | None = None,
    sample_rate: int = 16_000,
    manifest: Path | None = None,
    seconds: float = 10.0,
    partials: int = 96,
    control_period: int = 32,
    undamped_from: int = 128,
    stiff: bool | None = None,
    damper_s: float | None = None,
    sustained: bool | None = None,
    tempered: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> CorpusIndex:
    """Write a corpus of a folder of labelled recordings, or of what other sources found, to `out`; returns its index.

    One gain is applied to the whole corpus, never note by note: loudness is the velocity response. About one
    recording in twenty is held out of training. What was skipped is in the index, with the reason. `kind`,
    `damper_s`, `sustained` and `stiff` overrule what was found; a tone that sustains is taken to be harmonic.
    `tempered` brings every recording to the pitch of its key, where else the instrument's own tuning is kept.
    Raises RtwaveError when nothing usable was found.
    """
    found = source if isinstance(source, Found) else Found(*find_recordings(source, manifest))
    kind = kind or found.kind
    partials = partials if kind == "notes" else 0
    settings = Settings(kind, sample_rate, seconds, partials, control_period, stiff, tempered)
    count = len(found.recordings)
    with CorpusWriter(out) as writer:
        cuts, skipped = _write_sounds(writer, found.recordings, settings, lambda done: progress(done, 2 * count))
        if not cuts:
            why = f"; first: {skipped[0].reason}" if skipped else ""
            raise RtwaveError(f"{out if source is found else source}: none of {count} recordings can be used{why}")
        if sustained is None:
            sustained = _is_sustained(cuts, settings)
        if sustained and settings.pitched:
            _end_with_the_note(cuts, settings)
        held_out = _held_out([known.recording for known in cuts], kind)
        if settings.pitched:
            _align(writer, cuts, settings, struck=not sustained)
            _agree_on_tuning(writer, cuts, held_out, settings, harmonic=stiff is False or (sustained and not stiff))
            if not sustained:
                _find_modes(writer, cuts, held_out, settings)
        gain = PEAK / max(cut.peak for cut in cuts)
        entries = _write_levels(writer, cuts, held_out, settings, gain, lambda done: progress(count + done, 2 * count))
        index = CorpusIndex(
            format=FORMAT,
            kind=kind,
            sample_rate=sample_rate,
            control_period=control_period,
            phase_stride=settings.phase_stride,
            partials=settings.partials,
            undamped_from=0 if kind == "drums" else undamped_from,
            gain=gain,
            timbres=found.timbres,
            damper_s=damper_s or found.damper_s or DAMPER_S,
            sustained=sustained,
            entries=entries,
            skipped=[(str(item.path), item.reason) for item in found.skipped + skipped],
            warnings=found.warnings,
        )
        writer.finish(index)
    return index


def _write_sounds(
    writer: CorpusWriter, recordings: list[Recording], settings: Settings, report: Callable[[int], None]
) -> tuple[list[Cut], list[Skipped]]:
    """The sounds of all recordings, as they come, and what is known of each."""

    def attempt(recording: Recording) -> tuple[np.ndarray, Cut] | Skipped:
        try:
            return cut(recording, settings)
        except RtwaveError as error:
            return Skipped(recording.source, str(error))

    cuts, skipped = [], []
    for number, (_, result) in enumerate(_in_threads(attempt, recordings)):
        report(number)
        if isinstance(result, Skipped):
            skipped.append(result)
        else:
            samples, known = result
            known.place = writer.add_sound(samples)
            cuts.append(known)
    return cuts, skipped


def _write_levels(
    writer: CorpusWriter,
    cuts: list[Cut],
    held_out: set[int],
    settings: Settings,
    gain: float,
    report: Callable[[int], None],
) -> list[Entry]:
    """Loudness and partials of the sounds written before, and the entries of all."""
    entries = []
    pairs = zip(cuts, _sounds(writer, cuts), strict=True)
    read = _in_threads(lambda pair: read_levels(pair[1] * np.float32(gain), pair[0], settings), pairs)
    for number, ((known, _), readings) in enumerate(read):
        report(number)
        recording, (shard, audio_start) = known.recording, known.place
        loudness_start, phases_start = writer.add_readings(shard, *readings)
        entries.append(
            Entry(
                name=recording.name,
                source=recording.source,
                note=recording.note,
                velocity=recording.velocity,
                knobs=recording.knobs,
                timbre=recording.timbre,
                held_out=number in held_out,
                cents=known.cents,
                stiffness=known.stiffness,
                modes_hz=known.modes_hz,
                samples=known.samples,
                shard=shard,
                audio_start=audio_start,
                loudness_start=loudness_start,
                phases_start=phases_start,
            )
        )
    return entries


def _is_sustained(cuts: list[Cut], settings: Settings) -> bool:
    if not settings.pitched:
        return settings.kind == "texture"
    return is_sustained([known.level for known in cuts], settings.phase_stride / settings.sample_rate)


def _end_with_the_note(cuts: list[Cut], settings: Settings) -> None:
    """Leave out what follows sustained notes: they are held."""
    shortest = int(SHORTEST_S * settings.sample_rate)
    for known in cuts:
        known.samples = min(known.samples, max(shortest, note_end(known.level) * settings.phase_stride))


def _by_key(cuts: list[Cut], held_out: set[int]) -> list[tuple[list[Cut], list[Cut]]]:
    """Of each key in each timbre: all recordings, and those that are not held out, or all where all are."""
    groups: dict[tuple[float, float], list[int]] = {}
    for number, known in enumerate(cuts):
        groups.setdefault((known.recording.timbre, known.recording.note), []).append(number)
    learned = [[number for number in same if number not in held_out] or same for same in groups.values()]
    return [
        ([cuts[number] for number in same], [cuts[number] for number in some])
        for same, some in zip(groups.values(), learned, strict=True)
    ]


def _align(writer: CorpusWriter, cuts: list[Cut], settings: Settings, struck: bool) -> None:
    """Let every recording begin at its onset and, where they are struck, those of a key at the same moment."""
    rate = settings.sample_rate
    early = settings.early(rate)
    for same, _ in _by_key(cuts, set()):
        rising = sorted(same, key=lambda known: known.recording.velocity)
        later = lags(list(_sounds(writer, rising)), rate) if struck else [0] * len(rising)
        for known, lag in zip(rising, later, strict=True):
            known.begin(early + lag)
    for sound in _sounds(writer, cuts, mode="r+"):
        fade_in(sound, rate)


def _agree_on_tuning(
    writer: CorpusWriter, cuts: list[Cut], held_out: set[int], settings: Settings, harmonic: bool
) -> None:
    """Give every recording of a key in a timbre the tuning and stiffness of those that are not held out."""
    timbres: dict[float, list[tuple[list[Cut], list[Cut]]]] = {}
    for same, learned in sorted(_by_key(cuts, held_out), key=lambda group: group[0][0].recording.note):
        cents = float(np.median([known.fits[int(harmonic)] for known in learned]))
        for known in same:
            known.cents = cents
        timbres.setdefault(same[0].recording.timbre, []).append((same, learned))
    for keys in () if harmonic else timbres.values():
        heard = ((same[0].recording.note, same[0].f0, _some(writer, learned)) for same, learned in keys)
        found = stiffness_by_key(heard, settings.sample_rate, settings.partials)
        for known in (known for same, _ in keys for known in same):
            known.stiffness = found[known.recording.note]


def _find_modes(writer: CorpusWriter, cuts: list[Cut], held_out: set[int], settings: Settings) -> None:
    """Give every recording of a key in a timbre the modes of those that are not held out."""
    groups = _by_key(cuts, held_out)

    def modes_of(item: tuple[Cut, list[np.ndarray]]) -> tuple[float, ...]:
        known, sounds = item
        modes_hz = find_modes(sounds, settings.sample_rate, known.f0, known.stiffness, settings.partials)
        return tuple(modes_hz.round(2).tolist())

    found = _in_threads(modes_of, ((same[0], _some(writer, learned)) for same, learned in groups))
    for (same, _), (_, modes_hz) in zip(groups, found, strict=True):
        for known in same:
            known.modes_hz = modes_hz


def _some(writer: CorpusWriter, learned: list[Cut]) -> list[np.ndarray]:
    """The sounds of a few recordings, of all velocities."""
    rising = sorted(learned, key=lambda known: known.recording.velocity)
    places = np.unique(np.linspace(0, len(rising) - 1, RECORDINGS).round().astype(int))
    return list(_sounds(writer, [rising[place] for place in places]))


def _sounds(writer: CorpusWriter, cuts: Iterable[Cut], mode: Literal["r", "r+"] = "r") -> Iterator[np.ndarray]:
    return writer.sounds(((*known.place, known.samples) for known in cuts), mode)


def _in_threads(function: Callable, items: Iterable) -> Iterator[tuple]:
    """Each item and function(item), in order, from as many threads as there are cores, few items ahead."""
    workers = os.cpu_count() or 1
    with ThreadPoolExecutor(workers) as pool:
        ahead: deque = deque()
        try:
            for item in items:
                ahead.append((item, pool.submit(function, item)))
                if len(ahead) > 2 * workers:
                    item, result = ahead.popleft()
                    yield item, result.result()
            for item, result in ahead:
                yield item, result.result()
        finally:
            for _, result in ahead:
                result.cancel()
