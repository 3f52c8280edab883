"""Make the presets that come with rtwave, from recordings to a folder in presets/, by rtwave's own verbs.

    python tools/bank.py list
    python tools/bank.py all flute --minutes 30
    python tools/bank.py fetch flute      (then prepare, train, export, picture)

How each is made is said in tools/bank.toml. Recordings and corpora lie in corpora/NAME, runs in runs/NAME.
"""

import argparse
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import bank_sources
import msgspec
from make_demo import PHRASES

from rtwave.errors import RtwaveError

TABLE = Path(__file__).with_name("bank.toml")
PRESETS = Path(__file__).resolve().parents[1] / "presets"


class Licence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of recordings: its name, the sentence that gives credit, and the whole text."""

    name: str
    source: str
    text: str


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one preset is made; the fields are told in bank.toml."""

    program: int
    description: str
    licence: str
    fetch: str
    prepare: str
    train: str
    export: str
    minutes: float
    recordings: str | None = None


def read_bank() -> tuple[dict[str, Recipe], dict[str, Licence]]:
    """Every recipe by name, and every licence."""
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    licences = msgspec.convert(table.pop("licences"), dict[str, Licence])
    return msgspec.convert(table, dict[str, Recipe]), licences


class Kitchen:
    """One preset in the making: `corpora` and `runs` are folders, `minutes` what training may take."""

    def __init__(self, name: str, corpora: Path, runs: Path, presets: Path, minutes: float | None) -> None:
        recipes, licences = read_bank()
        self.name, self.recipe = name, recipes[name]
        self.licence = licences[self.recipe.licence]
        self.corpus, self.run, self.preset = corpora / name, runs / name, presets / name
        self.recordings = corpora / (self.recipe.recordings or name) / "recordings"
        self.minutes = self.recipe.minutes if minutes is None else minutes

    def fetch(self) -> None:
        """Bring the recordings."""
        getattr(bank_sources, self.recipe.fetch)(self.recordings)

    def prepare(self) -> None:
        """Make the corpus."""
        rtwave("prepare", *self.words(self.recipe.prepare), "--out", self.corpus)

    def train(self) -> None:
        """Train, or go on with what was begun."""
        begun = ["--resume"] if (self.run / "checkpoint.pt").is_file() else []
        options = self.words(self.recipe.train)
        rtwave("train", self.corpus, "--out", self.run, "--minutes", self.minutes, *options, *begun)

    def export(self) -> None:
        """Make the preset of what was learned, with its phrase and its licence."""
        self.run.mkdir(parents=True, exist_ok=True)
        demo, text = self.run / "demo.mid", self.run / "LICENSE.txt"
        PHRASES[self.name]().save(demo)
        text.write_text(f"{self.licence.source}\n\n{self.licence.text}", encoding="utf-8")
        words = ["--name", self.name, "--description", self.recipe.description, "--program", self.recipe.program]
        words += ["--license", self.licence.name, "--source", self.licence.source, "--license-file", text]
        rtwave("export", self.run, "--out", self.preset, *words, "--demo", demo, *self.words(self.recipe.export))

    def picture(self) -> None:
        """Draw the preset's phrase, and the recordings beside what plays now."""
        call(sys.executable, Path(__file__).with_name("spectrogram.py"), self.preset, "--corpus", self.corpus)

    def all(self) -> None:
        """From nothing to a preset."""
        for step in (self.fetch, self.prepare, self.train, self.export, self.picture):
            step()

    def words(self, text: str) -> list[str]:
        """A recipe's words, with the places of this machine in them."""
        places = {"recordings": self.recordings}
        places |= {name: bank_sources.soundfont(name) for name in bank_sources.SOUNDFONTS if f"{{{name}}}" in text}
        return [word.format(**places) for word in shlex.split(text)]


def rtwave(verb: str, *words: object) -> None:
    """One of rtwave's own verbs, as anyone would say it."""
    print(f"$ {shlex.join(['rtwave', verb, *map(str, words)])}", flush=True)
    call(sys.executable, "-m", "rtwave", verb, *words)


def call(*words: object) -> None:
    """A program, which must end well."""
    ended = subprocess.run([str(word) for word in words], check=False).returncode
    if ended:
        raise RtwaveError(f"that ended with {ended}")


def print_list() -> None:
    """Every preset of the bank, and whether it is there."""
    recipes, licences = read_bank()
    for name, recipe in recipes.items():
        there = "" if (PRESETS / name / "preset.toml").is_file() else "  (not made yet)"
        print(f"{name:10} {recipe.program:4}  {recipe.description}; {licences[recipe.licence].name}{there}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    steps = ("fetch", "prepare", "train", "export", "picture", "all")
    parser.add_argument("step", choices=[*steps, "list"])
    parser.add_argument("name", nargs="?", choices=list(PHRASES))
    parser.add_argument("--minutes", type=float, help="of training; the recipe's own by default")
    parser.add_argument("--corpora", type=Path, default=Path("corpora"))
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--presets", type=Path, default=PRESETS)
    arguments = parser.parse_args()
    if arguments.step == "list":
        return print_list()
    if arguments.name is None:
        parser.error(f"which preset? one of {', '.join(PHRASES)}")
    try:
        places = (arguments.corpora, arguments.runs, arguments.presets)
        return getattr(Kitchen(arguments.name, *places, arguments.minutes), arguments.step)()
    except RtwaveError as error:
        parser.exit(1, f"bank: {error}\n")


if __name__ == "__main__":
    main()
