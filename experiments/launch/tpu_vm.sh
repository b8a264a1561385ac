#!/bin/bash
# Trains one config on all hosts of a Cloud TPU slice:
#
#     experiments/launch/tpu_vm.sh TPU_NAME ZONE recognition/quickstart --workdir /shared/runs/quickstart
#
# likeness[tpu] must be installed on every host, and the working directory be one that all of them share. JAX knows the other
# hosts from the TPU's own metadata, so --coordinator is auto. A preempted slice comes back as a new one: start this again, and
# the run goes on from its newest checkpoint.
set -euo pipefail
if [ "$#" -lt 3 ]; then
    echo "usage: $0 TPU_NAME ZONE CONFIG [flags of likeness train]" >&2
    exit 2
fi
name=$1 zone=$2
shift 2
gcloud compute tpus tpu-vm ssh "$name" --zone "$zone" --worker=all \
    --command "$(printf '%q ' likeness train "$@" --coordinator auto --hang-after 1800)"
