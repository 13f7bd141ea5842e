#!/bin/sh
# The whole run of the base weights: corpus, training, three shorter runs that go on from it and their mean. On two cores about
# 5 minutes and what is given: 70 and thrice 20 minutes.
# usage: benchmarks/base/train.sh WORK [MINUTES] [MINUTES OF EACH SHORTER RUN]
set -eu
here=$(dirname "$0")
python "$here/prepare.py" --work "$1" --without openewld
python "$here/train.py" --work "$1" --minutes "${2:-70}" | tee "$1/train.log"
for seed in 1 2 3; do
    python "$here/train.py" --work "$1" --run "run-$seed" --from "$1/run" --minutes "${3:-20}" --seed "$seed" \
        --set training.learning_rate=0.006 | tee -a "$1/train.log"
done
python "$here/average.py" --work "$1" --from "$1/run" "$1/run-1" "$1/run-2" "$1/run-3" | tee -a "$1/train.log"
python "$here/learned.py" --work "$1" -o "$1/base.shed/learned.txt"
