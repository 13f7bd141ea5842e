"""The General MIDI tables, and reading what a musician calls an instrument."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from woodshed.errors import UnknownName
from woodshed.music import Part, parse_part, part_name
from woodshed.music.general_midi import DRUMS, FAMILIES, INSTRUMENTS, PROGRAMS, family, parse_group


def test_there_are_128_programs_in_16_families() -> None:
    assert len(PROGRAMS) == len(set(PROGRAMS)) == 128
    assert len(FAMILIES) == 16
    assert (PROGRAMS[0], PROGRAMS[30], PROGRAMS[127]) == ("Acoustic Grand Piano", "Distortion Guitar", "Gunshot")


@pytest.mark.parametrize(
    ("program", "name"), [(0, "piano"), (24, "guitar"), (31, "guitar"), (33, "bass"), (127, "sound effects")]
)
def test_programs_belong_to_families(program: int, name: str) -> None:
    assert family(program) == name


@pytest.mark.parametrize("program", range(128))
def test_a_program_is_known_by_name_and_by_number(program: int) -> None:
    assert parse_part(str(program)).program == program
    assert parse_part(PROGRAMS[program].upper()).program == program
    assert part_name(Part("", program)) == PROGRAMS[program]


@pytest.mark.parametrize("name", sorted(INSTRUMENTS))
def test_short_names_give_their_program(name: str) -> None:
    part = parse_part(f"  {name} ")
    assert (part.program, part.is_drum) == (INSTRUMENTS[name], False)


@pytest.mark.parametrize("name", ["drums", "Drum Kit", " DRUM "])
def test_drums_are_a_part_of_their_own(name: str) -> None:
    assert parse_part(name) == Part("Drums", 0, is_drum=True)
    assert part_name(Part(is_drum=True)) == "Drums"


def test_an_unknown_instrument_names_its_neighbours() -> None:
    with pytest.raises(UnknownName, match="violin"):
        parse_part("voilin")


@given(st.text(max_size=12))
def test_any_text_is_a_part_or_a_named_error(text: str) -> None:
    with contextlib.suppress(UnknownName):
        assert 0 <= parse_part(text).program <= 127


def test_the_drum_map_holds_what_general_midi_names() -> None:
    assert set(range(35, 82)) <= set(DRUMS)
    assert (DRUMS[36], DRUMS[38], DRUMS[42], DRUMS[49]) == ("bass drum", "snare", "closed hi-hat", "crash 1")
    assert len(set(DRUMS.values())) == len(DRUMS)


def test_names_turned_round_and_whole_groups_are_known() -> None:
    assert [parse_part(name).program for name in ("Pick Bass", "square lead", "rain fx", "clean electric guitar")] == [
        34, 80, 96, 27,
    ]  # fmt: skip
    assert [part.program for part in parse_group("Guitars")] == list(range(24, 32))
    assert [part.program for part in parse_group("bass")] == list(range(32, 40))
    assert {part.name for part in parse_group("strings")} == {"Strings"}
    assert [part.program for part in parse_group("violin")] == [40]
    assert parse_group("drums")[0].is_drum
    with pytest.raises(UnknownName, match="did you mean"):
        parse_group("gitar")
