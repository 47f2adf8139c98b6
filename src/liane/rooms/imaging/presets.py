"""Which windows does a reader of this kind of image expect to find ready? (Pure.)"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Preset:
    """One ready-made window: its message key, and `centre,width` in Hounsfield units."""

    label: str
    window: str


OWN = Preset("imaging.preset.own", "")
"""What the machine wrote in the image."""

_CT = (
    OWN,
    Preset("imaging.preset.soft", "40,400"),
    Preset("imaging.preset.lung", "-600,1500"),
    Preset("imaging.preset.bone", "480,2500"),
    Preset("imaging.preset.brain", "40,80"),
)


def of(modality: str) -> tuple[Preset, ...]:
    """The presets for a modality; only CT has units that make presets safe."""
    return _CT if modality == "CT" else (OWN,)
