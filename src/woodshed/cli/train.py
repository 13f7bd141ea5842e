"""woodshed train"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from woodshed.cli.options import Force, Json, Threads, use_threads
from woodshed.cli.talk import Talk
from woodshed.errors import UsageError
from woodshed.words import counted

if TYPE_CHECKING:
    from rich.progress import Progress

    from woodshed.recipes.recipe import Recipe
    from woodshed.recipes.runs import Listener
    from woodshed.training.loop import Event, Outcome


def command(
    context: typer.Context,
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="A named system; `woodshed recipes` lists them.")],
    music: Annotated[
        Path, typer.Argument(readable=False, metavar="CORPUS|FOLDER", help="A built corpus, or a folder of music.")
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="BUNDLE", help="Folder for the trained model.")
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option("--minutes", metavar="M", help="How long to train in all; the recipe's own if not given."),
    ] = None,
    steps: Annotated[
        int | None, typer.Option("--steps", metavar="N", help="Train so many steps instead: exactly repeatable.")
    ] = None,
    base: Annotated[
        Path | None,
        typer.Option("--from", metavar="BUNDLE", help="Start from what this bundle has learned; its model's sizes."),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from where a stopped run was, until --minutes in all.")
    ] = False,
    part: Annotated[
        str | None,
        typer.Option("--part", metavar="NAME", help="Which part is learned, where a recipe learns one: guitar, lead."),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Only show what would be learned, and by which layers; train nothing.")
    ] = False,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting of the recipe; may be given again."),
    ] = None,
    sweep: Annotated[
        str | None,
        typer.Option(
            "--sweep",
            metavar="KEY=V,V,...",
            help="Train once for each value, such as learning_rate=0.01,0.001; draw the curves, keep the best.",
        ),
    ] = None,
    held_out: Annotated[
        Path | None,
        typer.Option("--held-out", metavar="FOLDER", help="Measure the loss on this music instead of on a share."),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", metavar="S", min=0, max=2**32 - 1, help="The source of all chance.")
    ] = 0,
    device: Annotated[
        str, typer.Option("--device", metavar="NAME", help="cpu, cuda, mps, or auto for the best there is.")
    ] = "auto",
    threads: Threads = None,
    sample_every: Annotated[
        float | None,
        typer.Option("--sample-every", metavar="MINUTES", help="Write a few bars as MIDI every so often."),
    ] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Practise music: train a model on it. Ctrl-C ends early and keeps what was learned."""
    from woodshed.recipes.part_option import part_change
    from woodshed.recipes.recipe import load_recipe
    from woodshed.recipes.runs import check_bundle_output, train_recipe

    talk = Talk(as_json)
    chosen = load_recipe(recipe, changes or [])
    if part is not None:
        chosen = load_recipe(recipe, [*(changes or []), part_change(chosen, part)])
    if explain:
        if resume or sweep is not None or sample_every is not None:
            raise UsageError("--explain trains nothing; leave out --resume, --sweep and --sample-every")
        _explain(talk, chosen, music, minutes=minutes, steps=steps, seed=seed, held_out=held_out, base=base)
        return
    if output is None:
        raise UsageError("say where the trained model goes with --output (-o) BUNDLE")
    check_bundle_output(output, force=force, resume=resume)
    use_threads(threads)
    if sweep is not None:
        if resume or base is not None or sample_every is not None:
            raise UsageError("--sweep trains several times from nothing; leave out --resume, --from and --sample-every")
        _sweep(
            talk, chosen, sweep, music, output, minutes=minutes, steps=steps, seed=seed, device=device,
            held_out=held_out, force=force,
        )  # fmt: skip
        return
    with talk.progress("{task.fields[loss]}") as bar:
        outcome = train_recipe(
            chosen, music, output, minutes=minutes, steps=steps, seed=seed, device=device, held_out=held_out,
            base=base, resume=resume, force=force, sample_every=sample_every, listener=_listener(talk, bar),
        )  # fmt: skip
    _report(talk, outcome, output, _again(context.obj or []))


def _explain(talk: Talk, recipe: Recipe, music: Path, **options: Any) -> None:
    """What would be learned, and how."""
    from woodshed.recipes.explain import explain_recipe

    with talk.progress("{task.fields[loss]}") as bar:
        told = explain_recipe(recipe, music, listener=_listener(talk, bar), **options)
    talk.facts({"kind": "explanation", **told.as_dict()})
    if not talk.as_json:
        for line in told.lines():
            talk.say(line)


