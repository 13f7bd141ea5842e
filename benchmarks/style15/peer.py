"""Train the peer: Hugging Face's GPT-2 on MidiTok REMI tokens, for a given time, measured in nats per note.

It runs in its own environment (requirements.txt) and knows nothing of woodshed. Into --out go ``result.json``,
``log.jsonl`` (one line per evaluation) and ``model/`` (safetensors weights, configuration and tokenizer.json).
"""

from __future__ import annotations

import argparse
import ctypes
import json
import math
import sys
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from peer_tokens import TokenSong, draw, learn_bpe, read_songs, remi
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel

HEAD_WIDTH = 32
EVALUATIONS = 20
FIRST_STRIDE, LAST_STRIDE = 2, 8
"""Scoring windows move by context / 2 while training and by context / 8 (a longer history) for the final figure."""


def main() -> None:
    options = parse()
    keep_freed_memory()
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    tokenizer = remi()
    train_files, held_files = (sorted(folder.glob("*.mid")) for folder in (options.train, options.held_out))
    began = time.perf_counter()
    if options.bpe:
        learn_bpe(tokenizer, train_files, options.bpe, options.transpose)
    songs, held_out = read_songs(tokenizer, train_files, options.transpose), read_songs(tokenizer, held_files)
    preparation = time.perf_counter() - began
    model = build(options, 1 + max(max(tokenizer.vocab.values()), len(tokenizer) - 1))
    run = Run(options, model, songs, held_out)
    run.train()
    model.load_state_dict(run.best_state)
    per_song, seconds = score(model, held_out, options.context, options.context // LAST_STRIDE)
    model.save_pretrained(options.out / "model")
    tokenizer.save(options.out / "model" / "tokenizer.json")
    result = summarise(run, per_song) | {
        "preparation_seconds": round(preparation, 3),
        "evaluation_seconds": round(run.evaluation_seconds + seconds, 3),
    }
    (options.out / "result.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result), flush=True)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path, required=True, help="folder of MIDI files to learn from")
    parser.add_argument("--held-out", type=Path, required=True, help="folder of MIDI files to be scored on")
    parser.add_argument("--out", type=Path, required=True, help="folder for the result, the log and the model")
    parser.add_argument("--minutes", type=float, required=True, help="training time, evaluation left out")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--size", type=int, default=800_000, help="parameters to match")
    parser.add_argument("--size-counts", choices=("non-embedding", "all"), default="non-embedding")
    parser.add_argument("--bpe", type=int, default=0, help="vocabulary size of byte pair encoding; 0: none")
    parser.add_argument("--context", type=int, default=1024, help="tokens")
    parser.add_argument("--batch", type=int, default=4, help="windows in a step")
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--weight-decay", type=float, default=0.1)
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--warm-up", type=float, default=0.03, help="share of the time")
    parser.add_argument("--transpose", type=int, default=6, help="semitones up and down; 0: no augmentation at all")
    return parser.parse_args()


def keep_freed_memory() -> None:
    """Tell glibc to keep freed blocks: page faults would cost both sides half of their time on a virtual machine."""
    if sys.platform.startswith("linux"):
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        for name, value in ((-3, 1 << 30), (-1, 1 << 30), (-2, 256 << 20)):
            mallopt(name, value)


def shape_of(size: int, embeddings_per_width: int) -> tuple[int, int]:
    """Layers and width of the GPT-2 nearest to ``size``; its heads are 32 wide."""
    shapes = [(layers, HEAD_WIDTH * heads) for layers in (3, 4, 5, 6) for heads in range(2, 25)]
    return min(shapes, key=lambda s: abs(12 * s[0] * s[1] ** 2 + (13 * s[0] + 2 + embeddings_per_width) * s[1] - size))


def build(options: argparse.Namespace, vocabulary: int) -> GPT2LMHeadModel:
    """A fresh GPT-2, as fast as it goes on a CPU.

    Attention dropout is 0, as in ours: with it torch has no fast attention there. The activation is GPT-2's own
    (tanh GELU), in torch's fused form.
    """
    counted = vocabulary + options.context if options.size_counts == "all" else 0
    layers, width = shape_of(options.size, counted)
    config = GPT2Config(
        vocab_size=vocabulary,
        n_positions=options.context,
        n_embd=width,
        n_layer=layers,
        n_head=width // HEAD_WIDTH,
        activation_function="gelu_pytorch_tanh",
        attn_pdrop=0.0,
        resid_pdrop=options.dropout,
        embd_pdrop=options.dropout,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
        attn_implementation="sdpa",
    )
    return GPT2LMHeadModel(config)


@dataclass
class Run:
    """One training run and what became of it."""

    options: argparse.Namespace
    model: GPT2LMHeadModel
    songs: list[TokenSong]
    held_out: list[TokenSong]
    step: int = 0
    seconds: float = 0.0
    """Training time so far: drawing, passes and updates; evaluation left out."""
    evaluation_seconds: float = 0.0
    best: float = math.inf
    """Lowest held-out loss, nats per note."""
    best_seconds: float = 0.0
    best_state: dict[str, Tensor] = field(default_factory=dict)

    def train(self) -> None:
        """Train until the time is up, keeping the weights that read the held-out songs best."""
        budget = 60 * self.options.minutes
        optimiser = self._optimiser()
        rng = np.random.default_rng(self.options.seed)
        evaluated = 0
        with (self.options.out / "log.jsonl").open("w", encoding="utf-8") as log:
            while self.seconds < budget:
                began = time.perf_counter()
                loss = self._update(optimiser, rng, self.seconds / budget)
                self.seconds += time.perf_counter() - began
                if int(EVALUATIONS * min(self.seconds / budget, 1)) > evaluated:
                    evaluated = int(EVALUATIONS * min(self.seconds / budget, 1))
                    line = json.dumps(self._evaluate() | {"train_nats_per_token": round(loss, 4)})
                    print(line, file=log, flush=True)
                    print(line, file=sys.stderr, flush=True)

    def _optimiser(self) -> torch.optim.Optimizer:
        matrices = [p for p in self.model.parameters() if p.dim() > 1]
        others = [p for p in self.model.parameters() if p.dim() <= 1]
        groups = [
            {"params": matrices, "weight_decay": self.options.weight_decay},
            {"params": others, "weight_decay": 0},
        ]
        return torch.optim.AdamW(groups, lr=self.options.learning_rate, betas=(0.9, 0.95), fused=True)

    def _update(self, optimiser: torch.optim.Optimizer, rng: np.random.Generator, done: float) -> float:
        rise = min(1.0, (done + 1e-3) / self.options.warm_up) if self.options.warm_up else 1.0
        fall = 0.5 * (1 + math.cos(math.pi * max(0.0, done - self.options.warm_up) / (1 - self.options.warm_up)))
        for group in optimiser.param_groups:
            group["lr"] = self.options.learning_rate * rise * (0.02 + 0.98 * fall)
        inputs, targets = (
            torch.from_numpy(a.copy()) for a in draw(self.songs, self.options.batch, self.options.context, rng)
        )
        self.model.train()
        logits = self.model(input_ids=inputs, use_cache=False).logits  # (B, T, V)
        loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        optimiser.step()
        self.step += 1
        return float(loss.detach())

    def _evaluate(self) -> dict[str, Any]:
        context = self.options.context
        per_song, seconds = score(self.model, self.held_out, context, context // FIRST_STRIDE)
        self.evaluation_seconds += seconds
        nats = nats_per_note(per_song)
        if nats < self.best:
            self.best, self.best_seconds = nats, self.seconds
            self.best_state = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}
        line = {"step": self.step, "seconds": self.seconds, "nats_per_note": nats, "evaluation_seconds": seconds}
        return {name: round(value, 4) for name, value in line.items()}


@torch.no_grad()
def score(
    model: GPT2LMHeadModel, songs: list[TokenSong], context: int, stride: int
) -> tuple[list[dict[str, Any]], float]:
    """Nats of each song, every token after BOS counted exactly once, and the seconds that it took.

    The first window scores ``context`` tokens; each later one only its last ``stride``, after context - stride
    tokens of history.
    """
    began = time.perf_counter()
    model.eval()
    scores = []
    for song in songs:
        ids = torch.from_numpy(song.variants[0])
        total, first = 0.0, 0
        targets = len(ids) - 1
        while first < targets:
            last = min(first + (context if first == 0 else stride), targets)
            start = max(0, last - context)
            logits = model(input_ids=ids[start:last][None], use_cache=False).logits[0, first - start :]
            total += float(F.cross_entropy(logits, ids[first + 1 : last + 1], reduction="sum"))
            first = last
        scores.append(
            {"file": song.file, "nats": total, "notes": song.notes, "notes_file": song.notes_file, "tokens": targets}
        )
    return scores, time.perf_counter() - began


def nats_per_note(scores: list[dict[str, Any]]) -> float:
    """Of all songs together: every note weighs the same."""
    return float(sum(song["nats"] for song in scores) / sum(song["notes"] for song in scores))


def summarise(run: Run, per_song: list[dict[str, Any]]) -> dict[str, Any]:
    """The whole outcome as JSON."""
    options = run.options
    parameters = sum(p.numel() for p in run.model.parameters())
    transformer = run.model.transformer
    tokens = run.step * options.batch * options.context
    per_note = [len(song.variants[0]) / song.notes for song in run.songs]
    return {
        "side": "peer-bpe" if options.bpe else "peer",
        "minutes": options.minutes,
        "seed": options.seed,
        "threads": options.threads,
        "steps": run.step,
        "parameters": parameters,
        "non_embedding_parameters": parameters - transformer.wte.weight.numel() - transformer.wpe.weight.numel(),
        "layers": run.model.config.n_layer,
        "width": run.model.config.n_embd,
        "vocabulary": run.model.config.vocab_size,
        "notes_train": sum(song.notes for song in run.songs),
        "notes_train_file": sum(song.notes_file for song in run.songs),
        "notes_held_out": sum(song["notes"] for song in per_song),
        "notes_held_out_file": sum(song["notes_file"] for song in per_song),
        "nats_per_note": round(nats_per_note(per_song), 4),
        "best_seconds": round(run.best_seconds, 3),
        "training_seconds": round(run.seconds, 3),
        "tokens_per_second": round(tokens / run.seconds, 1),
        "tokens_per_note": round(float(np.mean(per_note)), 3),
        "per_song": {song["file"]: round(song["nats"] / song["notes"], 4) for song in per_song},
        "settings": {
            name: str(value) for name, value in vars(options).items() if name not in ("train", "held_out", "out")
        },
        "versions": {name: version(name) for name in ("torch", "transformers", "miditok", "symusic", "tokenizers")},
    }


if __name__ == "__main__":
    main()
