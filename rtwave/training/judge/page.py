"""One HTML page with everything in it that a musician wants to see of an evaluation: what is good, and what is off."""

import base64
from html import escape

from ..corpus import Corpus
from . import pictures
from .figures import Judgement
from .judge import YARDSTICKS, means
from .player import Player

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; } td, th { padding: .15rem .8rem .15rem 0; text-align: left; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
.met { color: #1d7a3a; } .missed { color: #b3261e; font-weight: 600; }
img { max-width: 100%; } h2 { margin-top: 2.2rem; } p.small { color: #666; font-size: .9rem; }
"""


def page(found: Judgement, player: Player, corpus: Corpus) -> str:
    """The page as one string of HTML, pictures inlined."""
    parts = [_head(found), _verdicts(found)]
    if found.held_out:
        parts += [
            "<h2>Recorded, and played</h2><p>Above a recording that training never heard, below the same note of the "
            "preset. Time runs to the right for two seconds, kHz upwards, brighter is louder.</p>",
            _image(pictures.pairs(found, player, corpus), "spectrograms"),
            "<h2>How like the recordings</h2><p>The lower, the more alike; 0 is the same sound. The marks are other "
            "sounds judged by the same measure: a preset below the triangles is a better likeness than a neighbouring "
            "recording.</p>",
            _image(pictures.distances(found), "distances"),
            _means(found),
        ]
    if found.blame:
        parts += [
            "<h2>Where it differs</h2><p>Low bands below, high bands above, from the attack to the tail. Red: the "
            "preset is too loud there, blue: too soft; ± is how far off it is either way, in dB.</p>",
            _image(pictures.blame(found), "difference by band and time"),
        ]
    if found.notes:
        parts += [
            "<h2>Over the keyboard</h2><p>A dot is a note; grey is where it should lie.</p>",
            _image(pictures.by_key(found), "pitch, level, purity and noise by key"),
            "<h2>How notes end</h2>",
            _image(pictures.decays(found), "decay and damping"),
        ]
    if found.velocities:
        parts += [
            "<h2>From soft to loud</h2><p>Blue is recorded, red is played.</p>",
            _image(pictures.velocities(found), "level and brightness by velocity"),
        ]
    if found.textures:
        parts += [
            "<h2>A minute of it</h2><p>Beside the level of the recordings that it learned from.</p>",
            _image(pictures.textures(found), "level over time and by temperature"),
        ]
    title = escape(f"{found.model}, evaluated")
    head = f'<meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>\n' + "\n".join(parts) + "\n</body></html>\n"


def _head(found: Judgement) -> str:
    speed, bits = found.speed, ", ".join(f"{name} {value:.3f}" for name, value in found.bits.bits.items())
    bits = f"Bits per sample: {bits}." if bits else "No recording is held out, so there are no bits per sample."
    return (
        f"<h1>{escape(found.model)}</h1><p>Judged by the recordings in {escape(found.corpus)}; rendered in "
        f"{found.precision} ({found.instruction_set}) at {found.sample_rate / 1000:g} kHz, "
        f"{speed.times_real_time:g} times as fast as {speed.voices} voices sound on {speed.threads} cores, where "
        f"{speed.voices_in_real_time} voices keep up ({escape(speed.machine)}). {bits}</p>"
    )


def _verdicts(found: Judgement) -> str:
    good = sum(verdict.met for verdict in found.verdicts)
    rows = [
        f'<tr><td class="{"met" if v.met else "missed"}">{"good" if v.met else "off"}</td><td>{escape(v.name)}</td>'
        f'<td class="number">{v.reached:g} {v.unit}</td><td>{v.wanted} {v.unit}</td><td>{escape(v.meaning)}</td></tr>'
        for v in sorted(found.verdicts, key=lambda each: each.met)
    ]
    header = "<tr><th></th><th></th><th>reached</th><th>wanted</th><th>it means</th></tr>"
    return f"<h2>{good} of {len(rows)} as wanted</h2><table>{header}{''.join(rows)}</table>"


def _means(found: Judgement) -> str:
    rows = [f'<tr><td>{YARDSTICKS[k]}</td><td class="number">{v:.2f}</td></tr>' for k, v in means(found).items()]
    far = ", ".join(f"{escape(each.recording)} ({each.distance:.2f})" for each in pictures.worst(found.held_out))
    return f'<table>{"".join(rows)}</table><p class="small">Farthest from their recordings: {far}.</p>'


def _image(png: bytes, what: str) -> str:
    return f'<img alt="{what}" src="data:image/png;base64,{base64.b64encode(png).decode()}">'
