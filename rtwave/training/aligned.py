"""Audio with the MIDI file of the same performance: aligned, and cut into the notes that sound alone."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ..errors import RtwaveError
from .labels import WRONG_CENTS, label_error
from .parts import clock, place, read_part
from .recordings import SUFFIXES, read_samples
from .sources import Found, Recording, Skipped

HOP_S = 0.01
TEMPOS = 1.0 + np.arange(-30, 31) / 1000.0
ALONE_BEFORE_S = 0.05
SHORTEST_S = 0.3
LATE_S = 0.15
"""A matched onset lies this near to where the first, coarse alignment has it."""
LEAST_MATCHED = 0.5
DRUM_CHANNEL = 9


@dataclass(frozen=True)
class Note:
    """A note of a MIDI file: key and velocity, and when it sounds, pedal included, in seconds."""

    key: int
    velocity: int
    start_s: float
    end_s: float


def find_aligned(sources: list[Path], midi: Path) -> Found:
    """The notes that sound alone in an audio file with its MIDI file, or in folders of such pairs with equal stems.

    RtwaveError where no pair is found, or where none gives a note; a pair that does not fit is skipped.
    """
    found = Found([])
    pairs = _pairs(sources, midi)
    for audio, score in pairs:
        try:
            recordings, lines = _notes_of(audio, score)
        except RtwaveError as error:
            found.skipped.append(Skipped(audio, str(error)))
            continue
        found.recordings += recordings
        found.warnings += lines
    if not found.recordings:
        raise RtwaveError(f"{midi}: none of {len(pairs)} pairs can be used; first: {found.skipped[0].reason}")
    return found


def _pairs(sources: list[Path], midi: Path) -> list[tuple[Path, Path]]:
    """Audio files and the MIDI file of each."""
    if not midi.exists():
        raise RtwaveError(f"{midi}: no such file; name a MIDI file, or a folder of them")
    audio = [path for source in sources for path in (sorted(source.rglob("*")) if source.is_dir() else [source])]
    audio = [path for path in audio if path.suffix.lower() in SUFFIXES and path.is_file()]
    if midi.is_file():
        if len(audio) != 1:
            raise RtwaveError(f"{midi}: belongs to one audio file, but {len(audio)} were found; name that one")
        return [(audio[0], midi)]
    scores = {path.stem: path for path in sorted(midi.rglob("*")) if path.suffix.lower() in (".mid", ".midi")}
    pairs = [(path, scores[path.stem]) for path in audio if path.stem in scores]
    if not pairs:
        raise RtwaveError(
            f"{midi}: no MIDI file there is named like an audio file; expected pairs such as a.wav, a.mid"
        )
    return pairs


def _notes_of(audio: Path, score: Path) -> tuple[list[Recording], list[str]]:
    """One pair's recordings, and a line that says how many notes there are and how many sound alone."""
    samples, rate = read_samples(audio)
    notes = read_notes(score)
    if not notes:
        raise RtwaveError(f"{score.name} holds no notes")
    offset_s, tempo = align(samples, rate, np.array([note.start_s for note in notes]))
    alone = [note for note in notes if _sounds_alone(note, notes) and note.end_s - note.start_s >= SHORTEST_S]
    recordings, errors = [], []
    for note in alone:
        onset = int((offset_s + tempo * note.start_s) * rate)
        start, stop = max(0, onset - int(ALONE_BEFORE_S * rate)), int((offset_s + tempo * note.end_s) * rate)
        if onset < 0 or stop > len(samples):  # it is not in the recording, or not whole
            continue
        errors.append(label_error(samples[onset:stop], rate, note.key))
        span_s = start / rate, stop / rate
        name, load = f"{audio.stem} {clock(span_s[0])}", partial(read_part, audio, *span_s)
        recordings.append(Recording(name, place(audio, *span_s), float(note.key), float(note.velocity), load))
    if not recordings:
        raise RtwaveError(
            f"none of its {len(notes)} notes sounds alone for {SHORTEST_S} s; a chord cannot be cut apart"
        )
    wrong = np.mean(np.abs(errors) * 100.0 >= WRONG_CENTS)
    if wrong > 0.5:
        raise RtwaveError(
            f"{wrong:.0%} of its notes sound at other pitches than {score.name} has; is it the wrong file?"
        )
    said = f"{audio.name}: {len(recordings)} of {len(notes)} notes sound alone and were cut; chords cannot be"
    return recordings, [f"{said} (begins {offset_s:+.2f} s after its MIDI file, at {1 / tempo:.3f} of its tempo)"]


def _sounds_alone(note: Note, notes: list[Note]) -> bool:
    begin = note.start_s - ALONE_BEFORE_S
    return not any(other is not note and other.start_s < note.end_s and other.end_s > begin for other in notes)


