"""Blends: weights between those of fine-tunes, styles drawn by share, and nothing of what was trained apart."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from woodshed.bundle import Bundle, blend, load_bundle, note_weights, save_bundle
from woodshed.bundle.blended_style import blend_styles
from woodshed.bundle.heritage import fingerprint, heritage
from woodshed.bundle.stored import StoredModel
from woodshed.bundle.style import check_style
from woodshed.codecs import NoteStepCodec, build_codec
from woodshed.errors import BundleError, OutOfRange
from woodshed.generation.casting import line_up
from woodshed.models.note_sizes import NoteModelConfig, shapes_of

TINY = NoteModelConfig(width=4, layers=1, head_width=4)


def song(program: int, bpm: float) -> dict[str, Any]:
    """A line-up of one instrument."""
    return {"programs": [program], "presence": [1.0], "bpm": bpm, "meter": "4/4", "density": [5]}


def style(program: int, bpm: float, songs: int, **more: Any) -> dict[str, Any]:
    """What ``songs`` songs for one instrument are like."""
    own = {"notes": 100 * songs, "songs": songs, "lowest": 40 + program, "highest": 60 + program, "polyphony": 2}
    return {
        "songs": songs, "bpm": bpm, "meters": {"4/4": songs}, "bars": 8, "notes_per_bar": 10.0,
        "instruments": {str(program): {**own, "usual_range": [45, 55 + program], "name": f"No. {program}"}},
        "drum_pitches": [program], "arrangements": [song(program, bpm)] * songs, **more,
    }  # fmt: skip


def bundle(
    seed: int, base: Bundle | dict[str, Any] | None = None, config: NoteModelConfig = TINY, **training: Any
) -> Bundle:
    """An untrained bundle of its own chance, with weights as a file has them, that says it began from ``base``."""
    rng = np.random.default_rng(seed)
    chance = {name: rng.standard_normal(shape).astype(np.float16) for name, shape in shapes_of(config).items()}
    tensors = {name: array.astype(np.float32) for name, array in chance.items()}
    record = {"songs": 3, "notes": 300, "source": f"music {seed}", "licences": [f"LICENCE-{seed}"], **training}
    if base is not None:
        record["base"] = heritage(base) if isinstance(base, Bundle) else base
    return Bundle(StoredModel(config, tensors), NoteStepCodec(), "band", style(seed, 100.0 + seed, 3), record)


@pytest.fixture
def base() -> Bundle:
    return bundle(0)


def test_every_weight_is_the_mean_by_share(base: Bundle) -> None:
    one, two = bundle(1, base), bundle(2, base)
    found, first, second = (note_weights(each) for each in (blend([one, two], [3, 1]), one, two))
    assert found.keys() == first.keys()
    for name, tensor in found.items():
        assert tensor.dtype == np.float32
        mean = 0.75 * first[name] + 0.25 * second[name]
        assert (tensor == mean.astype(np.float16)).all()


def test_shares_count_beside_each_other_only_and_may_be_huge(base: Bundle) -> None:
    parts = [bundle(1, base), bundle(2, base), bundle(3, base)]
    expected = fingerprint(blend(parts, [0.25, 0.25, 0.5]))
    assert fingerprint(blend(parts, [1, 1, 2])) == expected
    assert fingerprint(blend(parts, [2.0**1022, 2.0**1022, 2.0**1023])) == expected


def test_a_bundle_blended_with_itself_or_alone_is_itself(base: Bundle) -> None:
    assert fingerprint(blend([base, base], [0.5, 0.5])) == fingerprint(base)
    assert blend([base], [7]) is base


def test_the_base_itself_may_be_among_them_and_so_may_what_grew_from_a_fine_tune(base: Bundle) -> None:
    child = bundle(1, base)
    grandchild = bundle(2, child)
    assert blend([base, grandchild], [1, 1]).training["base"]["weights"] == fingerprint(base)
    assert blend([grandchild, child], [1, 1]).training["base"]["weights"] == fingerprint(child)
    other = bundle(3, blend([child, bundle(4, base)], [1, 1]))
    assert blend([other, grandchild], [1, 1]).training["base"]["weights"] == fingerprint(base)


def test_bundles_trained_apart_are_refused_with_the_remedy(base: Bundle) -> None:
    apart = bundle(5)
    with pytest.raises(BundleError, match=r"did not begin from one bundle.*need not play.*--from base"):
        blend([bundle(1, base), apart], [1, 1])
    with pytest.raises(BundleError, match="did not begin from one bundle"):
        blend([bundle(1, base), bundle(2, apart)], [1, 1])
    twin = bundle(6, songs=3, notes=300, source="music 5", licences=["LICENCE-5"])
    with pytest.raises(BundleError, match="did not begin from one bundle"):  # of the same music, and yet apart
        blend([apart, twin], [1, 1])


def test_records_older_than_fingerprints_tell_the_base_by_what_it_learned(base: Bundle) -> None:
    old = {name: value for name, value in heritage(base).items() if name != "weights"}
    one, two = (bundle(seed, old, songs=1) for seed in (1, 2))
    assert blend([one, two], [1, 1]).training["base"]["source"] == "music 0"
    assert blend([one, base], [1, 1])
    stranger = bundle(3, {**old, "notes": 301}, songs=1)
    with pytest.raises(BundleError, match="did not begin from one bundle"):
        blend([one, stranger], [1, 1])


@pytest.mark.parametrize("share", [0, -0.5, float("nan"), float("inf"), "half"])
def test_a_share_that_is_not_above_nothing_is_named(base: Bundle, share: Any) -> None:
    with pytest.raises(OutOfRange, match=rf"band has share {share}"):
        blend([base, bundle(1, base)], [0.5, share])


def test_each_bundle_needs_a_share(base: Bundle) -> None:
    with pytest.raises(OutOfRange, match="1 shares for 2 bundles"):
        blend([base, base], [1.0])
    with pytest.raises(OutOfRange, match="0 shares for 0 bundles"):
        blend([], [])


def test_what_differs_is_named_with_both_bundles(base: Bundle) -> None:
    one = replace(bundle(1, base), folder=Path("one.shed"))
    wide = bundle(2, base, NoteModelConfig(width=8, layers=1, head_width=4))
    with pytest.raises(BundleError, match=r"one\.shed and band differ in model width \(4 and 8\).*--from"):
        blend([one, wide], [1, 1])
    with pytest.raises(BundleError, match=r"one\.shed and band2 differ in recipe \(band and band2\)"):
        blend([one, replace(bundle(2, base), recipe="band2")], [1, 1])


def test_another_version_of_the_codec_is_named(base: Bundle) -> None:
    class Newer(NoteStepCodec):
        def config(self) -> dict[str, Any]:
            return {**super().config(), "version": 99}

    with pytest.raises(BundleError, match=r"differ in codec version \(\d+ and 99\)"):
        blend([base, replace(bundle(1, base), codec=Newer())], [1, 1])


def test_dropout_which_only_training_knows_may_differ(base: Bundle) -> None:
    assert blend([base, bundle(1, base, replace(TINY, dropout=0.1))], [1, 1])


def test_other_kinds_are_refused_by_name(base: Bundle) -> None:
    melody = Bundle(None, build_codec("melody", {}), "lookback-rnn")
    with pytest.raises(BundleError, match=r"recipe lookback-rnn.*this needs one that plays parts.*band"):
        blend([base, melody], [1, 1])
    assert blend([melody], [1]) is melody


def test_the_record_names_all_music_and_all_licences_and_claims_no_loss(base: Bundle) -> None:
    one = bundle(1, base, held_out_nats_per_note=0.9, sampling={"temperature": 0.8, "top_p": 0.95})
    two = bundle(2, base, licences=["LICENCE-1", "LICENCE-2"], sampling={"temperature": 1.0, "top_p": 0.95})
    found = blend([one, two], [1, 3]).training
    assert (found["songs"], found["notes"], found["source"]) == (6, 600, "music 1; music 2")
    assert found["licences"] == ["LICENCE-1", "LICENCE-2"]
    assert found["base"]["licences"] == ["LICENCE-0"]
    assert [(part["share"], part["source"]) for part in found["blend"]] == [(0.25, "music 1"), (0.75, "music 2")]
    assert found["sampling"] == {"temperature": 0.95, "top_p": 0.95}
    assert "held_out_nats_per_note" not in found


def test_a_blend_can_be_saved_and_its_card_names_all_that_is_in_it(base: Bundle, tmp_path: Path) -> None:
    mixed = blend([bundle(1, base), bundle(2, base)], [1, 3])
    assert mixed.name == "band:0.25,band:0.75"
    save_bundle(mixed, tmp_path / "mixed.shed")
    again = load_bundle(tmp_path / "mixed.shed")
    assert again.name == "mixed.shed"
    assert fingerprint(again) == fingerprint(mixed)
    card = (tmp_path / "mixed.shed" / "README.md").read_text("utf-8")
    for words in ("25% of it", "75% of it", "music 0", "music 1", "music 2", "LICENCE-0", "LICENCE-2", "mean of those"):
        assert words in card, words


def test_line_ups_are_drawn_by_share_however_many_songs_each_bundle_has() -> None:
    mixed = blend_styles([style(1, 100.0, 2), style(2, 160.0, 30)], [0.75, 0.25])
    check_style(mixed, "here")
    assert sum(one["share"] for one in mixed["arrangements"]) == pytest.approx(1)
    player = Bundle(None, NoteStepCodec(), style=mixed)
    rng = np.random.default_rng(1)
    drawn = Counter(line_up(player, rng)["parts"][0].program for _ in range(2000))
    assert drawn[1] / 2000 == pytest.approx(0.75, abs=0.03)
    assert drawn[2] == 2000 - drawn[1]


def test_a_style_counts_songs_by_share_and_allows_what_either_plays() -> None:
    one = style(1, 100.0, 2, backbeat=0.2)
    two = style(2, 160.0, 30, meters={"3/4": 30}, notes_per_bar=20.0, backbeat=0.6)
    mixed = blend_styles([one, two], [0.75, 0.25])
    known = mixed["instruments"]
    assert known["1"]["songs"] / known["2"]["songs"] == pytest.approx(3)
    assert known["1"]["notes"] / known["2"]["notes"] == pytest.approx(3)
    assert list(mixed["meters"]) == ["4/4", "3/4"]
    assert mixed["bpm"] == 100.0  # that of a song: no song has 115
    assert mixed["notes_per_bar"] == pytest.approx(12.5)
    assert mixed["backbeat"] == pytest.approx(0.3)
    assert mixed["drum_pitches"] == [1, 2]
    both = blend_styles(
        [style(5, 100.0, 2), style(5, 90.0, 2) | {"instruments": known | {"5": known["1"]}}], [0.5, 0.5]
    )
    assert both["instruments"]["5"]["usual_range"] == [45, 60]
    assert (both["instruments"]["5"]["lowest"], both["instruments"]["5"]["highest"]) == (41, 65)


def test_a_blend_of_a_blend_is_the_blend_of_all() -> None:
    parts = [style(program, 100.0 + program, program) for program in (1, 2, 3)]
    twice = blend_styles([blend_styles(parts[:2], [0.5, 0.5]), parts[2]], [0.5, 0.5])
    once = blend_styles(parts, [0.25, 0.25, 0.5])
    assert [one["share"] for one in twice["arrangements"]] == pytest.approx([o["share"] for o in once["arrangements"]])
    assert twice["bpm"] == once["bpm"] == 102.0


def test_styles_that_say_nothing_blend_to_nothing() -> None:
    assert blend_styles([{}, {}], [0.5, 0.5]) == {"songs": 2}
    assert blend_styles([{"bpm": 90.0}, {}], [0.5, 0.5]) == {"songs": 2, "bpm": 90.0}


def test_a_share_of_a_line_up_that_is_none_is_refused() -> None:
    with pytest.raises(BundleError, match="arrangements"):
        check_style({"arrangements": [{**song(1, 100.0), "share": 0}]}, "here")


def test_blending_loads_no_torch(base: Bundle, tmp_path: Path) -> None:
    for seed in (1, 2):
        save_bundle(bundle(seed, base), tmp_path / f"{seed}.shed")
    code = f"""
import sys
from woodshed.recipes.styles import load_style, parse_style
found = load_style(parse_style("{tmp_path / "1.shed"}:0.5,{tmp_path / "2.shed"}:0.5"))
assert found.name == "1.shed:0.5,2.shed:0.5", found.name
print("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "False\n"
