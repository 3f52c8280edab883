"""A performer, and what it makes of bytes in hexadecimal; and any messages at all."""

from hypothesis import strategies as st

from rtwave.instrument.messages import Parser
from rtwave.instrument.performer import Performer
from rtwave.instrument.style import Style
from rtwave.presets import Playing

PRESET = Playing(temperature=0.3, temperature_range=(0.1, 0.9), gain_db=-6.0)

LIFT = bytes(
    byte
    for channel in range(16)
    for byte in (
        *(0xB0 | channel, 64, 0, 66, 0),
        *(byte for key in range(128) for byte in (0x80 | channel, key, 0)),
    )
)
"""Every pedal and every key comes up."""

EVENTS = st.one_of(
    st.tuples(st.sampled_from([0x80, 0x90, 0xA0, 0xE0]), st.integers(0, 15), st.integers(0, 127), st.integers(0, 127)),
    st.tuples(st.sampled_from([0x80, 0x90]), st.integers(0, 3), st.integers(58, 62), st.integers(0, 127)),
    st.tuples(
        st.just(0xB0),
        st.sampled_from([0, 0, 1, 2, 15]),
        st.sampled_from([1, 6, 16, 38, 64, 64, 66, 66, 67, 74, 96, 97, 98, 99, 100, 101, 120, 121, 123, 127]),
        st.one_of(st.integers(0, 127), st.sampled_from([0, 0, 2, 6, 40, 127])),
    ),
    st.tuples(st.sampled_from([0xC0, 0xD0]), st.integers(0, 15), st.integers(0, 127)),
    st.tuples(st.just(0xB0), st.sampled_from([0, 15]), st.sampled_from([100, 101, 6]), st.sampled_from([0, 2, 6])),
)
"""Fields of a Message, any that mean something, and more often what may hang a note."""


def performer(playing=PRESET, controls=None, **style):
    return Performer(playing, controls or {}, Style(**style))


def play(player, data):
    return [command for message in Parser().feed(bytes.fromhex(data)) for command in player.perform(message)]
