"""The status line in words, on figures that are known."""

import pytest

from rtwave.cli.session import Session
from rtwave.cli.status import describe
from rtwave.instrument.performance import Performance
from rtwave.instrument.scores import Settings

COUNTERS = {"peak": 0.5, "lowest_fill_frames": 96, "underflows": 2, "starved_frames": 31, "cpu_share": 0.427}


def test_figures_stand_in_their_units():
    expected = "  -6 dB  voices  5  ring   96  underflows 2  starved 31  CPU  43 %"
    assert describe(COUNTERS, 5) == expected


@pytest.mark.parametrize(
    ("peak", "words"), [(1.0, "   0 dB"), (0.001, " -60 dB"), (1e-6, "  silent"), (0.0, "  silent")]
)
def test_level_is_told_down_to_silence(peak, words):
    assert describe(COUNTERS | {"peak": peak}, 0).startswith(words)


class StarvingStream:
    """Starves from its third reading on."""

    alive, problem, notes, description, sample_rate = True, None, [], "a poor stream", 16_000

    def __init__(self):
        self.readings = 0

    def start(self):
        pass

    def stop(self):
        pass

    def counters(self):
        self.readings += 1
        return COUNTERS | {"starved_frames": 32 * max(self.readings - 2, 0)}


def test_sound_that_breaks_up_is_told_once(bell, monkeypatch, capsys):
    monkeypatch.setattr("rtwave.cli.session.INTERVAL_S", 0.001)
    stream = StarvingStream()
    with Session(Performance(Settings(preset=str(bell))), stream, None, None) as session:
        session._start()
        for _ in session._rounds():
            if stream.readings == 2:
                assert "broke up" not in capsys.readouterr().err
            if stream.readings == 6:
                break
    told = capsys.readouterr().err
    assert told.count("the sound broke up: ") == 1
    assert "try --threads 2, --voices N or --latency-ms" in told
