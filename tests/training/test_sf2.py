import pytest

from rtwave.errors import RtwaveError
from rtwave.training.sf2 import Preset, read_presets

from .soundfonts import write_soundfont


def test_presets_are_known_by_bank_and_program_with_the_keys_they_were_recorded_at(tmp_path):
    assert read_presets(write_soundfont(tmp_path / "test.sf2")) == {
        (0, 0): Preset("Organ", (57,)),
        (0, 5): Preset("Harp", (69,)),
        (128, 0): Preset("Kit", (36, 38)),
    }


def test_what_a_zone_says_for_all_zones_counts(tmp_path):
    presets = read_presets(write_soundfont(tmp_path / "test.sf2", harp_range=(40, 60)))
    assert presets[0, 5] == Preset("Harp", (60,)), "recorded at 69, played up to 60"


def test_every_cut_of_a_soundfont_is_one_clear_error(tmp_path):
    whole = write_soundfont(tmp_path / "test.sf2").read_bytes()
    for length in [*range(0, len(whole) - 1200, 20_000), *range(len(whole) - 1200, len(whole) - 46, 37)]:
        (tmp_path / "cut.sf2").write_bytes(whole[:length])
        with pytest.raises(RtwaveError, match=r"cut\.sf2: is not a whole SoundFont .*; expected an \.sf2 file"):
            read_presets(tmp_path / "cut.sf2")


@pytest.mark.parametrize("content", [b"", b"RIFF", b"RIFF\0\0\0\0WAVEfmt ", b"hello" * 100])
def test_another_file_is_one_clear_error(tmp_path, content):
    (tmp_path / "other.sf2").write_bytes(content)
    with pytest.raises(RtwaveError, match=r"other\.sf2: is not a whole SoundFont"):
        read_presets(tmp_path / "other.sf2")


def test_a_missing_file_and_a_folder_are_one_clear_error(tmp_path):
    for path in (tmp_path / "none.sf2", tmp_path):
        with pytest.raises(RtwaveError, match="cannot be read"):
            read_presets(path)
