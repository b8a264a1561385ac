"""Drawn electrocardiograms: heartbeats built of Gaussian waves, in four rhythms."""

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int, Int32

__all__ = ["RHYTHMS", "draw_ecg"]

RHYTHMS = ("normal", "premature ventricular", "atrial fibrillation", "tachycardia")
"""The classes."""

RATE = 100
"""Samples a second."""

_MILLIVOLTS = 5.0
"""The range of a record: 0 stands for −2.5 mV, 1 for 2.5 mV."""
_BEATS = 24
_NORMAL, _PREMATURE, _FIBRILLATION, _TACHYCARDIA = range(4)
# P, Q, R, S, T: height in mV, place after the R peak and standard deviation, in seconds at one beat a second.
_HEIGHT = np.array([0.13, -0.10, 1.00, -0.22, 0.28])
_PLACE = np.array([-0.17, -0.028, 0.0, 0.030, 0.26])
_SPREAD = np.array([0.022, 0.009, 0.011, 0.010, 0.050])
# Of a beat that starts in a ventricle: no P wave, a wide complex, and a T wave of the other sign.
_VENTRICULAR_HEIGHT = np.array([0.0, -0.15, 1.35, -0.45, -0.40])
_VENTRICULAR_PLACE = np.array([-0.17, -0.075, 0.0, 0.085, 0.30])
_VENTRICULAR_SPREAD = np.array([0.022, 0.025, 0.036, 0.034, 0.065])
_FLEXIBLE = np.array([True, False, False, False, True])
"""P and T move and shrink with the square root of the time between beats, as the QT time does (Bazett)."""


def draw_ecg(
    labels: Int[np.ndarray, "n"], rng: np.random.Generator, length: int = 512, noise: float = 0.06
) -> Float32[np.ndarray, "n length 1"]:
    """Records of the rhythms asked for, in [0, 1]: 0 stands for −2.5 mV, 1 for 2.5 mV."""
    peaks, interval, premature = _peaks(labels, rng, length / RATE)
    volts = _beats(peaks, interval, premature, labels, rng, length)
    time = np.arange(length, dtype=np.float32) / RATE
    n = len(labels)
    # The atria's fine waving: two waves of 4 to 8 Hz.
    for height in (0.07, 0.04):
        wave = _sines(rng, n, time, slowest=4.0, fastest=8.0, height=height)
        volts += np.where(labels == _FIBRILLATION, rng.uniform(0.5, 1.2, n), 0.0)[:, None] * wave
    volts *= rng.uniform(0.6, 1.5, (n, 1))
    for slowest, fastest, height in ((0.12, 0.35, 0.25), (0.4, 0.9, 0.05)):
        volts += rng.uniform(0.0, 1.0, (n, 1)) * _sines(rng, n, time, slowest=slowest, fastest=fastest, height=height)
    volts += noise * rng.uniform(1 / 3, 1.0, (n, 1)) * rng.standard_normal((n, length), np.float32)
    return np.clip(0.5 + volts / _MILLIVOLTS, 0, 1).astype(np.float32)[..., None]


def _peaks(
    labels: Int[np.ndarray, "n"], rng: np.random.Generator, seconds: float
) -> tuple[Float64[np.ndarray, "n beats"], Float64[np.ndarray, "n"], Bool[np.ndarray, "n beats"]]:
    """When the R peaks come, the mean interval of each record, and which beats are premature."""
    n = len(labels)
    slowest = np.choose(labels, (55.0, 55.0, 60.0, 105.0))
    fastest = np.choose(labels, (100.0, 100.0, 130.0, 170.0))
    mean = 60 / rng.uniform(slowest, fastest)
    # Enough beats for ten seconds at 130 a minute in any case, and the first lie before the record begins.
    count = max(_BEATS, int(seconds * 170 / 60) + 6)
    beats = np.arange(count)
    breath = rng.uniform(0.02, 0.06, (n, 1)) * np.sin(
        2 * np.pi * (rng.uniform(0.15, 0.35, (n, 1)) * mean[:, None] * beats + rng.random((n, 1)))
    )
    orderly = 1 + breath + 0.01 * rng.standard_normal((n, count))
    disorderly = np.clip(rng.lognormal(-0.03, rng.uniform(0.18, 0.32, (n, 1)), (n, count)), 0.5, 1.9)
    factors = np.where((labels == _FIBRILLATION)[:, None], disorderly, orderly)
    peaks = np.cumsum(mean[:, None] * factors, axis=1) - mean[:, None] * (1 + rng.random((n, 1)))
    premature = _choose_premature(peaks, labels, rng, seconds)
    # The beat before keeps its place and so does the one after: a pause that makes up for the early beat.
    early = rng.uniform(0.25, 0.42, peaks.shape) * mean[:, None]
    return peaks - early * premature, mean, premature


