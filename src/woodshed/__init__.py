"""Woodshed: give it a few MIDI files; it practises them and plays you something new, that you can edit."""

__version__ = "0.1.0"
