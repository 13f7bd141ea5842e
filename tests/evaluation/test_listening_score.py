"""Readers are simulated, with tastes that are known: what is scored is what they are. Edited files are refused."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from woodshed.errors import FileError, FormatError, LimitExceeded, UnknownName, UsageError, WoodshedError
from woodshed.evaluation import listening_results
from woodshed.evaluation.listening import HUMAN, MACHINE, design_pairs, design_turing, sheet_number
from woodshed.evaluation.listening_chart import draw_listening_score
from woodshed.evaluation.listening_results import (
    ClipOrigin,
    Key,
    read_all_results,
    read_key,
    read_results,
    results_checksum,
    write_key,
)
from woodshed.evaluation.listening_score import ListeningScore, score_test

SOURCES = ("real", "base", "hot")
Choice = Callable[[Key, list[str], random.Random], str]
Found = dict[str, Any]


def key_of(question: str, clips: int = 6) -> tuple[Key, tuple[tuple[int, ...], ...]]:
    """A key of a test that was never played, and its sheets."""
    counts = (clips, clips, clips) if question == "pairs" else (2 * clips, clips, clips)
    ids = [[f"{name}{number}" for number in range(count)] for name, count in zip(SOURCES, counts, strict=True)]
    rng = np.random.default_rng(1)
    design = design_pairs(ids, 2, rng) if question == "pairs" else design_turing(ids[0], ids[1:], 2, rng)
    origins = {
        clip: ClipOrigin(name, f"{clip}.mid", 1, 8, 0.0, 0.0)
        for name, group in zip(SOURCES, ids, strict=True)
        for clip in group
    }
    return Key("0123456789ab", question, 1, "real", SOURCES, origins, design.trials, 15.0, -18.0, 4.0), design.sheets


PAIRS_KEY, PAIRS_SHEETS = key_of("pairs")
TURING_KEY, TURING_SHEETS = key_of("turing")


def results(name: str, choose: Choice, key: Key = PAIRS_KEY, answers: int | None = None) -> Found:
    """What the page would save of such a reader."""
    chance = random.Random(name)
    sheets = PAIRS_SHEETS if key.question == "pairs" else TURING_SHEETS
    sheet = sheets[sheet_number(key.test, name)]
    given = []
    for entry in sheet[:answers]:
        clips = list(key.trials[entry // 2])[:: -1 if entry % 2 else 1]
        given.append(
            {
                "trial": entry // 2, "clips": clips, "answer": choose(key, clips, chance), "known": False,
                "heard_ms": [5000] * len(clips), "plays": [1] * len(clips), "took_ms": chance.randrange(9000, 40000),
                "at": "2026-01-01T00:00:00.000Z",
            }
        )  # fmt: skip
    return {
        "format": "woodshed listening results", "version": 1, "woodshed": "0.1.0", "test": key.test,
        "question": key.question, "seed": 1, "reader": name, "experience": chance.choice(["listens", "plays"]),
        "equipment": "headphones", "sheet": 0, "started": "", "saved": "", "asked": len(sheet), "answers": given,
    }  # fmt: skip


def by_taste(strengths: dict[str, float]) -> Choice:
    """Prefers by the Bradley-Terry model."""

    def choose(key: Key, clips: list[str], chance: random.Random) -> str:
        first, second = (strengths[key.source_of(clip)] for clip in clips)
        return clips[0] if chance.random() < 1 / (1 + math.exp(second - first)) else clips[1]

    return choose


def by_ear(human: dict[str, float]) -> Choice:
    """Takes the clips of each source for human so often."""
    return lambda key, clips, chance: HUMAN if chance.random() < human[key.source_of(clips[0])] else MACHINE


def save(folder: Path, found: Found, name: str = "") -> Path:
    """As the page saves it, with its checksum."""
    path = folder / f"{name or found['reader']}.json"
    plain = {field: value for field, value in found.items() if field != "checksum"}
    path.write_text(json.dumps({**plain, "checksum": results_checksum(plain)}), encoding="utf-8")
    return path


def scored(folder: Path, key: Key, choose: Choice, readers: int, **changes: Any) -> ListeningScore:
    for number in range(readers):
        save(folder, results(f"reader {number}", choose, key, **changes))
    return score_test(key, read_all_results([folder], key), np.random.default_rng(0))


def test_a_reader_without_an_answer_is_no_reader(tmp_path: Path) -> None:
    save(tmp_path, {**results("nobody", by_taste({"real": 1, "base": 0, "hot": 0}), PAIRS_KEY), "answers": []})
    score = scored(tmp_path, PAIRS_KEY, by_taste({"real": 1, "base": 0, "hot": 0}), 2)
    assert len(score.readers) == 3
    assert score.heard == 2
    assert "n too small: 2 readers" in score.cautions


def test_tastes_are_found_again(tmp_path: Path) -> None:
    true = {"real": 0.8, "base": 0.1, "hot": -0.9}
    score = scored(tmp_path, PAIRS_KEY, by_taste(true), 40)
    assert [source.name for source in score.sources] == list(SOURCES)
    for source in score.sources:
        assert source.low is not None
        assert source.strength is not None
        assert source.high is not None
        assert source.low < true[source.name] < source.high
        assert source.high - source.low < 0.7
    assert score.answers == 40 * 18
    assert score.accuracy.count == 40 * 12
    assert score.accuracy.low < 0.76 < score.accuracy.high  # the mean of 0.67 over base and 0.85 over hot
    assert score.cautions == ()
    assert score.first_chosen.low < 0.5 < score.first_chosen.high
    assert {(pair.first, pair.second): pair.first_preferred.count for pair in score.pairs} == {
        ("real", "base"): 240, ("real", "hot"): 240, ("base", "hot"): 240,
    }  # fmt: skip


def test_readers_who_guess_prefer_nothing(tmp_path: Path) -> None:
    score = scored(tmp_path, PAIRS_KEY, by_taste(dict.fromkeys(SOURCES, 0.0)), 30)
    assert score.accuracy.low < 0.5 < score.accuracy.high
    assert score.agreement.alpha == pytest.approx(0, abs=0.1)
    assert score.same_again.low < 0.5 < score.same_again.high
    assert all(source.low < 0 < source.high for source in score.sources if source.low and source.high)


def test_who_was_taken_for_human_is_counted(tmp_path: Path) -> None:
    score = scored(tmp_path, TURING_KEY, by_ear({"real": 0.8, "base": 0.5, "hot": 0.1}), 30)
    human = {source.name: source.chosen for source in score.sources}
    assert (human["real"].count, human["base"].count, human["hot"].count) == (360, 180, 180)
    for name, share in (("real", 0.8), ("base", 0.5), ("hot", 0.1)):
        assert human[name].low < share < human[name].high
    assert score.accuracy.count == 720
    assert score.accuracy.low < (0.8 + (0.5 + 0.9) / 2) / 2 < score.accuracy.high
    assert score.over_readers.mean == pytest.approx(score.accuracy.successes / score.accuracy.count)
    assert sum(share.count for share in score.by_experience.values()) == 720
    assert score.pairs == ()


def test_readers_of_one_mind_agree_and_agree_with_themselves(tmp_path: Path) -> None:
    def the_real_one(key: Key, clips: list[str], chance: random.Random) -> str:
        return min(clips, key=lambda clip: (SOURCES.index(key.source_of(clip)), clip))

    score = scored(tmp_path, PAIRS_KEY, the_real_one, 6)
    assert score.agreement.alpha == 1.0
    assert (score.same_again.successes, score.same_again.count) == (12, 12)
    assert (score.accuracy.successes, score.accuracy.count) == (72, 72)
    assert all(np.isfinite([source.strength, source.low, source.high]).all() for source in score.sources)


def test_known_music_and_what_is_asked_again_do_not_count(tmp_path: Path) -> None:
    found = results("ann", by_taste({"real": 9.0, "base": 0.0, "hot": -9.0}))
    for answer in found["answers"][:5]:
        answer["known"] = True
    key = PAIRS_KEY
    score = score_test(key, [read_results(save(tmp_path, found), key)], np.random.default_rng(0))
    assert (score.known, score.answers, score.same_again.count) == (5, 13, 2)


@pytest.mark.parametrize("key", [PAIRS_KEY, TURING_KEY], ids=lambda key: key.question)
@pytest.mark.parametrize("answers", [0, 1, 3])
def test_too_few_answers_are_marked_and_nothing_is_nan(key: Key, answers: int, tmp_path: Path) -> None:
    choose = by_taste(dict.fromkeys(SOURCES, 0.0)) if key.question == "pairs" else by_ear(dict.fromkeys(SOURCES, 0.5))
    score = scored(tmp_path, key, choose, 1, answers=answers)
    told = json.dumps(score.as_dict(), allow_nan=False)
    assert f"n too small: {min(answers, 1)} reader" in told
    assert any("missing" in caution for caution in score.cautions)
    assert all(source.low is None for source in score.sources)
    for ending in (".svg", ".png"):
        draw_listening_score(score, tmp_path / f"score{ending}")
        assert (tmp_path / f"score{ending}").stat().st_size > 1000


def test_the_picture_names_every_source_in_either_style(tmp_path: Path) -> None:
    score = scored(tmp_path, PAIRS_KEY, by_taste({"real": 1.0, "base": 0.0, "hot": -1.0}), 6)
    score = replace(score, sources=(replace(score.sources[0], name="a $ b"), *score.sources[1:]))
    for style in ("light", "dark"):
        draw_listening_score(score, tmp_path / f"{style}.svg", style=style)
        drawn = (tmp_path / f"{style}.svg").read_text(encoding="utf-8")
        assert all(f"<!-- {words} -->" in drawn for words in ("base", "hot", "a $ b", "real over base"))


def test_a_key_comes_back_as_it_was_written(tmp_path: Path) -> None:
    write_key(tmp_path / "key.json", PAIRS_KEY)
    assert read_key(tmp_path / "key.json") == PAIRS_KEY


def changes(number: int, **fields: Any) -> Callable[[Found], object]:
    """One answer edited."""
    return lambda found: found["answers"][number - 1].update(fields)


EDITS: dict[str, tuple[Callable[[Found], object], type[WoodshedError], str]] = {
    "another test": (lambda found: found.update(test="ffff"), UsageError, "test 'ffff', the key is of '0123456789ab'"),
    "an unknown trial": (changes(1, trial=18), FormatError, "answer 1: trial 18 is not a whole number of 0-17"),
    "an unknown clip": (changes(2, clips=["x", "y"]), UnknownName, "answer 2: clip 'x' is not in the key"),
    "another trial's clips": (changes(3, clips=["real0", "real1"]), FormatError, "answer 3: clips .* those of trial"),
    "what was not heard": (changes(1, answer="hot"), FormatError, "answer 1: answer"),
    "a third time": (
        lambda found: found["answers"].append(found["answers"][0]),
        FormatError,
        "answer 21: trial .* asked 3",
    ),
    "a time before the start": (changes(1, took_ms=-1), FormatError, "answer 1: took_ms -1"),
    "truth as a number": (changes(1, trial=True), FormatError, "answer 1: trial true"),
    "a word for a list": (changes(1, clips="real0"), FormatError, "answer 1: clips"),
    "clips that are no names": (changes(1, clips=[{}, []]), FormatError, "answer 1: clips {} is not a name"),
    "knowing by halves": (changes(1, known=1), FormatError, "answer 1: known 1"),
    "another question": (lambda found: found.update(question="turing"), FormatError, 'question "turing" is not pairs'),
    "a sheet that there is not": (lambda found: found.update(sheet=120), FormatError, "sheet 120 .* of 0-119"),
    "what nobody heard": (changes(1, heard_ms=[0, 0]), FormatError, "answer 1: heard_ms 0 .* number of 4000-"),
    "hearing in words": (changes(1, heard_ms=[5000, "x"]), FormatError, 'answer 1: heard_ms "x" is not a whole'),
    "hearing of one clip": (changes(2, heard_ms=[5000]), FormatError, "answer 2: heard_ms .* one of each clip"),
    "hearing without a list": (changes(2, heard_ms=5000), FormatError, "answer 2: heard_ms 5000 is not a list"),
    "less than no play": (changes(1, plays=[-1, 1]), FormatError, "answer 1: plays -1"),
    "no moment": (changes(1, at=None), FormatError, "answer 1: at null"),
    "no answers at all": (lambda found: found.update(answers=None), FormatError, "answers null is not a list"),
    "an answer that is none": (lambda found: found["answers"].insert(0, 7), FormatError, "answer 1 7 is not an answer"),
    "no reader": (lambda found: found.update(reader=" "), FormatError, "reader"),
    "an unknown experience": (lambda found: found.update(experience="god"), FormatError, "listens, plays, trained"),
    "fewer asked than answered": (lambda found: found.update(asked=3), FormatError, "asked 3"),
    "a later version": (lambda found: found.update(version=2), FormatError, "version 2 is not 1"),
    "something else": (lambda found: found.update(format="notes"), FormatError, "is no woodshed listening results"),
}


@pytest.mark.parametrize("edit", EDITS, ids=str)
def test_results_that_cannot_be_are_refused_by_name(edit: str, tmp_path: Path) -> None:
    change, error, message = EDITS[edit]
    found = results("ann", by_taste(dict.fromkeys(SOURCES, 0.0)))
    change(found)
    with pytest.raises(error, match=rf"ann\.json.*{message}"):
        read_results(save(tmp_path, found, "ann"), PAIRS_KEY)


def test_an_answer_edited_by_hand_is_noticed(tmp_path: Path) -> None:
    path = save(tmp_path, results("ann", by_taste(dict.fromkeys(SOURCES, 0.0))))
    found = json.loads(path.read_text(encoding="utf-8"))
    first = found["answers"][0]
    first["answer"] = next(clip for clip in first["clips"] if clip != first["answer"])
    path.write_text(json.dumps(found, indent=2), encoding="utf-8")
    with pytest.raises(FormatError, match=r"ann\.json: was changed after the page saved it"):
        read_results(path, PAIRS_KEY)


def test_a_file_that_was_only_set_in_other_lines_is_read(tmp_path: Path) -> None:
    path = save(tmp_path, results("Zoë 🎸", by_taste(dict.fromkeys(SOURCES, 0.0))))
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")), indent=2), encoding="utf-8-sig")
    assert read_results(path, PAIRS_KEY).name == "Zoë 🎸"


def test_one_reader_in_two_files_is_named(tmp_path: Path) -> None:
    found = results("Ann", by_taste(dict.fromkeys(SOURCES, 0.0)))
    save(tmp_path, found, "a")
    save(tmp_path, {**found, "reader": " ann"}, "b")
    with pytest.raises(UsageError, match=r"b\.json: reader ' ann' is in .*a\.json too; keep the later"):
        read_all_results([tmp_path], PAIRS_KEY)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "is not JSON"), (b"{", "is not JSON"), (b"\xff\xfe", "is not JSON"), (b'{"a": NaN}', "NaN is no number"),
     (b"[" * 100_000, "is not JSON"), (b"[]", "is no woodshed listening results")],
)  # fmt: skip
def test_what_is_no_results_file_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(FormatError, match=message):
        read_results(tmp_path / "x.json", PAIRS_KEY)


def test_missing_and_huge_files_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileError, match=r"gone\.json cannot be read"):
        read_results(tmp_path / "gone.json", PAIRS_KEY)
    with pytest.raises(FileError, match="no results there"):
        read_all_results([tmp_path], PAIRS_KEY)
    monkeypatch.setattr(listening_results, "MAX_BYTES", 10)
    (tmp_path / "big.json").write_bytes(b" " * 11)
    with pytest.raises(LimitExceeded, match="more than 10 bytes"):
        read_results(tmp_path / "big.json", PAIRS_KEY)


def edited(folder: Path, edit: Callable[[Found], object]) -> Path:
    """A key that was changed by hand, without the checksum that would tell."""
    path = folder / "key.json"
    write_key(path, PAIRS_KEY)
    found = json.loads(path.read_text(encoding="utf-8"))
    del found["checksum"]
    edit(found)
    path.write_text(json.dumps(found), encoding="utf-8")
    return path


def of_first_clip(**fields: Any) -> Callable[[Found], object]:
    """The first clip of the key, which is real0, edited."""
    return lambda found: found["clips"]["real0"].update(fields)


def test_a_key_edited_by_hand_is_noticed_and_one_from_before_checksums_is_read(tmp_path: Path) -> None:
    path = edited(tmp_path, lambda found: found.pop("must_hear_seconds"))
    assert read_key(path) == replace(PAIRS_KEY, must_hear_seconds=0.0)
    write_key(path, PAIRS_KEY)
    path.write_text(
        path.read_text(encoding="utf-8").replace('"source": "hot"', '"source": "base"', 1), encoding="utf-8"
    )
    with pytest.raises(FormatError, match=r"key\.json: was changed after it was written .* make the test again"):
        read_key(path)


KEY_EDITS: dict[str, tuple[Callable[[Found], object], str]] = {
    "no clips": (lambda found: found.update(clips={}), "no clip is of source 'real'"),
    "clips in a list": (lambda found: found.update(clips=[]), r"clips \[\] is not clips by their ids"),
    "one source": (lambda found: found.update(sources=["real"]), r'sources \["real"\] is not a list of two or more'),
    "a source twice": (lambda found: found.update(sources=["real", "base", "base"]), ".* two or more different names"),
    "sources that are none": (lambda found: found.update(sources=None), "sources null is not a list"),
    "a source without a name": (lambda found: found["sources"].append(""), 'sources "" is not a name'),
    "a source without a clip": (lambda found: found["sources"].append("idle"), "no clip is of source 'idle'"),
    "another real one": (lambda found: found.update(real="base"), 'real "base" is not real'),
    "no trials": (lambda found: found.update(trials=[]), r"trials \[\] is not a list of one or more"),
    "a trial of one clip": (lambda found: found.update(trials=[["real0"]]), "trial 0 .* two clips of two sources"),
    "a trial of one source": (lambda found: found["trials"].append(["hot0", "hot1"]), "trial 18 .* of two sources"),
    "a trial of an unknown clip": (lambda found: found.update(trials=[["real0", "x"]]), "trial 0 has clip 'x'"),
    "another question": (lambda found: found.update(question="x"), 'question "x" is not one of pairs, turing'),
    "no name": (lambda found: found.update(test=7), "test 7 is not a name"),
    "half a seed": (lambda found: found.update(seed=0.5), "seed 0.5 is not a whole number of at least 0"),
    "length in words": (lambda found: found.update(seconds="15"), 'seconds "15" is not a number'),
    "a loudness beyond numbers": (lambda found: found.update(lufs=10**400), "lufs 1000.* is not a number of -1000 to"),
    "hearing in words": (lambda found: found.update(must_hear_seconds="x"), 'must_hear_seconds "x" is not a number'),
    "a clip without origin": (lambda found: found["clips"].update(real0=None), "clip real0: its origin null"),
    "bars in words": (of_first_clip(bars="abc"), 'clip real0: bars "abc" is not a whole number'),
    "a bar before the first": (of_first_clip(first_bar=-1), "clip real0: first_bar -1"),
    "no file": (of_first_clip(file=None), "clip real0: file null is not a name"),
    "an unknown source": (of_first_clip(source="x"), 'clip real0: source "x" is not one of real, base, hot'),
    "a start before the piece": (of_first_clip(from_seconds=-2), "clip real0: from_seconds -2"),
    "truth as a gain": (of_first_clip(gain_db=True), "clip real0: gain_db true"),
}


@pytest.mark.parametrize("edit", KEY_EDITS, ids=str)
def test_a_damaged_key_is_named(edit: str, tmp_path: Path) -> None:
    change, message = KEY_EDITS[edit]
    with pytest.raises(FormatError, match=rf"key\.json: {message}"):
        read_key(edited(tmp_path, change))
