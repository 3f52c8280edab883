"""Programs: presets by their MIDI numbers, loaded while the music goes on; what goes wrong is one line."""

import shutil
import threading

import pytest

from rtwave import presets
from rtwave.instrument.performance import Performance
from rtwave.instrument.programs import Programs, load_program
from rtwave.instrument.settings import Settings

from ..small_preset import small_weights, write_small_preset


@pytest.fixture
def room(tmp_path, monkeypatch):
    """A folder of the user's own presets, which are alone in the world."""
    for name, program in (("bell", None), ("drum", 1), ("flute", None), ("gong", 300), ("horn", 1)):
        write_small_preset(tmp_path / name, program=program)
    monkeypatch.setattr(presets, "user_presets_folder", lambda: tmp_path)
    monkeypatch.setattr("rtwave.instrument.programs.preset_folders", lambda: dict(_folders(tmp_path)))
    return tmp_path


def _folders(room):
    return ((folder.name, folder) for folder in sorted(room.iterdir()))


class Desk:
    """Programs of a room of presets, playing `first`."""

    def __init__(self, first):
        self.performance = Performance(Settings(preset=str(first), voices=3))
        self.told, self.ready = [], []
        self.playing = first
        self.programs = Programs(self.performance.load, lambda: self.playing, self.told.append)

    def choose(self, number):
        self.programs.choose(number, self._take)
        self.programs.wait()

    def _take(self, number, program):
        self.ready.append((number, program))
        self.playing = program.preset.folder


def test_presets_have_their_own_numbers_and_the_others_what_is_free(room):
    numbers = {number: folder.name for number, folder in Desk(room / "bell").programs.folders().items()}
    assert numbers == {0: "bell", 1: "drum", 2: "flute", 3: "horn", 300: "gong"}


def test_the_preset_that_plays_is_a_program_wherever_it_lies(room, tmp_path_factory):
    away = write_small_preset(tmp_path_factory.mktemp("away") / "away", program=7).folder
    assert Desk(away).programs.folders()[7] == away


def test_programs_are_played_by_the_engine_that_plays_now(room):
    pytest.importorskip("torch")
    performance = Performance(Settings(preset=str(room / "bell"), voices=3), device="torch")
    assert performance.engine.device == "torch"
    assert performance.load(room / "drum").engine.device == "torch"


def test_program_is_loaded_with_what_was_asked_for(room):
    desk = Desk(room / "bell")
    desk.choose(300)
    [(number, program)] = desk.ready
    assert (number, program.preset.name, program.engine.voices) == (300, "gong", 3)
    assert program.settings.preset == "gong"
    assert desk.told == ["program 300: gong"]


def test_what_plays_already_is_not_loaded_again(room):
    desk = Desk(room / "bell")
    desk.choose(0)
    assert (desk.ready, desk.told) == ([], [])


def test_unknown_number_is_one_line_and_playing_goes_on(room):
    desk = Desk(room / "bell")
    desk.choose(99)
    assert desk.ready == []
    [line] = desk.told
    assert "program 99: no preset has this number (there are: 0 bell, 1 drum" in line
    assert line.endswith("playing on with bell")


@pytest.mark.parametrize("file", ["preset.toml", "model.safetensors"])
def test_damaged_preset_is_one_line_and_the_next_program_plays(room, file):
    desk = Desk(room / "bell")
    desk.programs.folders()
    (room / "drum" / file).write_bytes(b"rubbish \xff\n")
    desk.choose(1)
    [line] = desk.told
    assert line.startswith("program 1: ")
    assert "drum" in line
    assert "\n" not in line
    desk.choose(2)
    assert [program.preset.name for _, program in desk.ready] == ["flute"]


def test_preset_that_vanished_is_one_line(room):
    desk = Desk(room / "bell")
    desk.programs.folders()
    shutil.rmtree(room / "drum")
    desk.choose(1)
    assert len(desk.told) == 1
    assert desk.ready == []


def test_the_last_of_several_programs_is_the_one_that_plays(room):
    desk = Desk(room / "bell")
    loading, go_on = threading.Event(), threading.Event()
    load = desk.programs._load

    def slowly(folder):
        loading.set()
        go_on.wait()
        return load(folder)

    desk.programs._load = slowly
    desk.programs.choose(1, desk._take)
    loading.wait()
    for number in (2, 300):
        desk.programs.choose(number, desk._take)
    go_on.set()
    desk.programs.wait()
    assert [number for number, _ in desk.ready] == [300]


def test_instruction_set_of_another_machine_is_replaced_and_said(bell):
    performance = Performance(Settings(preset=str(bell), instruction_set="abacus"))
    assert performance.engine.instruction_set == performance.settings.instruction_set != "abacus"
    [note] = performance.notes
    assert "instruction set 'abacus' is not on this machine" in note
    assert Performance(performance.settings).notes == []


def test_settings_of_a_program_make_it_once_more(bell):
    program = load_program(Settings(preset=str(bell), temperature=0.9))
    assert program.settings.temperature == program.preset.playing.temperature == 0.9
    assert load_program(program.settings).settings == program.settings


def test_presets_of_any_rate_are_programs(drum):
    assert load_program(Settings(preset=str(drum))).engine.model_rate == small_weights(1, 22_050).config.sample_rate
