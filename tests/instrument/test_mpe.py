"""MPE: notes that bend, press and colour one by one, and zones that come and go."""

from rtwave.engine.commands import AllNotesOff, Control, NoteControl, NoteOff, NoteOn

from .playing import performer, play


def test_notes_of_two_members_are_two_notes():
    assert play(performer(mpe=True), "91 3c 40 92 3c 40 81 3c 00") == [
        NoteOn(60, 64, 1),
        NoteOn(60, 64, 2),
        NoteOff(60, 1),
    ]


def test_members_bend_press_and_colour_their_own_notes():
    player = performer(mpe=True)
    play(player, "91 3c 40 92 40 40")
    assert play(player, "e1 7f 7f d1 7f b1 4a 7f") == [
        NoteControl("bend", 48.0, 60, 1),
        NoteControl("pressure", 1.0, 60, 1),
        NoteControl("timbre", 0.5, 60, 1),
    ]


def test_note_begins_as_the_finger_already_is():
    assert play(performer(mpe=True), "e1 00 20 d1 7f b1 4a 00 91 3c 40") == [
        NoteOn(60, 64, 1),
        NoteControl("pressure", 1.0, 60, 1),
        NoteControl("bend", -24.0, 60, 1),
        NoteControl("timbre", -0.5, 60, 1),
    ]


def test_note_that_rings_on_keeps_its_bend():
    assert play(performer(mpe=True), "b0 40 7f 91 3c 40 3c 00 e1 7f 7f")[2:] == []


def test_masters_wheel_and_pedals_are_for_all():
    player = performer(mpe=True)
    assert play(player, "91 3c 40 e0 7f 7f b0 40 7f 81 3c 00")[1:] == [Control("bend", 2.0), Control("damper", 0.0)]
    assert play(player, "b0 40 00") == [NoteOff(60, 1), Control("damper", 1.0)]


def test_masters_pressure_reaches_all_its_members():
    channels = {command.channel for command in play(performer(mpe=True), "d0 7f")}
    assert channels == set(range(16))


def test_bend_range_of_one_member_is_that_of_its_zone():
    player = performer(mpe=True)
    play(player, "b3 65 00 64 00 06 0c")
    assert play(player, "91 3c 40 e1 7f 7f") == [NoteOn(60, 64, 1), NoteControl("bend", 12.0, 60, 1)]
    assert play(player, "e0 7f 7f") == [Control("bend", 2.0)]


def test_zones_come_and_go_by_message():
    player = performer()
    assert play(player, "91 3c 40 b0 65 00 64 06 06 04")[1] == AllNotesOff()
    assert play(player, "94 3c 40 95 3c 40") == [NoteOn(60, 64, 4), NoteOn(60, 64, 0)]
    play(player, "bf 65 00 64 06 06 03")
    assert play(player, "9c 3c 40 9b 3c 40 91 3c 40") == [NoteOn(60, 64, 12), NoteOn(60, 64, 0), NoteOn(60, 64, 1)]
    play(player, "b0 06 00 bf 06 00")
    assert play(player, "91 3c 40") == [NoteOn(60, 64, 1)]  # the parameter is no longer chosen
    play(player, "b0 65 00 64 06 06 00 bf 65 00 64 06 06 00")
    assert play(player, "91 3c 40") == [NoteOn(60, 64)]


def test_newer_zone_takes_channels_from_the_older():
    player = performer(mpe=True)
    play(player, "bf 65 00 64 06 06 0f")
    assert play(player, "90 3c 40 91 3c 40 9f 3c 40") == [NoteOn(60, 64, 0), NoteOn(60, 64, 1), NoteOn(60, 64, 15)]


def test_second_zone_leaves_the_bend_range_of_the_first():
    player = performer()
    play(player, "b0 65 00 64 06 06 04 b1 65 00 64 00 06 18 bf 65 00 64 06 06 04")
    assert play(player, "91 3c 40 e1 7f 7f")[1:] == [NoteControl("bend", 24.0, 60, 1)]


def test_one_channel_is_no_zone():
    assert play(performer(channel=0), "b0 65 00 64 06 06 04") == []


def test_member_lets_go_its_own_notes_and_its_master_all():
    player = performer(mpe=True)
    play(player, "91 3c 40 92 3c 40")
    assert play(player, "b1 7b 00") == [NoteOff(60, 1)]
    play(player, "91 3c 40")
    assert play(player, "b0 7b 00") == [AllNotesOff()]


def test_zone_announced_again_starts_anew():
    player = performer(mpe=True)
    play(player, "b1 65 00 64 00 06 0c e1 7f 7f")
    play(player, "b0 65 00 64 06 06 0f")
    assert play(player, "91 3c 40 e1 7f 7f") == [NoteOn(60, 64, 1), NoteControl("bend", 48.0, 60, 1)]


def test_ending_one_zone_leaves_the_other_as_it_was():
    player = performer()
    play(player, "bf 65 00 64 06 06 0e b5 65 00 64 00 06 0c")
    play(player, "b0 65 00 64 06 06 00")
    assert play(player, "95 3c 40 e5 7f 7f")[1:] == [NoteControl("bend", 12.0, 60, 5)]
