"""The page is one whole file, shows what it is given, and runs nothing that hides in a title."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from woodshed.errors import FileError, UnknownName
from woodshed.evaluation.bootstrap import Interval
from woodshed.evaluation.comparison import compare_sets
from woodshed.evaluation.known_music import KnownMusic
from woodshed.evaluation.likelihood import summarise_nats
from woodshed.evaluation.metrics import Spread, measure, summarise
from woodshed.evaluation.report import Clip, Findings, LearnedSong, Training, write_report
from woodshed.evaluation.report_figures import FIGURES, agreement, figures_table, is_outside
from woodshed.evaluation.report_parts import file_name, prose, text
from woodshed.evaluation.report_sections import record_facts, strip
from woodshed.evaluation.song_nats import SongNats
from woodshed.music import Song

EVIL = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>"
PLAIN_SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10"></svg>'
EMPTY_ELEMENTS = {"meta", "img", "source", "circle", "rect", "line", "br"}


class Page(HTMLParser):
    """Reads a page as a browser would: which elements and attributes there are, whether all are closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words = ""
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in EMPTY_ELEMENTS:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in EMPTY_ELEMENTS:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def written(folder: Path, song: Song, title: str = "Clip", **changes: Any) -> str:
    """A page about one clip."""
    novelty = KnownMusic([(title, song)]).check(song)
    clip = Clip(title, song, b"MThd", measure(song), b"OggS", "audio/ogg", novelty, "In `E minor`", 3)
    given: dict[str, Any] = {
        "title": title,
        "learned_from": [LearnedSong(title, 1234, 16, "E minor", 140.0, "train")],
        "training": Training("band", 2.0, 500, 1_000_000, "cpu", 2.5, {"pitch": 1.0, title: 0.5}, {"Seed": "7"}),
        "loss_svg": PLAIN_SVG,
        "clips": [clip],
        "corpus_summary": summarise([song] * 5),
        "next_steps": ["Train: `woodshed train band songs -o my.shed`", title],
    }
    path = folder / "report.html"
    write_report(path, **{**given, **changes})
    return path.read_text(encoding="utf-8")


def test_the_page_shows_all_that_it_is_given(tmp_path: Path, band_song: Song) -> None:
    page = Page(written(tmp_path, band_song, "My riff"))
    for words in (
        "My riff",
        "1,234",
        "1,000,000",
        "2.500",
        "woodshed train band songs",
        "Beside real music",
        "E minor",
    ):
        assert words in page.words
    assert page.open == []
    assert page.tags.count("audio") == 1
    assert ("download", "my-riff.mid") in page.attributes


def test_midi_and_sound_are_inside_the_page(tmp_path: Path, band_song: Song) -> None:
    page = written(tmp_path, band_song)
    assert "data:audio/midi;base64," + base64.b64encode(b"MThd").decode() in page
    assert "data:audio/ogg;base64," + base64.b64encode(b"OggS").decode() in page


def test_nothing_in_the_page_has_an_address_outside_it(tmp_path: Path, band_song: Song) -> None:
    page = Page(written(tmp_path, band_song))
    addresses = [value for name, value in page.attributes if name in ("src", "srcset", "href", "action", "data")]
    assert addresses
    assert all(address.startswith("data:") for address in addresses)
    style = re.search(r"<style>(.*?)</style>", written(tmp_path, band_song), re.DOTALL)
    assert style is not None
    assert "url(" not in style[1]
    assert "@import" not in style[1]


def test_markup_in_titles_is_shown_and_never_run(tmp_path: Path, band_song: Song) -> None:
    part_names = [part.__class__(EVIL, part.program, part.is_drum) for part in band_song.parts]
    song = band_song.replace(parts=tuple(part_names), title=EVIL)
    page = Page(written(tmp_path, song, EVIL))
    assert page.tags.count("script") == 1
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert "x" not in [value for name, value in page.attributes if name == "src"]
    assert EVIL in page.words


def test_the_policy_lets_only_the_pages_own_script_run(tmp_path: Path, band_song: Song) -> None:
    page = written(tmp_path, band_song)
    script = re.search(r"<script>(.*?)</script>", page, re.DOTALL)
    assert script is not None
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page
    assert "default-src 'none'" in page


def test_a_title_that_is_no_valid_text_is_still_written(tmp_path: Path, band_song: Song) -> None:
    assert "odd" in written(tmp_path, band_song, "odd \udc80 \x00 \x1b 音楽 & Söhne")


def test_a_page_with_nothing_to_show_is_written(tmp_path: Path, band_song: Song) -> None:
    page = written(
        tmp_path, band_song, learned_from=[], training=Training("band"), loss_svg="", clips=[], corpus_summary={},
        next_steps=[],
    )  # fmt: skip
    assert Page(page).open == []
    assert "Nothing was played" in page


def test_a_silent_clip_without_sound_or_comparison_is_shown(tmp_path: Path, band_song: Song) -> None:
    silence = Song(length=1920)
    page = written(tmp_path, band_song, clips=[Clip("Silence", silence, b"", measure(silence))], corpus_summary={})
    assert "<audio" not in page
    assert "Is it new?" not in page


def test_a_media_type_that_is_not_sound_is_refused_and_nothing_is_written(tmp_path: Path, band_song: Song) -> None:
    clip = Clip("Clip", band_song, b"", measure(band_song), b"x", 'text/html" onload="')
    with pytest.raises(UnknownName, match="try audio/ogg"):
        written(tmp_path, band_song, clips=[clip])
    assert not list(tmp_path.iterdir())


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path, band_song: Song) -> None:
    with pytest.raises(FileError, match=r"report\.html cannot be written"):
        written(tmp_path / "nowhere", band_song)


