"""What a run says while it trains: a bar, a line for every checkpoint, hints, curves, notes to hear."""

import contextlib
from collections.abc import Callable, Iterator

from ..errors import RtwaveError
from ..training.bands import Watch
from ..training.listen import SILENCE_DB, Heard, Listener, columns, write_note
from ..training.logs import Curves
from ..training.trainer import Progress, Trainer
from .progress import progress_bar

CURVE_EVERY = 10


class Follower:
    """Hears of every step in the first process, and tells what matters."""

    def __init__(self, trainer: Trainer, advance: Callable[..., None]) -> None:
        self.run, self.rate, self._advance = trainer.run_folder, trainer.config.sample_rate, advance
        self.listener = Listener(trainer.corpus)
        self.watch = Watch(trainer.config, self.listener.pitched)
        self.curves = Curves(self.run.curves_folder)

    def __call__(self, progress: Progress) -> None:
        """Tell of one step."""
        step = progress.step
        figures = f"{progress.bits:6.2f} bits/sample  {progress.samples_per_second:8,.0f} samples/s"
        self._advance(step, figures)
        hints = self.watch.step(step, *progress.losses)
        if step % CURVE_EVERY == 0:
            speed = {"samples_per_second": progress.samples_per_second}
            self.curves.figures(step, {"bits": progress.bits, "nats": progress.nats, **speed})
        if progress.held_out_bits is not None:
            self.curves.figures(step, {"held_out_bits": progress.held_out_bits})
            hints += self.watch.held_out(step, progress.recent_bits, progress.held_out_bits)
        if progress.judged:
            self._tell(f"step {step}: {self._loss(progress)}")
        if progress.heard:
            self._tell(f"step {step}: {self._notes(progress)}")
        if progress.unsaved:
            self._tell(f"step {step}: {progress.unsaved}; training goes on and tries again at the next checkpoint")
        for hint in hints:
            self._hint(hint)
        if progress.judged or progress.heard:
            lost = self.curves.flush()
            if lost:
                self._tell(lost)

    def _loss(self, progress: Progress) -> str:
        judged = progress.held_out_bits
        told = "" if judged is None else f"{judged:.3f} bits per sample on held-out recordings, "
        band = self.watch.band(progress.step)
        return f"{told}{progress.recent_bits:.2f} on those learned from ({self.watch.nats:.2f} nats, expected {band})"

    def _notes(self, progress: Progress) -> str:
        """The notes in a line; the middle one is there to be heard and seen."""
        heard, step = progress.heard, progress.step
        self.curves.figures(step, columns(heard))
        middle = heard[len(heard) // 2]
        self.curves.sound(step, "note", middle.sound, self.rate)
        try:
            where = write_note(middle.sound, self.rate, middle.key, self.run.notes_folder, step)
        except RtwaveError as error:
            where = error
        return f"{'; '.join(map(_in_words, heard))}; a note in {where}"

    def _hint(self, hint: str) -> None:
        self._tell(f"hint: {hint}")
        with contextlib.suppress(OSError), (self.run.folder / "hints.txt").open("a", encoding="utf-8") as file:
            file.write(hint + "\n")

    @staticmethod
    def _tell(line: str) -> None:
        print(line, flush=True)


def _in_words(note: Heard) -> str:
    """key 60: +0.4 cents, −1.2 dB, 21 dB pure (recording 24), −73 dBFS after release"""
    told = [] if note.cents is None else [f"{note.cents:+.1f} cents"]
    told.append(f"{note.level_db:+.1f} dB")
    if note.purity_db is not None:
        told.append(f"{note.purity_db:.0f} dB pure (recording {note.recorded_purity_db:.0f})")
    if note.spectrum_db is not None:
        told.append(f"spectrum {note.spectrum_db:.1f} dB off")
    if note.floor_db is not None:
        silent = note.floor_db <= SILENCE_DB
        told.append("silent after release" if silent else f"{note.floor_db:.0f} dBFS after release")
    return f"key {note.key}: {', '.join(told)}"


@contextlib.contextmanager
def following(trainer: Trainer) -> Iterator[Follower]:
    """A follower under a progress bar; tells first what will be trained."""
    learner, dataset = trainer.learner, trainer.dataset
    parameters = sum(parameter.numel() for parameter in trainer.network.parameters())
    precision = "bfloat16" if learner.bfloat16 else "float32"
    processes = f", {trainer.group.world} processes" if trainer.group.world > 1 else ""
    print(
        f"{parameters:,} weights, {precision} on {learner.device}, {learner.engine}{processes}; "
        f"{len(dataset.train)} recordings to learn from"
    )
    for name, reason in dataset.left_out:
        print(f"left out {name}: {reason}")
    if not trainer.held_out:
        print("no recording is held out, so what was learned cannot be judged: listen to the notes")
    with progress_bar("training", trainer.options.steps, trainer.step) as advance:
        follower = Follower(trainer, advance)
        try:
            yield follower
        finally:
            follower.curves.close()
