"""Pedals: what they hold, how far, and how they let go."""

from rtwave.engine.commands import AllNotesOff, Control, NoteOff, NoteOn

from .playing import performer, play


def test_pedal_holds_notes_until_it_comes_up():
    player = performer()
    assert play(player, "90 3c 40 b0 40 7f 80 3c 00") == [NoteOn(60, 64), Control("damper", 0.0)]
    assert play(player, "b0 40 00") == [NoteOff(60), Control("damper", 1.0)]


def test_half_a_pedal_lets_notes_go_with_weaker_dampers():
    player = performer()
    assert play(player, "b0 40 28 90 3c 40 3c 00") == [Control("damper", 0.5), NoteOn(60, 64), NoteOff(60)]
    assert play(player, "b0 40 7f") == [Control("damper", 0.0)]


def test_key_held_when_the_pedal_comes_up_sounds_on():
    commands = play(performer(), "b0 40 7f 90 3c 40 3c 00 3c 40 b0 40 00")
    assert [command for command in commands if not isinstance(command, Control)] == [NoteOn(60, 64), NoteOn(60, 64)]


def test_pedal_holds_what_all_notes_off_lets_go():
    player = performer()
    assert NoteOff(60) not in play(player, "b0 40 7f 90 3c 40 b0 7b 00")
    assert NoteOff(60) in play(player, "b0 40 00")


def test_all_notes_off_lets_go_the_keys_of_its_channel_only():
    player = performer()
    assert play(player, "90 3c 40 91 40 40 b0 7b 00")[2:] == [NoteOff(60)]
    assert play(player, "b1 7b 00") == [AllNotesOff()]


def test_sostenuto_holds_only_what_was_down_when_it_went_down():
    player = performer()
    play(player, "90 3c 40 b0 42 7f 90 40 40")
    assert play(player, "80 3c 00 80 40 00") == [NoteOff(64)]
    assert play(player, "b0 42 00") == [NoteOff(60)]


def test_what_one_pedal_holds_the_other_may_let_go():
    player = performer()
    play(player, "90 3c 40 b0 42 7f 40 7f 90 40 40 80 3c 00 80 40 00")
    assert play(player, "b0 40 00") == [NoteOff(64), Control("damper", 1.0)]
    assert play(player, "b0 42 00") == [NoteOff(60)]


def test_sostenuto_catches_once_however_often_it_is_told_that_it_is_down():
    player = performer()
    play(player, "b0 42 50 90 3c 40 b0 42 7f")
    assert play(player, "80 3c 00") == [NoteOff(60)]


def test_note_struck_again_on_the_sostenuto_pedal_stays_caught():
    player = performer()
    play(player, "90 3c 40 b0 42 7f 80 3c 00 90 3c 50")
    assert play(player, "80 3c 00") == []
    assert play(player, "b0 42 00") == [NoteOff(60)]


def test_pedal_that_trembles_at_rest_moves_no_damper():
    assert {command.value for command in play(performer(), "b0 40 00 40 05 40 0f 40 10")} == {1.0}


def test_soft_pedal_softens_what_is_struck_the_more_the_further_it_is_down():
    player = performer()
    struck = [play(player, f"b0 43 {value:02x} 90 3c 64")[0].velocity for value in (0, 40, 80, 127)]
    assert struck[0] == 100
    assert struck == sorted(set(struck), reverse=True)
    assert play(player, "b0 43 7f 90 3c 01") == [NoteOn(60, 1)]
