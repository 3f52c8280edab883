import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from rtwave.training import stack  # noqa: E402
from rtwave.training.loss import negative_log_likelihood  # noqa: E402
from rtwave.wavenet.config import WaveNetConfig  # noqa: E402
from rtwave.wavenet.network import WaveNet  # noqa: E402

SETS = stack.instruction_sets()
PLAIN = [name for name in SETS if name != "avx512_amx"]
needs_tiles = pytest.mark.skipif("avx512_amx" not in SETS, reason="no matrix tiles here")

SMALL = {"dilations": (1, 2, 4, 40, 300, 1), "residual_channels": 16, "skip_channels": 32, "head_channels": 48}
CONFIGS = {
    "gaussian": SMALL | {"excitation": "partials", "partials": 7},
    "mulaw": SMALL | {"output": "mulaw", "kernel_size": 3},
    "unconditioned": SMALL | {"conditioning": (), "residual_channels": 48, "dilations": (3, 1)},
    "wide": SMALL | {"residual_channels": 64, "skip_channels": 64, "dilations": (1, 2, 4)},
    "odd": SMALL | {"residual_channels": 5, "skip_channels": 7, "head_channels": 9, "quantization_channels": 11,
                    "output": "mulaw", "excitation": "partials", "partials": 3},
    "one layer": SMALL | {"dilations": (2,)},
}  # fmt: skip


def network_of(config, seed=0):
    torch.manual_seed(seed)
    return WaveNet(config)


def batch_of(config, segments=3, periods=45, period=15, seed=1):
    """675 samples: two tiles and a piece, periods that end within strips."""
    generator = torch.Generator().manual_seed(seed)
    shape = (segments, periods * period)
    if config.output == "gaussian":
        samples = torch.randn(shape, generator=generator) * 0.05
        targets = torch.randn(shape, generator=generator) * 0.05
    else:
        samples, targets = torch.randint(0, config.quantization_channels, (2, *shape), generator=generator)
    channels = config.conditioning_channels
    c = torch.randn(segments, periods, channels, generator=generator) if channels else None
    e = torch.randn(*shape, config.excitation_channels, generator=generator) if config.excitation_channels else None
    return samples, c, e, targets


def learn(network, predict, batch):
    """Outputs, and gradients by name."""
    samples, c, e, targets = batch
    outputs = predict(samples, c, e)
    network.zero_grad(set_to_none=True)
    negative_log_likelihood(network.config, outputs, targets).mean().backward()
    return outputs.detach(), {name: each.grad.clone() for name, each in network.named_parameters()}


def native_of(network, instruction_set, threads=2):
    return stack.Native(network, instruction_set, threads).predict


def distance(one, other):
    return float((one - other).norm() / other.norm().clamp_min(1e-12))


@pytest.mark.parametrize("instruction_set", PLAIN)
@pytest.mark.parametrize("name", CONFIGS)
def test_outputs_and_every_gradient_are_those_of_torch(name, instruction_set):
    network = network_of(WaveNetConfig(**CONFIGS[name]))
    batch = batch_of(network.config)
    outputs, gradients = learn(network, native_of(network, instruction_set), batch)
    expected, expected_gradients = learn(network, network.predict, batch)
    torch.testing.assert_close(outputs, expected, rtol=1e-4, atol=1e-5)
    assert {key: distance(gradients[key], each) for key, each in expected_gradients.items()} == pytest.approx(
        dict.fromkeys(gradients, 0.0), abs=1e-4
    )


@needs_tiles
@pytest.mark.parametrize("name", CONFIGS)
def test_bfloat16_gradients_are_as_near_those_of_float32_as_torch_brings_them(name):
    network = network_of(WaveNetConfig(**CONFIGS[name]))
    batch = batch_of(network.config)

    def autocast(*arguments):
        with torch.autocast("cpu", torch.bfloat16):
            return network.predict(*arguments).float()

    expected, expected_gradients = learn(network, network.predict, batch)
    outputs, gradients = learn(network, native_of(network, "avx512_amx"), batch)
    by_torch, gradients_by_torch = learn(network, autocast, batch)
    assert distance(outputs, expected) < distance(by_torch, expected)
    error, error_by_torch = (
        {key: distance(each, expected_gradients[key]) for key, each in some.items()}
        for some in (gradients, gradients_by_torch)
    )
    assert np.mean(list(error.values())) < 1.05 * np.mean(list(error_by_torch.values()))
    for key, each in expected_gradients.items():
        assert torch.nn.functional.cosine_similarity(gradients[key].flatten(), each.flatten(), dim=0) > 0.99, key
    assert distance(gradients["output.weight"], expected_gradients["output.weight"]) < 1e-2


