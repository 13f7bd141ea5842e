"""MusicXML as it is met: what a score says must be what the song says, and bad files must say what is wrong."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from woodshed.errors import FormatError, LimitExceeded
from woodshed.formats import read_midi, write_midi
from woodshed.formats.musicxml import read_musicxml
from woodshed.formats.repair import Repair
from woodshed.music import NO_CHORD, QUALITY_NAMES, SUSTAIN, Marker, Song

FOUR_FOUR = "<divisions>4</divisions><time><beats>4</beats><beat-type>4</beat-type></time>"


def score(*parts: str, part_list: str = "", head: str = "") -> bytes:
    """A score of parts, each a string of measures."""
    listed = part_list or "".join(
        f'<score-part id="P{i}"><part-name>Piano</part-name></score-part>' for i in range(1, len(parts) + 1)
    )
    body = "".join(f'<part id="P{i}">{part}</part>' for i, part in enumerate(parts, 1))
    return f"<score-partwise>{head}<part-list>{listed}</part-list>{body}</score-partwise>".encode()


def measure(*content: str, attributes: str = "") -> str:
    given = f"<attributes>{attributes}</attributes>" if attributes else ""
    return f"<measure>{given}{''.join(content)}</measure>"


def note(pitch: str, duration: int, extra: str = "", before: str = "") -> str:
    """``note("F#4", 4)``; ``before`` holds <chord/> or <grace/>, ``extra`` what follows the duration."""
    step, alter, octave = pitch[0], pitch.count("#") - pitch.count("b"), pitch[-1]
    changed = f"<alter>{alter}</alter>" if alter else ""
    where = f"<pitch><step>{step}</step>{changed}<octave>{octave}</octave></pitch>"
    return f"<note>{before}{where}<duration>{duration}</duration>{extra}</note>"


def rest(duration: int) -> str:
    return f"<note><rest/><duration>{duration}</duration></note>"


def heard(song: Song) -> list[tuple[int, int, int]]:
    """(onset, duration, pitch) of every note."""
    return [(int(n["onset"]), int(n["duration"]), int(n["pitch"])) for n in song.notes]


def zipped(**members: bytes) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/"), content)
    return data.getvalue()


def test_notes_rests_and_chords_stand_where_they_are_written() -> None:
    song = read_musicxml(
        score(measure(note("C4", 4), rest(4), note("E4", 8), note("G4", 8, before="<chord/>"), attributes=FOUR_FOUR))
    )
    assert heard(song) == [(0, 480, 60), (960, 960, 64), (960, 960, 67)]
    assert song.length == 1920


def test_backup_and_forward_lay_voices_over_one_another() -> None:
    voices = measure(
        note("C5", 16),
        "<backup><duration>16</duration></backup><forward><duration>4</duration></forward>",
        note("C3", 12),
        attributes=FOUR_FOUR,
    )
    assert heard(read_musicxml(score(voices))) == [(0, 1920, 72), (480, 1440, 48)]


def test_a_tie_over_the_bar_line_is_one_note() -> None:
    start, both, stop = '<tie type="start"/>', '<tie type="stop"/><tie type="start"/>', '<tie type="stop"/>'
    bars = measure(note("C4", 16, start), attributes=FOUR_FOUR) + measure(note("C4", 16, both))
    song = read_musicxml(score(bars + measure(note("C4", 8, stop), note("C4", 8))))
    assert heard(song) == [(0, 4800, 60), (4800, 960, 60)]


def test_a_tie_that_nothing_ends_goes_on_in_its_own_voice_and_is_reported() -> None:
    repairs: list[Repair] = []
    bars = measure(note("C4", 16, '<tie type="start"/>'), attributes=FOUR_FOUR) + measure(note("C4", 16))
    assert heard(read_musicxml(score(bars), repairs=repairs)) == [(0, 3840, 60)]
    assert [repair.kind for repair in repairs if "tie" in repair.kind] == ["ties-without-end"]


def test_a_tie_that_never_began_strikes_the_note_again() -> None:
    repairs: list[Repair] = []
    song = read_musicxml(score(measure(note("C4", 16, '<tie type="stop"/>'), attributes=FOUR_FOUR)), repairs=repairs)
    assert heard(song) == [(0, 1920, 60)]
    assert "broken-ties" in [repair.kind for repair in repairs]


def test_divisions_may_change_from_bar_to_bar_and_within_one() -> None:
    bars = measure(note("C4", 2), attributes=FOUR_FOUR.replace(">4</div", ">1</div"))
    inside = "<attributes><divisions>3</divisions></attributes>"
    bars = measure(note("C4", 2), inside, note("D4", 2), note("E4", 4), attributes="<divisions>1</divisions>")
    song = read_musicxml(score(bars))
    assert heard(song) == [(0, 960, 60), (960, 320, 62), (1280, 640, 64)]


def test_triplets_at_an_odd_resolution_leave_neither_gap_nor_overlap() -> None:
    song = read_musicxml(score(measure(*(note("C4", 1) for _ in range(28)), attributes="<divisions>7</divisions>")))
    onsets, durations = song.notes["onset"], song.notes["duration"]
    assert (onsets[:-1] + durations[:-1] == onsets[1:]).all()
    assert song.length == 1920


def test_a_transposing_instrument_gives_its_sounding_pitch_key_and_chord() -> None:
    attributes = (
        FOUR_FOUR
        + "<key><fifths>2</fifths><mode>major</mode></key><transpose><diatonic>-1</diatonic><chromatic>-2</chromatic>"
        "<octave-change>-1</octave-change></transpose>"
    )
    chord = "<harmony><root><root-step>D</root-step></root><kind>major</kind></harmony>"
    # The transposition is known only after the key is read: both stand in one <attributes>.
    song = read_musicxml(score(measure(chord, note("D5", 16), attributes=attributes)))
    assert heard(song) == [(0, 1920, 60)]
    assert song.keys.tolist() == [(0, 0, False)]
    assert song.chords["root"].tolist() == [0]


def test_an_upbeat_stands_at_the_end_of_a_whole_first_bar() -> None:
    song = read_musicxml(score(measure(note("G4", 4), attributes=FOUR_FOUR) + measure(note("C5", 16)) * 2))
    assert heard(song) == [(1440, 480, 67), (1920, 1920, 72), (3840, 1920, 72)]
    assert song.bar_lines().tolist() == [0, 1920, 3840, 5760]
    assert song.meters.tolist() == [(0, 4, 4)]


def test_two_short_measures_around_a_repeat_sign_are_one_bar() -> None:
    whole, three, one = note("C4", 16), note("D4", 12), note("E4", 4)
    song = read_musicxml(score(measure(whole, attributes=FOUR_FOUR) + measure(three) + measure(one) + measure(whole)))
    assert song.bar_lines().tolist() == [0, 1920, 3840, 5760]
    assert song.meters.tolist() == [(0, 4, 4)]


def test_a_measure_that_does_not_fit_its_meter_gets_one_of_its_own() -> None:
    repairs: list[Repair] = []
    bars = measure(note("C4", 16), attributes=FOUR_FOUR) + measure(note("D4", 10)) + measure(note("C4", 16)) * 2
    song = read_musicxml(score(bars), repairs=repairs)
    assert song.meters.tolist() == [(0, 4, 4), (1920, 5, 8), (3120, 4, 4)]
    assert song.bar_lines().tolist() == [0, 1920, 3120, 5040, 6960]
    assert Counter({r.kind: r.count for r in repairs})["irregular-bars"] == 1


def test_a_rest_that_is_longer_than_the_bar_does_not_stretch_it() -> None:
    two_four = FOUR_FOUR.replace("<beats>4", "<beats>2")
    tune = measure(note("C4", 8), attributes=two_four) + measure(note("D4", 8)) + measure(note("E4", 8))
    silent = measure(rest(16), attributes=two_four) + measure(note("C3", 8)) + measure(rest(16))
    song = read_musicxml(score(tune, silent))
    assert song.bar_lines().tolist() == [0, 960, 1920, 2880]
    assert [n[:1] + n[2:] for n in heard(song)] == [(0, 60), (960, 62), (960, 48), (1920, 64)]


def test_an_empty_measure_lasts_a_bar() -> None:
    song = read_musicxml(score(measure(note("C4", 16), attributes=FOUR_FOUR) + measure() + measure(note("D4", 16))))
    assert [onset for onset, _, _ in heard(song)] == [0, 3840]


def test_keys_meters_tempo_and_markers_are_kept() -> None:
    attributes = FOUR_FOUR + "<key><fifths>-3</fifths><mode>minor</mode></key>"
    metronome = (
        "<direction><direction-type><metronome><beat-unit>quarter</beat-unit><beat-unit-dot/><per-minute>ca. 60"
        "</per-minute></metronome></direction-type></direction>"
    )
    rehearsal = "<direction><direction-type><rehearsal>B</rehearsal></direction-type><sound tempo='132'/></direction>"
    six_eight = "<time><beats>6</beats><beat-type>8</beat-type></time>"
    song = read_musicxml(
        score(
            measure(metronome, note("C4", 16), attributes=attributes)
            + measure(rehearsal, note("C4", 12), attributes=six_eight),
            head="<work><work-title>A Cycle</work-title></work><movement-title>The Song</movement-title>",
        )
    )
    assert song.keys.tolist() == [(0, 0, True)]
    assert song.meters.tolist() == [(0, 4, 4), (1920, 6, 8)]
    assert song.tempos.tolist() == [(0, 90.0), (1920, 132.0)]
    assert song.markers == (Marker(1920, "B"),)
    assert song.title == "The Song"


def test_a_fermata_is_a_marker_where_its_note_begins_once_for_all_parts() -> None:
    held = "<notations><fermata type='upright'/></notations>"
    tied = ("<tie type='start'/>", f"<tie type='stop'/>{held}")
    rehearsal = "<direction><direction-type><rehearsal>A</rehearsal></direction-type></direction>"
    soprano = measure(note("C5", 4), note("D5", 4), note("E5", 8, held), attributes=FOUR_FOUR) + measure(
        rehearsal, note("C5", 8, held), note("D5", 8, tied[0])
    )
    alto = measure(note("G4", 8), note("G4", 8, held), attributes=FOUR_FOUR) + measure(note("E4", 16))
    song = read_musicxml(score(soprano + measure(note("D5", 16, tied[1])), alto + measure(rest(16))))
    assert song.markers == (
        Marker(960, "fermata"), Marker(1920, "A"), Marker(1920, "fermata"), Marker(2880, "fermata"),
    )  # fmt: skip
    assert read_midi(write_midi(song)).markers == song.markers


def test_dynamics_become_velocity_from_their_place_on() -> None:
    def mark(name: str) -> str:
        return f"<direction><direction-type><dynamics><{name}/></dynamics></direction-type></direction>"

    loud = note("C4", 4).replace("<note>", '<note dynamics="100">')
    bar = measure(note("C4", 4), mark("pp"), note("C4", 4), mark("ff"), note("C4", 4), loud, attributes=FOUR_FOUR)
    assert read_musicxml(score(bar)).notes["velocity"].tolist() == [80, 33, 112, 90]


def test_the_pedal_becomes_controller_64() -> None:
    def pedal(kind: str) -> str:
        return f'<direction><direction-type><pedal type="{kind}"/></direction-type></direction>'

    bar = measure(pedal("start"), note("C4", 8), pedal("change"), note("C4", 8), pedal("stop"), attributes=FOUR_FOUR)
    controls = read_musicxml(score(bar)).controls
    assert set(controls["number"].tolist()) == {SUSTAIN}
    assert list(zip(controls["onset"].tolist(), controls["value"].tolist(), strict=True)) == [
        (0, 127), (960, 0), (960, 127), (1920, 0),
    ]  # fmt: skip


def test_chord_symbols_keep_root_quality_bass_and_offset() -> None:
    def symbol(root: str, kind: str, rest: str = "") -> str:
        return f"<harmony><root><root-step>{root}</root-step></root><kind>{kind}</kind>{rest}</harmony>"

    slash = "<bass><bass-step>B</bass-step><bass-alter>-1</bass-alter></bass><offset>8</offset>"
    bar = measure(symbol("A", "minor-seventh"), symbol("C", "dominant", slash), note("C4", 16), attributes=FOUR_FOUR)
    none = "<harmony><root><root-step>C</root-step></root><kind>none</kind></harmony>"
    chords = read_musicxml(score(bar + measure(none, note("C4", 16)))).chords
    assert chords["onset"].tolist() == [0, 960, 1920]
    assert chords["root"].tolist() == [9, 0, NO_CHORD]
    assert chords["bass"].tolist() == [9, 10, NO_CHORD]
    assert [QUALITY_NAMES[q] for q in chords["quality"][:2]] == ["m7", "7"]


def test_instruments_come_from_midi_numbers_or_from_names() -> None:
    part_list = (
        '<score-part id="P1"><part-name>Lead</part-name><score-instrument id="I1"><instrument-name>Gtr'
        '</instrument-name></score-instrument><midi-instrument id="I1"><midi-channel>1</midi-channel><midi-program>31'
        "</midi-program></midi-instrument></score-part>"
        '<score-part id="P2"><part-name>Violoncello II</part-name></score-part>'
        '<score-part id="P3"><part-name>Tenor</part-name></score-part>'
        '<score-part id="P4"><part-name>Bass</part-name></score-part>'
        '<score-part id="P5"><part-name>Zzz</part-name></score-part>'
    )
    bar = measure(note("C4", 16), attributes=FOUR_FOUR)
    song = read_musicxml(score(bar, bar, bar, bar, bar, part_list=part_list))
    assert [part.program for part in song.parts] == [30, 42, 52, 52, 0]
    assert song.parts[1].name == "Violoncello II"


def test_drums_keep_their_sounds() -> None:
    part_list = (
        '<score-part id="P1"><part-name>Drumset</part-name>'
        '<score-instrument id="K"><instrument-name>Bass Drum</instrument-name></score-instrument>'
        '<score-instrument id="S"><instrument-name>Snare</instrument-name></score-instrument>'
        '<midi-instrument id="K"><midi-channel>10</midi-channel><midi-unpitched>37</midi-unpitched></midi-instrument>'
        "</score-part>"
    )

    def hit(instrument: str) -> str:
        where = "<unpitched><display-step>F</display-step><display-octave>4</display-octave></unpitched>"
        return f'<note>{where}<duration>8</duration><instrument id="{instrument}"/></note>'

    repairs: list[Repair] = []
    bar = measure(hit("K"), hit("S"), attributes=FOUR_FOUR)
    song = read_musicxml(score(bar, part_list=part_list), repairs=repairs)
    assert [part.is_drum for part in song.parts] == [True]
    assert song.notes["pitch"].tolist() == [36, 38]


def test_what_is_left_aside_is_counted() -> None:
    repairs: list[Repair] = []
    grace = note("D4", 0, before="<grace/>").replace("<duration>0</duration>", "")
    trill = "<notations><ornaments><trill-mark/></ornaments></notations>"
    repeat = '<barline><repeat direction="backward"/></barline>'
    bar = measure(grace, grace, note("C4", 16, trill), repeat, attributes=FOUR_FOUR + "<key><fifths>1</fifths></key>")
    song = read_musicxml(score(bar), repairs=repairs)
    assert heard(song) == [(0, 1920, 60)]
    assert {repair.kind: repair.count for repair in repairs} == {
        "grace-notes": 2, "ornaments": 1, "repeats-not-unfolded": 1, "keys-without-mode": 1, "programs-guessed": 1,
    }  # fmt: skip


def test_a_timewise_score_is_the_same_song() -> None:
    bar = measure(note("C4", 16), attributes=FOUR_FOUR)
    inside = bar.removeprefix("<measure>").removesuffix("</measure>")
    listed = '<part-list><score-part id="P1"><part-name>Piano</part-name></score-part></part-list>'
    timewise = f'<score-timewise>{listed}<measure><part id="P1">{inside}</part></measure></score-timewise>'
    assert read_musicxml(timewise.encode()) == read_musicxml(score(bar))


def test_a_compressed_score_is_the_one_that_its_container_names(tmp_path: Path) -> None:
    container = b'<container><rootfiles><rootfile full-path="b.xml"/></rootfiles></container>'
    wanted, other = (score(measure(note(pitch, 16), attributes=FOUR_FOUR)) for pitch in ("C4", "D4"))
    data = zipped(**{"META-INF__container.xml": container, "a.xml": other, "b.xml": wanted})
    path = tmp_path / "tune.mxl"
    path.write_bytes(data)
    assert read_musicxml(path) == read_musicxml(str(path)) == read_musicxml(wanted)


def test_a_damaged_container_does_not_hide_the_score() -> None:
    wanted = score(measure(note("C4", 16), attributes=FOUR_FOUR))
    assert len(read_musicxml(zipped(**{"META-INF__container.xml": b"<a b='it's'/>", "a.xml": wanted}))) == 1


def test_utf_16_and_namespaces_are_read() -> None:
    plain = score(measure(note("C4", 16), attributes=FOUR_FOUR))
    utf_16 = ('<?xml version="1.0" encoding="UTF-16"?>' + plain.decode()).encode("utf-16")
    named = plain.replace(b"<score-partwise>", b'<score-partwise xmlns="urn:music">', 1)
    assert read_musicxml(utf_16) == read_musicxml(named) == read_musicxml(plain)


def test_a_score_without_any_note_is_an_empty_song() -> None:
    song = read_musicxml(score(measure(rest(16), attributes=FOUR_FOUR)))
    assert len(song) == 0
    assert song.length == 1920
    assert len(read_musicxml(b"<score-partwise/>")) == 0


def test_a_zip_bomb_stops_at_the_named_limit() -> None:
    with pytest.raises(LimitExceeded, match="max_bytes = 1048576"):
        read_musicxml(zipped(**{"a.xml": b" " * 2**21}), max_bytes=2**20)
    with pytest.raises(LimitExceeded, match="max_bytes"):
        read_musicxml(b" " * 2**21, max_bytes=2**20)


def test_entities_are_refused_before_they_grow() -> None:
    bomb = b'<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;">]>' + score(measure())
    with pytest.raises(FormatError, match="ENTITY"):
        read_musicxml(bomb)
    with pytest.raises(FormatError, match="ENTITY"):
        read_musicxml(('<?xml version="1.0" encoding="UTF-16"?>' + bomb.decode()).encode("utf-16"))


def test_a_document_type_without_entities_is_read_past() -> None:
    doctype = b'<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD" "http://127.0.0.1:9/partwise.dtd">'
    assert len(read_musicxml(doctype + score(measure(note("C4", 16), attributes=FOUR_FOUR)))) == 1


@pytest.mark.parametrize(
    "data",
    [
        b"", b"not music", b"PK\x03\x04 broken", b"<html/>", b"<score-partwise>", zipped(**{"a.txt": b""}),
        b"\xff\xfe\x00", b'<?xml version="1.0" encoding="klingon"?><score-partwise/>',
    ],
)  # fmt: skip
def test_what_is_not_a_score_names_the_file(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "broken.mxl"
    path.write_bytes(data)
    with pytest.raises(FormatError, match=r"broken\.mxl"):
        read_musicxml(path)


@pytest.mark.parametrize(
    "bad",
    [
        note("C4", 16).replace("<duration>16", "<duration>x"),
        note("C4", 16).replace("<duration>16", "<duration>inf"),
        note("C4", 16).replace("<step>C", "<step>H"),
        note("C4", 16).replace("<octave>4", "<octave>four"),
    ],
)
def test_a_bad_number_names_part_and_measure(bad: str) -> None:
    with pytest.raises(FormatError, match=r"part P1, measure 1"):
        read_musicxml(score(measure(bad)))


def test_a_song_longer_than_a_song_can_be_is_refused() -> None:
    with pytest.raises((LimitExceeded, FormatError)):
        read_musicxml(score(measure(note("C4", 10**12), attributes=FOUR_FOUR)))


def test_a_file_that_is_not_there_is_a_format_error(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"none\.xml"):
        read_musicxml(tmp_path / "none.xml")


def test_every_broken_byte_ends_in_a_song_or_a_named_error() -> None:
    whole = zipped(**{"a.xml": score(measure(note("C4", 16), attributes=FOUR_FOUR) * 3)})
    plain = score(measure(note("C4", 16), attributes=FOUR_FOUR) * 3)
    chance = np.random.default_rng(5)
    for data in (whole, plain):
        for _ in range(150):
            broken = bytearray(data)
            broken[int(chance.integers(len(data)))] = int(chance.integers(256))
            try:
                read_musicxml(bytes(broken))
            except (FormatError, LimitExceeded):
                continue


def onsets_and_pitches(path: Path) -> Counter[tuple[int, int]]:
    """What music21 hears: (onset tick, pitch) of every note that does not go on from a tie."""
    converter = pytest.importorskip("music21.converter", reason="music21 is not installed")
    chord = pytest.importorskip("music21.chord")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        parsed = converter.parse(str(path), format="musicxml", forceSource=True).toSoundingPitch()
        found: Counter[tuple[int, int]] = Counter()
        for part in parsed.parts:
            for element in part.flatten().notes:
                if element.duration.isGrace or type(element).__name__ in ("ChordSymbol", "NoChord"):
                    continue
                tick = int(float(element.offset) * 480 + 0.5)
                for one in element.notes if isinstance(element, chord.Chord) else [element]:
                    if one.tie is None or one.tie.type == "start":
                        found[(tick, int(one.pitch.ps))] += 1
    return found


def expect_the_same_notes(path: Path) -> None:
    song = read_musicxml(path)
    ours = Counter(zip(song.notes["onset"].tolist(), song.notes["pitch"].tolist(), strict=True))
    theirs = onsets_and_pitches(path)
    upbeat = min(ours)[0] - min(theirs)[0]  # music21 starts at the upbeat, we at the bar line before it
    assert upbeat in range(int(song.bar_lines()[1]))
    assert Counter({(onset - upbeat, pitch): n for (onset, pitch), n in ours.items()}) == theirs


BUNDLED = (
    "bach/bwv387", "bach/bwv184.5", "bach/bwv197.5", "bach/bwv42.7", "bach/bwv78.7", "bach/bwv156.6", "bach/bwv278",
    "bach/bwv368", "bach/bwv320", "bach/bwv66.6", "bach/bwv336", "bach/bwv93.7", "monteverdi/madrigal.3.19",
    "joplin/maple_leaf_rag", "mozart/k156/movement4", "lusitano/allor_che_ignuda",
    "trecento/PMFC_13_02-Kyrie-Questa-fanciulla", "bach/bwv267", "bach/bwv169.7", "bach/bwv45.7",
)  # fmt: skip


@pytest.mark.parametrize("name", BUNDLED)
def test_music21_hears_the_same_notes_in_its_own_corpus(name: str) -> None:
    music21 = pytest.importorskip("music21", reason="music21 is not installed")
    path = Path(music21.__file__).parent / "corpus" / f"{name}.mxl"
    if not path.is_file():
        pytest.skip(f"this music21 does not bundle {name}")
    expect_the_same_notes(path)


@pytest.mark.parametrize(
    "pattern",
    [
        "leadsheets/openewld/*/My_Melancholy_Baby/*.mxl", "leadsheets/openewld/*/Molly_Malone/*.mxl",
        "leadsheets/openewld/*/I_Could_Write_a_Book/*.mxl", "leadsheets/openewld/*/Home_Sweet_Home/*.mxl",
        "lieder/scores/*/*/1_Seit_ich_ihn_gesehen/*.mxl", "lieder/scores/*/*/12_Thr*/*.mxl",
    ],
)  # fmt: skip
def test_music21_hears_the_same_notes_in_real_scores(pattern: str, data_folder: Path) -> None:
    paths = sorted(data_folder.glob(pattern))
    if not paths:
        pytest.skip(f"no {pattern} in the music folder")
    expect_the_same_notes(paths[0])
