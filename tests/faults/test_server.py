"""The JACK server is killed in the midst of a chord and comes back: playing resumes by itself, and nothing is lost."""

import contextlib
import time

from ..cli.sitting import CHORD, CHORD_KEYS, end, noted, play, recorded_whole, sitting
from ..jack import Client, server

AWAY_S = 1.5


def test_a_server_that_is_killed_twice_is_told_and_found_again_and_the_recording_is_whole(bell, tmp_path):
    with server() as jackd, contextlib.ExitStack() as hands:
        client = hands.enter_context(Client(jackd))
        with sitting(jackd, bell, tmp_path) as program:
            for times in (1, 2):
                client.hear("rtwave:out_0")
                play(client, CHORD)
                jackd.kill()
                hands.close()
                program.wait_for("is gone: time and recording go on, waiting for it or another", times)
                program.wait_for("MIDI port listener:keys has gone", times)
                time.sleep(AWAY_S)
                jackd.start()
                program.wait_for("is there again: playing on", times)
                client = hands.enter_context(Client(jackd))
                program.wait_for("MIDI port listener:keys has come", times)
            client.hear("rtwave:out_0")
            play(client, CHORD)
            assert client.recording().any()
            end(program)
    recorded_whole(tmp_path, jackd.rate)
    moments, struck = zip(*((at_s, data[1]) for at_s, data in noted(tmp_path) if data[0] == 0x90), strict=True)
    let_go = [data[1] for _, data in noted(tmp_path) if data[0] == 0x80]
    assert list(struck) == 3 * CHORD_KEYS
    assert min(moments[3] - moments[2], moments[6] - moments[5]) > AWAY_S  # the recording went on meanwhile
    assert sorted(let_go) == sorted(2 * CHORD_KEYS)
    assert len(program.lines) == 11, program.lines  # no word too many
