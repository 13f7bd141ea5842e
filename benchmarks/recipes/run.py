"""Every recipe, trained for minutes on real music: how well it predicts, and what its pieces are like beside real ones.

It writes results.csv and music.csv, the tables of README.md and the pages of docs/recipes. Ctrl-C ends it; run again
it goes on: a bundle that is there is used as it is, unless --again.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from music import REPOSITORY, Lesson, corpus_of, lessons, material_of
from woodshed.errors import WoodshedError

HERE = Path(__file__).resolve().parent
BEGAN = time.monotonic()


def main() -> None:
    options = parse()
    options.work.mkdir(parents=True, exist_ok=True)
    plan = lessons(options.recipes, options.data, options.minutes)
    if options.one:
        do_one(plan[0], options)
        return
    for data in dict.fromkeys(lesson.data for lesson in plan):
        corpus_of(data, options.work, tell)
    plan.sort(key=lambda lesson: -lesson.minutes)  # the longest first, so that the last two end together
    failed = []
    try:
        with ThreadPoolExecutor(options.jobs) as pool:
            for lesson, code in zip(plan, pool.map(lambda lesson: in_a_process(lesson, options), plan), strict=True):
                if code:
                    failed.append(lesson.name)
                elif not options.train_only:
                    keep_rows(lesson, options)
    except KeyboardInterrupt:
        sys.exit("stopped; run again to go on")
    if not options.train_only:
        from tables import write_tables

        write_tables(options)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def in_a_process(lesson: Lesson, options: argparse.Namespace) -> int:
    """Train and measure one lesson in a process of its own, so that two share two cores; its exit code."""
    command = [sys.executable, __file__, "--one", "--recipes", lesson.recipe.name, "--data", lesson.data]
    for name in ("minutes", "seed", "threads", "pieces", "work"):
        command += [f"--{name}", str(getattr(options, name))]
    command += [f"--{name.replace('_', '-')}" for name in ("again", "measure", "train_only") if getattr(options, name)]
    return subprocess.run(command, check=False).returncode


def do_one(lesson: Lesson, options: argparse.Namespace) -> None:
    """Train and measure one lesson; its rows go to a file beside its bundle."""
    import torch

    torch.set_num_threads(options.threads)
    tell(f"{lesson.name}: {lesson.minutes:g} minutes")
    try:
        train(lesson, options)
        if not options.train_only:
            measure(lesson, options)
    except (WoodshedError, KeyboardInterrupt) as error:  # the others are worth having
        sys.exit(f"{lesson.name} failed: {error or 'stopped'}")


def rows_file(lesson: Lesson, options: argparse.Namespace) -> Path:
    """Where a lesson's rows wait for the others."""
    work: Path = options.work
    return work / f"{lesson.name}.rows.json"


def keep_rows(lesson: Lesson, options: argparse.Namespace) -> None:
    """Put a lesson's rows into the two CSV files."""
    from tables import store

    rows = json.loads(rows_file(lesson, options).read_text(encoding="utf-8"))
    store(options.out / "results.csv", rows["results"])
    store(options.out / "music.csv", rows["music"])


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=1.0, metavar="FACTOR", help="train FACTOR times as long")
    parser.add_argument("--recipes", nargs="+", default=[], help="only these")
    parser.add_argument("--data", nargs="+", default=[], help="only on these sets")
    parser.add_argument("--again", action="store_true", help="train anew what is there")
    parser.add_argument("--measure", action="store_true", help="measure anew what is there")
    parser.add_argument("--no-expect", action="store_true", help="leave the recipes' own files as they are")
    parser.add_argument("--train-only", action="store_true", help="measure nothing")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="recipes at a time")
    parser.add_argument("--threads", type=int, default=1, help="of each")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--pieces", type=int, default=50)
    parser.add_argument("--work", type=Path, default=REPOSITORY / "build" / "recipes", help="corpora and bundles")
    parser.add_argument("--out", type=Path, default=HERE, help="where tables go")
    parser.add_argument("--docs", type=Path, default=REPOSITORY / "docs" / "recipes", help="where pages go")
    return parser.parse_args()


