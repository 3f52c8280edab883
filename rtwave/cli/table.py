"""A verb's options as a table: a line each, in place of a parameter each."""

import inspect
from collections.abc import Callable
from typing import Annotated

import typer

Table = dict[str, tuple[type, str]]
"""Name, as the verb's keyword, to (type, help)."""


def takes(table: Table, usual: object) -> Callable[[Callable], Callable]:
    """Make a verb whose last parameter is `**asked` take the table's options as well, None where they are not given.

    The help tells the default that is found in `usual`, a record, unless it tells one itself.
    """

    def decorate(verb: Callable) -> Callable:
        signature = inspect.signature(verb)
        named = [each for each in signature.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
        more = [_parameter(name, kind, text, getattr(usual, name, None)) for name, (kind, text) in table.items()]
        parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in [*named, *more]]
        verb.__signature__ = signature.replace(parameters=parameters)
        return verb

    return decorate


def _parameter(name: str, kind: type, text: str, default: object) -> inspect.Parameter:
    flag = name.replace("_", "-")
    if default is not None and "[default" not in text:
        told = {True: "yes", False: "no"}.get(default, default) if isinstance(default, bool) else default
        text = f"{text}  [default: {told}]"
    switch = f"--{flag}/--no-{flag}" if kind is bool else f"--{flag}"
    annotation = Annotated[kind | None, typer.Option(switch, help=text)]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def given(asked: dict[str, object], table: Table) -> dict[str, object]:
    """What was given of a table's options."""
    return {name: asked[name] for name in table if asked.get(name) is not None}
