# An image with `likeness` in it, such as experiments/launch/jobset.yaml wants:
#
#     docker build --build-arg EXTRA=cuda --tag REGISTRY/likeness:0.1.0 .
#
# EXTRA is cuda or tpu for accelerators; left empty, JAX runs on the CPU. Several are given with commas: cuda,tensorboard.
FROM python:3.11-slim AS wheel
WORKDIR /source
COPY . .
RUN pip install --no-cache-dir --constraint constraints.txt build \
    && python -m build --wheel --outdir /wheel .

FROM python:3.11-slim
ARG EXTRA=
COPY constraints.txt /tmp/constraints.txt
COPY --from=wheel /wheel /wheel
RUN pip install --no-cache-dir --constraint /tmp/constraints.txt \
        "$(echo /wheel/likeness_jax-*.whl)${EXTRA:+[$EXTRA]}" \
    && rm -r /wheel
# The cache of compiled programs and what is trusted are kept in the home directory of whoever runs it.
RUN useradd --create-home likeness && mkdir /runs && chown likeness /runs
USER likeness
WORKDIR /runs
# No entry point: the JobSet example starts bash, so that `exec likeness …` gets SIGTERM.
CMD ["likeness", "--help"]
