"""How likely a model finds a song: here because training and evaluation both ask, and neither may import the other."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from woodshed.bundle.bundle import Bundle
from woodshed.bundle.kinds import (
    EVENTS,
    LATENT,
    NOTES,
    ROLLS,
    WINDOWS,
    event_model,
    kind_of,
    latent_model,
    note_model,
    roll_model,
    window_model,
)
from woodshed.codecs import FIELDS
from woodshed.codecs.note_step import LONGEST_SHIFT, TIME_SHIFT
from woodshed.music import Song

WINDOWS_AT_ONCE, CLIPS_AT_ONCE, ROWS_AT_ONCE = 512, 128, 2048


def song_nats(bundle: Bundle, song: Song) -> tuple[dict[str, float], int]:
    """Nats of each field, summed over a whole arranged song (rests and its end included), and how many notes it has."""
    if kind_of(bundle) == LATENT:
        return _clip_nats(bundle, song)
    measures = {NOTES: _row_nats, EVENTS: _event_nats, WINDOWS: _window_nats, ROLLS: _roll_nats}
    return measures[kind_of(bundle)](bundle, song)


def field_names(bundle: Bundle) -> list[str]:
    """What nats are told apart: the codec's fields, and with a latent space what it costs to say where in it."""
    latent = ["latent"] if kind_of(bundle) == LATENT else []
    return [*bundle.codec.field_sizes(), *latent]


def clip_nats(bundle: Bundle, tokens: NDArray[np.int64]) -> NDArray[np.float64]:
    """Clips (N, P, T) -> nats (N, P + 1) of each part and of the latent space: together an upper bound of their own.

    The point that each is decoded from is one draw, the same for the same clip, from where the encoder puts it; its
    cost is the divergence of that place from the prior (Kingma & Welling 2014: the negated evidence lower bound).
    """
    import torch

    from woodshed.models.music_vae import divergence

    model, codec = latent_model(bundle)
    device, training, found = next(model.parameters()).device, model.training, []
    model.eval()
    for start in range(0, len(tokens), CLIPS_AT_ONCE):
        clips = tokens[start : start + CLIPS_AT_ONCE]
        noise = np.stack([_noise(clip, model.config.latent) for clip in clips])
        scored = torch.from_numpy(np.stack([codec.scored(clip) for clip in clips])).to(device)
        heard = torch.from_numpy(clips).to(device)
        with torch.no_grad():
            mean, log_variance = model.encode(heard)
            z = mean + (log_variance / 2).exp() * torch.from_numpy(noise).to(mean)
            nats = (model.nats(z, heard) * scored).sum(2)
            found.append(torch.cat((nats, divergence(mean, log_variance)[:, None]), 1).double().cpu().numpy())
    model.train(training)
    return np.concatenate(found) if found else np.zeros((0, tokens.shape[1] + 1))


def _noise(clip: NDArray[np.int64], latent: int) -> NDArray[np.float64]:
    """(latent,) normal numbers that are always the same for the same tokens."""
    return np.random.default_rng(zlib.crc32(np.ascontiguousarray(clip, np.int64).tobytes())).standard_normal(latent)


def _clip_nats(bundle: Bundle, song: Song) -> tuple[dict[str, float], int]:
    """Of all clips in the song."""
    _, codec = latent_model(bundle)
    clips = [codec.encode(clip) for clip in codec.clips(song)]
    names = field_names(bundle)
    if not clips:
        return dict.fromkeys(names, 0.0), 0
    nats = clip_nats(bundle, np.stack(clips)).sum(0).tolist()
    return dict(zip(names, nats, strict=True)), sum(map(codec.notes, clips))


def _row_nats(bundle: Bundle, song: Song) -> tuple[dict[str, float], int]:
    rows, nats = row_nats(bundle, song)
    return dict(zip(FIELDS, nats.sum(0).tolist(), strict=True)), int((rows[:, TIME_SHIFT] <= LONGEST_SHIFT).sum())


