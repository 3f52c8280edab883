import numpy as np
import pytest
import soxr
from hypothesis import given
from hypothesis import strategies as st

from rtwave._stream import Resampler

RATES = [(16_000, 48_000), (16_000, 44_100), (22_050, 48_000), (24_000, 44_100), (48_000, 44_100), (48_000, 16_000)]


def tone(frequency_hz, rate, frames):
    return np.sin(2 * np.pi * frequency_hz * np.arange(frames) / rate)


def spectrum_db(samples):
    """Level of each bin of 1 Hz, for a signal one second long, against a full-scale sine."""
    window = np.kaiser(len(samples), 20.0)
    return 20 * np.log10(np.abs(np.fft.rfft(samples * window)) / window.sum() * 2 + 1e-12)


@pytest.mark.parametrize(("model_rate", "device_rate"), RATES)
@given(st.lists(st.integers(0, 700), min_size=1, max_size=8))
def test_chunking_does_not_change_output(model_rate, device_rate, sizes):
    samples = np.random.default_rng(1).standard_normal(sum(sizes)).astype(np.float32)
    whole = Resampler(model_rate, device_rate).process(samples)
    resampler = Resampler(model_rate, device_rate)
    chunks = [resampler.process(chunk) for chunk in np.split(samples, np.cumsum(sizes)[:-1])]
    assert np.array_equal(np.concatenate(chunks), whole)


@pytest.mark.parametrize(("model_rate", "device_rate"), [*RATES, (16_000, 16_000)])
def test_pulling_odd_blocks_gives_what_pushing_gives(model_rate, device_rate):
    samples = np.random.default_rng(2).standard_normal(20_000).astype(np.float32)
    pushed = Resampler(model_rate, device_rate).process(samples)
    resampler, pulled, position = Resampler(model_rate, device_rate), [], 0
    for frames in (1, 2, 3, 64, 127, 500, 4096):
        needed = resampler.needed(frames)
        pulled.append(resampler.process(samples[position : position + needed], frames))
        position += needed
        assert len(pulled[-1]) == frames
    pulled = np.concatenate(pulled)
    assert np.array_equal(pulled, pushed[: len(pulled)])


@pytest.mark.parametrize(("model_rate", "device_rate"), RATES)
def test_output_is_as_long_as_the_rates_say(model_rate, device_rate):
    assert len(Resampler(model_rate, device_rate).process(np.zeros(model_rate))) == device_rate


def test_equal_rates_pass_samples_through_untouched():
    samples = np.random.default_rng(3).standard_normal(10_000).astype(np.float32)
    resampler = Resampler(16_000, 16_000)
    assert resampler.delay_s == 0.0
    assert np.array_equal(resampler.process(samples), samples)


@pytest.mark.parametrize(("model_rate", "device_rate"), RATES)
def test_delay_is_below_one_millisecond_and_true(model_rate, device_rate):
    resampler = Resampler(model_rate, device_rate)
    assert resampler.delay_s < 0.001
    frequency_hz = 0.05 * min(model_rate, device_rate)
    output = resampler.process(tone(frequency_hz, model_rate, model_rate))
    times_s = np.arange(len(output)) / device_rate - resampler.delay_s
    settled = slice(device_rate // 10, None)
    expected = np.sin(2 * np.pi * frequency_hz * times_s)
    assert np.abs(output - expected)[settled].max() < 1e-4


@pytest.mark.parametrize(("model_rate", "device_rate"), RATES)
@pytest.mark.parametrize("share", [0.01, 0.3, 0.5, 0.7, 0.8])
def test_tones_keep_their_level_and_have_no_images(model_rate, device_rate, share):
    frequency_hz = round(share * min(model_rate, device_rate) / 2)
    output = Resampler(model_rate, device_rate).process(tone(frequency_hz, model_rate, 2 * model_rate))
    level_db = spectrum_db(output[device_rate // 2 :][:device_rate])
    near = np.abs(np.arange(len(level_db)) - frequency_hz) <= 10
    assert level_db[near].max() == pytest.approx(0.0, abs=0.1)
    assert level_db[~near].max() < -80.0


def test_a_steady_level_stays_steady():
    output = Resampler(16_000, 44_100).process(np.full(16_000, 0.5))
    assert np.abs(output[4_410:] - 0.5).max() < 1e-6


@pytest.mark.parametrize(("model_rate", "device_rate"), RATES)
def test_agrees_with_soxr(model_rate, device_rate):
    generator = np.random.default_rng(4)
    low = min(model_rate, device_rate)
    samples = sum(
        tone(frequency_hz, model_rate, model_rate) * np.hanning(model_rate) / 8
        for frequency_hz in generator.uniform(0.01 * low, 0.4 * low, 8)
    )
    resampler = Resampler(model_rate, device_rate)
    ours = resampler.process(samples)
    theirs = soxr.resample(samples, model_rate, device_rate, "VHQ")
    phase = np.exp(-2j * np.pi * np.fft.rfftfreq(len(theirs), 1 / device_rate) * resampler.delay_s)
    delayed = np.fft.irfft(np.fft.rfft(theirs) * phase, len(theirs))
    assert np.abs(ours - delayed).max() < 10 ** (-70 / 20)


def test_rates_of_nothing_are_refused():
    with pytest.raises(ValueError, match="expected more than 0 Hz"):
        Resampler(0, 48_000)
