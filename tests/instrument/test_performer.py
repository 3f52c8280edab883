"""The performer: what each message means, and that no note is ever left hanging."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtwave.engine import Engine
from rtwave.engine.commands import AllNotesOff, AllSoundOff, Control, NoteControl, NoteOff, NoteOn
from rtwave.engine.controls import CONTROLS
from rtwave.instrument.messages import PROGRAM_CHANGE, Message, Parser, panic
from rtwave.instrument.performer import Performer
from rtwave.instrument.style import Style
from rtwave.presets import Playing, load_preset

from .playing import EVENTS, LIFT, PRESET, performer, play


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("90 3c 40", [NoteOn(60, 64)]),
        ("90 3c 40 80 3c 40", [NoteOn(60, 64), NoteOff(60)]),
        ("90 3c 40 3c 00", [NoteOn(60, 64), NoteOff(60)]),
        ("80 3c 40", []),
        ("e0 00 40", [Control("bend", 0.0)]),
        ("e0 7f 7f", [Control("bend", 2.0)]),
        ("e0 00 00", [Control("bend", -2.0)]),
        ("b0 01 00", [Control("temperature", 0.1)]),
        ("b0 01 7f", [Control("temperature", 0.9)]),
        ("b0 07 7f 0b 00", [Control("volume", 1.0), Control("expression", 0.0)]),
        ("b0 78 00", [AllSoundOff()]),
        ("b0 7b 00", [AllNotesOff()]),
        ("c0 05", []),
        ("b0 14 05", []),
        ("f8 fa fc f2 01 02", []),
        ("d0 7f", [NoteControl("pressure", 1.0)]),
        ("90 3c 40 a0 3c 7f", [NoteOn(60, 64), NoteControl("pressure", 1.0, 60)]),
        ("a0 3c 7f", []),
    ],
)
def test_messages_become_commands(data, expected):
    assert play(performer(), data) == expected


def test_channels_merge_into_one():
    assert play(performer(), "92 3c 40 93 40 40 e5 7f 7f d6 7f 82 3c 00") == [
        NoteOn(60, 64),
        NoteOn(64, 64),
        Control("bend", 2.0),
        NoteControl("pressure", 1.0),
        NoteOff(60),
    ]


def test_note_of_two_channels_sounds_until_both_keys_are_up():
    player = performer()
    assert play(player, "90 3c 40 91 3c 50 80 3c 00") == [NoteOn(60, 64), NoteOn(60, 80)]
    assert play(player, "81 3c 00") == [NoteOff(60)]


def test_note_struck_twice_ends_with_one_release():
    assert play(performer(), "90 3c 40 3c 50 3c 00") == [NoteOn(60, 64), NoteOn(60, 80), NoteOff(60)]


def test_note_begins_with_the_pressure_its_channel_has():
    assert play(performer(), "d0 7f 90 3c 40")[1:] == [NoteOn(60, 64), NoteControl("pressure", 1.0, 60)]


def test_one_channel_hears_no_other():
    player = performer(channel=2)
    assert play(player, "90 3c 40 b0 07 10 c1 05 d3 40") == []
    assert player.take_program() is None
    assert play(player, "92 3c 40") == [NoteOn(60, 64)]


def test_transpose_moves_notes_and_drops_those_beyond_the_keyboard():
    player = performer(transpose=12)
    assert play(player, "90 3c 40 3c 00") == [NoteOn(72, 64), NoteOff(72)]
    assert play(player, "90 7f 40 7f 00") == []


@pytest.mark.parametrize("curve", [0.1, 0.5, 1.0, 3.0, 10.0])
def test_velocity_curve_rises_and_stays_in_range(curve):
    player = performer(Playing(velocity_curve=curve))
    velocities = [play(player, f"90 3c {velocity:02x}")[0].velocity for velocity in range(1, 128)]
    assert velocities == sorted(velocities)
    assert velocities[0] >= 1
    assert velocities[-1] == 127


def test_players_velocity_curve_goes_before_the_presets():
    player = performer(Playing(velocity_curve=3.0), velocity_curve=1.0)
    player.change_preset(Playing(velocity_curve=0.5), {})
    assert play(player, "90 3c 40") == [NoteOn(60, 64)]


def test_reset_controllers_lifts_pedals_and_forgets_wheels():
    player = performer()
    play(player, "b0 01 7f 0b 10 07 20 43 7f e0 00 50 d0 30 b0 40 7f 42 7f 90 3c 40 3c 00")
    assert play(player, "b0 79 00") == [
        NoteOff(60),
        NoteControl("pressure", 0.0),
        Control("bend", 0.0),
        Control("damper", 1.0),
        Control("expression", 1.0),
        Control("temperature", 0.3),
    ]
    assert play(player, "90 3c 40") == [NoteOn(60, 64)]
    assert player.state() == [Control("volume", (32 / 127) ** 2)]


@pytest.mark.parametrize(("data", "program"), [("c0 05", 5), ("b0 20 01 c0 05", 133), ("b0 00 01 20 02 c0 03", 16643)])
def test_programs_count_through_the_banks_and_are_taken_once(data, program):
    player = performer()
    assert player.take_program() is None
    assert play(player, data) == []
    assert player.take_program() == program
    assert player.take_program() is None


def test_bank_stays_chosen_on_its_channel():
    player = performer()
    play(player, "b0 20 01 c1 00")
    assert player.take_program() == 0
    play(player, "c0 00")
    assert player.take_program() == 128


def test_fresh_engine_needs_to_be_told_nothing():
    assert performer().state() == []
    assert performer(tune_hz=442.0).state() == [Control("tune", 442.0)]


def test_state_is_where_the_controls_stand():
    player = performer()
    play(player, "b0 07 40 01 7f 40 7f e0 7f 7f")
    player.change_preset(Playing(temperature=0.5, temperature_range=(0.2, 0.6)), {})
    assert player.state() == [
        Control("temperature", 0.6),
        Control("volume", (64 / 127) ** 2),
        Control("bend", 2.0),
        Control("damper", 0.0),
    ]


def test_held_keys_outlive_a_change_of_preset():
    player = performer()
    play(player, "90 3c 40")
    player.change_preset(Playing(), {})
    assert play(player, "80 3c 00") == [NoteOff(60)]


def test_panic_key_silences_and_lets_pedals_and_wheels_go():
    player = performer()
    play(player, "90 3c 40 b0 40 7f 42 7f 43 7f 01 7f e0 00 70 d0 40")
    commands = [command for message in panic(0) for command in player.perform(message)]
    assert commands[0] == AllSoundOff()
    assert player.state() == []
    assert play(player, "80 3c 00 90 3c 40 3c 00") == [NoteOn(60, 64), NoteOff(60)]


def test_end_of_a_score_lets_keys_and_pedals_go():
    player = performer()
    play(player, "90 3c 40 b0 40 7f 42 7f 43 7f")
    assert player.let_go() == [AllNotesOff(), Control("damper", 1.0)]
    assert play(player, "80 3c 00 90 3c 40 3c 00") == [NoteOn(60, 64), NoteOff(60)]


STYLES = st.one_of(
    st.builds(Style, channel=st.sampled_from([None, 0, 5]), transpose=st.integers(-40, 40)),
    st.builds(Style, mpe=st.booleans(), bend_range=st.floats(0.0, 48.0), tune_hz=st.floats(400.0, 480.0)),
)


class Listener:
    """What an engine would hold after the commands it was given."""

    def __init__(self):
        self.held = set()
        self.controls = {}

    def obey(self, command):
        match command:
            case NoteOn(note, _, channel):
                self.held.add((channel, note))
            case NoteOff(note, channel):
                assert (channel, note) in self.held, "let go what was not held"
                self.held.discard((channel, note))
            case AllNotesOff() | AllSoundOff():
                self.held.clear()
            case Control(name, value):
                self.controls[name] = CONTROLS[name].check(value)


def nothing_hangs_after(player, messages, presets=()):
    listener = Listener()
    for index, message in enumerate([*messages, *Parser().feed(LIFT)]):
        if message.kind == PROGRAM_CHANGE and presets:
            player.change_preset(presets[index % len(presets)], {"release": 21} if index % 2 else {})
        for command in player.perform(message):
            listener.obey(command)
    assert listener.held == set()
    assert listener.controls.get("damper", 1.0) == 1.0
    for command in player.state():
        listener.obey(command)


@given(st.binary(max_size=600), STYLES)
def test_random_bytes_never_hang_a_note(data, style):
    nothing_hangs_after(Performer(PRESET, {}, style), Parser().feed(data))


@given(st.lists(EVENTS, max_size=150), STYLES)
def test_no_sequence_of_messages_hangs_a_note(events, style):
    messages = [Message(*event) for event in events]
    presets = [Playing(temperature=0.8, temperature_range=(0.5, 0.9)), PRESET]
    nothing_hangs_after(Performer(PRESET, {}, style), messages, presets)


class Forgetful(Performer):
    """Forgets that the sustain pedal came up."""

    def perform(self, message):
        return [] if message[2:] == (64, 0) else super().perform(message)


def test_the_checker_hears_a_note_that_hangs():
    with pytest.raises(AssertionError):
        nothing_hangs_after(Forgetful(PRESET, {}, Style()), Parser().feed(bytes.fromhex("b0 40 7f 90 3c 40")))


@settings(max_examples=25)
@given(st.lists(EVENTS, max_size=120), STYLES, st.integers(1, 2000))
def test_engine_falls_silent_once_all_keys_and_pedals_are_up(bell, events, style, seed):
    preset = load_preset(bell)
    engine = Engine(preset, voices=4, seed=seed)
    player = Performer(preset.playing, preset.controls, style)
    engine.submit(player.state())
    for index, message in enumerate([Message(*event) for event in events]):
        engine.submit(player.perform(message))
        assert engine.active_voices <= 4
        if index % 4 == 0:
            engine.render(16)
    for message in Parser().feed(LIFT):
        engine.submit(player.perform(message))
    engine.control("release", 0.1)
    assert np.abs(engine.render(engine.model_rate)).max() <= 1.0
    assert engine.active_voices == 0