def _choose_premature(
    peaks: Float64[np.ndarray, "n beats"], labels: Int[np.ndarray, "n"], rng: np.random.Generator, seconds: float
) -> Bool[np.ndarray, "n beats"]:
    """One beat of each premature record, well inside of it, and of four in ten a second one that is not its neighbor."""
    inside = (peaks > 0.9) & (peaks < seconds - 0.5) & (labels == _PREMATURE)[:, None]
    first = _one_of(inside, rng)
    near = first | np.roll(first, 1, axis=1) | np.roll(first, -1, axis=1)
    again = (rng.random(len(labels)) < 0.4)[:, None]
    return first | _one_of(inside & ~near & again, rng)


def _one_of(allowed: Bool[np.ndarray, "n beats"], rng: np.random.Generator) -> Bool[np.ndarray, "n beats"]:
    drawn = np.where(allowed, rng.random(allowed.shape), -1.0)
    return allowed & (drawn == drawn.max(axis=1, keepdims=True))


def _beats(
    peaks: Float64[np.ndarray, "n beats"],
    interval: Float64[np.ndarray, "n"],
    premature: Bool[np.ndarray, "n beats"],
    labels: Int32[np.ndarray, "n"],
    rng: np.random.Generator,
    length: int,
) -> Float32[np.ndarray, "n length"]:
    """The sum of all waves of all beats, in mV."""
    n, waves = len(labels), len(_HEIGHT)

    def varied(by: float) -> np.ndarray:
        return np.exp(by * rng.standard_normal((n, 1, waves)))

    flexible = np.where(_FLEXIBLE, np.sqrt(np.clip(interval, 0.3, 1.2))[:, None], 1.0)[:, None, :]
    wide = premature[..., None]
    height = np.where(wide, _VENTRICULAR_HEIGHT, _HEIGHT * (1 - (labels == _FIBRILLATION)[:, None, None] * (np.arange(5) == 0)))
    height = height * varied(0.25) * np.exp(0.05 * rng.standard_normal((*peaks.shape, 1)))
    place = peaks[..., None] + np.where(wide, _VENTRICULAR_PLACE, _PLACE) * flexible * varied(0.08)
    spread = np.where(wide, _VENTRICULAR_SPREAD, _SPREAD) * flexible * varied(0.12)
    time = np.arange(length, dtype=np.float32) / RATE
    volts = np.zeros((n, length), np.float32)
    parts = [part.reshape(n, -1).T.astype(np.float32)[..., None] for part in (height, place, 1 / spread)]
    for a, center, sharpness in zip(*parts, strict=True):
        # Of most waves the tails are outside of the record, or 0 in most of it.
        volts += a * np.exp(-0.5 * np.square((time - center) * sharpness))
    return volts


def _sines(
    rng: np.random.Generator, n: int, time: Float32[np.ndarray, "t"], *, slowest: float, fastest: float, height: float
) -> Float32[np.ndarray, "n t"]:
    frequency, phase = rng.uniform(slowest, fastest, (n, 1)), rng.random((n, 1))
    return (height * np.sin(2 * np.pi * (frequency * time + phase))).astype(np.float32)
