"""Average the runs that go on from one bundle, and pack the mean as it is shipped.

    python benchmarks/base/average.py --work DIR --from DIR/run RUN...

RUN is the folder of a bundle that `train.py` made, --from the one that all began from. Into DIR goes ``base.shed``, as
`train.py` packs it, and ``sets.csv``.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from train import MEASURED_SONGS, measure, pack

from woodshed.bundle import Bundle, load_bundle, save_bundle
from woodshed.bundle.blending import mean_model
from woodshed.corpus import Corpus
from woodshed.training.lessons import held_out_nats


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", help="folders of bundles that began from the same one")
    parser.add_argument("--work", type=Path, required=True, help="the folder that prepare.py filled")
    parser.add_argument("--from", dest="first", type=Path, required=True, help="the bundle that they began from")
    options = parser.parse_args()
    development = [
        (entry.source.split("/")[0], song) for entry, song in Corpus.open(options.work / "corpus").songs("held_out")
    ]
    bundle = averaged([load_bundle(run) for run in options.runs], load_bundle(options.first))
    few = development[:: max(len(development) // MEASURED_SONGS, 1)]
    measured = [bundle.codec.arrange(song) for _, song in few]
    bundle.training["held_out_nats_per_note"] = sum(held_out_nats(bundle, measured).values())
    save_bundle(bundle, options.work / "mean")
    pack(load_bundle(options.work / "mean"), options.work / "base.shed", options.work / "card.md")
    measure(load_bundle(options.work / "base.shed"), development, options.work / "sets.csv")


def averaged(bundles: list[Bundle], first: Bundle) -> Bundle:
    """The mean of all, with what all of them took, and what the first did."""
    model = mean_model(bundles, [1 / len(bundles)] * len(bundles)).module
    training = dict(bundles[0].training)
    for name in ("steps", "minutes", "notes_seen"):
        training[name] = sum(bundle.training[name] for bundle in (first, *bundles))
    return replace(bundles[0], model=model, training=training)


if __name__ == "__main__":
    main()
