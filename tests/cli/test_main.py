"""The command line as a whole: help, exit codes, and errors in one line."""

import importlib
import subprocess
import sys

import pytest

from rtwave import __version__
from rtwave.cli.main import VERBS


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(rtwave, verb):
    code, out, err = rtwave(verb, "--help")
    assert code == 0
    assert out.startswith(f"Usage: rtwave {verb}")
    assert f"rtwave {verb}" in out.split("Example", 1)[1]
    assert err == ""


def test_help_names_every_verb(rtwave):
    code, out, _ = rtwave("--help")
    assert code == 0
    for verb, summary in VERBS.items():
        assert verb in out
        assert summary in out


def test_version(rtwave):
    assert rtwave("--version") == (0, f"rtwave {__version__}\n", "")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["sing"], "unknown verb 'sing', expected one of play, render"),
        (["play", "--loud"], "--loud"),
        (["play", "--voices", "many"], "--voices"),
        (["play", "song.mid"], "song.mid"),
        (["render"], "song"),
        (["render", "song.mid"], "--output"),
    ],
)
def test_wrong_calls_are_one_line_and_exit_2(rtwave, arguments, problem):
    code, out, err = rtwave(*arguments)
    assert code == 2
    assert out == ""
    assert err.startswith("rtwave: ")
    assert err.count("\n") == 1
    assert problem in err


def test_no_arguments_show_the_help_and_exit_2(rtwave):
    code, out, _ = rtwave()
    assert code == 2
    assert out.startswith("Usage: rtwave VERB")


@pytest.mark.parametrize(
    ("arguments", "code"), [(["--help"], 0), (["sing"], 2), (["render", "none.mid", "-o", "a.wav"], 1)]
)
def test_module_runs_as_the_program(arguments, code):
    done = subprocess.run([sys.executable, "-m", "rtwave", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert "Traceback" not in done.stderr


def test_ctrl_c_is_one_line(rtwave, monkeypatch):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("rtwave.instrument.scores.read_score", interrupt)
    assert rtwave("render", "song.mid", "-o", "song.wav") == (1, "", "rtwave: interrupted\n")


@pytest.mark.parametrize("library", ["torch", "soxr", "matplotlib"])
def test_missing_extra_is_one_line_that_names_it(rtwave, monkeypatch, library):
    monkeypatch.setattr("rtwave.cli.prepare.prepare", lambda: importlib.import_module(library))
    monkeypatch.setitem(sys.modules, library, None)
    told = f"rtwave: {library} is not installed; this verb needs: pip install 'rtwave[train]'\n"
    assert rtwave("prepare") == (1, "", told)


def test_missing_library_of_another_kind_is_not_explained_away(rtwave, monkeypatch):
    monkeypatch.setattr("rtwave.cli.prepare.prepare", lambda: importlib.import_module("nosuchlibrary"))
    with pytest.raises(ModuleNotFoundError):
        rtwave("prepare")