@pytest.mark.parametrize("instruction_set", SETS)
def test_the_number_of_threads_does_not_change_a_bit(instruction_set):
    network = network_of(WaveNetConfig(**CONFIGS["gaussian"]))
    batch = batch_of(network.config, segments=5)
    outputs, gradients = learn(network, native_of(network, instruction_set, threads=1), batch)
    for threads in (2, 3):
        predict = native_of(network, instruction_set, threads)
        for _ in range(3):
            again, gradients_again = learn(network, predict, batch)
            assert torch.equal(again, outputs)
            assert all(torch.equal(gradients[key], each) for key, each in gradients_again.items())


@pytest.mark.parametrize("instruction_set", SETS)
def test_a_short_training_reaches_the_loss_it_reaches_with_torch(instruction_set):
    config = WaveNetConfig(**SMALL | {"dilations": (1, 2, 4, 8), "excitation": "partials", "partials": 4})
    samples, c, e, _ = batch_of(config)
    targets = 0.05 * torch.sin(e.sum(dim=2)) + 0.5 * samples.roll(1, 1)

    def train(native):
        network = network_of(config)
        predict = native_of(network, instruction_set) if native else network.predict
        optimizer = torch.optim.Adam(network.parameters(), 1e-3)  # higher ones are chaotic, in torch alone too
        for _ in range(60):
            loss = negative_log_likelihood(config, predict(samples, c, e), targets).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return loss.item()

    untrained = negative_log_likelihood(config, network_of(config).predict(samples, c, e), targets).mean().item()
    by_torch = train(native=False)
    assert by_torch < untrained - 0.1
    assert train(native=True) - untrained == pytest.approx(by_torch - untrained, rel=0.03)


def test_a_wrong_weight_would_be_found():
    network = network_of(WaveNetConfig(**CONFIGS["gaussian"]))
    batch = batch_of(network.config)
    _, expected = learn(network, network.predict, batch)
    wrong = copy.deepcopy(network)
    with torch.no_grad():
        wrong.layers[3].residual.weight[2, 5] += 0.02
    _, gradients = learn(wrong, native_of(wrong, PLAIN[-1]), batch)
    assert distance(gradients["layers.1.gate.weight"], expected["layers.1.gate.weight"]) > 1e-4


def test_nothing_of_the_future_or_of_other_segments_is_heard():
    network = network_of(WaveNetConfig(**CONFIGS["gaussian"]))
    samples, c, e, _ = batch_of(network.config)
    predict = native_of(network, SETS[-1])
    with torch.no_grad():
        before = predict(samples, c, e)
        samples[1, 400] += 1.0
        after = predict(samples, c, e)
    changed = (before != after).any(dim=2)
    assert not changed[[0, 2]].any()
    assert not changed[1, :400].any()
    assert changed[1, 400].any()


def test_another_batch_between_forward_and_backward_changes_nothing():
    network = network_of(WaveNetConfig(**CONFIGS["gaussian"]))
    batch, other = batch_of(network.config), batch_of(network.config, segments=5, periods=20, seed=2)
    predict = native_of(network, SETS[-1])
    _, expected = learn(network, predict, batch)

    def distracted(samples, c, e):
        outputs = predict(samples, c, e)
        with torch.no_grad():
            predict(*other[:3])
        return outputs

    _, gradients = learn(network, distracted, batch)
    assert all(torch.equal(gradients[key], each) for key, each in expected.items())


def test_nan_in_a_weight_is_not_hidden():
    network = network_of(WaveNetConfig(**CONFIGS["gaussian"]))
    samples, c, e, _ = batch_of(network.config)
    for name in SETS:
        broken = copy.deepcopy(network)
        with torch.no_grad():
            broken.layers[2].gate.weight[0, 0, 0] = float("nan")
            assert native_of(broken, name)(samples, c, e).isnan().any()


def test_arrays_that_do_not_fit_are_refused():
    network = network_of(WaveNetConfig(**CONFIGS["mulaw"]))
    samples, c, e, _ = batch_of(network.config)
    predict = native_of(network, SETS[-1])
    with pytest.raises(IndexError, match="classes from 0 to 256, the network has 256"):
        predict(samples.where(samples != samples.max(), 256).where(samples != samples.min(), 0), c, e)
    with pytest.raises(ValueError, match="conditioning is"):
        predict(samples, c[:, :44], e)
    with pytest.raises(ValueError, match="conditioning is None"):
        predict(samples, None, e)


def test_a_network_in_another_precision_is_left_to_torch():
    config = WaveNetConfig(**CONFIGS["one layer"])
    assert stack.compile_stack(network_of(config).double(), bfloat16=False) is None
    assert stack.compile_stack(network_of(config), bfloat16=True) is not None


def test_float32_is_kept_to_where_it_is_asked_for():
    assert stack.choose_instruction_set(bfloat16=False) != "avx512_amx"
