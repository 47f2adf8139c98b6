"""Letters are found by their words and shown without running anything that is in them."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from reportlab.pdfgen.canvas import Canvas

from liane.base.errors import Invalid
from liane.rooms.record.changes import changes
from liane.rooms.record.letters import letter_of, snippet
from liane.rooms.record.pdf_sheets import Sheets
from liane.store import Database
from tests.ui.site import Site, site

from . import builders

SCRIPT = '<script>alert("x")</script>'


def pdf(*pages: str) -> bytes:
    out = io.BytesIO()
    canvas = Canvas(out)
    for words in pages:
        canvas.drawString(72, 720, words)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


@pytest.fixture
async def place(database: Database, tmp_path: Path) -> AsyncIterator[Site]:
    async with site(database, tmp_path) as opened:
        await opened.write(builders.story(datetime.now(UTC)))
        await opened.admit("dubreuil")
        yield opened


async def get(place: Site, path: str) -> httpx.Response:
    async with httpx.AsyncClient(
        base_url=place.url, cookies={"liane_session": place.token}, timeout=30
    ) as client:
        return await client.get(path)


async def file(
    place: Site, name: str, content: bytes, kind: str, title: str = "Compte rendu"
) -> None:
    stored = await place.services.blobs.put(content)
    attachment = {"contentType": kind, "url": stored.url, "size": stored.size, "title": title}
    await place.write(
        [
            {
                "resourceType": "DocumentReference",
                "id": name,
                "status": "current",
                "subject": {"reference": "Patient/dubreuil"},
                "date": datetime.now(UTC).isoformat(),
                "description": title,
                "content": [{"attachment": attachment}],
            }
        ]
    )


async def test_a_pdf_is_shown_as_pictures_and_downloaded_as_a_file(place: Site) -> None:
    await file(place, "letter", pdf("Bonjour", "Deux"), "application/pdf")
    page = await get(place, "/patients/dubreuil/documents/letter")
    assert page.status_code == 200
    assert page.text.count("<img") == 2
    picture = await get(place, "/patients/dubreuil/documents/letter/pages/2")
    assert picture.content.startswith(b"\x89PNG")
    assert (await get(place, "/patients/dubreuil/documents/letter/pages/3")).status_code == 400
    original = await get(place, "/patients/dubreuil/documents/letter/file")
    assert original.content.startswith(b"%PDF")
    assert original.headers["content-disposition"].startswith("attachment")
    assert "sandbox" in original.headers["content-security-policy"]
    assert original.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "content", [b"%PDF-1.7\nbroken", pdf("cut")[:300], b"%PDF-" + b"\0" * 5000]
)
async def test_a_damaged_pdf_says_so(place: Site, content: bytes) -> None:
    await file(place, "bad", content, "application/pdf")
    page = await get(place, "/patients/dubreuil/documents/bad")
    assert page.status_code == 400
    assert "abîmé" in page.text


async def test_html_from_outside_is_never_run(place: Site) -> None:
    await file(place, "html", SCRIPT.encode(), "text/html", title=SCRIPT)
    page = await get(place, "/patients/dubreuil/documents/html")
    assert page.status_code == 200
    assert SCRIPT not in page.text
    assert "&lt;script&gt;" in page.text
    original = await get(place, "/patients/dubreuil/documents/html/file")
    assert original.headers["content-type"] == "application/octet-stream"


async def test_the_document_of_another_patient_is_not_there(place: Site) -> None:
    await place.write([builders.patient("other")])
    await place.admit("other")
    assert (await get(place, "/patients/other/documents/dubreuil-doc0")).status_code == 404


async def test_words_are_found_with_or_without_accents(place: Site) -> None:
    for query in ("creatinine", "Créatinine", "CRÉATININE"):
        page = await get(place, f"/patients/dubreuil/documents?q={query}")
        assert "<mark>créatinine</mark>" in page.text, query
        assert "Avis infectiologie" in page.text
    everywhere = await get(place, "/documents?q=ceftriaxone")
    assert "DUBREUIL" in everywhere.text
    nothing = await get(place, "/patients/dubreuil/documents?q=%3Cscript%3Ezzz")
    assert "<script>zzz" not in nothing.text


async def test_a_patient_out_of_reach_is_in_no_search(place: Site) -> None:
    await place.write(builders.story(datetime.now(UTC), "unseen"))
    page = await get(place, "/documents?q=ceftriaxone")
    assert "/patients/unseen" not in page.text
    assert (await get(place, "/patients/unseen")).status_code == 403


async def test_every_page_of_the_chart_says_who_and_which_allergies(place: Site) -> None:
    for path in ("", "/summary", "/vitals", "/laboratory", "/results", "/documents", "/history"):
        page = (await get(place, f"/patients/dubreuil{path}")).text
        assert "DUBREUIL" in page
        assert "amoxicilline" in page
        assert "14/03/1948" in page


async def test_the_history_says_what_changed(place: Site) -> None:
    corrected = builders.observation(
        "dubreuil-2823-3-0", "dubreuil", "2823-3", "Kaliémie", "3.9", "mmol/L", datetime.now(UTC)
    )
    await place.write([corrected])
    page = await get(place, "/patients/dubreuil/history/Observation/dubreuil-2823-3-0")
    assert "<del>3.4</del>" in page.text
    assert "<ins>3.9</ins>" in page.text


async def test_a_page_of_a_pdf_is_drawn_once() -> None:
    sheets = Sheets()
    content = pdf("une page")
    first = await sheets.page("a" * 64, content, 1)
    assert await sheets.page("a" * 64, b"", 1) is first
    with pytest.raises(Invalid):
        await sheets.page("b" * 64, b"not a pdf", 1)


@pytest.mark.unit
def test_the_words_around() -> None:
    pieces = snippet("La créatinine monte ; créatinine à contrôler.", "CREATININE")
    assert [text for text, hit in pieces if hit] == ["créatinine", "créatinine"]
    assert "".join(text for text, _ in pieces) == "La créatinine monte ; créatinine à contrôler."
    assert snippet("", "x") == []
    assert snippet("abc", '"') == []


@pytest.mark.unit
def test_changes_are_said_by_element() -> None:
    before: dict[str, Any] = {"status": "final", "meta": {"versionId": "1"}, "a": [{"b": 1}]}
    found = changes(before, {"status": "amended", "meta": {"versionId": "2"}, "a": [{"b": 1}]})
    assert [(c.path, c.before, c.after) for c in found] == [("status", "final", "amended")]


@pytest.mark.unit
def test_a_letter_without_a_file_is_its_words() -> None:
    letter = letter_of(
        {"resourceType": "DocumentReference", "id": "x", "type": {"text": "CR"}}, "p"
    )
    assert (letter.title, letter.blob, letter.text) == ("CR", "", "")
