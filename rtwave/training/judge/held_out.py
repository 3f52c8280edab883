"""How far the preset is from recordings that training never saw, beside yardsticks by the same measure; and where."""

import numpy as np

from ..._segments import resample_at
from ...errors import RtwaveError
from ..corpus import Corpus, Entry
from ..purity import recorded_partials
from . import sounding
from .figures import Blame, HeldOut
from .player import Player, in_parallel, nearest, recorded
from .stft_distance import COMPARED_S, audible_distance, band_edges_hz, differences, stft_distance

SEMITONES = 2.0
BANDS_HZ = (0.0, 125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0, 8000.0, 16000.0, 24000.0)
TIMES_S = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.4, 2.0)
BLAMED_WINDOW = 0
"""The shortest: the only one that tells the attack from what follows."""

PARTIAL_HZ, PARTIAL_SHARE = 8.0, 0.004
"""A partial reaches so far to both sides, and so much of its frequency further."""


def judge_held_out(player: Player, corpus: Corpus, other: Corpus | None = None) -> list[HeldOut]:
    """Judge every held-out recording; `other` is another instrument's corpus, one gain made equal to all of it."""
    chosen = [entry for entry in corpus.index.entries if entry.held_out]
    if not chosen:
        return []
    gain = None if other is None else _common_gain(corpus, other, chosen)
    return list(in_parallel(lambda entry: _judge(player, corpus, entry, other, gain), chosen))


def _judge(player: Player, corpus: Corpus, entry: Entry, other: Corpus | None, gain: float | None) -> HeldOut:
    rate = corpus.index.sample_rate
    reference = recorded(corpus, entry, COMPARED_S)
    seconds = (len(reference) + 0.5) / rate
    sound = player.entry(entry, seconds)
    softer, louder = (_neighbour(corpus, entry, side) for side in (-1, 1))
    yardsticks = {}
    if softer is not None:
        layer = _fitted(recorded(corpus, softer, seconds), len(reference))
        yardsticks["softer"] = stft_distance(layer, reference, rate)
        yardsticks["audible_softer"] = audible_distance(layer, reference, rate)
    if louder is not None:
        known = recorded(corpus, louder, seconds)
        played = _fitted(player.entry(louder, seconds), len(known))
        yardsticks["seen"] = stft_distance(played, known, rate)
    if corpus.index.kind == "notes":
        positions = np.arange(len(reference)) * 2.0 ** (SEMITONES / 12.0)
        yardsticks["semitones"] = stft_distance(resample_at(corpus.sound(entry), positions), reference, rate)
        partials = recorded_partials(entry)
        for name, inside in (("without_partials", True), ("without_rest", False)):
            yardsticks[name] = stft_distance(_replaced(sound, reference, rate, partials, inside), reference, rate)
    if other is not None:
        theirs = recorded(other, nearest(other, entry.note, entry.velocity), seconds, entry.note)
        yardsticks["other"] = stft_distance(_fitted(theirs * np.float32(gain), len(reference)), reference, rate)
    return HeldOut(
        recording=entry.name,
        key=entry.note,
        velocity=entry.velocity,
        timbre=entry.timbre,
        distance=round(stft_distance(sound, reference, rate), 4),
        audible_distance=round(audible_distance(sound, reference, rate), 4),
        **{name: round(value, 4) for name, value in yardsticks.items()},
    )


def judge_blame(player: Player, corpus: Corpus) -> Blame:
    """Where in frequency and time the held-out recordings and what is played of them differ."""
    chosen = [entry for entry in corpus.index.entries if entry.held_out]
    rate = corpus.index.sample_rate
    bands_hz = [edge for edge in BANDS_HZ if edge < rate / 2] + [rate / 2]
    centres = band_edges_hz(rate)[1:-1]

    def cells(entry: Entry) -> np.ndarray:
        """(2, bands, times): mean size and mean of the difference, dB; nan beyond the recording's end."""
        reference = recorded(corpus, entry, COMPARED_S)
        sound = player.entry(entry, (len(reference) + 0.5) / rate)
        ratio = sounding.DECIBELS * (window := differences(sound, reference, rate)[BLAMED_WINDOW]).log_ratio
        moments = np.arange(ratio.shape[1]) * window.hop_s
        rows = np.searchsorted(bands_hz, centres, side="right") - 1
        columns = np.searchsorted(TIMES_S, moments, side="right") - 1
        found = np.full((2, len(bands_hz) - 1, len(TIMES_S) - 1), np.nan)
        for row, column in np.ndindex(found.shape[1:]):
            cell = ratio[np.ix_(rows == row, columns == column)]
            if cell.size:
                found[:, row, column] = np.abs(cell).mean(), cell.mean()
        return found

    grid = np.array(list(in_parallel(cells, chosen)))
    counted = np.maximum((~np.isnan(grid)).sum(axis=0), 1)
    off, louder = np.nansum(grid, axis=0) / counted
    return Blame(
        bands_hz=list(bands_hz),
        times_s=list(TIMES_S),
        off_db=off.round(2).tolist(),
        louder_db=louder.round(2).tolist(),
    )


def _neighbour(corpus: Corpus, entry: Entry, side: int) -> Entry | None:
    """The next softer (−1) or louder (1) recording of the same key, timbre and knobs; louder: one that was learned."""
    same = [
        each
        for each in corpus.index.entries
        if (each.note, each.timbre, each.knobs) == (entry.note, entry.timbre, entry.knobs)
        and side * (each.velocity - entry.velocity) > 0.0
        and not (side > 0 and each.held_out)
    ]
    return min(same, key=lambda each: abs(each.velocity - entry.velocity), default=None)


def _fitted(sound: np.ndarray, length: int) -> np.ndarray:
    """Cut, or filled with silence, to a length."""
    return np.pad(sound[:length], (0, max(0, length - len(sound))))


def _replaced(sound: np.ndarray, reference: np.ndarray, rate: int, partials: np.ndarray, inside: bool) -> np.ndarray:
    """The sound with the reference's partials in place of its own, or with all but the partials the reference's."""
    size = 2 * len(sound)
    spectrum, its = np.fft.rfft(sound, size), np.fft.rfft(reference, size)
    bins = np.fft.rfftfreq(size, 1.0 / rate)
    near = np.zeros(len(bins), bool)
    for frequency in partials[partials < rate / 2]:
        near |= np.abs(bins - frequency) <= min(partials[0] / 4.0, PARTIAL_HZ + PARTIAL_SHARE * frequency)
    return np.fft.irfft(np.where(near == inside, its, spectrum), size)[: len(sound)]


def _common_gain(corpus: Corpus, other: Corpus, chosen: list[Entry]) -> float:
    """The factor that makes another instrument's recordings as loud as these, by the median of their levels."""
    if other.index.sample_rate != corpus.index.sample_rate or other.index.kind != corpus.index.kind:
        raise RtwaveError(
            f"{other.folder}: {other.index.kind} at {other.index.sample_rate} Hz, expected {corpus.index.kind} at "
            f"{corpus.index.sample_rate} Hz; prepare the yardstick as the corpus was"
        )
    gaps = [
        sounding.level_db(recorded(corpus, entry, sounding.EARLY_S[1]))
        - sounding.level_db(recorded(other, nearest(other, entry.note, entry.velocity), sounding.EARLY_S[1]))
        for entry in chosen
    ]
    return 10.0 ** (float(np.median(gaps)) / 20.0)
