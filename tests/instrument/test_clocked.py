"""A score to another machine's clock: its beats fall where the clock says, and stopping leaves nothing hanging."""

from rtwave.instrument.clocked import ClockedSequencer
from rtwave.instrument.messages import (
    CLOCK,
    CONTINUE,
    CONTROL_CHANGE,
    NOTE_OFF,
    NOTE_ON,
    PROGRAM_CHANGE,
    SONG_POSITION,
    START,
    STOP,
    SUSTAIN,
    Message,
)
from rtwave.instrument.scores import Score

TICKS_PER_BEAT = 24


class SteadyFollower:
    """A clock of 120 beats a minute that is known one tick ahead."""

    def __init__(self):
        self.running = False
        self.beat = 0.0
        self.at_s = 0.0

    def hear(self, message, at_s):
        if message.kind == CLOCK and self.running:
            self.beat, self.at_s = self.beat + 1 / TICKS_PER_BEAT, at_s
        elif message.kind == START:
            self.running, self.beat = True, -1 / TICKS_PER_BEAT
        elif message.kind == CONTINUE:
            self.running = True
        elif message.kind == STOP:
            self.running = False

    def second_of(self, beat):
        if not self.running or beat >= self.beat + 1 / TICKS_PER_BEAT - 1e-9:
            return None
        return self.at_s + (beat - self.beat) * 0.5


def on(key):
    return Message(NOTE_ON, 0, key, 64)


def off(key):
    return Message(NOTE_OFF, 0, key, 0)


def score(*events):
    return Score([(beat, message) for beat, message in events], 10.0, None, [beat for beat, _ in events])


def ticks(sequencer, start_s, count):
    """What is due on so many clock ticks from `start_s`."""
    due = []
    for tick in range(count):
        due += sequencer.hear(Message(CLOCK, 0), start_s + tick * 0.5 / TICKS_PER_BEAT)
    return [(round(seconds, 6), message) for seconds, message in due]


def test_nothing_plays_before_the_start():
    assert ticks(ClockedSequencer(score((0.0, on(60))), SteadyFollower()), 0.0, 30) == []


def test_beats_fall_where_the_clock_says():
    sequencer = ClockedSequencer(score((0.0, on(60)), (0.5, off(60)), (1.01, on(62))), SteadyFollower())
    assert sequencer.hear(Message(START, 0), 1.0) == []
    assert ticks(sequencer, 1.0, 26) == [(1.0, on(60)), (1.25, off(60)), (1.505, on(62))]


def test_stop_lets_go_and_continue_goes_on_from_there():
    pedal = Message(CONTROL_CHANGE, 0, SUSTAIN, 127)
    sequencer = ClockedSequencer(score((0.0, pedal), (0.0, on(60)), (1.0, on(64))), SteadyFollower())
    sequencer.hear(Message(START, 0), 0.0)
    ticks(sequencer, 0.0, 12)
    released = [(0.25, Message(CONTROL_CHANGE, 0, SUSTAIN, 0)), (0.25, off(60))]
    assert sequencer.hear(Message(STOP, 0), 0.25) == released
    assert ticks(sequencer, 0.25, 30) == []
    sequencer.hear(Message(CONTINUE, 0), 2.0)
    assert [message for _, message in ticks(sequencer, 2.0, 14)] == [on(64)]


def test_start_begins_anew():
    sequencer = ClockedSequencer(score((0.0, on(60))), SteadyFollower())
    for start_s in (0.0, 5.0):
        sequencer.hear(Message(START, 0), start_s)
        assert (start_s, on(60)) in ticks(sequencer, start_s, 2)


def test_song_position_is_counted_in_sixteenths():
    sequencer = ClockedSequencer(score((0.0, on(60)), (1.0, on(61)), (2.0, on(62))), SteadyFollower())
    sequencer._follower.beat = 1.0 - 1 / TICKS_PER_BEAT
    sequencer.hear(Message(SONG_POSITION, 0, 4), 0.0)
    sequencer.hear(Message(CONTINUE, 0), 0.0)
    assert [message for _, message in ticks(sequencer, 0.0, 3)] == [on(61)]


def test_program_changes_of_a_song_are_left_out():
    sequencer = ClockedSequencer(score((0.0, Message(PROGRAM_CHANGE, 0, 40)), (0.0, on(60))), SteadyFollower())
    sequencer.hear(Message(START, 0), 0.0)
    assert [message for _, message in ticks(sequencer, 0.0, 1)] == [on(60)]
