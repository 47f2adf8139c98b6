"""Promise: a name is found however it is spelled, and shown without hidden characters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liane.base.text import fold, phonetic_fr, trigrams, visible

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Cœur-de-l’Été", "coeur de l ete"),
        ("  DUPONT\u00a0 Jean-Paul ", "dupont jean paul"),
        ("Ægir ØRSTED", "aegir orsted"),
        ("Zo\u0065\u0308", "zoe"),
        ("D'Artagnan", "d artagnan"),
    ],
)
def test_fold(text: str, folded: str) -> None:
    assert fold(text) == folded


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Dupont", "Dupond"), ("Moreau", "Moraud"), ("Philippe", "Filipe"), ("Quentin", "Kantin"),
        ("Gauthier", "Gautier"), ("Catherine", "Katrine"), ("Durand", "Durant"), ("Marie", "Mary"),
        ("Lefèvre", "Lefebvre"), ("Schmitt", "Schmidt"), ("Thibault", "Tibo"), ("Rousseau", "Roussot"),
    ],
)  # fmt: skip
def test_names_that_sound_alike(one: str, other: str) -> None:
    assert phonetic_fr(one) == phonetic_fr(other)


@pytest.mark.parametrize(
    ("one", "other"), [("Dupont", "Durand"), ("Martin", "Marchand"), ("Petit", "Perrot")]
)
def test_names_that_do_not(one: str, other: str) -> None:
    assert phonetic_fr(one) != phonetic_fr(other)


def test_trigrams_are_those_of_the_database() -> None:
    assert trigrams("Été") == {"  e", " et", "ete", "te "}


@pytest.mark.parametrize(
    "hidden", ["\u202e", "\u200b", "\u2066", "\ufeff", "\x00", "\x1b", "\u00ad"]
)
def test_hidden_characters_are_removed(hidden: str) -> None:
    assert visible(f"MAR{hidden}TIN") == "MARTIN"
    assert fold(f"MAR{hidden}TIN") == "martin" or hidden in "\x00\x1b"


@given(st.text())
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)
    assert visible(visible(text)) == visible(text)
