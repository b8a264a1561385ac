"""Hair: a shell around the head with a hairline, and what hangs behind it."""

import numpy as np

from likeness.research.synthetic.faces.canvas import Canvas, Plane, hit, normalize
from likeness.research.synthetic.faces.geometry import FaceIdentity
from likeness.research.synthetic.faces.scene import HAIR_BACK


def strands(person: FaceIdentity, x: Plane, y: Plane) -> Plane:
    """Light and dark locks, between about -1 and 1."""
    wave = person.hair_wave
    phase = 17.0 * person.hair_part + 5.0 * wave
    bend = y * (3.0 + 5.0 * wave)
    bend += phase
    np.sin(bend, out=bend)
    bend *= 0.03 + 0.09 * wave
    bend += x
    locks = bend * 19.0
    locks += phase
    np.sin(locks, out=locks)
    locks *= 0.6
    bend *= 34.0
    bend += 4.0 * y
    np.sin(bend, out=bend)
    bend *= 0.4
    locks += bend
    return locks


def behind(easel: Canvas) -> None:
    """Long hair hanging behind neck and ears, in the head's own shade."""
    scene = easel.scene
    person, cut = scene.person, scene.cut
    bottom = 0.10 + cut.length
    half_height = 0.5 * (bottom + 0.80)
    half_width = scene.shape.width + 1.1 * cut.volume + 0.03 + 0.10 * person.hair_wave * cut.length
    x = easel.roll_x + 0.22 * scene.camera.sin_yaw
    ripple = np.sin(10.0 * easel.y + 9.0 * person.hair_part)
    ripple *= 0.01 + 0.05 * cut.curly + 0.03 * person.hair_wave
    u = np.abs(x)
    u *= 1.0 / half_width
    u += ripple
    u *= u
    v = easel.y - (bottom - half_height)
    v *= 1.0 / half_height
    v *= v
    level = 1.0 - u * u
    level -= v * v * v
    lamp = strands(person, x, easel.y)
    lamp *= 0.10
    lamp += 0.26
    x *= 0.6 * scene.light.x
    x += 0.6
    lamp *= x
    lamp *= scene.image.light_intensity
    easel.paint(easel.cover(level * (0.25 * half_width)), easel.lit(scene.paints.hair, lamp, 0.5))


def shell(easel: Canvas) -> None:
    """Hair on the head: a larger ellipsoid, cut off at the hairline and above or below the ears."""
    scene = easel.scene
    person, shape, camera, cut = scene.person, scene.shape, scene.camera, scene.cut
    shift_x, shift_y, _ = camera.project(0.0 * scene.hair_lift, scene.hair_lift, HAIR_BACK + 0.0 * scene.hair_lift)
    x, y = easel.x - shift_x, easel.y - shift_y
    inside, z = hit(scene.shell, x, y)
    X, Y, Z = camera.unproject(x, y, z)
    square = X * X
    locks = strands(person, X / (1.15 + 0.5 * Y * Y), Y + 0.3 * X)
    edge = locks * (0.006 + 0.05 * cut.curly * person.hair_volume)
    edge += 0.5 * inside
    mask = easel.cover(edge * scene.shell.half_x)

    # The hairline falls from the forehead to the temples and, with a parting, to one side.
    front = square * (0.75 - 0.35 * cut.fringe)
    front += X * ((person.hair_part - 0.5) * (0.75 - 0.3 * cut.fringe))
    front += locks * (0.018 + 0.02 * cut.fringe + 0.03 * cut.curly)
    front += -0.66 + 0.16 * person.hairline + 0.30 * cut.fringe - scene.hair_lift
    front -= Y
    long = cut.length > 0.0
    reach = np.where(long, np.minimum(0.15 + 0.9 * cut.length, 0.62), 0.02 + 0.20 * person.hair_length)
    sides = np.minimum(0.12 + np.float32(0.10) * long - 0.25 * Y - Z, (reach - Y) * 0.7)
    np.maximum(front, sides, out=front)
    front *= 0.8
    mask *= easel.cover(front)
    mask *= cut.present

    nx, ny, nz = X * (1.0 / shape.width**2), Y, Z * (1.0 / shape.depth**2)
    normalize(nx, ny, nz)
    lamp = easel.illuminate(nx, ny, nz, scene.light_head)
    # A ring of gloss where hair lies across the light, broken up by the locks.
    ring = np.abs(ny - 0.75 * scene.light_head.y)
    ring *= -2.2
    ring += 1.0
    ring.clip(0.0, 1.0, out=ring)
    ring *= ring
    ring *= 0.55 + 0.28 * locks
    locks *= 0.26
    locks += 0.62
    locks += ring
    lamp *= locks
    easel.paint(mask, easel.lit(scene.paints.hair, lamp, 0.8))