def tell(line: str) -> None:
    """One line of progress, with the minutes since the start."""
    print(f"{(time.monotonic() - BEGAN) / 60:5.1f} min  {line}", flush=True)


def train(lesson: Lesson, options: argparse.Namespace) -> None:
    """The lesson's bundle, and beside it a file that says how it came about once it is finished."""
    from woodshed.recipes.runs import Listener, train_recipe

    out, facts = options.work / lesson.name, options.work / f"{lesson.name}.json"
    if facts.exists() and out.exists() and not options.again:
        tell(f"{lesson.name}: the bundle is there")
        return
    facts.unlink(missing_ok=True)
    rows_file(lesson, options).unlink(missing_ok=True)
    if options.again:
        shutil.rmtree(out, ignore_errors=True)

    def on_event(event: Any) -> None:
        if event.kind == "evaluation":
            tell(f"{lesson.name}: {event.seconds:.0f} s, step {event.step}, {event.held_out_nats:.3f} nats per note")

    outcome = train_recipe(
        lesson.recipe, options.work / f"corpus-{lesson.data}", out, minutes=lesson.minutes or None, seed=options.seed,
        device="cpu", resume=out.exists(), listener=Listener(on_event=on_event, on_warning=tell),
    )  # fmt: skip
    if outcome.reason == "interrupted":
        raise KeyboardInterrupt
    progress = outcome.progress
    found = {
        "minutes": lesson.minutes, "seconds": round(progress.seconds, 2), "steps": progress.step,
        "best_seconds": round(progress.best_seconds, 2), "end": outcome.reason, "threads": options.threads,
        "seed": options.seed,
    }  # fmt: skip
    facts.write_text(json.dumps(found), encoding="utf-8")


def measure(lesson: Lesson, options: argparse.Namespace) -> None:
    """Work out the lesson's rows."""
    from pieces import measure_music

    from woodshed.bundle import load_bundle

    out = rows_file(lesson, options)
    if out.exists() and not (options.again or options.measure):
        return
    bundle = load_bundle(options.work / lesson.name)
    material = material_of(lesson, options.work)
    facts = json.loads((options.work / f"{lesson.name}.json").read_text(encoding="utf-8"))
    row = {"recipe": lesson.recipe.name, "data": lesson.data, "size": lesson.recipe.size, **facts}
    row |= predicted(bundle, material)
    tell(f"{lesson.name}: {row['nats_per_note']} nats per note, {row['nats_per_event']} per event")
    rows = measure_music(lesson, bundle, material, options, tell)
    out.write_text(json.dumps({"results": [row], "music": rows}), encoding="utf-8")


def predicted(bundle: Any, material: Any) -> dict[str, Any]:
    """Held-out nats, per note and per event; see `pieces.scored`."""
    from pieces import comes_back, either_way, scored

    from woodshed.evaluation.likelihood import measure_likelihood

    songs, events = scored(bundle, material.held_out)
    found = measure_likelihood(bundle, songs)
    whole = found.nats_per_note * found.notes
    parameters = sum(parameter.numel() for parameter in bundle.model.parameters())
    either = either_way(bundle, songs)
    stored = bundle.model.config.as_dict().get("pairs", 0)
    return {
        "parameters": parameters, "counts": stored, "songs_train": len(material.songs), "notes_train": material.notes,
        "songs_held_out": found.songs, "notes_held_out": found.notes, "events_held_out": events,
        "nats_per_note": round(found.nats_per_note, 4), "low": round(found.low, 4), "high": round(found.high, 4),
        "nats_per_event": round(whole / events, 4),
        "nats_per_note_either_way": "" if either is None else round(either / found.notes, 4),
        **comes_back(bundle, songs, seed=0),
    }  # fmt: skip


if __name__ == "__main__":
    main()
