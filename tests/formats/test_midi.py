"""`read_midi` on bytes written out by hand: what a healthy file says, and what becomes of each kind of damage."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from woodshed.errors import FileError, FormatError, LimitExceeded
from woodshed.formats.midi import MidiLimits, Repair, read_comment, read_midi, write_midi
from woodshed.music import Part, Song

END = "00 FF 2F 00 ; end of track"
NOTE = """
00 90 3C 50     ; C4 on, velocity 80
83 60 80 3C 40  ; 480 ticks later, off
"""


def dump(text: str) -> bytes:
    """Bytes from a hexdump whose lines may end in a comment after a semicolon."""
    return bytes.fromhex(" ".join(line.partition(";")[0] for line in text.splitlines()))


def track(text: str) -> bytes:
    body = dump(text)
    return b"MTrk" + struct.pack(">I", len(body)) + body


def file(*tracks: bytes, form: int = 1, division: int = 480) -> bytes:
    return b"MThd" + struct.pack(">IHHH", 6, form, len(tracks), division) + b"".join(tracks)


def read(data: bytes) -> tuple[Song, dict[str, int]]:
    repairs: list[Repair] = []
    song = read_midi(data, repairs=repairs)
    return song, {repair.kind: repair.count for repair in repairs}


def rows(song: Song) -> list[tuple[int, ...]]:
    """(part, onset, duration, pitch, velocity)"""
    return [tuple(row) for row in song.notes.tolist()]


PLAIN = file(track(NOTE + END))
C4 = (0, 0, 480, 60, 80)


def test_a_healthy_file_needs_no_repair() -> None:
    song, repairs = read(PLAIN)
    assert rows(song) == [C4]
    assert song.parts == (Part("", 0),)
    assert song.length == 480
    assert repairs == {}


def test_everything_a_song_can_hold_is_read() -> None:
    conductor = """
    00 FF 03 04 52 69 66 66              ; track name "Riff"
    00 FF 58 04 07 03 18 08              ; 7/8
    00 FF 59 02 FD 01                    ; three flats, minor
    00 FF 51 03 06 8A 1B                 ; 428571 microseconds a quarter: 140 a minute
    8D 10 FF 06 05 56 65 72 73 65        ; marker "Verse" at 1680
    00 FF 2F 00
    """
    bass = """
    00 FF 03 04 42 61 73 73              ; track name "Bass"
    00 C1 21                             ; channel 2 plays program 33
    00 B1 40 7F                          ; pedal down
    00 E1 00 60                          ; bend to +4096
    00 91 28 64                          ; E2 on
    81 70 91 28 00                       ; 240 later, on with velocity 0: off
    00 29 65                             ; running status: F2 on
    81 70 29 00                          ; off
    87 40 FF 2F 00                       ; 960 later
    """
    song, repairs = read(file(track(conductor), track(bass)))
    assert rows(song) == [(0, 0, 240, 40, 100), (0, 240, 240, 41, 101)]
    assert song.parts == (Part("Bass", 33),)
    assert song.title == "Riff"
    assert song.tempos.tolist() == [(0, 140.0)]
    assert song.meters.tolist() == [(0, 7, 8)]
    assert song.keys.tolist() == [(0, 0, True)]
    assert [(mark.onset, mark.text) for mark in song.markers] == [(1680, "Verse")]
    assert song.controls.tolist() == [(0, 0, 64, 127)]
    assert song.bends.tolist() == [(0, 0, 4096)]
    assert song.length == 1680
    assert repairs == {}


def test_a_riff_wrapper_is_opened() -> None:
    song, repairs = read(
        b"RIFF" + struct.pack("<I", len(PLAIN) + 12) + b"RMIDdata" + struct.pack("<I", len(PLAIN)) + PLAIN
    )
    assert rows(song) == [C4]
    assert repairs == {"riff-wrapper": 1}


def test_junk_before_the_header_is_skipped() -> None:
    song, repairs = read(b"\x00" * 128 + PLAIN)
    assert rows(song) == [C4]
    assert repairs == {"leading-junk": 1}


def test_a_header_longer_than_six_bytes_is_read() -> None:
    song, repairs = read(b"MThd" + struct.pack(">IHHHH", 8, 1, 1, 480, 0) + track(NOTE + END))
    assert rows(song) == [C4]
    assert repairs == {"header-length": 1}


def test_a_format_beyond_2_is_read_as_1() -> None:
    assert read(file(track(NOTE + END), form=9))[1] == {"format-number": 1}


def test_data_bytes_over_127_are_lowered() -> None:
    song, repairs = read(file(track("00 90 3C C8 ; velocity 200\n 83 60 80 3C 40\n" + END)))
    assert rows(song) == [(0, 0, 480, 60, 127)]
    assert repairs == {"data-byte": 1}


def test_program_255_is_lowered_to_127() -> None:
    song, repairs = read(file(track("00 C0 FF ; program 255\n" + NOTE + END)))
    assert song.parts == (Part("", 127),)
    assert repairs == {"data-byte": 1}


@pytest.mark.parametrize("lie", [1, 6, 0xFFFF, 0xFFFFFFFF])
def test_a_chunk_length_that_lies_is_not_believed(lie: int) -> None:
    first, second = bytearray(track(NOTE + END)), track("00 91 40 50\n 83 60 81 40 40\n" + END)
    first[4:8] = struct.pack(">I", lie)
    song, repairs = read(file(bytes(first), second))
    assert rows(song) == [C4, (1, 0, 480, 64, 80)]
    assert repairs == {"chunk-length": 1}


def test_a_missing_end_of_track_ends_with_the_last_event() -> None:
    song, repairs = read(file(track(NOTE)))
    assert rows(song) == [C4]
    assert song.length == 480
    assert repairs == {"missing-end": 1}


def test_a_file_cut_within_an_event_keeps_what_came_before() -> None:
    song, repairs = read(PLAIN[:-6])  # within the note-off
    assert rows(song) == [(0, 0, 480, 60, 80)]
    assert repairs == {"chunk-length": 1, "truncated-event": 1, "stuck-note": 1}


def test_bytes_after_the_end_of_track_are_skipped() -> None:
    song, repairs = read(file(track(NOTE + END + "\n 00 90 40 50 ; too late\n" + END)))
    assert rows(song) == [C4]
    assert repairs == {"bytes-after-end": 8}


def test_bytes_after_the_last_track_are_skipped() -> None:
    assert read(PLAIN + bytes(5))[1] == {"stray-bytes": 5}


def test_a_foreign_chunk_is_left_aside() -> None:
    song, repairs = read(b"MThd" + struct.pack(">IHHH", 6, 1, 1, 480) + b"XFIH\0\0\0\2ab" + track(NOTE + END))
    assert rows(song) == [C4]
    assert repairs == {"left-aside-chunk": 1}


def test_a_wrong_track_count_is_reported() -> None:
    data = bytearray(PLAIN)
    data[11] = 3
    song, repairs = read(bytes(data))
    assert rows(song) == [C4]
    assert repairs == {"track-count": 2}


def test_karaoke_keeps_its_notes_and_reports_its_words() -> None:
    words = """
    00 FF 01 05 40 4B 4D 49 44  ; "@KMID", the first text: the file's comment
    00 FF 01 03 5C 4F 68        ; "\\Oh", a syllable as text
    00 FF 05 02 6C 61           ; "la", a syllable as lyric
    """
    song, repairs = read(file(track(words + NOTE + END)))
    assert rows(song) == [C4]
    assert repairs == {"left-aside-text": 1, "left-aside-lyric": 1}


def test_running_status_with_none_before_it_is_skipped() -> None:
    song, repairs = read(file(track("00 3C 50 ; data, but of what?\n" + NOTE + END)))
    assert rows(song) == [C4]
    assert repairs == {"no-running-status": 3}  # two data bytes, and the delta that cannot be told from them


def test_running_status_after_a_meta_event_is_read_as_meant() -> None:
    song, repairs = read(file(track("00 90 3C 50\n 00 FF 06 01 41 ; marker\n 83 60 3C 00 ; running\n" + END)))
    assert rows(song) == [C4]
    assert repairs == {"running-status-after-meta": 1}


def test_running_status_for_one_data_byte_is_sound() -> None:
    song, repairs = read(file(track("00 C0 05\n 00 07 ; program 7\n" + NOTE + END)))
    assert song.parts == (Part("", 7),)
    assert repairs == {}


def test_a_format_0_file_becomes_one_part_per_channel() -> None:
    text = """
    00 FF 03 04 53 6F 6E 67  ; "Song"
    00 C0 1D                 ; channel 1: overdriven guitar
    00 C1 21                 ; channel 2: bass
    00 99 24 60              ; channel 10: bass drum
    00 91 28 60
    00 90 34 60
    83 60 89 24 40
    00 81 28 40
    00 80 34 40
    """
    song, repairs = read(file(track(text + END), form=0))
    assert song.parts == (Part("", 29), Part("", 33), Part("", 0, is_drum=True))
    assert rows(song) == [(0, 0, 480, 52, 96), (1, 0, 480, 40, 96), (2, 0, 480, 36, 96)]
    assert song.title == "Song"
    assert repairs == {}


def test_the_sequences_of_a_format_2_file_follow_one_another() -> None:
    song, repairs = read(file(track(NOTE + END), track(NOTE + "83 60 FF 2F 00"), track(NOTE + END), form=2))
    assert [row[1] for row in rows(song)] == [0, 480, 1440]
    assert song.length == 1920
    assert repairs == {"type-2": 3}


def test_a_tempo_is_found_on_any_track() -> None:
    song, _ = read(file(track(NOTE + END), track("00 FF 51 03 09 27 C0 ; 600000: 100 a minute\n" + END)))
    assert song.bpm == 100.0


def test_a_program_that_changes_within_a_song_starts_another_part() -> None:
    text = """
    00 B0 07 64     ; volume 100
    00 C0 1E        ; distortion guitar
    00 90 3C 50
    60 B0 0B 40     ; expression 64, heard by the guitar
    60 E0 00 50     ; bend +2048
    60 80 3C 40
    00 C0 00        ; piano
    00 90 40 50
    60 80 40 40
    00 B0 07 50     ; volume 80, heard by the piano
    00 C0 1E        ; guitar again
    00 90 3C 50
    60 80 3C 40
    """
    song, repairs = read(file(track(text + END)))
    assert song.parts == (Part("", 30), Part("", 0))
    assert rows(song) == [(0, 0, 288, 60, 80), (1, 288, 96, 64, 80), (0, 384, 96, 60, 80)]
    assert song.controls.tolist() == [
        (0, 0, 7, 100), (0, 96, 11, 64),  # played by the guitar
        (1, 288, 7, 100), (1, 288, 11, 64),  # in force when the piano takes over
        (0, 384, 7, 80),  # in force when the guitar comes back
        (1, 384, 7, 80),  # played by the piano
    ]  # fmt: skip
    assert song.bends.tolist() == [(0, 192, 2048), (1, 288, 2048)]
    assert repairs == {"program-change": 1}


def test_a_note_of_no_length_lasts_one_tick() -> None:
    song, repairs = read(file(track("00 99 24 60\n 00 89 24 40 ; at once\n 83 60 99 24 60\n 78 89 24 40\n" + END)))
    assert rows(song) == [(0, 0, 1, 36, 96), (0, 480, 120, 36, 96)]
    assert repairs == {"zero-length-note": 1}


def test_a_stuck_note_ends_with_its_track() -> None:
    song, repairs = read(file(track("00 90 3C 50 ; never off\n 87 40 FF 2F 00 ; 960")))
    assert rows(song) == [(0, 0, 960, 60, 80)]
    assert repairs == {"stuck-note": 1}


def test_a_stuck_note_ends_at_the_next_of_its_pitch() -> None:
    song, repairs = read(file(track("00 90 3C 50 ; never off\n 83 60 90 3C 51\n 83 60 80 3C 40\n" + END)))
    assert rows(song) == [C4, (0, 480, 480, 60, 81)]
    assert repairs == {"stuck-note": 1}


def test_a_stuck_note_spares_the_overlaps_before_it() -> None:
    overlap = "00 90 3C 01\n 0A 90 3C 02\n 0A 80 3C 40\n 0A 80 3C 40\n"  # 0-20 and 10-30
    song, repairs = read(file(track(overlap + "0A 90 3C 03 ; never off\n 0A FF 2F 00")))
    assert rows(song) == [(0, 0, 20, 60, 1), (0, 10, 20, 60, 2), (0, 40, 10, 60, 3)]
    assert repairs == {"stuck-note": 1}


def test_a_note_off_for_nothing_is_ignored() -> None:
    song, repairs = read(file(track("00 80 3C 40\n" + NOTE + "00 80 3C 40\n" + END)))
    assert rows(song) == [C4]
    assert repairs == {"orphan-note-off": 2}


def test_overlapping_notes_of_one_pitch_end_first_in_first_out() -> None:
    song, repairs = read(file(track("00 90 3C 01\n 0A 90 3C 02\n 0A 80 3C 40\n 14 80 3C 40\n" + END)))
    assert rows(song) == [(0, 0, 20, 60, 1), (0, 10, 30, 60, 2)]
    assert repairs == {}


def test_forty_bytes_with_one_gigantic_delta_do_not_make_a_gigantic_song() -> None:
    bare = track("00 90 3C 50\n 83 60 80 3C 40\n FF FF FF 7F FF 2F 00 ; 268435455 ticks later")
    song, repairs = read(file(bare))
    assert rows(song) == [C4]
    assert song.length == 480
    assert repairs == {"late-end": 1}


def test_a_note_behind_a_gigantic_delta_names_the_limit() -> None:
    data = file(track("FF FF FF 7F 90 3C 50\n 60 80 3C 40\n" + END), division=1)
    with pytest.raises(LimitExceeded, match="lasts 268435551 quarter notes, more than 200000; raise max_quarters"):
        read_midi(data)


def test_zero_ticks_per_quarter_are_taken_as_480() -> None:
    song, repairs = read(file(track(NOTE + END), division=0))
    assert rows(song) == [C4]
    assert repairs == {"division-zero": 1}
    assert np.isfinite(song.length_seconds)


def test_smpte_time_goes_through_seconds_and_the_tempo_map() -> None:
    text = """
    00 FF 51 03 0F 42 40  ; 1000000: 60 a minute
    00 90 3C 50
    87 68 80 3C 40        ; 1000 ticks of a thousandth of a second: one quarter
    00 FF 51 03 07 A1 20  ; 500000: 120 a minute from here on
    00 90 3C 50
    87 68 80 3C 40        ; another second: two quarters
    """
    song, repairs = read(file(track(text + END), division=0xE728))  # 25 frames of 40 ticks
    assert rows(song) == [C4, (0, 480, 960, 60, 80)]
    assert song.tempos.tolist() == [(0, 60.0), (480, 120.0)]
    assert song.seconds(song.ends).tolist() == [1.0, 2.0]
    assert repairs == {"smpte-division": 1}


@pytest.mark.parametrize("micros", ["00 00 00", "00 00 01", "00 0F A0"])
def test_a_tempo_of_zero_or_beyond_reason_is_dropped(micros: str) -> None:
    song, repairs = read(file(track(f"00 FF 51 03 {micros}\n" + NOTE + END)))
    assert song.bpm == 120.0
    assert repairs == {"bad-tempo": 1}


@pytest.mark.parametrize("meter", ["04 C8 18 08 ; over 2^200", "00 02 18 08 ; 0/4", "04 06 18 08 ; 4/64"])
def test_an_impossible_meter_is_dropped(meter: str) -> None:
    song, repairs = read(file(track(f"00 FF 58 04 {meter}\n" + NOTE + END)))
    assert str(song.meter) == "4/4"
    assert repairs == {"bad-meter": 1}


@pytest.mark.parametrize("key", ["08 00 ; 8 sharps", "F8 00 ; 8 flats", "00 02 ; neither major nor minor"])
def test_an_impossible_key_is_dropped(key: str) -> None:
    song, repairs = read(file(track(f"00 FF 59 02 {key}\n" + NOTE + END)))
    assert len(song.keys) == 0
    assert repairs == {"bad-key": 1}


def test_a_channel_without_a_program_is_a_piano_and_channel_10_drums() -> None:
    song, repairs = read(file(track(NOTE + "00 99 24 50\n 60 89 24 40\n" + END)))
    assert song.parts == (Part("", 0), Part("", 0, is_drum=True))
    assert repairs == {}


def test_channel_setup_on_another_track_is_taken_over() -> None:
    setup = "00 C0 1E ; channel 1 plays a guitar\n 00 B0 07 40 ; at volume 64\n" + END
    song, repairs = read(file(track(setup), track(NOTE + END)))
    assert song.parts == (Part("", 30),)
    assert song.controls.tolist() == [(0, 0, 7, 64)]
    assert repairs == {"channel-setup": 2}


def test_what_a_song_cannot_hold_is_counted() -> None:
    text = """
    00 F0 05 7E 7F 09 01 F7     ; General MIDI on
    00 A0 3C 40                 ; key pressure
    00 D0 40                    ; channel pressure
    00 FF 02 03 28 63 29        ; copyright
    00 FF 54 05 00 00 00 00 00  ; SMPTE offset
    00 FF 60 00                 ; unknown
    00 B5 07 40                 ; volume of a channel that never sounds
    00 90 3C 50
    83 60 80 3C 01              ; released slowly
    """
    song, repairs = read(file(track(text + END)))
    assert rows(song) == [C4]
    assert repairs == {
        "left-aside-sysex": 1, "left-aside-aftertouch": 2, "left-aside-text": 1, "left-aside-meta": 2,
        "left-aside-silent-channel": 1, "left-aside-release-velocity": 1,
    }  # fmt: skip


def test_times_finer_than_the_grid_of_480_are_rounded_and_reported() -> None:
    song, repairs = read(file(track("01 90 3C 50\n 87 40 80 3C 40\n" + END), division=960))
    assert rows(song) == [(0, 1, 480, 60, 80)]
    assert repairs == {"rounded-time": 1}


def test_two_tempos_at_one_tick_leave_the_later() -> None:
    song, repairs = read(file(track("00 FF 51 03 07 A1 20\n 00 FF 51 03 0F 42 40\n" + NOTE + END)))
    assert song.tempos.tolist() == [(0, 60.0)]
    assert repairs == {"superseded": 1}


def test_a_system_message_is_skipped() -> None:
    song, repairs = read(file(track("00 F8 ; clock\n 00 F2 01 02 ; song position\n" + NOTE + END)))
    assert rows(song) == [C4]
    assert repairs == {"system-message": 2}


def test_a_delta_of_more_than_four_bytes_is_cut() -> None:
    song, repairs = read(file(track("80 80 80 80 90 3C 50\n 83 60 80 3C 40\n" + END)))
    assert rows(song) == [C4]
    assert repairs == {"long-delta": 1}


def test_a_file_of_no_notes_is_an_empty_song() -> None:
    song, _ = read(file(track("83 60 FF 2F 00")))
    assert (len(song), song.parts, song.length) == (0, (), 480)


@pytest.mark.parametrize("data", [b"", b"MThd", b"X:1\nT:A text named .mid\n", b"MThd" + bytes(8)])
def test_what_is_no_midi_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError, match="no MThd header"):
        read_midi(data)


def test_a_header_without_tracks_is_refused() -> None:
    with pytest.raises(FormatError, match="holds no track"):
        read_midi(file())


@pytest.mark.parametrize(
    ("limits", "named"),
    [
        (MidiLimits(max_bytes=10), "max_bytes"),
        (MidiLimits(max_events=2), "max_events"),
        (MidiLimits(max_notes=1), "max_notes"),
        (MidiLimits(max_tracks=1), "max_tracks"),
        (MidiLimits(max_parts=1), "max_parts"),
        (MidiLimits(max_quarters=0), "max_quarters"),
    ],
)
def test_each_limit_is_named_when_it_is_hit(limits: MidiLimits, named: str, tmp_path: Path) -> None:
    data = file(track(NOTE + END), track(NOTE + END))
    path = tmp_path / "big.mid"
    path.write_bytes(data)
    for source in (data, path):
        with pytest.raises(LimitExceeded, match=named) as caught:
            read_midi(source, limits=limits)
        assert "\n" not in str(caught.value)


def test_set_up_that_would_multiply_without_end_stops_at_the_limit() -> None:
    controls = "".join(f"00 B0 {number:02X} 05\n" for number in range(100))
    changes = "".join(f"00 C0 {program:02X}\n 00 90 3C 50\n 01 80 3C 40\n" for program in range(50))
    one_track = file(track(controls + changes + END))  # 50 parts inherit 100 controllers
    many_tracks = file(*[track(controls + END)], *[track(NOTE + END)] * 50)  # 50 tracks take over 100 controllers
    for data in (one_track, many_tracks):
        read_midi(data)
        with pytest.raises(LimitExceeded, match=r"multipl[a-z]+ past 1000 events; raise max_events"):
            read_midi(data, limits=MidiLimits(max_events=1000))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"gone\.mid: cannot be read \(No such file"):
        read_midi(tmp_path / "gone.mid")


def test_a_nameless_file_is_called_after_itself(tmp_path: Path) -> None:
    (tmp_path / "Blue Riff.mid").write_bytes(PLAIN)
    assert read_midi(tmp_path / "Blue Riff.mid").title == "Blue Riff"
    assert read_midi(PLAIN).title == ""


def test_a_comment_comes_back_and_is_no_repair(band_song: Song) -> None:
    data = write_midi(band_song, comment='{"seed": 7, "é": "日本"}')
    assert read_comment(data) == '{"seed": 7, "é": "日本"}'
    assert read_comment(PLAIN) is None
    assert read(data)[1] == {}
