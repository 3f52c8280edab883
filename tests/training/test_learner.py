"""A step of learning: the flat, quick way against the plain one; what is resumed; what an average forgets."""

import importlib.util
import itertools

import msgspec
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from rtwave.errors import RtwaveError  # noqa: E402
from rtwave.training.bits import bits_per_sample  # noqa: E402
from rtwave.training.checkpoint import Run, TrainingOptions, read_options  # noqa: E402
from rtwave.training.flat import FlatNetwork  # noqa: E402
from rtwave.training.learner import learning_rate, noise_share  # noqa: E402
from rtwave.training.loss import BitCounter, negative_log_likelihood  # noqa: E402
from rtwave.wavenet.network import WaveNet  # noqa: E402

from .tiny import CONFIG, OPTIONS, WIDE, tiny_trainer, train  # noqa: E402

MULAW = msgspec.structs.replace(CONFIG, output="mulaw")
ENGINES = ["torch", "native"] if importlib.util.find_spec("rtwave._stack") else ["torch"]


def batch_of(trainer, number=0):
    return trainer.dataset.draw(np.random.default_rng(number))


def test_a_networks_parameters_are_views_of_one_vector():
    torch.manual_seed(0)
    network, other = WaveNet(CONFIG), WaveNet(CONFIG)
    other.load_state_dict(network.state_dict())
    flat = FlatNetwork(network, extra=3)
    for parameter, plain in zip(network.parameters(), other.parameters(), strict=True):
        assert torch.equal(parameter, plain)
    flat.weights.data.mul_(2.0)
    for parameter, plain in zip(network.parameters(), other.parameters(), strict=True):
        assert torch.equal(parameter, 2.0 * plain)
        assert parameter.data_ptr() % 64 == flat.weights.data_ptr() % 64
    assert flat.gradient.shape == (flat.weights.numel() + 3,)
    assert torch.equal(flat.join(flat.split(flat.weights.data)), flat.weights.data)


@pytest.mark.parametrize("config", [CONFIG, MULAW], ids=["gaussian", "mulaw"])
def test_a_step_is_that_of_plain_adam_with_clipped_gradients_and_an_average(corpus_folder, tmp_path, config):
    trainer = tiny_trainer(corpus_folder, tmp_path, config, clip_norm=0.5, engine="torch")
    options = trainer.options
    plain, averaged = WaveNet(config), WaveNet(config)
    for network in (plain, averaged):
        network.load_state_dict(trainer.network.state_dict())
    adam = torch.optim.Adam(plain.parameters(), betas=(0.9, 0.99))
    for step in range(4):
        batch = batch_of(trainer, step)
        batch.weights[:, batch.weights.shape[1] - 100 * step :] = 0.0
        (figures,) = trainer.learner.learn(batch, step)
        adam.param_groups[0]["lr"] = learning_rate(options, step)
        tensors = map(torch.from_numpy, (batch.inputs, batch.conditioning, batch.excitation))
        targets = torch.from_numpy(batch.targets)
        counted = slice(batch.context, None)
        nats = negative_log_likelihood(config, plain.predict(*tensors), targets)[:, counted]
        weights = torch.from_numpy(batch.weights)[:, counted]
        mean = (nats * weights).sum() / weights.sum()
        adam.zero_grad()
        mean.backward()
        norm = torch.nn.utils.clip_grad_norm_(plain.parameters(), options.clip_norm)
        adam.step()
        keep = min(options.ema, (1.0 + step) / (10.0 + step))
        for slow, quick in zip(averaged.parameters(), plain.parameters(), strict=True):
            slow.data = keep * slow.data + (1.0 - keep) * quick.data
        known = (each[:, counted] for each in (batch.targets, batch.gain, batch.weights))
        bits = bits_per_sample(config, nats.detach().numpy(), *known)
        assert figures.nats == pytest.approx(mean.item(), rel=1e-4)
        assert figures.bits == pytest.approx(bits, rel=1e-4)
        assert figures.norm == pytest.approx(norm.item(), rel=1e-3)
    for ours, theirs in ((trainer.network, plain), (trainer.averaged, averaged)):
        for name, tensor in ours.state_dict().items():
            torch.testing.assert_close(tensor, theirs.state_dict()[name], rtol=1e-3, atol=2e-4)


@pytest.mark.parametrize("config", [CONFIG, MULAW], ids=["gaussian", "mulaw"])
def test_bits_are_counted_on_tensors_as_on_arrays(config):
    generator = np.random.default_rng(0)
    gain = generator.uniform(0.1, 2.0, (2, 100)).astype(np.float32)
    nats = generator.uniform(1.0, 3.0, (2, 100)).astype(np.float32)
    targets = generator.integers(0, 256, (2, 100)) if config.output == "mulaw" else gain
    counted = BitCounter(config, torch.device("cpu"))(
        torch.from_numpy(nats), torch.from_numpy(targets), torch.from_numpy(gain)
    )
    assert counted.mean().item() == pytest.approx(bits_per_sample(config, nats, targets, gain), rel=1e-5)


