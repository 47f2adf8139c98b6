"""What would an X-ray, a scanner or an ultrasound show of a body made of numbers?

Anatomy drawn with ellipses, blurred and made noisy: enough to look like a chest, an abdomen, a
brain or a kidney, and never the image of anybody. Values are those of the real machines (12 bits
for X-rays, Hounsfield units for CT).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]


def _grid(size: int) -> tuple[Plane, Plane]:
    """Coordinates from -1 to 1: x to the right of the picture, y downwards."""
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j].astype(np.float32)
    return x, y


def _ellipse(
    x: Plane, y: Plane, centre: tuple[float, float], radii: tuple[float, float], edge: float = 0.04
) -> Plane:
    """1 inside, 0 outside, with a soft edge."""
    distance = np.sqrt(((x - centre[0]) / radii[0]) ** 2 + ((y - centre[1]) / radii[1]) ** 2)
    soft: Plane = np.clip((1 - distance) / edge + 0.5, 0, 1).astype(np.float32)
    return soft


def _noise(seed: int, size: int, amount: float) -> Plane:
    grain = np.random.default_rng(seed).normal(0, amount, (size, size)).astype(np.float32)
    smooth: Plane = (grain + np.roll(grain, 1, 0) + np.roll(grain, 1, 1)) / 1.7
    return smooth


def chest(seed: int, size: int = 512) -> NDArray[np.uint16]:
    """A frontal chest X-ray: lungs dark, heart, spine, ribs and diaphragm bright (12 bits)."""
    x, y = _grid(size)
    draw = np.random.default_rng(seed)
    heart = 0.25 + 0.06 * float(draw.random())
    picture = 900 + 1500 * _ellipse(x, y, (0, 0.15), (0.92, 1.25), 0.12)
    for side in (-1, 1):
        lung = _ellipse(x, y, (side * 0.42, -0.08), (0.33, 0.66), 0.16)
        picture -= 1250 * lung
        for rib in range(9):
            centre = -0.72 + rib * 0.165 + 0.35 * (np.abs(x) - 0.25) ** 2 + 0.16 * np.abs(x)
            picture += (
                190
                * np.exp(-(((y - centre) / 0.026) ** 2))
                * _ellipse(x, y, (side * 0.42, -0.02), (0.42, 0.74), 0.1)
            )
        picture += 260 * np.exp(-(((y + 0.80 + 0.22 * np.abs(x)) / 0.03) ** 2)) * (np.abs(x) < 0.62)
        picture += 500 * _ellipse(x, y, (side * 0.42, 0.86), (0.46, 0.34), 0.12)
        vessels = np.exp(-((np.abs(x) - 0.2) ** 2) / 0.012 - (y + 0.05) ** 2 / 0.09)
        picture += 150 * vessels
    picture += 900 * np.exp(-((x / 0.075) ** 2))
    picture += 1050 * _ellipse(x, y, (0.13, 0.27), (heart, 0.29), 0.2)
    picture += 420 * _ellipse(x, y, (0.05, -0.3), (0.1, 0.2), 0.3)
    if draw.random() < 0.5:
        picture += 560 * np.exp(-((x + 0.42) ** 2) / 0.02 - (y - 0.3) ** 2 / 0.03)
    picture += _noise(seed, size, 34)
    return np.asarray(np.clip(picture, 0, 4095), np.uint16)


def abdomen(seed: int, level: float, size: int = 256) -> NDArray[np.int16]:
    """A CT slice in Hounsfield units; `level` from 0 (liver) to 1 (pelvis)."""
    x, y = _grid(size)
    high, low = max(0.0, 1 - level * 1.6), max(0.0, level * 1.8 - 0.8)
    body = _ellipse(x, y, (0, 0.04), (0.86, 0.62), 0.03)
    muscle = _ellipse(x, y, (0, 0.04), (0.76, 0.52), 0.04)
    picture = -1000 + 900 * body + 150 * muscle
    picture += 15 * high * _ellipse(x, y, (-0.32, -0.05), (0.4, 0.36), 0.1) * 4
    picture += 65 * high * _ellipse(x, y, (0.5, 0.1), (0.16, 0.22), 0.2)
    for side in (-1, 1):
        kidney = _ellipse(x, y, (side * 0.36, 0.24), (0.13, 0.15), 0.2)
        picture += 130 * kidney * (1 - abs(level - 0.45) * 2 if abs(level - 0.45) < 0.5 else 0)
        picture += 480 * low * _ellipse(x, y, (side * 0.52, 0.12), (0.2, 0.1), 0.2)
    spine = _ellipse(x, y, (0, 0.32), (0.13, 0.11), 0.15)
    picture += 360 * spine - 170 * _ellipse(x, y, (0, 0.44), (0.045, 0.04), 0.3)
    picture += 250 * _ellipse(x, y, (0, 0.52), (0.05, 0.08), 0.3)
    picture += 150 * _ellipse(x, y, (0.04, 0.17), (0.06, 0.055), 0.2)
    picture += 90 * _ellipse(x, y, (-0.09, 0.17), (0.055, 0.05), 0.2)
    draw = np.random.default_rng(seed)
    for _ in range(9):
        centre = (float(draw.uniform(-0.5, 0.5)), float(draw.uniform(-0.36, 0.02)))
        gas = float(draw.choice((-750, 60, 80)))
        shown = 0.25 + 0.75 * min(1.0, level + 0.2)
        picture += gas * shown * _ellipse(x, y, centre, (0.07, 0.05), 0.5) * (muscle > 0.5)
    picture += _noise(seed + int(level * 1000), size, 13) * body
    return np.asarray(np.clip(picture, -1024, 3000), np.int16)


def brain(seed: int, level: float, size: int = 256) -> NDArray[np.uint16]:
    """An MR slice (FLAIR-like); `level` from 0 (base) to 1 (vertex)."""
    x, y = _grid(size)
    grow = float(np.sqrt(max(0.12, 1 - (level * 1.7 - 0.75) ** 2)))
    head = _ellipse(x, y, (0, 0), (0.72 * grow, 0.88 * grow), 0.03)
    skull = _ellipse(x, y, (0, 0), (0.66 * grow, 0.82 * grow), 0.04)
    cortex = _ellipse(x, y, (0, 0), (0.61 * grow, 0.77 * grow), 0.05)
    folds = 0.5 + 0.5 * np.sin(26 * np.arctan2(y, x) + 9 * np.sqrt(x * x + y * y))
    white = _ellipse(x, y, (0, 0), (0.5 * grow, 0.64 * grow), 0.25)
    picture = (
        620 * head - 520 * skull + 560 * cortex * (1 - 0.2 * folds * (1 - white)) - 150 * white
    )
    if 0.3 < level < 0.75:
        for side in (-1, 1):
            picture -= 380 * _ellipse(x, y, (side * 0.11, -0.08), (0.07, 0.24), 0.3) * cortex
    picture -= 240 * np.exp(-((x / 0.012) ** 2)) * cortex
    if seed % 3 and 0.35 < level < 0.7:
        picture += 420 * _ellipse(x, y, (-0.36 * grow, 0.06), (0.14, 0.2), 0.5) * cortex
    picture += _noise(seed + int(level * 1000), size, 16) * head
    return np.asarray(np.clip(picture, 0, 4095), np.uint16)


def kidney(seed: int, size: int = 384) -> NDArray[np.uint8]:
    """An ultrasound picture: a fan of grain with the kidney, its bright sinus and the liver."""
    x, y = _grid(size)
    reach = np.sqrt(x**2 + (y + 1.05) ** 2)
    angle = np.arctan2(x, y + 1.05)
    fan = (np.abs(angle) < 0.62) & (reach > 0.25) & (reach < 1.95)
    grain = np.random.default_rng(seed).gamma(2.0, 0.5, (size, size)).astype(np.float32)
    picture = 62 * np.exp(-reach / 1.9)
    picture += 34 * _ellipse(x, y, (-0.25, -0.25), (0.55, 0.3), 0.2)
    picture -= 26 * _ellipse(x, y, (0.02, 0.14), (0.5, 0.25), 0.12)
    picture += 105 * _ellipse(x, y, (0.02, 0.14), (0.29, 0.1), 0.6)
    return np.asarray(np.clip(picture * grain * fan, 0, 255), np.uint8)
