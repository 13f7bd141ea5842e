#!/bin/sh
# The whole run of the base weights: corpus, training, packing. About 75 minutes on two cores.
# usage: benchmarks/base/train.sh WORK [MINUTES]
set -eu
here=$(dirname "$0")
python "$here/prepare.py" --work "$1" --without openewld
python "$here/train.py" --work "$1" --minutes "${2:-70}" | tee "$1/train.log"
python "$here/learned.py" --work "$1" -o "$1/base.shed/learned.txt"
