"""Training: learns, resumes, keeps the best, bounds the disk, ends cleanly."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from woodshed.bundle import Bundle, load_bundle
from woodshed.codecs import NoteStepCodec
from woodshed.codecs.note_step import DURATION, END, PITCH, TIME_SHIFT
from woodshed.errors import BundleError, CorpusError, OutOfRange
from woodshed.models.note_model import NoteModel
from woodshed.models.note_sizes import NoteModelConfig
from woodshed.music import NOTE, Part, Song
from woodshed.training.checkpoints import Progress, latest_checkpoint, load_checkpoint, save_checkpoint
from woodshed.training.examples import Augmentation, Windows, encode_examples, stretch
from woodshed.training.loop import Event, Outcome, TrainingOptions, schedule, train
from woodshed.training.style import describe_style

CODEC = NoteStepCodec()


def _blank() -> Bundle:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = NoteModel(NoteModelConfig(width=16, layers=1, head_width=16))
    return Bundle(model, CODEC)


def _options(steps: int, **more: object) -> TrainingOptions:
    defaults: dict[str, object] = {"minutes": None, "batch": 2, "length": 32, "evaluations": 4, "learning_rate": 0.01}
    return TrainingOptions(steps=steps, **{**defaults, **more})  # type: ignore[arg-type]


def _run(folder: Path, song: Song, steps: int, held_out: tuple[Song, ...] | None = None, **more: object) -> Outcome:
    held = (song.transpose(2),) if held_out is None else held_out
    resume = bool(more.pop("resume", False))
    on_event = more.pop("on_event", None)
    return train(_blank(), [song], held, folder, _options(steps, **more), resume=resume, on_event=on_event)  # type: ignore[arg-type]


def _weights(bundle: Bundle) -> list[torch.Tensor]:
    return list(bundle.model.state_dict().values())


def test_a_few_steps_learn_something(tmp_path: Path, band_song: Song) -> None:
    outcome = _run(tmp_path / "b", band_song, 40)
    losses = [event.held_out_nats for event in outcome.events if event.kind == "evaluation"]
    assert losses[-1] is not None
    assert losses[0] is not None
    assert losses[-1] < losses[0] / 2
    assert outcome.reason == "done"
    assert outcome.bundle.training["held_out_nats_per_note"] == min(filter(None, losses))


def test_the_same_seed_gives_the_same_weights(tmp_path: Path, band_song: Song) -> None:
    one, two = (_run(tmp_path / name, band_song, 8, seed=5).bundle for name in "ab")
    other = _run(tmp_path / "c", band_song, 8, seed=6).bundle
    assert all(torch.equal(a, b) for a, b in zip(_weights(one), _weights(two), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(_weights(one), _weights(other), strict=True))


def test_a_run_leaves_the_global_chance_alone(tmp_path: Path, band_song: Song) -> None:
    before = torch.get_rng_state()
    _run(tmp_path / "b", band_song, 2)
    assert torch.equal(before, torch.get_rng_state())


def test_a_run_killed_in_between_goes_on_where_it_was(tmp_path: Path, band_song: Song) -> None:
    folder = tmp_path / "b"

    def die(event: Event) -> None:
        if event.step == 6 and event.kind == "step":
            raise RuntimeError("kill -9")

    with pytest.raises(RuntimeError, match="kill -9"):
        _run(folder, band_song, 12, checkpoint_seconds=0.0, on_event=die)
    newest = latest_checkpoint(folder / "training")
    assert newest is not None
    assert newest.name == "step-00000005.safetensors"
    steps: list[int] = []
    outcome = _run(folder, band_song, 12, resume=True, on_event=lambda e: steps.append(e.step))
    assert steps[0] == 6
    assert outcome.progress.step == 12


def test_resuming_ends_where_an_unbroken_run_does_but_for_a_few_steps_without_momentum(
    tmp_path: Path, band_song: Song
) -> None:
    unbroken = _run(tmp_path / "a", band_song, 60).progress.best

    def die(event: Event) -> None:
        if event.step == 31 and event.kind == "step":
            raise RuntimeError("kill -9")

    with pytest.raises(RuntimeError, match="kill -9"):
        _run(tmp_path / "b", band_song, 60, checkpoint_seconds=0.0, on_event=die)
    assert _run(tmp_path / "b", band_song, 60, resume=True).progress.best == pytest.approx(unbroken, abs=0.05)


def test_a_checkpoint_keeps_weights_average_and_gradient_scales(tmp_path: Path) -> None:
    model, average, optimiser = _stepped_model()
    kept = save_checkpoint(tmp_path, model, average, optimiser, Progress(step=3), {"numpy_rng": {}})
    again, again_average, again_optimiser = _stepped_model(steps=0)
    load_checkpoint(kept, again, again_average, again_optimiser)
    for was, now in zip(model.parameters(), again.parameters(), strict=True):
        assert torch.allclose(was, now, rtol=1e-3, atol=1e-6)
        squares, restored = (o.state[p]["exp_avg_sq"] for o, p in ((optimiser, was), (again_optimiser, now)))
        assert float(restored.mean()) == pytest.approx(float(squares.mean()), rel=1e-3)
    for was, now, fast in zip(average.parameters(), again_average.parameters(), model.parameters(), strict=True):
        lag = float((was - fast).detach().abs().max())
        assert torch.allclose(was, now, rtol=1e-3, atol=0.13 * lag + 1e-6)


def _stepped_model(steps: int = 3) -> tuple[torch.nn.Module, torch.nn.Module, torch.optim.Optimizer]:
    """A model a few steps from where it started, its average still there, and the optimiser."""
    with torch.random.fork_rng():
        average = torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.LayerNorm(7))
        model = copy.deepcopy(average)
        optimiser = torch.optim.AdamW(model.parameters(), lr=0.01)
        for _ in range(steps):
            model(torch.randn(4, 5)).square().sum().backward()
            optimiser.step()
    return model, average, optimiser


def test_a_run_takes_less_disk_than_three_models_in_memory_and_what_it_leaves_half_of_one(
    tmp_path: Path, band_song: Song
) -> None:
    with torch.random.fork_rng():
        model = NoteModel(NoteModelConfig(width=96, layers=2, head_width=64))
    train(Bundle(model, CODEC), [band_song], [band_song], tmp_path / "b", _options(4, checkpoint_seconds=0.0))
    sizes = {path.name: path.stat().st_size for path in (tmp_path / "b").rglob("*") if path.is_file()}
    assert sum(name.startswith("step-") for name in sizes) == 2
    in_memory = 4 * sum(weight.numel() for weight in model.parameters())
    assert sum(sizes.values()) < 3 * in_memory
    assert sizes["model.safetensors"] == pytest.approx(in_memory / 2, rel=0.01)


def test_the_disk_holds_two_checkpoints_and_the_best(tmp_path: Path, band_song: Song) -> None:
    outcome = _run(tmp_path / "b", band_song, 8, checkpoint_seconds=0.0)
    names = sorted(path.name for path in (tmp_path / "b").rglob("*") if path.is_file())
    assert names == sorted(
        [
            "README.md",
            "config.json",
            "log.jsonl",
            "model.safetensors",
            "step-00000007.safetensors",
            "step-00000008.safetensors",
        ]
    )
    assert outcome.progress.step == 8


def test_a_damaged_checkpoint_is_passed_over(tmp_path: Path, band_song: Song) -> None:
    _run(tmp_path / "b", band_song, 4, checkpoint_seconds=0.0)
    newest = latest_checkpoint(tmp_path / "b" / "training")
    assert newest is not None
    newest.write_bytes(newest.read_bytes()[:100])
    older = latest_checkpoint(tmp_path / "b" / "training")
    assert older is not None
    assert older != newest


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path, band_song: Song) -> None:
    _run(tmp_path / "b", band_song, 2)
    wider = Bundle(NoteModel(NoteModelConfig(width=32, layers=1, head_width=16)), CODEC)
    with pytest.raises(BundleError, match="does not fit this run"):
        train(wider, [band_song], [], tmp_path / "b", _options(4), resume=True)


def test_ctrl_c_saves_and_ends_cleanly(tmp_path: Path, band_song: Song) -> None:
    def interrupt(event: Event) -> None:
        if event.step == 3 and event.kind == "step":
            raise KeyboardInterrupt

    outcome = _run(tmp_path / "b", band_song, 100, on_event=interrupt)
    assert outcome.reason == "interrupted"
    assert load_bundle(tmp_path / "b").training["steps"] == 3
    assert latest_checkpoint(tmp_path / "b" / "training") is not None


def test_a_run_interrupted_before_its_first_step_can_be_resumed(
    tmp_path: Path, band_song: Song, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Windows, "draw", interrupt)
        assert _run(tmp_path / "b", band_song, 4).reason == "interrupted"
    assert _run(tmp_path / "b", band_song, 4, resume=True).progress.step == 4


def test_a_run_resumed_with_less_time_than_it_has_had_still_gives_its_bundle(tmp_path: Path, band_song: Song) -> None:
    def die(event: Event) -> None:
        if event.step == 6 and event.kind == "step":
            raise RuntimeError("kill -9")

    with pytest.raises(RuntimeError, match="kill -9"):
        _run(tmp_path / "b", band_song, 100, evaluations=1, checkpoint_seconds=0.0, on_event=die)
    outcome = _run(tmp_path / "b", band_song, 3, resume=True)
    assert outcome.progress.step == 5
    assert load_bundle(tmp_path / "b").training["steps"] == 5


def test_what_a_killed_run_left_half_written_goes(tmp_path: Path, band_song: Song) -> None:
    work = tmp_path / "b" / "training"
    work.mkdir(parents=True)
    left = [work / ".step-00000001.safetensors.123.tmp", tmp_path / "b" / ".model.safetensors.123.tmp"]
    for path in left:
        path.write_bytes(b"half")
    _run(tmp_path / "b", band_song, 1, resume=True)
    assert not any(path.exists() for path in left)


def test_a_loss_that_is_no_number_ends_the_run_with_the_remedy(tmp_path: Path, band_song: Song) -> None:
    blank = _blank()
    with torch.no_grad():
        blank.model.norm.weight.fill_(float("nan"))
    with pytest.raises(OutOfRange, match=r"step 1: the loss is no number.*learning_rate"):
        train(blank, [band_song], [], tmp_path / "b", _options(4))
    assert not (tmp_path / "b" / "model.safetensors").exists()


def test_training_stops_when_held_out_songs_no_longer_gain(tmp_path: Path, band_song: Song) -> None:
    chance = np.random.default_rng(0)
    noise = [
        (0, int(t), 40, int(p), 80)
        for t, p in zip(chance.integers(0, 9000, 200), chance.integers(0, 128, 200), strict=True)
    ]
    foreign = Song.make(noise, [Part("Noise", 99)])
    outcome = _run(tmp_path / "b", band_song, 200, held_out=(foreign,), evaluations=50, patience=3)
    assert outcome.reason == "early stop"
    assert outcome.bundle.training["steps"] == outcome.progress.best_step < outcome.progress.step


def test_without_held_out_songs_the_last_weights_are_kept(tmp_path: Path, band_song: Song) -> None:
    outcome = _run(tmp_path / "b", band_song, 4, held_out=())
    assert outcome.bundle.training["held_out_nats_per_note"] is None
    assert outcome.bundle.training["steps"] == 4


def test_every_evaluation_is_a_line_of_the_log(tmp_path: Path, band_song: Song) -> None:
    _run(tmp_path / "b", band_song, 8)
    lines = [json.loads(line) for line in (tmp_path / "b" / "training" / "log.jsonl").read_text().splitlines()]
    assert [line["kind"] for line in lines] == ["evaluation"] * 4 + ["checkpoint", "end"]
    assert sum(lines[0]["fields"].values()) == pytest.approx(lines[0]["held_out_nats"])


def test_songs_without_notes_are_nothing_to_learn_from(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no song with notes"):
        _run(tmp_path / "b", Song(parts=(Part(),), length=1920), 2, held_out=())


@pytest.mark.parametrize(
    "wrong",
    [{"minutes": 1.0}, {"minutes": None, "steps": None}, {"batch": 0}, {"weight_decay": -1.0}, {"warm_up": 1.5}],
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(OutOfRange):
        TrainingOptions(**{"steps": 5, "minutes": None, **wrong})  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [{"transpose": -1}, {"transpose": 128}, {"louder": -1}, {"stretch": 2.0}])
def test_augmentation_outside_its_range_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(OutOfRange, match=f"augmentation {next(iter(wrong))}"):
        Augmentation(**wrong)


def test_the_learning_rate_rises_then_falls() -> None:
    rates = [schedule(f, 0.1) for f in (0.0, 0.05, 0.1, 0.5, 1.0)]
    assert rates[0] < rates[1] < rates[2] == 1
    assert rates[2] > rates[3] > rates[4] == pytest.approx(0.02)


def test_windows_are_transposed_but_drums_never(band_song: Song) -> None:
    example = encode_examples(CODEC, [band_song])
    windows = Windows(CODEC, example, 16, 64, Augmentation(transpose=6, louder=0, stretch=0))
    rows = windows.draw(np.random.default_rng(0)).inputs.rows
    drums = set(rows[rows[..., 1] == 0][:, PITCH].tolist()) - {0}
    basses = set(rows[(rows[..., 1] == 1)][:, PITCH].tolist())
    assert drums == {36, 38, 42}
    assert min(basses) < 40 < 45 < max(basses)


def test_windows_never_leave_the_codecs_ids(band_song: Song) -> None:
    windows = Windows(CODEC, encode_examples(CODEC, [band_song]), 8, 48, Augmentation(stretch=1.0))
    chance = np.random.default_rng(1)
    for _ in range(20):
        batch = windows.draw(chance)
        rows = batch.inputs.rows[:, 1:]
        padding = np.cumsum(rows[..., TIME_SHIFT] == END, axis=1) > 1
        assert not batch.scored[padding].any()
        assert (rows >= 0).all()
        assert (rows[..., DURATION] < 384).all()
        assert batch.notes > 0


def test_double_time_undoes_half_time(band_song: Song) -> None:
    example = encode_examples(CODEC, [band_song])[0]
    note = slice(0, -1)
    doubled = stretch(example.rows[note], example.onset_steps[note], example.bar_lines, double=True)
    back = stretch(*doubled, double=False)
    assert np.array_equal(doubled[1], example.onset_steps[note] * 2)
    assert all(
        np.array_equal(a, b)
        for a, b in zip(back, (example.rows[note], example.onset_steps[note], example.bar_lines), strict=True)
    )


def test_style_tells_who_plays_when_and_how_much_of_it() -> None:
    """Bass: bars 1-2 and 4, half of each; strings: a chord through bars 2-4; drums: strokes, which have no length."""
    bass = [(1, bar * 1920, 960, 40, 80) for bar in (0, 1, 3)]
    strings = [(2, 1920, 3 * 1920, pitch, 80) for pitch in (60, 64)]
    notes = np.array([*bass, *strings, (0, 3 * 1920, 100, 36, 80)], NOTE)
    song = Song.make(notes, (Part("Drums", 0, True), Part("Bass", 33), Part("Strings", 48)), length=4 * 1920)
    (told,) = describe_style(CODEC, [song])["arrangements"]
    assert told["plays"] == [[3, 4], [0, 2, 3, 4], [1, 4]]
    assert told["sounding"] == [None, 0.5, 1.0]
    assert told["pace"] == [0.25, 0.25, 0.167]
    assert told["lengths"] == [None, [0, 0, 0, 1, 0, 0], [0, 0, 0, 0, 0, 1]]
    assert (told["centres"], told["voices"]) == ([None, 40.0, 62.0], [None, 1, 2])
    assert (told["grids"], told["reaches"]) == ([None] * 3, [None] * 3)
    assert told["again"] == [[], [1, 2, 1, 3, 4, 2], []]


def test_style_tells_the_grids_of_parts_and_for_those_with_few_notes_that_of_the_others() -> None:
    drums = [(0, bar * 1920 + eighth * 240 + 8 * (eighth % 2), 100, 42, 80) for bar in range(4) for eighth in range(8)]
    bass = [(1, beat * 480, 400, 40, 80) for beat in range(32)]
    bell = [(2, 5 * 40 + 20, 100, 84, 80)]
    song = Song.make(
        np.array([*drums, *bass, *bell], NOTE), (Part("Drums", 0, True), Part("Bass", 33), Part("Bell", 14))
    )
    (told,) = describe_style(CODEC, [song])["arrangements"]
    assert told["programs"] == [128, 33, 14]
    assert told["grids"] == [[0, 6], [0], [0, 6]]
    assert told["strokes"] == [[42, 0, 6, 12, 18, 24, 30, 36, 42]]
    assert told["reaches"] == [8, 0, 8]


def test_style_tells_the_chords_of_a_song_and_which_of_their_tones_each_part_plays() -> None:
    tones = ((57, 60, 64), (53, 57, 60))
    keys = [(0, half * 960, 900, pitch, 80) for half in range(48) for pitch in tones[half // 2 % 2]]
    bass = [(1, eighth * 240, 200, (33, 29)[eighth // 8 % 2], 80) for eighth in range(192)]
    bell = [(2, 0, 900, 81, 80)]
    song = Song.make(np.array([*keys, *bass, *bell], NOTE), (Part("Keys", 4), Part("Bass", 33), Part("Bell", 14)))
    (told,) = describe_style(CODEC, [song])["arrangements"]
    assert told["programs"] == [33, 4, 14]
    assert told["chords"].split(" | ")[:3] == ["Am", "F", "Am"]
    assert told["chord"] == [[1, 0, 0, 0], [0.333, 0.333, 0.333, 0], None]
    assert (told["note_values"][0], told["note_values"][2]) == ([5, 1.0], None)
    assert (told["velocities"][0], told["velocities"][2]) == ([[19, 1.0]] * 8, None)
    late = Song.make(np.array([(0, 130 * 1920, 960, pitch, 80) for pitch in (57, 60, 64)], NOTE), (Part("Keys", 4),))
    assert describe_style(CODEC, [late])["arrangements"][0]["chords"] is None  # and no text in which none is named
    drums = Song.make(np.array([(0, 0, 100, 36, 80)], NOTE), (Part("Drums", 0, True),))
    assert describe_style(CODEC, [drums])["arrangements"][0]["chords"] is None


def test_style_tells_tempo_instruments_and_line_up(band_song: Song) -> None:
    style = describe_style(CODEC, [band_song])
    assert style["bpm"] == 140
    assert set(style["instruments"]) == {"128", "33", "30"}
    assert style["instruments"]["30"]["polyphony"] == 2
    assert style["drum_pitches"] == [36, 38, 42]
    assert style["arrangements"][0]["programs"] == [128, 33, 30]
    json.dumps(style)
