"""Clips by the GPT-2 peer, as MIDI files. Runs in the peer's environment and knows nothing of woodshed.

The peer was trained by style15/peer.py on windows of 1,024 REMI tokens, some 240 notes: less than 16 bars of a band. So
it goes on past its window as it was trained to read, from the first bar line in the latest half of it, until it has
begun one bar more than was asked for. END is kept from ending a clip early; bars that it leaves empty are its own.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch
from miditok import REMI
from transformers import GPT2LMHeadModel

MOST_TOKENS = 40_000
"""A clip whose bars do not come to an end by then is cut there, and said to be."""


def main() -> None:
    options = parse()
    torch.set_num_threads(options.threads)
    tokenizer = REMI(params=options.model / "tokenizer.json")
    model = GPT2LMHeadModel.from_pretrained(options.model, attn_implementation="sdpa").eval()
    options.out.mkdir(parents=True, exist_ok=True)
    for first in range(0, options.clips, options.batch):
        torch.manual_seed(options.seed * 10_000 + first)
        began = time.perf_counter()
        streams = play(model, tokenizer, min(options.batch, options.clips - first), options)
        seconds = (time.perf_counter() - began) / len(streams)
        for number, ids in enumerate(streams, first):
            whole = ids.count(tokenizer["Bar_None"]) > options.bars
            song = tokenizer.decode(cut(ids, tokenizer["Bar_None"], options.bars))
            song.dump_midi(options.out / f"{number:03d}.mid")
            line = {"clip": number, "whole": whole, "tokens": len(ids), "notes": song.note_num()}
            print(json.dumps(line | {"seconds": round(seconds, 3)}), flush=True)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="the model folder that style15/peer.py wrote")
    parser.add_argument("--out", type=Path, required=True, help="folder for the MIDI files")
    parser.add_argument("--clips", type=int, default=50)
    parser.add_argument("--batch", type=int, default=25, help="streams side by side; another number, other clips")
    parser.add_argument("--bars", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--temperature", type=float, default=0.95)
    parser.add_argument("--top-p", type=float, default=0.98)
    return parser.parse_args()


def play(model: GPT2LMHeadModel, tokenizer: REMI, count: int, options: argparse.Namespace) -> list[list[int]]:
    """The tokens of ``count`` streams, each with a bar line after its last bar unless `MOST_TOKENS` ended it."""
    bar = tokenizer["Bar_None"]
    streams = [[tokenizer["BOS_None"]] for _ in range(count)]
    while open_ones := [ids for ids in streams if ids.count(bar) <= options.bars and len(ids) < MOST_TOKENS]:
        seen = [window(ids, bar, model.config.n_positions) for ids in open_ones]
        for ids, added in zip(open_ones, more(model, tokenizer, seen, options), strict=True):
            ids += added
    return streams


def cut(ids: list[int], bar: int, bars: int) -> list[int]:
    """The first ``bars`` bars, without BOS."""
    places = [place for place, token in enumerate(ids) if token == bar]
    return ids[1 : places[bars]] if len(places) > bars else ids[1:]


def window(ids: list[int], bar: int, context: int) -> list[int]:
    """What the model sees: all, until that fills half of it; then from the first bar line in the latest half window."""
    if len(ids) <= context // 2:
        return ids
    latest = ids[-context // 2 :]
    return latest[latest.index(bar) :] if bar in latest else latest


@torch.inference_mode()
def more(
    model: GPT2LMHeadModel, tokenizer: REMI, seen: list[list[int]], options: argparse.Namespace
) -> list[list[int]]:
    """What follows in each stream, until the longest fills the context; shorter ones are padded on the left."""
    pad, longest = tokenizer["PAD_None"], max(map(len, seen))
    start = torch.tensor([[pad] * (longest - len(ids)) + ids for ids in seen])
    answer = model.generate(
        start,
        attention_mask=(start != pad).long(),
        max_length=model.config.n_positions,
        do_sample=True,
        temperature=options.temperature,
        top_k=0,
        top_p=options.top_p,
        use_cache=True,
        suppress_tokens=[tokenizer["EOS_None"], pad, tokenizer["BOS_None"]],
        pad_token_id=pad,
    )
    return answer[:, longest:].tolist()


if __name__ == "__main__":
    main()
