"""The instrument is unplugged while a chord and the pedal are held, and comes back: no note hangs, all is heard."""

import contextlib
import time

from ..cli.programs import started
from ..cli.sitting import CHORD, CHORD_KEYS, end, loudest, noted, play, recorded_whole, sitting
from ..jack import Client, server

AWAY_S = 2.0
PEDAL_DOWN = (0.0, b"\xb0\x40\x7f")


def test_an_instrument_that_goes_lets_its_notes_go_and_is_heard_again_when_it_comes_back(bell, tmp_path):
    with server() as jackd, contextlib.ExitStack() as hands:
        client = hands.enter_context(Client(jackd))
        with sitting(jackd, bell, tmp_path) as program:
            play(client, [PEDAL_DOWN, *CHORD])
            hands.close()
            program.wait_for("MIDI port listener:keys has gone")
            time.sleep(AWAY_S)
            with Client(jackd) as client:
                program.wait_for("MIDI port listener:keys has come")
                play(client, CHORD)
            end(program)
    recorded = recorded_whole(tmp_path, jackd.rate)
    went = [at_s for at_s, data in noted(tmp_path) if data[0] == 0x80]
    came = [at_s for at_s, data in noted(tmp_path) if data[0] == 0x90][len(CHORD_KEYS)]
    assert len(went) == len(CHORD_KEYS)
    assert [data for _, data in noted(tmp_path) if data[0] == 0xB0 and data[1] == 64] == [
        PEDAL_DOWN[1],
        b"\xb0\x40\x00",
    ]
    assert loudest(recorded, jackd.rate, went[0] - 0.3, went[0]) > 0.01
    assert loudest(recorded, jackd.rate, went[0] + 1.0, came) == 0.0
    assert loudest(recorded, jackd.rate, came, came + 0.5) > 0.01
    assert len(program.lines) == 5, program.lines


def test_a_wanted_instrument_that_is_not_there_is_one_line(bell):
    with server() as jackd:
        options = ["--preset", bell, "--device", "jack", "--midi-port", "listener"]
        with started("play", *options, env=jackd.environment) as program:
            assert program.end() == 1
    assert len(program.lines) == 1
    assert "no MIDI port 'listener'; there are: none" in program.lines[0]
