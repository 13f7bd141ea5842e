"""The three systems as their authors wrote them, in Keras 3 on TensorFlow, music21 and pretty_midi; asked by run.py.

Re-typed from the sources that the recipes name: layers, batch, loss and optimiser, preparation and the way of playing.
Where a call is no longer there it is replaced by the one that does the same (Adam's ``decay``).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
import tensorflow as tf
from serve import Clock, repeat, serve

KEYS = ("pitch", "step", "duration")
GUITARS = range(26, 32)
KEPT: dict[str, Any] = {}
"""Nets, their data and their compiled calls, by name."""


def shred(window: int, vocabulary: int) -> keras.Model:
    """The guitar-solo LSTM."""
    net = keras.Sequential(
        [
            keras.layers.Input((window, 1)),
            keras.layers.LSTM(128, return_sequences=True),
            keras.layers.Dropout(0.2),
            keras.layers.LSTM(128, return_sequences=True),
            keras.layers.Flatten(),
            keras.layers.Dense(256),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(vocabulary, activation="softmax"),
        ]
    )
    net.compile(loss="categorical_crossentropy", optimizer="adam")
    return net


def deeprock(window: int, vocabulary: int) -> keras.Model:
    """DeepRock."""
    net = keras.Sequential(
        [
            keras.layers.Input((window, 1)),
            keras.layers.LSTM(256, return_sequences=True),
            keras.layers.Dropout(0.3),
            keras.layers.LSTM(256),
            keras.layers.Dense(128),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(vocabulary, activation="softmax"),
        ]
    )
    falling = keras.optimizers.schedules.InverseTimeDecay(0.001, decay_steps=1, decay_rate=1e-6)
    net.compile(loss="categorical_crossentropy", optimizer=keras.optimizers.Adam(learning_rate=falling))
    return net


def pitch_step_duration(window: int, vocabulary: int) -> keras.Model:
    """The net of the TensorFlow tutorial."""

    def mse_with_positive_pressure(y_true: Any, y_pred: Any) -> Any:
        mse = (y_true - y_pred) ** 2
        positive_pressure = 10 * tf.maximum(-y_pred, 0.0)
        return tf.reduce_mean(mse + positive_pressure)

    inputs = keras.Input((window, 3))
    x = keras.layers.LSTM(128)(inputs)
    outputs = {
        "pitch": keras.layers.Dense(vocabulary, name="pitch")(x),
        "step": keras.layers.Dense(1, name="step")(x),
        "duration": keras.layers.Dense(1, name="duration")(x),
    }
    net = keras.Model(inputs, outputs)
    net.compile(
        loss={
            "pitch": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            "step": mse_with_positive_pressure,
            "duration": mse_with_positive_pressure,
        },
        loss_weights={"pitch": 0.05, "step": 1.0, "duration": 1.0},
        optimizer=keras.optimizers.Adam(learning_rate=0.005),
    )
    return net


NETS = {"shred": shred, "deeprock": deeprock, "pitch-step-duration": pitch_step_duration}
BATCH = {"shred": 32, "deeprock": 64, "pitch-step-duration": 64}


def build(net: str, data: str, weights: str) -> dict[str, Any]:
    """The net with the weights that the other side began from, and what it says of some windows."""
    with np.load(data) as arrays, np.load(weights) as given:
        windows, targets, seen = arrays["windows"], arrays["targets"], given["windows"]
        vocabulary = int(arrays["vocabulary"])
        model = NETS[net](windows.shape[1], vocabulary)
        numbers = iter(range(len(given) - 1))
        for layer in _weighty(model):
            layer.set_weights([given[f"w{next(numbers)}"] for _ in layer.weights])
    if net == "pitch-step-duration":
        labels: Any = {key: targets[:, i] for i, key in enumerate(KEYS)}
    else:
        labels = keras.utils.to_categorical(targets, vocabulary)
    KEPT[net] = model, windows, labels
    keras.config.set_dtype_policy("mixed_bfloat16")
    KEPT[f"{net} mixed"] = NETS[net](windows.shape[1], vocabulary)
    keras.config.set_dtype_policy("float32")
    said = model.predict(seen, verbose=0)
    if net == "pitch-step-duration":
        logits = keras.ops.log_softmax(said["pitch"]).numpy()
        table = np.concatenate((logits, said["step"], said["duration"]), 1)
    else:
        table = np.log(np.maximum(said, 1e-30))
    np.save(weights + ".peer.npy", table)
    return {"parameters": model.count_params()}


def _weighty(model: keras.Model) -> list[Any]:
    """Layers with weights as they stand in the sources; Keras orders the heads of a net by name."""
    layers = [layer for layer in model.layers if layer.weights]
    return sorted(layers, key=lambda layer: KEYS.index(layer.name) if layer.name in KEYS else -1)


def train(net: str, how: str, seconds: float) -> dict[str, Any]:
    """Samples per second of ``model.fit``, after a first call that compiles; ``mixed`` is Keras' own bfloat16."""
    model, windows, labels = KEPT[net]
    model = KEPT[f"{net} mixed"] if how == "mixed" else model
    speed = f"{net} {how} speed"
    batch = BATCH[net]

    def fit(batches: int) -> dict[str, Any]:
        end = min(batches * batch, len(windows) // batch * batch)
        if net == "pitch-step-duration":  # the tutorial's pipeline
            few = {key: label[:end] for key, label in labels.items()}
            data = tf.data.Dataset.from_tensor_slices((windows[:end], few)).shuffle(end)
            data = data.batch(batch, drop_remainder=True).cache().prefetch(tf.data.AUTOTUNE)
            clock = Clock()
            model.fit(data, epochs=1, verbose=0)
        else:
            clock = Clock()
            model.fit(windows[:end], labels[:end], epochs=1, batch_size=batch, verbose=0)
        return clock.rates(end)

    if speed not in KEPT:
        fit(2)
        KEPT[speed] = fit(10)["rate"]
    return fit(max(int(KEPT[speed] * seconds / batch), 4))


def play(net: str, how: str, streams: int, seconds: float) -> dict[str, Any]:
    """Notes per second, of all streams together, each note after a reading of the whole window."""
    model, windows, _ = KEPT[net]
    ask = _asker(model, net, how, streams, windows.shape[1:])
    state = windows[:streams].copy()
    chance = tf.random.Generator.from_seed(0)
    vocabulary = 128 if net == "pitch-step-duration" else model.output_shape[1]

    def note() -> int:
        nonlocal state
        said = ask(state)
        if net == "pitch-step-duration":
            pitch = tf.random.stateless_categorical(said["pitch"], 1, chance.make_seeds(1)[:, 0])[:, 0].numpy()
            told = [np.maximum(np.asarray(said[key])[:, 0], 0.0) for key in KEYS[1:]]
            event = np.stack((pitch / 128.0, *told), -1)
        else:
            event = np.argmax(np.asarray(said), -1)[:, None] / vocabulary
        state = np.concatenate((state[:, 1:], event[:, None].astype(np.float32)), 1)
        return streams

    note()
    return repeat(note, seconds)


def _asker(model: keras.Model, net: str, how: str, streams: int, shape: tuple[int, ...]) -> Any:
    """One of four ways to ask a net: the sources' ``predict``, and three that they could have chosen."""
    if how == "predict":
        return lambda state: model.predict(state, verbose=0)
    if how == "call":
        return lambda state: model(state, training=False)
    if (name := f"{net} {how} {streams}") not in KEPT:

        def said(state: Any) -> Any:
            return model(state, training=False)

        signature = [tf.TensorSpec((streams, *shape), tf.float32)]
        KEPT[name] = tf.function(said, input_signature=signature, jit_compile=how == "xla")
    return lambda state: KEPT[name](tf.constant(state))


def prepare(net: str, files: list[str], window: int) -> dict[str, Any]:
    """Files to training arrays; nothing that was parsed before is taken from a cache."""
    clock = Clock()
    make = _from_seconds if net == "pitch-step-duration" else _from_names
    shapes = make(net, files, window)
    return {**clock.rates(1), **shapes}


def _from_names(net: str, files: list[str], window: int) -> dict[str, Any]:
    from music21 import chord, converter, instrument, note

    songs = []
    for file in files:
        parts = instrument.partitionByInstrument(converter.parse(file, forceSource=True))
        notes: list[str] = []
        chosen = parts.parts[:1] if net == "shred" else [p for p in parts.parts if _is_electric(p)]
        for part in chosen:
            for element in part.recurse():
                if isinstance(element, note.Note):
                    notes.append(str(element.pitch))
                elif isinstance(element, chord.Chord) and net == "shred":
                    notes.append(".".join(str(n) for n in element.normalOrder))
                elif isinstance(element, chord.Chord):
                    notes.append(" ".join(str(n) for n in element.pitches))
        songs.append(notes)
    names = sorted({name for notes in songs for name in notes})
    number = {name: i for i, name in enumerate(names)}
    inputs, outputs = [], []
    for notes in songs:
        for i in range(len(notes) - window):
            sequence = notes[i : i + window]
            if net == "deeprock" and len(set(sequence)) <= 13:
                continue
            inputs.append([number[name] for name in sequence])
            outputs.append(number[notes[i + window]])
    if not outputs:  # too short, or too few different ones in a row
        return {"windows": 0, "vocabulary": len(names)}
    x = np.reshape(inputs, (len(inputs), window, 1)).astype(np.float32)
    x = (x - x.mean()) / x.std() if net == "deeprock" else x / float(len(names))
    y = keras.utils.to_categorical(outputs, len(names))
    return {"windows": len(x), "vocabulary": y.shape[1]}


def _is_electric(part: Any) -> bool:
    found = part.getInstrument(returnDefault=False)
    return found is not None and found.midiProgram in GUITARS


def _from_seconds(net: str, files: list[str], window: int) -> dict[str, Any]:
    import pretty_midi

    inputs, outputs = [], []
    for file in files:
        sound = pretty_midi.PrettyMIDI(file)
        if not sound.instruments:
            continue
        notes = sorted(sound.instruments[0].notes, key=lambda each: each.start)
        rows, before = [], notes[0].start if notes else 0.0
        for each in notes:
            rows.append((each.pitch, each.start - before, each.end - each.start))
            before = each.start
        table = np.array(rows, np.float32).reshape(-1, 3)
        for i in range(len(table) - window):
            inputs.append(table[i : i + window] / (128, 1, 1))
            outputs.append(table[i + window])
    x, y = np.array(inputs, np.float32), np.array(outputs, np.float32)
    return {"windows": len(x), "vocabulary": 128 if len(y) else 0}


def about() -> dict[str, Any]:
    from importlib.metadata import version

    names = ("keras", "tensorflow-cpu", "music21", "pretty_midi", "numpy")
    return {"versions": ", ".join(f"{name} {version(name)}" for name in names)}


if __name__ == "__main__":
    threads = int(sys.argv[1])
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    sys.path.insert(0, str(Path(__file__).parent))
    serve({"build": build, "train": train, "play": play, "prepare": prepare, "about": about})