@pytest.mark.parametrize("kind", [{"noise": 0.05}, {"noise": 0.0, "swing": 0.05}])
def test_input_noise_and_swing_fall_while_all_else_stays(corpus_folder, tmp_path, kind):
    def noise_and_targets(noise_end):
        trainer = tiny_trainer(corpus_folder, tmp_path, steps=9, noise_end=noise_end, **kind)
        batches = list(itertools.islice(trainer.batches(0), 9))
        noises = [np.abs(batch.inputs[:, 1:] - batch.targets[:, :-1]).max() for batch in batches]
        return np.array(noises), np.stack([batch.targets for batch in batches])

    (constant, targets), (falling, same_targets) = noise_and_targets(1.0), noise_and_targets(0.0)
    np.testing.assert_array_equal(targets, same_targets)
    np.testing.assert_allclose(falling / constant, np.linspace(1.0, 0.0, 9), atol=0.02)


def test_noise_falls_along_a_line_to_its_end():
    options = TrainingOptions(steps=101, noise_end=0.2)
    assert [noise_share(options, step) for step in (0, 50, 100)] == pytest.approx([1.0, 0.6, 0.2])
    assert noise_share(TrainingOptions(steps=101), 100) == 1.0


def test_the_average_of_a_short_run_has_forgotten_where_it_began(corpus_folder, tmp_path):
    trainer = tiny_trainer(corpus_folder, tmp_path, steps=20, validate_every=100)
    began = trainer.learner._flat.weights.detach().clone()
    trainer.held_out = []
    train(trainer)
    ended, averaged = trainer.learner._flat.weights, trainer.learner._flat_averaged.weights
    assert torch.linalg.vector_norm(averaged - ended) < 0.3 * torch.linalg.vector_norm(averaged - began)


@pytest.mark.parametrize("engine", ENGINES)
def test_ten_steps_and_ten_resumed_are_twenty_bit_for_bit(corpus_folder, tmp_path, engine):
    plan = {"steps": 20, "validate_every": 10, "noise_end": 0.1, "engine": engine}
    whole = tiny_trainer(corpus_folder, tmp_path / "whole", WIDE, **plan)
    train(whole)
    broken = tiny_trainer(corpus_folder, tmp_path / "broken", WIDE, **plan)

    def interrupt(progress):
        if progress.step == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken.train(interrupt)
    again = tiny_trainer(corpus_folder, tmp_path / "broken", WIDE, **plan)
    again.resume(Run(tmp_path / "broken").load_state())
    train(again)
    assert (whole.learner.engine, again.step) == (engine, 20)
    for name, tensor in whole.learner.state()["network"].items():
        assert torch.equal(tensor, again.learner.state()["network"][name]), name
    for name, tensor in whole.weights().tensors.items():
        np.testing.assert_array_equal(tensor, again.weights().tensors[name])


@pytest.mark.skipif("native" not in ENGINES, reason="built without the native engine")
def test_the_native_engine_learns_what_torch_learns(corpus_folder, tmp_path):
    nats = {}
    for engine in ENGINES:
        trainer = tiny_trainer(corpus_folder, tmp_path / engine, WIDE, engine=engine, steps=12, validate_every=100)
        trainer.held_out = []
        nats[engine] = [report.nats for report in train(trainer)]
    np.testing.assert_allclose(nats["native"], nats["torch"], rtol=0.02, atol=0.02)


def test_native_where_it_cannot_be_is_said_and_auto_takes_torch(corpus_folder, tmp_path, monkeypatch):
    monkeypatch.setattr("rtwave.training.learner.compile_stack", lambda network, bfloat16: None)
    assert tiny_trainer(corpus_folder, tmp_path).learner.engine == "torch"
    with pytest.raises(RtwaveError, match=r"engine is 'native', .*leave --engine out"):
        tiny_trainer(corpus_folder, tmp_path, CONFIG, engine="native")


def test_checkpoints_of_earlier_versions_are_taken_up(corpus_folder, tmp_path):
    """Their optimiser's memory is torch's own, tensor by tensor; their options know less, or more."""
    trainer = tiny_trainer(corpus_folder, tmp_path)
    network = WaveNet(CONFIG)
    adam = torch.optim.Adam(network.parameters(), betas=(0.9, 0.99))
    batch = batch_of(trainer)
    network.predict(*map(torch.from_numpy, (batch.inputs, batch.conditioning, batch.excitation))).sum().backward()
    adam.step()
    options = {"steps": 40, "noise": 0.5, "colour": "blue"}
    state = {
        "config": CONFIG.to_json(),
        "options": msgspec.json.encode(options).decode(),
        "network": network.state_dict(),
        "averaged": network.state_dict(),
        "optimizer": adam.state_dict(),
        "step": 1,
    }
    assert read_options(state) == TrainingOptions(steps=40, noise=0.5)
    trainer.resume(state)
    taken = trainer.learner.state()
    assert taken["optimizer"]["step"] == 1.0
    for index, memory in adam.state_dict()["state"].items():
        assert torch.equal(taken["optimizer"]["exp_avg"][index], memory["exp_avg"])
        assert torch.equal(taken["optimizer"]["exp_avg_sq"][index], memory["exp_avg_sq"])
    assert OPTIONS.noise_end == 1.0
