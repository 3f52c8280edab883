"""Scores: MIDI files to be played, takes of rtwave's among them."""

from pathlib import Path
from typing import NamedTuple

import mido

from ..errors import RtwaveError
from .messages import Parser
from .settings import Settings, VoiceLimit, combine, read_text
from .take import Event

DEFAULT_TEMPO_US = 500_000
LONGEST_S = 86_400


class Score(NamedTuple):
    """A MIDI file in time order: `events` of (seconds, event), its whole length, a take's settings or None.

    Settings among the events are a take's change of preset, VoiceLimits what its machine could not bear. `beats` has
    the place of each event in quarter notes.
    """

    events: list[tuple[float, Event]]
    duration_s: float
    settings: Settings | None
    beats: list[float]

    def played_as(self, asked: Settings) -> "Score":
        """The score with what is asked for in place of what a take says.

        Another preset holds to the end; it or another number of voices also ends a take's limits.
        """
        left_out: tuple[type, ...] = ()
        if asked.preset is not None:
            left_out = (Settings, VoiceLimit)
        elif asked.voices is not None:
            left_out = (VoiceLimit,)
        kept = [
            ((seconds, combine(asked, event) if isinstance(event, Settings) else event), beat)
            for (seconds, event), beat in zip(self.events, self.beats, strict=True)
            if not isinstance(event, left_out)
        ]
        events, beats = [event for event, _ in kept], [beat for _, beat in kept]
        return Score(events, self.duration_s, combine(asked, self.settings), beats)


def read_score(path: str | Path) -> Score:
    """Read a MIDI file of type 0 or 1 with all its tempo changes; a damaged one raises RtwaveError with one line."""
    try:
        with open(path, "rb") as file:
            midi = mido.MidiFile(file=file, clip=True)
            return _schedule(midi, str(path))
    except FileNotFoundError:
        raise RtwaveError(f"{path}: no such MIDI file") from None
    except (IsADirectoryError, PermissionError) as error:
        raise RtwaveError(f"{path}: cannot be read ({error.strerror}); expected a MIDI file") from None
    except EOFError:
        raise RtwaveError(f"{path}: the MIDI file ends too early; fetch or save it again") from None
    except (OSError, ValueError, LookupError, TypeError, OverflowError, mido.KeySignatureError) as error:
        raise RtwaveError(f"{path}: not a whole MIDI file ({error}); fetch or save it again") from None


def _schedule(midi: mido.MidiFile, path: str) -> Score:
    if midi.type == 2:
        raise RtwaveError(f"{path}: MIDI file of type 2, expected type 0 or 1; save it as one song")
    if midi.ticks_per_beat <= 0:
        raise RtwaveError(f"{path}: MIDI file in SMPTE time, expected ticks per beat; save it with a tempo")
    tempo_us = DEFAULT_TEMPO_US
    tick = tempo_tick = 0
    tempo_s = now_s = 0.0
    events, beats, settings = [], [], None
    for message in mido.merge_tracks(midi.tracks):
        tick += message.time
        # one division of whole numbers from the last tempo change on, so that a take's times come back exact
        now_s = tempo_s + (tick - tempo_tick) * tempo_us / (1_000_000 * midi.ticks_per_beat)
        heard: list[Event] = []
        if message.type == "set_tempo":
            tempo_s, tempo_tick, tempo_us = now_s, tick, message.tempo
        elif message.type == "text":
            event = read_text(message.text.encode("latin1"))  # which mido takes MIDI text for
            if settings is None and isinstance(event, Settings):
                settings = event
            elif settings is not None and event is not None:
                heard = [event]
        elif not message.is_meta:
            heard = Parser().feed(message.bytes())
        events += [(now_s, event) for event in heard]
        beats += [tick / midi.ticks_per_beat] * len(heard)
    if now_s > LONGEST_S:
        raise RtwaveError(f"{path}: the MIDI file lasts {now_s:.0f} s, expected at most {LONGEST_S} s")
    return Score(events, now_s, settings, beats)
