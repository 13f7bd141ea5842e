"""Each verb does what it says, to people and, with --json, to programs."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from woodshed.bundle import load_bundle
from woodshed.formats import read_comment, read_midi
from woodshed.music import Key, Song
from woodshed.recipes.recipe import load_recipe

Run = Callable[..., Any]
QUICK = ("--bars", 2, "--candidates", 2)


def facts(said: Any) -> dict[str, Any]:
    """The last line of JSON on stdout; all of them must be JSON."""
    assert said.code == 0, said.err
    lines = [json.loads(line) for line in said.out.splitlines()]
    assert isinstance(lines[-1], dict)
    return dict(lines[-1])


def test_generate_writes_exactly_the_bars_asked_for(woodshed: Run, tiny_bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "clip.mid"
    said = woodshed("generate", tiny_bundle, "-o", out, "--bars", 3, "--meter", "7/8", "--tempo", 140, "--seed", 5)
    assert said.code == 0, said.err
    song = read_midi(out)
    assert song.length == 3 * 7 * 240
    assert str(song.meter) == "7/8"
    assert song.bpm == pytest.approx(140, abs=0.01)
    assert said.out.startswith(f"wrote {out}: 3 bars, ")
    assert said.out.rstrip().endswith("seed 5")


def test_the_same_seed_gives_the_same_bytes(woodshed: Run, tiny_bundle: Path, tmp_path: Path) -> None:
    for name, seed in (("a.mid", 7), ("b.mid", 7), ("c.mid", 8)):
        assert woodshed("generate", tiny_bundle, "-o", tmp_path / name, *QUICK, "--seed", seed).code == 0
    a, b, c = ((tmp_path / name).read_bytes() for name in ("a.mid", "b.mid", "c.mid"))
    assert a == b
    assert a != c


def test_a_drawn_seed_is_told_and_makes_the_same_again(woodshed: Run, tiny_bundle: Path, tmp_path: Path) -> None:
    told = facts(woodshed("generate", tiny_bundle, "-o", tmp_path / "a.mid", *QUICK, "--json"))
    again = ("--seed", told["seed"])
    assert woodshed("generate", tiny_bundle, "-o", tmp_path / "b.mid", *QUICK, *again).code == 0
    assert (tmp_path / "a.mid").read_bytes() == (tmp_path / "b.mid").read_bytes()


def test_settings_and_seed_are_in_the_file(woodshed: Run, tiny_bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.mid"
    wishes = ("--key", "F minor", "--parts", "drums, bass", "--temperature", "0.8", "--seed", 3)
    told = facts(woodshed("generate", tiny_bundle, "-o", out, *QUICK, *wishes, "--json"))
    inside = json.loads(str(read_comment(out)))
    assert inside == told["settings"]
    assert inside["seed"] == 3
    assert inside["bundle"] == "tiny.shed"
    assert inside["made_with"].startswith("Woodshed ")
    assert inside["sampling"]["temperature"] == 0.8
    assert (inside["bars"], inside["key"], inside["parts"]) == (2, "F minor", ["Drums", "Bass"])
    song = read_midi(out)
    assert [part.name for part in song.parts] == ["Drums", "Bass"]
    bass = song.notes[song.notes["part"] == 1]
    assert set((bass["pitch"] % 12).tolist()) <= set(Key.parse("F minor").pitch_classes)
    assert told["key"] == "F minor"


def test_a_part_of_a_known_family_is_played_by_its_kin_and_said_so(
    woodshed: Run, tiny_bundle: Path, tmp_path: Path
) -> None:
    out = tmp_path / "x.mid"
    said = woodshed("generate", tiny_bundle, "-o", out, *QUICK, "--parts", "drums, nylon guitar, slap bass")
    assert said.code == 0, said.err
    assert "Nylon Guitar was not in what this bundle learned; it plays it like Distortion Guitar" in said.err
    assert {part.program for part in read_midi(out).parts if not part.is_drum} == {24, 36}


def test_many_clips_are_numbered_and_differ(woodshed: Run, tiny_bundle: Path, tmp_path: Path) -> None:
    said = woodshed("generate", tiny_bundle, "-o", tmp_path / "x.mid", *QUICK, "--count", 2, "--seed", 4)
    assert said.code == 0, said.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x-1.mid", "x-2.mid"]
    assert len(said.out.splitlines()) == 2
    assert read_midi(tmp_path / "x-1.mid").notes.tolist() != read_midi(tmp_path / "x-2.mid").notes.tolist()
    assert json.loads(str(read_comment(tmp_path / "x-2.mid")))["count"] == 2


def test_continue_keeps_the_music_note_for_note(
    woodshed: Run, tiny_bundle: Path, music_folder: Path, tmp_path: Path
) -> None:
    given = music_folder / "song-1.mid"
    for verb in (("continue", tiny_bundle, given), ("generate", tiny_bundle, "--primer", given)):
        out = tmp_path / f"{verb[0]}.mid"
        told = facts(woodshed(*verb, "-o", out, *QUICK, "--seed", 1, "--json"))
        before, after = read_midi(given), read_midi(out)
        assert after.bars == told["bars"] == before.bars + 2
        assert after.length == before.length + 2 * 1920
        assert after.slice(0, before.length).notes.tolist() == before.notes.tolist()
    assert read_midi(tmp_path / "continue.mid").notes.tolist() == read_midi(tmp_path / "generate.mid").notes.tolist()


def test_a_continuation_has_its_own_tempo(woodshed: Run, tiny_bundle: Path, music_folder: Path, tmp_path: Path) -> None:
    primer = ("--primer", music_folder / "song-1.mid", "--tempo", 99)
    said = woodshed("generate", tiny_bundle, "-o", tmp_path / "x.mid", *primer)
    assert said.code == 2
    assert "keeps the song's own tempo" in said.err


def test_picture_and_sound_beside_the_clip(
    woodshed: Run, tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[Song] = []

    def write_audio(song: Song, path: Path, **_: object) -> None:
        heard.append(song)
        path.write_bytes(b"sound")

    monkeypatch.setattr("woodshed.rendering.sound.write_audio", write_audio)
    out = tmp_path / "x.mid"
    told = facts(woodshed("generate", tiny_bundle, "-o", out, *QUICK, "--audio", "ogg", "--picture", "svg", "--json"))
    assert told["files"] == [str(out), str(tmp_path / "x.ogg"), str(tmp_path / "x.svg")]
    assert "<svg" in (tmp_path / "x.svg").read_text()
    assert len(heard) == 1


def test_render_draws_here_or_writes(woodshed: Run, music_folder: Path, tmp_path: Path) -> None:
    song = music_folder / "song-0.mid"
    assert "Bass" in woodshed("render", song).out
    assert facts(woodshed("render", song, "--json"))["parts"] == ["Drums", "Bass", "Guitar"]
    said = woodshed("render", song, "-o", tmp_path / "x.txt")
    assert said.out.startswith(f"wrote {tmp_path / 'x.txt'}: 8 bars, 3 parts")
    assert "Bass" in (tmp_path / "x.txt").read_text()


def test_doctor_tells_of_each_file(woodshed: Run, music_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(music_folder, tmp_path / "m")
    (tmp_path / "m" / "broken.mid").write_bytes(b"no")
    said = woodshed("doctor", tmp_path / "m")
    assert said.code == 0
    assert "7 files: 6 accepted, 0 repaired, 1 unusable" in said.out
    rows = [json.loads(line) for line in woodshed("doctor", tmp_path / "m", "--json").out.splitlines()]
    assert [row["verdict"] for row in rows].count("accepted") == 6
    assert {row["verdict"] for row in rows if row["path"].endswith("broken.mid")} == {"unusable"}


def test_corpus_build_and_show_and_training_on_it(woodshed: Run, music_folder: Path, tmp_path: Path) -> None:
    corpus = tmp_path / "C"
    built = facts(woodshed("corpus", "build", music_folder, "-o", corpus, "--workers", 0, "--json"))
    assert (built["songs"], built["held_out"]) == (6, 1)
    shown = woodshed("corpus", "show", corpus)
    assert f"{corpus}: 6 songs, 1 of them held out" in shown.out
    assert len(facts(woodshed("corpus", "show", corpus, "--json"))["songs"]) == 6
    tiny = ("--set", "size=tiny", "--set", "training.batch=2", "--steps", 2, "--device", "cpu")
    said = woodshed("train", "band", corpus, "-o", tmp_path / "B", *tiny, "--json")
    result = facts(said)
    assert (result["songs"], result["held_out_songs"], result["steps"]) == (5, 1, 2)
    kinds = [json.loads(line)["kind"] for line in said.out.splitlines()]
    assert kinds == ["evaluation", "evaluation", "checkpoint", "end", "result"]
    said = woodshed("evaluate", tmp_path / "B", corpus)
    assert f"{tmp_path / 'B'}: " in said.out
    assert "nats per note" in said.out
    measured = facts(woodshed("evaluate", tmp_path / "B", corpus, "--json"))
    assert measured["nats_per_note"] == pytest.approx(result["held_out_nats_per_note"], rel=1e-4)
    assert sum(measured["fields"].values()) == pytest.approx(measured["nats_per_note"])
    assert measured["songs"] == 1
    assert measured["left_out"] == 5


def test_evaluate_leaves_out_what_was_learned(woodshed: Run, tiny_bundle: Path, music_folder: Path) -> None:
    measured = facts(woodshed("evaluate", tiny_bundle, music_folder, "--json"))
    assert (measured["songs"], measured["left_out"]) == (1, 5)
    everything = facts(woodshed("evaluate", tiny_bundle, music_folder, "--split", "all", "--json"))
    assert (everything["songs"], everything["left_out"]) == (6, 0)


def test_ctrl_c_while_training_keeps_the_bundle_and_says_how_to_go_on(
    woodshed: Run, music_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from woodshed.training import loop

    step = loop._Run.step

    def stop_at_three(run: loop._Run) -> None:
        if run.progress.step == 3:
            raise KeyboardInterrupt
        step(run)

    monkeypatch.setattr(loop._Run, "step", stop_at_three)
    out = tmp_path / "B"
    tiny = ("--set", "size=tiny", "--set", "training.batch=2", "--device", "cpu")
    said = woodshed("train", "band", music_folder, "-o", out, *tiny, "--steps", 1000)
    assert said.code == 0, said.err
    assert f"woodshed train band {music_folder} -o {out} --set size=tiny" in said.err
    assert "--steps 1000 --resume" in said.err
    assert woodshed("generate", out, "-o", tmp_path / "x.mid", *QUICK).code == 0
    monkeypatch.setattr(loop._Run, "step", step)
    result = facts(woodshed("train", "band", music_folder, "-o", out, *tiny, "--steps", 5, "--resume", "--json"))
    assert (result["steps"], result["reason"]) == (5, "done")


def test_samples_are_written_while_training(woodshed: Run, music_folder: Path, tmp_path: Path) -> None:
    tiny = ("--set", "size=tiny", "--set", "training.batch=2", "--steps", 2, "--device", "cpu")
    said = woodshed("train", "band", music_folder, "-o", tmp_path / "B", *tiny, "--sample-every", "0.0000001")
    assert said.code == 0, said.err
    samples = sorted((tmp_path / "B" / "training" / "samples").glob("*.mid"))
    assert samples
    assert f"sample: {samples[0]}" in said.err
    assert read_midi(samples[0]).bars == 4


def test_held_out_songs_can_be_named(woodshed: Run, music_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "others").mkdir()
    os.link(music_folder / "song-3.mid", tmp_path / "others" / "kept.mid")
    tiny = ("--set", "size=tiny", "--set", "training.batch=2", "--steps", 1, "--device", "cpu")
    named = ("--held-out", tmp_path / "others", "--json")
    result = facts(woodshed("train", "band", music_folder, "-o", tmp_path / "B", *tiny, *named))
    assert (result["songs"], result["held_out_songs"]) == (5, 1)


def test_training_begins_from_another_bundle(
    woodshed: Run, tiny_bundle: Path, music_folder: Path, tmp_path: Path
) -> None:
    begun = ("train", "band", music_folder, "-o", tmp_path / "B", "--from", tiny_bundle, "--steps", 1)
    still = ("--set", "training.learning_rate=1e-12", "--set", "training.weight_decay=0.0", "--device", "cpu")
    said = woodshed(*begun, *still)
    assert said.code == 0, said.err
    old, new = (load_bundle(folder).model.state_dict() for folder in (tiny_bundle, tmp_path / "B"))
    assert all(torch.allclose(old[name], new[name]) for name in old)
    assert f"Begun from | {tiny_bundle.name}: " in (tmp_path / "B" / "README.md").read_text()
    refused = woodshed(*begun, "--force", "--set", "model.width=64")
    assert refused.code == 2
    assert "model.width=64 would change nothing" in refused.err


def test_a_typed_melody_is_continued(woodshed: Run, tiny_bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "m.mid"
    melody = ("--primer-melody", "[60, -2, 60, -2, 67, -1, 67, -2]", "--tempo", 90, "--parts", "guitar")
    said = woodshed("generate", tiny_bundle, "-o", out, *melody, *QUICK)
    assert said.code == 0, said.err
    song = read_midi(out)
    assert (song.bars, round(song.bpm)) == (3, 90)
    assert song.notes[:4][["onset", "duration", "pitch"]].tolist() == [
        (0, 240, 60), (240, 240, 60), (480, 120, 67), (720, 240, 67),
    ]  # fmt: skip
    for wrong, told in (("[60, 200]", "event 2 is 200"), ("60", "not a list"), ("[-2, -1]", "no note")):
        refused = woodshed("generate", tiny_bundle, "-o", tmp_path / "x.mid", "--primer-melody", wrong)
        assert (refused.code, told in refused.err) == (2, True), refused.err


def test_parts_keep_to_the_ranges_they_are_given(woodshed: Run, tiny_bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.mid"
    asked = ("--range", "bass=E1-G1", "--range", "guitar=50-52", "--parts", "drums, bass, guitar")
    said = woodshed("generate", tiny_bundle, "-o", out, *asked, *QUICK)
    assert said.code == 0, said.err
    song = read_midi(out)
    for index, part in enumerate(song.parts):
        pitch = song.notes["pitch"][song.notes["part"] == index]
        low, high = (0, 127) if part.is_drum else (28, 31) if part.program == 33 else (50, 52)
        assert len(pitch) == 0 or low <= pitch.min() <= pitch.max() <= high
    assert json.loads(read_comment(out) or "")["ranges"] == {"bass": [28, 31], "guitar": [50, 52]}


def test_each_field_can_have_its_own_temperature(woodshed: Run, tiny_bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.mid"
    assert woodshed("generate", tiny_bundle, "-o", out, "--temperature", "0.9, pitch=0, duration=1.5", *QUICK).code == 0
    sampling = json.loads(read_comment(out) or "")["sampling"]
    assert (sampling["temperature"], sampling["temperatures"]) == (0.9, {"pitch": 0.0, "duration": 1.5})


def test_recipes_are_listed_and_shown(woodshed: Run) -> None:
    listed = [line.split()[0] for line in woodshed("recipes").out.splitlines()]
    assert {"band", "basic-rnn", "lookback-rnn", "attention-rnn", "mono-rnn"} <= set(listed)
    shown = woodshed("recipes", "band").out
    assert "[model]" in shown
    told = facts(woodshed("recipes", "band", "--json"))
    assert told["name"] == "band"
    assert f"learning_rate = {load_recipe('band').training['learning_rate']}" in shown


def test_data_sets_are_listed(woodshed: Run, tmp_path: Path) -> None:
    assert "freedoom" in woodshed("data", "list", "--folder", tmp_path).out
    rows = [json.loads(line) for line in woodshed("data", "list", "--folder", tmp_path, "--json").out.splitlines()]
    assert all(row["licence"] and row["size_bytes"] and not row["here"] for row in rows)


def test_data_comes_from_a_mirror(woodshed: Run, data_folder: Path, tmp_path: Path) -> None:
    got = facts(woodshed("data", "get", "blasphemer", "--mirror", data_folder, "--folder", tmp_path, "--json"))
    assert Path(got["folder"]).is_relative_to(tmp_path)
    rows = [json.loads(line) for line in woodshed("data", "list", "--folder", tmp_path, "--json").out.splitlines()]
    assert [row["name"] for row in rows if row["here"]] == ["blasphemer"]


def test_a_sweep_tells_each_value_and_which_is_kept(
    woodshed: Run, refuses: Run, music_folder: Path, tmp_path: Path
) -> None:
    train = [
        "train",
        "band",
        music_folder,
        "--set",
        "size=tiny",
        "--steps",
        2,
        "--sweep",
        "learning_rate=0.003,0.00001",
    ]
    said = woodshed(*train, "-o", tmp_path / "b", "--json")
    assert said.code == 0
    facts = [json.loads(line) for line in said.out.splitlines()]
    swept = next(fact for fact in facts if fact["kind"] == "sweep")
    assert [one["value"] for one in swept["tried"]] == ["0.003", "0.00001"]
    assert swept["best"] in ("0.003", "0.00001")
    assert "curves: " in said.err
    assert "leave out --resume" in refuses(2, *train, "-o", tmp_path / "c", "--resume")
    assert not (tmp_path / "c").exists()
