"""Notes per second of the GPT-2 peer's own ``generate`` with its cache. Runs in the peer's environment."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch
from miditok import REMI
from transformers import GPT2LMHeadModel


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="the model folder that style15/peer.py wrote")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--streams", type=int, default=1, help="drawn side by side, in one batch")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    tokenizer = REMI(params=options.model / "tokenizer.json")
    model = GPT2LMHeadModel.from_pretrained(options.model, attn_implementation="sdpa").eval()
    for repeat in range(-1, options.repeats):
        torch.manual_seed(options.seed + repeat)
        began = time.perf_counter()
        streams = generate(model, tokenizer, options.streams)
        seconds = time.perf_counter() - began
        if repeat < 0:
            continue  # the first one warms up
        songs = [tokenizer.decode(ids[1:]) for ids in streams]
        notes, quarters = sum(song.note_num() for song in songs), sum(song.end() / song.tpq for song in songs)
        steps = sum(len(ids) - 1 for ids in streams)
        print(json.dumps({"notes": notes, "steps": steps, "quarters": quarters, "seconds": seconds}), flush=True)


@torch.inference_mode()
def generate(model: GPT2LMHeadModel, tokenizer: REMI, streams: int) -> list[list[int]]:
    """Streams from BOS to the end of the context; EOS is kept from ending them early."""
    start = torch.tensor([[tokenizer["BOS_None"]]] * streams)
    answer = model.generate(
        start,
        attention_mask=torch.ones_like(start),
        max_length=model.config.n_positions,
        do_sample=True,
        temperature=0.95,
        top_k=0,
        top_p=0.98,
        use_cache=True,
        suppress_tokens=[tokenizer["EOS_None"], tokenizer["PAD_None"]],
        pad_token_id=tokenizer["PAD_None"],
    )
    return answer.tolist()


if __name__ == "__main__":
    main()
