"""Weights rounded while a gradient is taken, and whole again after it."""

import msgspec
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from rtwave.training.flat import FlatNetwork  # noqa: E402
from rtwave.training.rounding import Rounding  # noqa: E402
from rtwave.wavenet.network import WaveNet  # noqa: E402
from rtwave.wavenet.precision import held_tensors  # noqa: E402

from .tiny import CONFIG, tiny_trainer  # noqa: E402


@pytest.mark.parametrize("output", ["gaussian", "mulaw"])
def test_weights_are_those_that_int8_holds_and_then_whole_again(output):
    torch.manual_seed(3)
    network = WaveNet(msgspec.structs.replace(CONFIG, output=output))
    flat = FlatNetwork(network)
    before, expected = flat.weights.data.clone(), held_tensors(network.weights(), "int8")
    with Rounding(network, flat).held():
        assert not torch.equal(flat.weights.data, before)
        found = network.weights().tensors
    for name, tensor in expected.items():
        np.testing.assert_allclose(found[name], tensor, rtol=1e-6, atol=1e-9)
    assert torch.equal(flat.weights.data, before)


def test_they_are_whole_again_after_an_error():
    network = WaveNet(CONFIG)
    flat = FlatNetwork(network)
    before = flat.weights.data.clone()
    with pytest.raises(KeyboardInterrupt), Rounding(network, flat).held():
        raise KeyboardInterrupt
    assert torch.equal(flat.weights.data, before)


def test_the_gradient_is_that_of_the_rounded_network_and_moves_the_one_behind_it(corpus_folder, tmp_path):
    trainer = tiny_trainer(corpus_folder, tmp_path, CONFIG, engine="torch", rounded=True)
    learner, batch = trainer.learner, trainer.dataset.draw(np.random.default_rng(0))
    plain = WaveNet(CONFIG)
    plain.load_state_dict(trainer.network.state_dict())
    behind = [parameter.detach().clone() for parameter in plain.parameters()]
    held = held_tensors(plain.weights(), "int8")
    with torch.no_grad():
        for name, parameter in plain.named_tensors():
            if name != "input.weight":
                parameter.copy_(torch.from_numpy(held[name]))
    loss, _ = learner.count(plain.predict, batch, bfloat16=False)
    loss.backward()
    (figures,) = learner.learn(batch, 0)
    assert figures.nats == pytest.approx(float(loss.detach()), rel=1e-5)
    gradients = [parameter.grad for parameter in plain.parameters()]
    for parameter, weight, gradient in zip(trainer.network.parameters(), behind, gradients, strict=True):
        moved = parameter.detach() - weight
        telling = gradient.abs() > 1e-3 * gradient.abs().max()
        assert (torch.sign(moved[telling]) == -torch.sign(gradient[telling])).all()  # Adam's first step
        assert moved.abs().max() < 0.1
