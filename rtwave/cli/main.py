"""`rtwave VERB …`: finds the verb, imports its file and no other, and turns errors into one line and an exit code."""

import importlib
import sys

from ..errors import RtwaveError

VERBS = {
    "play": "play a preset live: MIDI, the computer's keys or a MIDI file, to the sound card",
    "render": "render a MIDI file to a sound file: the same samples as play",
    "devices": "list sound cards and MIDI ports",
    "presets": "list the presets that can be played",
    "prepare": "make a corpus from recordings, SFZ instruments, SoundFonts or songs",
    "train": "train a network on a corpus",
    "export": "make a preset of a trained network",
    "evaluate": "judge a preset by the recordings: pitch, level, noise, likeness, speed",
    "bench": "measure how many voices play in real time",
    "doctor": "tell what would keep this machine from playing",
}

TRAINING_LIBRARIES = ("torch", "soxr", "matplotlib")
"""The extra `train`."""

INTERRUPTED = 130
"""What typer makes of Ctrl-C."""


def run(arguments: list[str] | None = None) -> int:
    """Run one command line (None: the program's own); returns 0 when done, 1 when it failed, 2 when wrongly called."""
    arguments = sys.argv[1:] if arguments is None else arguments
    verb = arguments[0] if arguments else "--help"
    if verb in ("--help", "-h"):
        print(_help())
        return 0 if arguments else 2
    if verb == "--version":
        from .. import __version__

        print(f"rtwave {__version__}")
        return 0
    if verb not in VERBS:
        return _complain(f"unknown verb {verb!r}, expected one of {', '.join(VERBS)}", 2)
    try:
        return _run_verb(verb, arguments[1:])
    except RtwaveError as error:
        return _complain(str(error), 1)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in TRAINING_LIBRARIES:
            raise
        return _complain(f"{error.name} is not installed; this verb needs: pip install 'rtwave[train]'", 1)
    except KeyboardInterrupt:
        return _complain("interrupted", 1)
    except BrokenPipeError:  # the reader of our output has seen enough
        sys.stderr.close()
        return 1


def _run_verb(verb: str, arguments: list[str]) -> int:
    import typer

    app = typer.Typer(rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False)
    app.command(name=verb)(getattr(importlib.import_module(f".{verb}", __package__), verb))
    command = typer.main.get_command(app)
    try:
        code = command.main(arguments, prog_name=f"rtwave {verb}", standalone_mode=False)
    except typer.Abort:
        code = INTERRUPTED
    except Exception as error:
        # a usage error; typer and click, of which it is made, agree only on what it can do
        if not hasattr(error, "format_message"):
            raise
        return _complain(f"{error.format_message().rstrip('.')}; see rtwave {verb} --help", 2)
    if code == INTERRUPTED:
        return _complain("interrupted", 1)
    return code if isinstance(code, int) else 0


def _complain(problem: str, code: int) -> int:
    print("rtwave: " + " ".join(problem.split()), file=sys.stderr)
    return code


def _help() -> str:
    verbs = "\n".join(f"  {verb:9} {summary}" for verb, summary in VERBS.items())
    return (
        "Usage: rtwave VERB [OPTIONS]\n\nA playable WaveNet.\n\n"
        f"{verbs}\n\n"
        "rtwave VERB --help tells more. Example:\n\n  rtwave play --preset piano --demo"
    )