def row_nats(bundle: Bundle, song: Song) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(N, 6) the rows of an arranged song, rests and its end included, and (N, 6) the nats of each field of each."""
    import torch

    from woodshed.codecs.study import song_inputs
    from woodshed.models.note_model import Inputs

    model, codec = note_model(bundle)
    device, training = next(model.parameters()).device, model.training
    inputs, state = song_inputs(codec, song), None
    nats = np.zeros((len(inputs.expected), len(FIELDS)))
    model.eval()
    with torch.inference_mode():
        for start in range(0, len(nats), ROWS_AT_ONCE):
            batch = Inputs(*(torch.from_numpy(array)[None].to(device) for array in inputs.span(start, ROWS_AT_ONCE)))
            losses, state = model.losses(batch, state)
            nats[start : start + ROWS_AT_ONCE] = losses[0].double().cpu().numpy()
    model.train(training)
    return inputs.rows[1:], nats


def _event_nats(bundle: Bundle, song: Song) -> tuple[dict[str, float], int]:
    _, codec = event_model(bundle)
    events = codec.encode(song)
    (field,) = codec.field_sizes()
    return {field: float(event_nats(bundle, events, codec.steps_per_bar(song)).sum())}, codec.notes(events)


def _window_nats(bundle: Bundle, song: Song) -> tuple[dict[str, float], int]:
    """Of the events that have a whole window before them; of pitch-step-duration the pitch alone, the rest has none."""
    import torch

    model, codec = window_model(bundle)
    events, length = codec.encode(song), model.config.window
    windows, targets = codec.windows(events, length), codec.targets(events, length)
    device, training, nats = next(model.parameters()).device, model.training, 0.0
    model.eval()
    for start in range(0, len(targets), WINDOWS_AT_ONCE):
        span = slice(start, start + WINDOWS_AT_ONCE)
        seen = torch.from_numpy(codec.scale(windows[span])).to(device)
        with torch.no_grad():
            losses = model.losses(seen, torch.from_numpy(np.ascontiguousarray(targets[span])).to(device))
        nats += float(losses[:, 0].double().sum())
    model.train(training)
    (field,) = codec.field_sizes()
    return {field: nats}, codec.notes(targets) if len(targets) else 0


def _roll_nats(bundle: Bundle, song: Song) -> tuple[dict[str, float], int]:
    """Of all cells, also those that stay off."""
    import torch

    model, codec = roll_model(bundle)
    given, roll = codec.rows(song)
    device, training = next(model.parameters()).device, model.training
    model.eval()
    with torch.no_grad():
        rows = [torch.from_numpy(part)[None].to(device) for part in (given.astype(np.float32), roll)]
        nats = model.nats(*rows)[0].double().sum(0).cpu().numpy()
    model.train(training)
    names = list(codec.field_sizes())
    summed = np.bincount(codec.cell_fields(), nats, len(names)).tolist()
    return dict(zip(names, summed, strict=True)), int(codec.starts(roll).sum())


def event_nats(bundle: Bundle, events: NDArray[np.int64], steps_per_bar: int) -> NDArray[np.float64]:
    """(N,) nats of each event given all before it, in one pass."""
    import torch
    import torch.nn.functional as F

    model: Any
    model, codec = event_model(bundle)
    labels = codec.targets(events, steps_per_bar)
    if hasattr(model, "nats"):  # a chain of labels looks at nothing else
        found: NDArray[np.float64] = model.nats(labels).numpy()
        return found
    device = next(model.parameters()).device
    active = torch.from_numpy(codec.look(events, steps_per_bar)[None, :-1]).to(device)
    training = model.training
    model.eval()
    with torch.no_grad():
        logits = model(active)[0]
    model.train(training)
    losses = F.cross_entropy(logits.double().cpu(), torch.from_numpy(labels), reduction="none")
    return losses.numpy().astype(np.float64)