def read_notes(path: Path) -> list[Note]:
    """The notes of a MIDI file by their start, drums left out; RtwaveError where it cannot be read.

    A key here is (channel, MIDI note).
    """
    import mido  # a library of playing, and here but for its files

    try:
        messages = list(mido.MidiFile(path))
    except (OSError, ValueError, EOFError, LookupError, TypeError, OverflowError, mido.KeySignatureError) as error:
        raise RtwaveError(f"{path.name} cannot be read as MIDI ({error})") from None
    notes: list[Note] = []
    sounding: dict[tuple[int, int], tuple[float, int]] = {}
    held: set[tuple[int, int]] = set()  # let go, while the pedal is down
    pedal: set[int] = set()
    now_s = 0.0

    def end(key: tuple[int, int]) -> None:
        if key in sounding:
            start_s, velocity = sounding.pop(key)
            notes.append(Note(key[1], velocity, start_s, now_s))

    for message in messages:
        now_s += message.time
        channel = getattr(message, "channel", DRUM_CHANNEL)
        if channel == DRUM_CHANNEL:
            continue
        if message.type == "note_on" and message.velocity:
            end((channel, message.note))
            held.discard((channel, message.note))
            sounding[channel, message.note] = now_s, message.velocity
        elif message.type in ("note_on", "note_off") and channel in pedal:
            held.add((channel, message.note))
        elif message.type in ("note_on", "note_off"):
            end((channel, message.note))
        elif message.type == "control_change" and message.control == 64 and message.value >= 64:
            pedal.add(channel)
        elif message.type == "control_change" and message.control == 64:
            pedal.discard(channel)
            for key in [key for key in held if key[0] == channel]:
                held.discard(key)
                end(key)
    for key in list(sounding):
        end(key)
    return sorted(notes, key=lambda note: (note.start_s, note.key))


def align(samples: np.ndarray, rate: int, starts_s: np.ndarray) -> tuple[float, float]:
    """(offset, tempo): a note at t in the MIDI file sounds at offset + tempo * t seconds of the audio.

    First where onset strength and the notes' starts correlate best, over all offsets and tempos within 3 %; then the
    line through the onsets near to there. RtwaveError where fewer than half of the notes find one.
    """
    strength = onset_strength(samples, rate)
    best = (-np.inf, 0.0, 1.0)
    size = 2 ** int(np.ceil(np.log2(2 * max(len(strength), starts_s.max() * TEMPOS[-1] / HOP_S + 2))))
    spectrum = np.fft.rfft(strength, size)
    for tempo in TEMPOS:
        pulses = np.bincount(np.rint(tempo * starts_s / HOP_S).astype(np.int64)).astype(np.float64)
        pulses = np.convolve(pulses, [0.25, 0.5, 0.25])[1:]
        likeness = np.fft.irfft(spectrum * np.conj(np.fft.rfft(pulses, size)), size)
        lag = int(likeness.argmax())
        best = max(best, (float(likeness[lag]), (lag if lag < size // 2 else lag - size) * HOP_S, float(tempo)))
    _, offset_s, tempo = best
    onsets = HOP_S * _onsets(strength)
    for near_s in (LATE_S, LATE_S / 3.0):
        expected = offset_s + tempo * starts_s
        nearest = onsets[np.abs(onsets[None, :] - expected[:, None]).argmin(axis=1)] if len(onsets) else expected + 1e9
        matched = np.abs(nearest - expected) < near_s
        inside = (expected > -near_s) & (expected < len(samples) / rate)
        if matched.sum() < max(1.0, LEAST_MATCHED * inside.sum()) or inside.mean() < LEAST_MATCHED:
            raise RtwaveError(
                f"only {matched.sum()} of {len(starts_s)} notes of its MIDI file begin where a note is heard; "
                "is it the wrong file?"
            )
        if matched.sum() > 2 and np.ptp(starts_s[matched]) > 1.0:
            tempo, offset_s = np.polyfit(starts_s[matched], nearest[matched], 1)
        else:
            offset_s += float(np.median((nearest - expected)[matched]))
    return float(offset_s), float(tempo)


def onset_strength(samples: np.ndarray, rate: int) -> np.ndarray:
    """How much louder each band becomes at once, summed over the spectrum, float64 once every 10 ms."""
    hop, size = int(HOP_S * rate), 4 * int(HOP_S * rate)
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(samples, (size, size)), size)[::hop]
    window = np.hanning(size).astype(np.float32)
    strength, before = np.zeros(len(windows)), None
    for first in range(0, len(windows), 1000):
        levels = np.log1p(100.0 * np.abs(np.fft.rfft(windows[first : first + 1000] * window)))
        earlier = levels[:1] if before is None else before
        rise = np.diff(np.concatenate([earlier, levels]), axis=0)
        strength[first : first + 1000] = np.maximum(rise, 0.0).sum(axis=1)
        before = levels[-1:]
    local = np.convolve(np.pad(strength, 25, mode="edge"), np.ones(51) / 51.0, "valid")
    return np.maximum(strength - local, 0.0)[2:]  # at the middle of each window


def _onsets(strength: np.ndarray) -> np.ndarray:
    """Frames at which onset strength is highest within 50 ms, and not negligible."""
    near = np.lib.stride_tricks.sliding_window_view(np.pad(strength, 5), 11).max(axis=1)
    return np.flatnonzero((strength == near) & (strength > 0.1 * strength.max()))
