"""Presets are damaged under the player's hands: a program that cannot be is one line, and the old one plays on."""

import pytest

from ..cli.sitting import CHORD, end, noted, play, recorded_whole, sitting
from ..jack import Client, server
from ..small_preset import small_weights, write_small_preset

BELL, DRUM, GONG, NOBODY = 110, 111, 112, 120


@pytest.fixture
def room(tmp_path, monkeypatch):
    """The player's own presets, by their names."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    folder = tmp_path / "data" / "rtwave" / "presets"
    for seed, (name, program) in enumerate((("bell", BELL), ("drum", DRUM), ("gong", GONG))):
        write_small_preset(folder / name, small_weights(seed, 16_000 if seed else 22_050), program=program)
    return folder


def change(program):
    return [(0.0, bytes([0xC0, program]))]


def test_a_program_that_is_damaged_or_unknown_is_one_line_and_the_next_one_plays(room, tmp_path):
    with server() as jackd, Client(jackd) as client, sitting(jackd, "bell", tmp_path) as program:
        client.hear("rtwave:out_0")
        play(client, change(GONG))
        program.wait_for(f"program {GONG}: gong")
        play(client, CHORD)  # programs are known by now
        (room / "drum" / "model.safetensors").write_bytes(b"rubbish \xff\n")
        play(client, change(DRUM))
        program.wait_for(f"program {DRUM}: ")
        play(client, CHORD)
        play(client, change(NOBODY))
        program.wait_for(f"program {NOBODY}: ")
        play(client, CHORD)
        play(client, change(BELL))
        program.wait_for(f"program {BELL}: bell")
        play(client, CHORD)
        end(program)
    [damaged], [unknown] = program.said(f"program {DRUM}: "), program.said(f"program {NOBODY}: ")
    assert str(room / "drum" / "model.safetensors") in damaged
    assert "no preset has this number (there are: " in unknown
    assert damaged.endswith("; playing on with gong")
    assert unknown.endswith("; playing on with gong")
    recorded_whole(tmp_path, jackd.rate)
    assert [data[1] for _, data in noted(tmp_path) if data[0] == 0xC0] == [GONG, BELL]
    assert len(program.lines) == 7, program.lines
