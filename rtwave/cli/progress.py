"""A progress bar for long work, on stderr and only where that is a terminal."""

import contextlib
import sys
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def progress_bar(label: str, total: float, done: float = 0.0) -> Iterator[Callable[..., None]]:
    """A bar that shows time left; call what it gives with the amount done, in the unit of `total`, and any figures."""
    if not sys.stderr.isatty():
        yield lambda done, figures="": None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[figures]}"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, redirect_stdout=sys.stdout.isatty()) as progress:
        task = progress.add_task(label, total=total, completed=done, figures="")
        yield lambda done, figures="": progress.update(task, completed=min(done, total), figures=figures)
