"""The network that suits a corpus, unless somebody asks for another."""

from ..wavenet.config import WaveNetConfig
from .corpus import CorpusIndex

DILATIONS_CYCLE = 8
CONDITIONING = {
    "notes": ("pitch", "velocity", "loudness", "gate", "age", "release_age"),
    "drums": ("velocity", "loudness", "gate", "age", "release_age", "timbre"),
    "texture": ("loudness",),
}
"""What a network is told, by kind of corpus."""
TONAL_TEMPERATURE, UNPITCHED_TEMPERATURE = 0.3, 1.0
"""Instruments are played nearly clean; what has no pitch keeps its level only at the spread it was learned with."""


def usual_temperature(config: WaveNetConfig) -> float:
    """What a network is played at unless somebody asks for another."""
    return TONAL_TEMPERATURE if config.excitation_channels else UNPITCHED_TEMPERATURE


def usual_conditioning(index: CorpusIndex, knobs: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Conditioning features for a corpus: `timbre` where there are several, and the knobs that vary."""
    told = CONDITIONING[index.kind]
    several = len(index.timbres) > 1 and "timbre" not in told
    return (*told, *(("timbre",) if several else ()), *knobs)


def usual_network(index: CorpusIndex, knobs: tuple[str, ...] = (), **asked: object) -> WaveNetConfig:
    """A levelled, pre-emphasised Gaussian network at the corpus's rate, excited by partials where there are notes.

    `asked` are fields of WaveNetConfig that are to be otherwise, or `layers` and `dilations_cycle`: so many layers,
    whose dilations double so many times before they start again.
    """
    layers, cycle = asked.pop("layers", None), asked.pop("dilations_cycle", None)
    fitted: dict[str, object] = {
        "sample_rate": index.sample_rate,
        "control_period": index.control_period,
        "pre_emphasis": 0.85,
        "leveling": "loudness",
        "dilations": dilations(layers or 16, cycle or DILATIONS_CYCLE),
        "conditioning": usual_conditioning(index, knobs),
    }
    if index.kind == "notes":
        fitted |= {"excitation": "weighted", "partials": index.partials}
    return WaveNetConfig(**(fitted | asked))


def dilations(layers: int, cycle: int) -> tuple[int, ...]:
    """1, 2, 4, … doubled `cycle` times, again and again."""
    return tuple(2 ** (layer % cycle) for layer in range(layers))
