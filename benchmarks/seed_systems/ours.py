"""Our side of the same tasks: what `woodshed train` and `woodshed generate` call, timed; asked by run.py."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from serve import Clock, repeat, serve

from woodshed.bundle import Bundle
from woodshed.codecs.pitch_names import varied
from woodshed.corpus import BuildOptions, Corpus, build_corpus
from woodshed.errors import WoodshedError
from woodshed.formats import read_midi
from woodshed.generation.filters import Sampling
from woodshed.generation.windows import play_windows
from woodshed.music import Song
from woodshed.recipes.material import Material, parts_of
from woodshed.recipes.recipe import load_recipe
from woodshed.recipes.runs import blank_bundle, recipe_codec, training_options

KEPT: dict[str, tuple[Bundle, Material]] = {}


DEEPROCK = ["codec.step_quarters=0.3", "training.unique_factor=13"]
"""As in the source, instead of real lengths and nearly all windows: so both sides know and learn the same events."""


def _recipe(net: str) -> Any:
    """In the original size."""
    return load_recipe(net, ["size=paper", *(DEEPROCK if net == "deeprock" else [])])


def _songs(files: list[str]) -> list[Song]:
    songs = []
    for file in files:
        try:
            songs.append(read_midi(Path(file)))
        except WoodshedError as error:
            print(error, file=sys.stderr)
    return songs


def count(files: list[str]) -> dict[str, Any]:
    """Notes of each file, so that both sides can be told by one number; 0 where it cannot be read."""
    return {"notes": [sum(map(len, _songs([file]))) for file in files]}


def build(net: str, files: list[str], data: str, weights: str) -> dict[str, Any]:
    """The net in its original size, its training arrays, and its weights as Keras holds them, for the other side."""
    import torch

    recipe = _recipe(net)
    material = parts_of(Material(_songs(files)), recipe_codec(recipe))
    bundle = blank_bundle(recipe, material, 0, "cpu")
    KEPT[net] = bundle, material
    model, codec, window = bundle.model, bundle.codec, bundle.model.config.window
    windows, targets = _arrays(net, codec, material.songs, window)
    seen = codec.scale(windows[:: max(len(windows) // 32, 1)][:32])
    vocabulary = 128 if net == "pitch-step-duration" else codec.events
    np.savez(data, windows=codec.scale(windows), targets=targets, vocabulary=vocabulary)
    np.savez(weights, windows=seen, **{f"w{i}": w for i, w in enumerate(_keras_weights(net, model))})
    with torch.no_grad():
        said = model.eval()(torch.from_numpy(seen))
        if net == "pitch-step-duration":
            table = torch.cat((said.pitch.log_softmax(-1), said.step[:, None], said.duration[:, None]), 1)
        else:
            table = said.log_softmax(-1)
    np.save(weights + ".ours.npy", table.numpy())
    return {"parameters": sum(p.numel() for p in model.parameters()), "windows": len(windows), "vocabulary": vocabulary}


def _keras_weights(net: str, model: Any) -> Iterator[np.ndarray]:
    """Kernel, recurrent kernel and bias of each LSTM layer, then kernel and bias of each dense one."""
    lstm = model.lstm
    for layer in range(lstm.layers):
        yield lstm.from_input[layer].detach().numpy().T
        yield lstm.from_hidden[layer].detach().numpy().T
        yield lstm.bias[layer].detach().numpy()
    if net != "pitch-step-duration":
        for dense in (model.dense, model.out):
            yield dense.weight.detach().numpy().T
            yield dense.bias.detach().numpy()
        return
    for rows in (slice(0, 128), slice(128, 129), slice(129, 130)):  # one matrix here, three heads there
        yield model.heads.weight.detach().numpy()[rows].T
        yield model.heads.bias.detach().numpy()[rows]


def _arrays(net: str, codec: Any, songs: Any, window: int) -> tuple[np.ndarray, np.ndarray]:
    """Windows, not scaled, and what comes after each."""
    windows, targets = [], []
    for song in songs:
        events = codec.encode(song)
        seen, told = codec.windows(events, window), codec.targets(events, window)
        if net == "deeprock":
            kept = varied(seen, 13)
            seen, told = seen[kept], told[kept]
        windows.append(seen)
        targets.append(told)
    return np.concatenate(windows), np.concatenate(targets)


def prepare(net: str, files: list[str], window: int, how: str, corpus: str = "") -> dict[str, Any]:
    """Files, or songs of a corpus that was built of them, to the arrays that the sources make."""
    codec = recipe_codec(_recipe(net))
    clock = Clock()
    songs = _songs(files) if how == "files" else [song for _, song in Corpus.open(Path(corpus)).songs()]
    lines = [line for song in songs if not codec.drop_reason(song) for line in codec.lines(song)]
    codec = codec.fit(lines) if hasattr(codec, "fit") else codec
    windows, targets = _arrays(net, codec, lines, window)
    x = codec.scale(windows)
    y = targets.astype(np.float32) if net == "pitch-step-duration" else codec.one_hot(targets)
    rates = clock.rates(1)
    return {**rates, "windows": len(x), "vocabulary": 128 if net == "pitch-step-duration" else y.shape[1]}


def corpus(files: list[str], out: str) -> dict[str, Any]:
    """Build a corpus of the files, near duplicates and short songs kept, so that it holds the same music."""
    with tempfile.TemporaryDirectory() as folder:
        for number, file in enumerate(files):
            (Path(folder) / f"{number:03}.mid").write_bytes(Path(file).read_bytes())
        clock = Clock()
        options = BuildOptions(min_notes=1, near_duplicates=True, held_out_fraction=0.0)
        report = build_corpus(Path(folder), Path(out), options=options)
        return {**clock.rates(1), "songs": report.songs}


def train(net: str, how: str, seconds: float) -> dict[str, Any]:
    """Samples per second of our training loop: drawing, loss, gradient, clipping, Adam and the average of weights."""
    from woodshed.training.loop import Event
    from woodshed.training.loop import train as learn

    bundle, material = KEPT[net]
    options = replace(training_options(_recipe(net), minutes=seconds / 60), precision=how)
    marks: list[tuple[int, float, float]] = []

    def note_down(event: Event) -> None:
        if event.kind == "step":
            marks.append((event.step, event.seconds, time.process_time()))

    with tempfile.TemporaryDirectory() as folder:
        learn(bundle, material.songs, [], Path(folder), options, on_event=note_down)
    if len(marks) < 8:  # too few to leave the first out
        return train(net, how, 2 * seconds)
    steps, wall, processor = (last - early for last, early in zip(marks[-1], marks[2], strict=True))
    samples = options.batch * steps
    return {"rate": samples / wall, "processor_rate": samples / processor}


def play(net: str, how: str, streams: int, seconds: float) -> dict[str, Any]:
    """Notes per second, of all streams together, drawn as the recipe says."""
    bundle, material = KEPT[net]
    bundle.model.eval()
    recipe, window = _recipe(net), bundle.model.config.window
    passage = next(e for e in map(bundle.codec.encode, material.songs) if len(e) > window)
    sampling, rng = Sampling(**recipe.sampling), np.random.default_rng(0)
    stream = play_windows(bundle, passage[:window], sampling, rng, count=streams, mode=how)
    for _ in range(5):
        next(stream)
    return repeat(lambda: len(next(stream)), seconds)


def about() -> dict[str, Any]:
    from importlib.metadata import version

    return {"versions": ", ".join(f"{name} {version(name)}" for name in ("woodshed", "torch", "numpy"))}


if __name__ == "__main__":
    import torch

    torch.set_num_threads(int(sys.argv[1]))
    serve({"build": build, "count": count, "train": train, "play": play, "prepare": prepare, "corpus": corpus,
           "about": about})  # fmt: skip
