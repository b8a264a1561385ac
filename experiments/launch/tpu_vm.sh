#!/bin/bash
# Trains one config on all hosts of a Cloud TPU slice:
#
#     experiments/launch/tpu_vm.sh TPU_NAME ZONE recognition/quickstart --workdir /shared/runs/quickstart
#
# likeness-jax[tpu] must be installed on every host, and the working directory be one that all of them share. JAX knows the other
# hosts from the TPU's own metadata, so --coordinator is auto. Where a process is lost, crashes or hangs, all are started again,
# $MOST_RESTARTS times at most (20 unless it is set). A preempted slice comes back as a new one: start this again, and the run goes
# on from its newest checkpoint.
set -euo pipefail
if [ "$#" -lt 3 ]; then
    echo "usage: $0 TPU_NAME ZONE CONFIG [flags of likeness train]" >&2
    exit 2
fi
name=$1 zone=$2
shift 2
command=$(printf '%q ' likeness train "$@" --coordinator auto --hang-after 1800)
for ((restarts = 0; ; restarts++)); do
    code=0
    gcloud compute tpus tpu-vm ssh "$name" --zone "$zone" --worker=all --command "$command" || code=$?
    # 0: done; 1: an error, also of gcloud; 2: a mistake of whoever asked; 130: Ctrl-C. Anything else goes on from the newest
    # checkpoint.
    case "$code" in 0 | 1 | 2 | 130) exit "$code" ;; esac
    if [ "$restarts" -ge "${MOST_RESTARTS:-20}" ]; then
        echo "ended with $code after $restarts restarts: left" >&2
        exit "$code"
    fi
    echo "ended with $code: started again" >&2
    sleep "${PAUSE:-10}"
done
