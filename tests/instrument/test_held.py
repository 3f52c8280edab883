"""What a lost instrument held down is let go, and nothing else."""

from hypothesis import given
from hypothesis import strategies as st

from rtwave.instrument.held import PEDALS, Held
from rtwave.instrument.messages import CHANNEL_PRESSURE, CONTROL_CHANGE, NOTE_OFF, NOTE_ON, PITCH_BEND, Message

MESSAGES = st.lists(
    st.builds(
        Message,
        st.sampled_from([NOTE_ON, NOTE_OFF, CONTROL_CHANGE, 0xE0, 0xF8]),
        st.integers(0, 1),
        st.sampled_from([60, 61, *PEDALS, 120, 121, 123, 127]),
        st.sampled_from([0, 1, 127]),
    ),
    max_size=30,
)


def held_after(messages):
    held = Held()
    for message in messages:
        held.note(message)
    return held


@given(MESSAGES)
def test_release_lets_everything_go_and_is_needed(messages):
    held = held_after(messages)
    released = held.release([])
    assert len(released) == len(held.keys) + len(held.pedals) + len(held.turned)
    for message in released:
        held.note(message)
    assert held.release([]) == []


@given(MESSAGES, MESSAGES)
def test_what_another_instrument_holds_stays_down(messages, others):
    held, other = held_after(messages), held_after(others)
    let_go = {(message.channel, message.data1) for message in held.release([other]) if message.kind == NOTE_OFF}
    assert let_go == held.keys - other.keys


def test_keys_come_before_pedals():
    held = held_after([Message(CONTROL_CHANGE, 0, 64, 90), Message(NOTE_ON, 0, 60, 90), Message(NOTE_ON, 3, 60, 1)])
    assert held.release([]) == [
        Message(NOTE_OFF, 0, 60, 64),
        Message(NOTE_OFF, 3, 60, 64),
        Message(CONTROL_CHANGE, 0, 64, 0),
    ]


def test_wheels_of_an_instrument_that_is_gone_spring_back_but_for_those_another_turns():
    bent, pressed = Message(PITCH_BEND, 2, 0, 127), Message(CHANNEL_PRESSURE, 0, 90)
    back = [Message(CHANNEL_PRESSURE, 0, 0), Message(PITCH_BEND, 2, 0, 64)]
    assert held_after([bent, pressed]).release([]) == back
    assert held_after([bent, pressed]).release([held_after([bent])]) == back[:1]
    assert held_after([bent, *back]).release([]) == []