def test_sets_of_clips_are_shown_with_interval_and_n_and_few_songs_are_marked(tmp_path: Path, band_song: Song) -> None:
    made = [(f"clip {number}", band_song.transpose(number)) for number in range(4)]
    real = [(f"{EVIL} {number}", band_song.transpose(-number)) for number in range(1, 6)]
    found = compare_sets(made, real)
    likelihood = summarise_nats([SongNats({"pitch": 8.0, EVIL: 2.0}, 5, {"bass": (9.0, 5)})] * 3, ["pitch", EVIL])
    findings = Findings(likelihood, "nats price notes", comparison=found, yardstick=found, remarks=["No `sound`"])
    page = Page(written(tmp_path, band_song, findings=findings))
    for words in ("How well it foresees music", "bass", "nobody", "Can a judge tell?", "4 / 5", "n too small: 3 songs"):
        assert words in page.words, words
    assert "2.000" in page.words
    assert page.tags.count("script") == 1
    assert page.open == []
    assert "NaN" not in page.words


def test_one_clip_beside_real_music_shows_no_overlap(tmp_path: Path, band_song: Song) -> None:
    found = compare_sets([("clip", band_song)], [(f"song {step}", band_song.transpose(step)) for step in range(4)])
    page = Page(written(tmp_path, band_song, findings=Findings(comparison=found)))
    assert "n too small: 1 clip on one side" in page.words
    assert "Overlap of distances0.00" not in page.words


def test_a_strip_marks_only_intervals_that_are_known() -> None:
    known, alone = Interval(0.5, 0.4, 0.6, 9, 9), Interval(0.5, 0.5, 0.5, 1, 1)
    assert strip([("", known)], 0.0, 1.0).count("<rect") == 1
    assert strip([("", alone)], 0.0, 1.0).count("<rect") == 0
    assert 'cx="100.0"' in strip([("", alone)], 0.0, 1.0)
    assert 'cx="100' in strip([("", alone)], 0.5, 0.5)


def test_a_record_that_lacks_something_says_nothing_of_it() -> None:
    assert record_facts({"songs": 3}, {}) == [("Songs", "3")]
    assert record_facts({"songs": None}, {"meters": 7}) == []


def test_a_figure_outside_nine_in_ten_real_pieces_is_marked(band_song: Song) -> None:
    measured = measure(band_song)
    notes_per_bar = next(figure for figure in FIGURES if figure.name == "notes_per_bar")
    wide, narrow = Spread(9, 20.0, 1.0, 0.0, 20.0, 99.0), Spread(9, 2.0, 1.0, 1.0, 2.0, 3.0)
    assert not is_outside(measured, notes_per_bar, {"notes_per_bar": wide})
    assert is_outside(measured, notes_per_bar, {"notes_per_bar": narrow})
    assert agreement(measured, {"notes_per_bar": narrow}) == (0, 1)
    assert figures_table([measured], {"notes_per_bar": narrow}).count('<td class="outside">') == 1


def test_a_range_of_too_few_songs_marks_nothing(band_song: Song) -> None:
    narrow = {"notes_per_bar": Spread(4, 2.0, 1.0, 1.0, 2.0, 3.0)}
    assert agreement(measure(band_song), narrow) == (0, 0)


def test_pieces_of_too_few_songs_are_no_real_music_to_agree_with(tmp_path: Path, band_song: Song) -> None:
    """However many pieces one song is cut into."""
    summary = summarise([band_song] * 12)
    page = Page(written(tmp_path, band_song, corpus_summary=summary, corpus_songs=1))
    assert "n too small to compare with real music: 1" in page.words
    assert "figures as in the real music" not in page.words
    assert "figures as in the real music" in Page(written(tmp_path, band_song, corpus_summary=summary)).words


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "1 clip, after practising 1 song, in 2.0 minutes"),
        ({"training": Training("band", 129.6, songs=2316), "learned_from": []},
         "1 clip, after practising 2,316 songs, in 129.6 minutes"),
        ({"training": Training("basic-rnn", songs=9210, called="melody")}, "1 clip, after practising 9,210 melodies"),
        ({"training": Training("band", 3.0), "learned_from": []}, "1 clip, after 3.0 minutes of practice"),
        ({"training": Training("band"), "learned_from": []}, "1 clip"),
    ],
)  # fmt: skip
def test_the_heading_says_how_many_songs_were_learned_or_nothing(
    changes: dict[str, Any], told: str, tmp_path: Path, band_song: Song
) -> None:
    assert f"<p>{told}</p></div></header>" in written(tmp_path, band_song, **changes)


def test_a_copied_stretch_stands_where_it_was_found_and_no_name_there_is_run(tmp_path: Path, band_song: Song) -> None:
    assert "also stands in a song it learned from," in Page(written(tmp_path, band_song)).words
    page = Page(written(tmp_path, band_song, copied_from=f"a song of {EVIL}"))
    assert f"also stands in a song of {EVIL}," in page.words
    assert "it learned from, note" not in page.words


def test_every_figure_of_the_table_is_one_of_the_metrics(band_song: Song) -> None:
    assert {figure.name for figure in FIGURES} <= set(measure(band_song).as_dict())


def test_back_ticks_are_commands_and_the_rest_is_text() -> None:
    assert prose("do `a < b` & go") == "do <code>a &lt; b</code> &amp; go"
    assert text('"\n') == "&quot; "
    assert file_name("../../etc/Ünï riff!", ".mid") == "etc-n-riff.mid"
    assert file_name("音楽", ".mid") == "clip.mid"
