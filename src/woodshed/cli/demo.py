"""woodshed demo"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from woodshed.cli.options import Force, Json, Threads, use_threads
from woodshed.cli.talk import Talk
from woodshed.words import counted

if TYPE_CHECKING:
    from rich.progress import Progress

    from woodshed.recipes.demo import DemoResult
    from woodshed.recipes.demo_music import DemoMusic
    from woodshed.training.loop import Event


def command(
    output: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for all that is made.")] = Path("demo-out"),
    minutes: Annotated[float, typer.Option("--minutes", metavar="M", help="How long to practise.")] = 2.0,
    steps: Annotated[
        int | None, typer.Option("--steps", metavar="N", help="Practise so many steps instead: exactly repeatable.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="S", min=0, help="The source of all chance.")] = 0,
    corpus: Annotated[
        Path | None,
        typer.Option("--corpus", metavar="FOLDER", help="Learn from this music instead of what is installed."),
    ] = None,
    candidates: Annotated[
        int, typer.Option("--candidates", metavar="N", min=1, max=64, help="Drawn for each clip; the best is kept.")
    ] = 32,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting of the recipe; may be given again."),
    ] = None,
    threads: Threads = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Hear what it does: a band at once, then practise real music for two minutes, play four clips and write a report.

    It learns from Freedoom's band music if `woodshed data get freedoom` has been run, else from string quartets that
    are installed with it. The first Ctrl-C ends the practice early and goes on; the second one stops.
    """
    from woodshed.recipes.demo import DemoListener, DemoOptions, check_demo_output, run_demo
    from woodshed.recipes.runs import Listener

    talk = Talk(as_json)
    check_demo_output(output, force=force)
    use_threads(threads)
    options = DemoOptions(minutes, steps, seed, corpus, candidates, tuple(changes or ()))
    with talk.progress("{task.fields[told]}") as bar:
        steps_bar = _Bars(talk, bar)
        training = Listener(
            on_event=steps_bar.practise, on_corpus=steps_bar.read, on_warning=lambda line: talk.note(f"note: {line}")
        )
        listener = DemoListener(
            training, on_music=steps_bar.music, on_stage=steps_bar.play, on_opening=steps_bar.opening
        )
        result = run_demo(output, options, force=force, listener=listener)
    _tell(talk, result)


class _Bars:
    """A bar for reading, one for practising, one for each clip."""

    def __init__(self, talk: Talk, bar: Progress) -> None:
        self.talk, self.bar = talk, bar
        self.tasks: dict[str, Any] = {}

    def read(self, stage: str, done: int, total: int) -> None:
        self._show(f"{stage} the music", done / max(total, 1))

    def music(self, music: DemoMusic) -> None:
        songs, notes = len(music.material.songs), music.material.notes
        self.talk.note(f"learning from {counted(songs, 'song')}, {counted(notes, 'note')}: {music.name}")

    def opening(self, path: Path) -> None:
        self.talk.note(f"{path.with_suffix('')}: a band, before anything is learned")

    def practise(self, event: Event) -> None:
        if event.train_nats is not None:
            self._show("practise (Ctrl-C: enough)", event.fraction, f"{event.train_nats:.2f} nats per note")
        if event.kind == "evaluation" and event.held_out_nats is not None:
            self.talk.note(f"{event.fraction:4.0%} practised: {event.held_out_nats:.3f} nats per note never heard")

    def play(self, name: str, share: float) -> None:
        self._show(f"play {name}", share)

    def _show(self, name: str, share: float, told: str = "") -> None:
        if name not in self.tasks:
            self.tasks[name] = self.bar.add_task(name, total=1.0, told="")
        self.bar.update(self.tasks[name], completed=share, told=told)


def _tell(talk: Talk, result: DemoResult) -> None:
    if result.outcome.reason == "interrupted":
        talk.note("the practice was cut short; what was learned until then is kept")
    for played in result.clips:
        copied = f"{played.novelty.share:.0%} copied"
        endings = " ".join(path.suffix for path in played.files)
        talk.say(f"{played.midi.with_suffix('')} ({endings}): {played.clip.title}, {copied}")
    if result.without_sound:
        talk.note(f"no sound: {result.without_sound}")
    talk.say(f"open {result.report} to see and hear it all")
    for step in result.next_steps:
        talk.say(step.replace("`", ""))
    talk.facts({"kind": "result", **result.as_dict()})
