"""Training a Markov chain is counting: one pass over the songs, and the order that reads held-out songs best."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from woodshed.bundle import Bundle, event_model, load_bundle, save_bundle
from woodshed.errors import CorpusError
from woodshed.models.markov import Markov, MarkovConfig, fit_best_order
from woodshed.music import Song
from woodshed.training.checkpoints import Progress
from woodshed.training.lessons import held_out_nats
from woodshed.training.loop import Event, Outcome


def count_songs(
    blank: Bundle,
    songs: Sequence[Song],
    held_out: Sequence[Song],
    folder: Path,
    *,
    on_event: Callable[[Event], None] = lambda event: None,
) -> Outcome:
    """Fit ``blank``'s chain and keep the bundle in ``folder``.

    Its order is the one, up to the blank chain's, at which held-out songs cost least; with none, the blank's own.

    Raises:
        CorpusError: if no song has a note.
        FileError: if the disk is full.
    """
    began = time.perf_counter()
    model, codec = event_model(blank)
    heard = [codec.arrange(song) for song in songs if len(song)]
    tested = [codec.arrange(song) for song in held_out if len(song)]
    if not heard:
        raise CorpusError("there is no song with notes to learn from; look at the files with `woodshed doctor`")
    events = [codec.encode(song) for song in heard]
    learned = [codec.targets(sequence, codec.steps_per_bar(song)) for sequence, song in zip(events, heard, strict=True)]
    most = model.config.order
    if tested:
        asked = [codec.targets(codec.encode(song), codec.steps_per_bar(song)) for song in tested]
        chain, _ = fit_best_order(codec.labels, learned, asked, range(most + 1))
    else:
        chain = Markov(MarkovConfig(codec.labels, most)).fit(learned)
    fitted = replace(blank, model=chain.eval())
    fields = held_out_nats(fitted, tested) if tested else {}
    nats = sum(fields.values()) if tested else None
    seconds = time.perf_counter() - began
    notes = sum(codec.notes(sequence) for sequence in events)
    facts = {"held_out_nats_per_note": nats, "order": chain.config.order, "steps": 1, "minutes": seconds / 60}
    save_bundle(replace(fitted, training={**blank.training, **facts, "notes_seen": notes}), folder)
    told = [
        Event("evaluation", 1, seconds, 1.0, held_out_nats=nats, fields=fields, notes_per_second=notes / seconds),
        Event("end", 1, seconds, 1.0, held_out_nats=nats, reason="done"),
    ]
    for event in told:
        on_event(event)
    progress = Progress(step=1, seconds=seconds, notes=notes, best=nats, best_step=1, best_seconds=seconds)
    return Outcome(load_bundle(folder), progress, "done", tuple(told))
