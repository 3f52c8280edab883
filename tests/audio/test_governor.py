"""The governor among a simulated ring, device and engine: no clock, no thread."""

import numpy as np
import pytest

from rtwave._stream import Governor

RATE, BLOCK, TARGET, CHUNK, SHORT_CHUNK = 48_000, 128, 384, 96, 32
FADE = 96
STRIKE_S = 0.0003  # what it takes to begin a note, in music of its voice


class Simulation:
    """Renders chunks as the producer does; a voice costs `cost` of real time, and on its way out, too.

    `wish`: keys held down. `spike_s`: what else holds the next chunk up.
    """

    def __init__(self, cost, polyphony=16):
        self.governor, self.cost, self.polyphony = Governor(), cost, polyphony
        self.time_s, self.rendered, self.sent, self.starved = 0.0, TARGET, 0, 0
        self.blocks, self.wish, self.voices, self.spike_s = 0, 0, 0, 0.0
        self.allowed, self.fading, self.lowest = polyphony, [], TARGET

    def _let_device_play(self):
        while self.blocks * BLOCK / RATE <= self.time_s:
            fill = self.rendered - self.sent
            self.lowest = min(self.lowest, fill)
            self.sent += min(fill, BLOCK)
            self.starved += max(0, BLOCK - fill)
            self.blocks += 1

    def _render_chunk(self):
        before, self.voices = self.voices, min(self.wish, self.allowed)
        frames = SHORT_CHUNK if self.governor.struck or self.rendered - self.sent < TARGET // 2 else CHUNK
        self.fading += [FADE] * max(0, before - self.voices)
        voice_frames = self.voices * frames + sum(min(left, frames) for left in self.fading)
        self.fading = [left - frames for left in self.fading if left > frames]
        struck_s = STRIKE_S * self.cost * max(0, self.voices - before)
        spent_s = self.cost * voice_frames / RATE + struck_s + self.spike_s
        self.spike_s = 0.0
        self.time_s += spent_s
        self._let_device_play()
        self.rendered += frames
        self.allowed = self.governor.step(
            spent_ns=round(spent_s * 1e9),
            audio_ns=frames * 10**9 // RATE,
            fill=self.rendered - self.sent,
            target=TARGET,
            voices=self.voices,
            polyphony=self.polyphony,
        )

    def play(self, seconds, wish=None, held_up_s=lambda: 0.0):
        """The voices that were allowed after each chunk."""
        self.wish = self.wish if wish is None else wish
        end_s, allowed = self.time_s + seconds, []
        while self.time_s < end_s:
            if self.rendered - self.sent < TARGET:
                self.spike_s = held_up_s()
                self._render_chunk()
                allowed.append(self.allowed)
            else:
                self.time_s = self.blocks * BLOCK / RATE
                self._let_device_play()
        return allowed


def test_load_within_real_time_is_left_alone():
    simulation = Simulation(cost=0.055)
    assert set(simulation.play(20.0, wish=16)) == {16}
    assert simulation.governor.load == pytest.approx(16 * 0.055, abs=0.01)
    assert (simulation.starved, simulation.governor.actions) == (0, 0)


@pytest.mark.parametrize("load", [1.02, 1.1, 1.3, 1.6, 2.0])
def test_overload_is_shed_before_the_ring_runs_dry(load):
    simulation = Simulation(cost=load / 16)
    simulation.play(1.0, wish=2)
    simulation.play(5.0, wish=16)
    assert simulation.starved == 0
    assert simulation.allowed * simulation.cost <= 1.0


@pytest.mark.parametrize("load", [2.2, 3.0, 5.0])
def test_overload_beyond_what_the_ring_holds_starves_only_for_a_moment(load):
    simulation = Simulation(cost=load / 16)
    simulation.play(1.0, wish=2)
    simulation.play(0.1, wish=16)
    assert simulation.starved < 0.03 * RATE
    before = simulation.starved
    simulation.play(10.0)
    assert simulation.starved == before
    assert simulation.allowed * simulation.cost <= 1.0


def test_the_limit_finds_what_is_affordable_and_stays_there():
    simulation = Simulation(cost=0.1)
    simulation.play(10.0, wish=16)
    assert set(simulation.play(30.0)) <= {8, 9}
    assert simulation.governor.actions <= 5


def test_voices_come_back_one_by_one_once_there_is_room():
    simulation = Simulation(cost=0.1)
    simulation.play(5.0, wish=16)
    simulation.cost = 0.05
    allowed = simulation.play(20.0)
    assert allowed[-1] == 16
    assert set(np.diff(allowed)) == {0, 1}
    actions = simulation.governor.actions
    simulation.play(10.0)
    assert simulation.governor.actions == actions


def test_a_chord_that_was_too_much_is_not_let_in_again_a_while_later():
    simulation = Simulation(cost=0.09)
    simulation.play(2.0, wish=16)
    actions = simulation.governor.actions
    for _ in range(5):
        simulation.play(2.0, wish=1)
        simulation.play(2.0, wish=16)
    assert simulation.governor.actions <= actions + 2
    assert simulation.starved == 0


def test_one_preempted_chunk_alone_sheds_nothing():
    simulation = Simulation(cost=0.05)
    simulation.play(1.0, wish=10)
    for _ in range(50):
        simulation.spike_s = 0.005
        simulation._render_chunk()
        simulation.play(0.2)
    assert simulation.governor.actions == 0


def test_one_long_stall_sheds_nothing():
    simulation = Simulation(cost=0.03)
    simulation.play(1.0, wish=10)
    simulation.spike_s = 0.5
    simulation._render_chunk()
    simulation.play(5.0)
    assert simulation.governor.actions == 0


def test_a_busy_core_makes_it_shed_and_a_free_one_brings_all_back():
    generator = np.random.default_rng(3)
    simulation = Simulation(cost=0.05)
    simulation.play(1.0, wish=16)
    simulation.play(5.0, held_up_s=lambda: 0.002 if generator.random() < 0.5 else 0.0)  # half of the core is another's
    assert simulation.governor.actions > 0
    simulation.play(60.0)
    assert simulation.allowed == 16


def test_a_single_voice_is_never_taken():
    simulation = Simulation(cost=1.5)
    assert min(simulation.play(2.0, wish=1)) >= 1
    assert min(simulation.play(2.0, wish=8)) == 1