def _sweep(talk: Talk, recipe: Recipe, text: str, music: Path, output: Path, **options: Any) -> None:
    """Train once for each value, and tell which was best."""
    from woodshed.recipes.sweep import CHART, Sweep, run_sweep

    sweep = Sweep.parse(text, recipe)
    with talk.progress("{task.fields[loss]}") as bar:
        tried = run_sweep(
            recipe, sweep, music, output, listener=_listener(talk, bar),
            on_value=lambda value: talk.note(f"{sweep.key} = {value}"), **options,
        )  # fmt: skip
    best = min(tried, key=lambda one: one.best)
    talk.facts({"kind": "sweep", "key": sweep.key, "best": best.value, "tried": [one.as_dict() for one in tried]})
    for one in tried:
        measured = f"{one.best:.3f} nats per held-out note" if one.outcome else "failed"
        talk.say(f"{sweep.key} = {one.value}: {measured}{', kept' if one is best else ''}")
    talk.note(f"curves: {output / 'training' / CHART}")
    if best.outcome is not None:
        _report(talk, best.outcome, output, "")


def _listener(talk: Talk, bar: Progress) -> Listener:
    """Bars for reading and training; where there is no terminal, a line for each evaluation."""
    from woodshed.recipes.runs import Listener

    tasks: dict[str, Any] = {}
    held_out = ["-"]

    def show(name: str, done: float, total: float, loss: str = "") -> None:
        if name not in tasks:
            for task in tasks.values():
                bar.update(task, visible=False)
            tasks[name] = bar.add_task(name, loss="")
        bar.update(tasks[name], completed=done, total=total, loss=loss)

    def on_event(event: Event) -> None:
        if event.kind == "evaluation" and event.held_out_nats is not None:
            held_out[0] = f"{event.held_out_nats:.2f}"
        if event.train_nats is not None:
            show("practise", event.fraction, 1.0, _losses(event, held_out[0]))
        if event.kind != "step":
            talk.facts(event.as_dict())
        if event.kind == "evaluation" and bar.disable:
            talk.note(f"{event.fraction:4.0%} {event.seconds:6.0f} s  {_losses(event, held_out[0])}")

    return Listener(
        on_event=on_event,
        on_corpus=lambda stage, done, total: show(f"{stage} the music", done, max(total, 1)),
        on_warning=lambda line: talk.note(f"note: {line}"),
        on_sample=lambda path: talk.note(f"sample: {path}"),
    )


def _again(arguments: list[str]) -> str:
    """The command that goes on from here."""
    kept = [word for word in arguments if word not in ("--force", "--resume")]
    return shlex.join(["woodshed", *kept, "--resume"])


def _lasted(seconds: float) -> str:
    """``40 seconds`` or ``2.5 minutes``"""
    return f"{seconds:.0f} seconds" if seconds < 60 else f"{seconds / 60:.1f} minutes"


def _losses(event: Event, held_out: str) -> str:
    """Nats per note on the music being learned and on held-out songs, and the speed."""
    learned = "-" if event.train_nats is None else f"{event.train_nats:.2f}"
    return f"{learned}, held out {held_out} nats; {event.notes_per_second:,.0f} notes/s"


def _report(talk: Talk, outcome: Outcome, output: Path, again: str) -> None:
    from woodshed.bundle import load_bundle
    from woodshed.recipes.learned import heard_before

    training = outcome.bundle.training
    loss = training.get("held_out_nats_per_note")
    talk.facts(
        {
            "kind": "result", "bundle": str(output), "reason": outcome.reason, "held_out_nats_per_note": loss,
            "steps": outcome.progress.step, "minutes": outcome.progress.seconds / 60,
            "best_step": outcome.progress.best_step, "notes_seen": outcome.progress.notes,
            **{name: training.get(name) for name in ("songs", "notes", "held_out_songs", "parameters", "seed")},
            **{name: training[name] for name in ("four_note_combinations",) if name in training},
        }
    )  # fmt: skip
    measured = "no held-out songs" if loss is None else f"{loss:.3f} nats per held-out note"
    learned = f"{counted(training['songs'], training['called'])}, {counted(training['notes'], 'note')}"
    talk.say(f"wrote {output}: {learned}, {_lasted(outcome.progress.seconds)}, {measured}")
    for line in heard_before(load_bundle(output)):
        talk.note(f"note: {line}")
    if outcome.reason == "early stop":
        talk.note(f"stopped early: nothing was better than what it knew after {_lasted(outcome.progress.best_seconds)}")
    if outcome.reason == "interrupted" and again:
        talk.note(f"interrupted, and kept; to go on: {again}")
    talk.note(f"now try: woodshed generate {output} -o new.mid --bars 8")
