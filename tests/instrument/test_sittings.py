"""Whole sittings at random: whatever is played, nothing hangs, and the take gives the very samples back."""

from hypothesis import given, settings
from hypothesis import strategies as st

from rtwave.instrument.messages import PROGRAM_CHANGE, Message, Parser
from rtwave.instrument.settings import Settings

from .playing import EVENTS, LIFT
from .sitting import Sitting

VOICES = 4
MESSAGES = EVENTS.map(lambda fields: Message(*fields))
PROGRAMS = st.builds(Message, st.just(PROGRAM_CHANGE), st.just(0), st.integers(0, 1))
FRAMES = st.integers(1, 700)
LIMITS = st.integers(1, VOICES).map(lambda voices: {"voices": voices})
STEPS = st.lists(st.one_of(MESSAGES, MESSAGES, MESSAGES, FRAMES, FRAMES, PROGRAMS, LIMITS), max_size=60)

ASKED = st.one_of(
    st.fixed_dictionaries({"channel": st.sampled_from([None, 0]), "transpose": st.integers(-12, 12)}),
    st.fixed_dictionaries({"mpe": st.just(True), "sample_rate": st.sampled_from([44_100, 48_000])}),
)


def perform(sitting, steps):
    """Each step is a message, frames to render, or a limit of the governor's."""
    for step in steps:
        match step:
            case Message():
                sitting.live.hear(step)
                sitting.programs.wait()
            case int():
                sitting.render(step)
                assert all(engine.active_voices <= VOICES for engine in sitting.performance.rack.engines)
            case {"voices": voices}:
                sitting.performance.rack.native.limit(voices)


@settings(max_examples=30)
@given(STEPS, ASKED, st.sampled_from([0.0, 0.01]))
def test_no_sitting_hangs_a_note_or_has_too_many_and_every_take_replays(
    bell, drum, tmp_path_factory, steps, asked, ahead
):
    sitting = Sitting(Settings(preset=str(bell), voices=VOICES, seed=8, **asked), [bell, drum], ahead)
    perform(sitting, [Message(0x90, 0, 60, 100), *steps, *Parser().feed(LIFT)])
    for _ in range(4):
        sitting.render(sitting.performance.rack.sample_rate // 2)
    assert sitting.performance.rack.active_voices == 0
    assert len(sitting.performance.rack.engines) == 1
    assert sitting.same_from_take(tmp_path_factory.mktemp("takes") / "take.mid")
