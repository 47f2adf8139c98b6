"""Promise: a document is shown with its tables and lists, and nothing in it runs or loads."""

from __future__ import annotations

import base64
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.gateways.cda.samples import document, to_html

pytestmark = pytest.mark.unit

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(20)).decode()
ALLOWED_TAGS = {
    "article", "header", "h2", "h3", "h4", "h5", "h6", "dl", "dt", "dd", "div", "section", "p",
    "pre", "span", "strong", "em", "u", "mark", "del", "ins", "sub", "sup", "small", "br", "ul",
    "ol", "li", "table", "caption", "thead", "tbody", "tfoot", "tr", "td", "th", "img",
}  # fmt: skip
ALLOWED_ATTRIBUTES = {"class", "colspan", "rowspan", "alt", "src"}


def assert_inert(html: str) -> None:
    for tag, rest in re.findall(r"</?([a-zA-Z0-9]+)([^>]*)>", html):
        assert tag in ALLOWED_TAGS
        for name, value in re.findall(r'([\w:-]+)="([^"]*)"', rest):
            assert name in ALLOWED_ATTRIBUTES
            assert name != "src" or value.startswith("data:image/")
        assert not re.sub(r'\s[\w:-]+="[^"]*"', "", rest).strip()


ATTACKS = {
    "script element": "<text><script>alert(1)</script></text>",
    "script as words": "<text>&lt;script&gt;alert(1)&lt;/script&gt;</text>",
    "handler": '<text><paragraph onclick="alert(1)">x</paragraph></text>',
    "javascript link": '<text><linkHtml href="javascript:alert(1)">x</linkHtml></text>',
    "javascript link, disguised": '<text><linkHtml href="java&#9;script:alert(1)">x</linkHtml></text>',
    "data link": '<text><linkHtml href="data:text/html,x">x</linkHtml></text>',
    "remote picture": '<text><renderMultiMedia referencedObject="http://evil.example/x.png"/></text>',
    "img element": '<text><img src="http://evil.example/x.png"/></text>',
    "iframe": '<text><iframe src="http://evil.example/"/></text>',
    "style": '<text><content styleCode="x&quot; onmouseover=&quot;alert(1)" style="x">x</content></text>',
    "attribute break": '<text><table><tr><td colspan="2&quot; onclick=&quot;x">x</td></tr></table></text>',
    "xhtml namespace": '<text><script xmlns="http://www.w3.org/1999/xhtml">alert(1)</script></text>',
    "svg": '<text><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/></text>',
    "quote in address": '<text><linkHtml href="https://a/&quot;onclick=&quot;x">x</linkHtml></text>',
}


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_are_inert(name: str) -> None:
    html = to_html(document(ATTACKS[name]))
    assert_inert(html)
    assert "javascript:" not in html
    assert "evil.example" not in re.sub(r">[^<]*<", "><", html)


def test_script_in_the_header_is_inert() -> None:
    data = document("<text>x</text>").replace(b"ZOE MARIE", b"&lt;img src=x onerror=alert(1)&gt;")
    assert_inert(to_html(data))


@pytest.mark.parametrize(
    "head",
    [
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        b'<!DOCTYPE a SYSTEM "http://evil.example/x.dtd">',
        b'<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>',
    ],
)
def test_a_document_type_is_refused_with_a_sentence(head: bytes) -> None:
    data = document("<text>x</text>").replace(b"?>", b"?>" + head, 1)
    assert to_html(data) == (
        '<p class="cda-unreadable">Une déclaration DOCTYPE n’est pas acceptée.</p>'
    )


def test_style_sheet_instruction_is_left_out() -> None:
    told = b'?><?xml-stylesheet type="text/xsl" href="http://evil.example/x.xsl"?>'
    html = to_html(document("<text>x</text>").replace(b"?>", told, 1))
    assert "evil.example" not in html


def test_tables_lists_and_styles() -> None:
    html = to_html(
        document(
            '<text><table border="1"><caption>Kaliémie</caption><thead><tr><th align="right">K</th>'
            '</tr></thead><tbody><tr><td colspan="2" rowspan="x">4,1 &lt; 5</td></tr></tbody></table>'
            '<list listType="ordered"><item>un</item></list>'
            '<content styleCode="Bold xRed">gras</content><br/><sub>2</sub></text>'
        )
    )
    assert_inert(html)
    assert '<th class="cda-right">K</th>' in html
    assert '<td colspan="2">4,1 &lt; 5</td>' in html
    assert "<caption>Kaliémie</caption>" in html
    assert "<ol><li>un</li></ol>" in html
    assert "<strong>gras</strong>" in html


def picture(media: str, content: str) -> str:
    return (
        f'<entry><observationMedia ID="p1"><value mediaType="{media}" representation="B64">'
        f"{content}</value></observationMedia></entry>"
    )


def test_a_picture_inside_the_document_is_shown() -> None:
    text = '<text><renderMultiMedia referencedObject="p1"/></text>'
    html = to_html(document(text, extra=picture("image/png", PNG)))
    assert_inert(html)
    assert 'src="data:image/png;base64,' in html


def test_a_picture_that_is_something_else_is_not() -> None:
    svg = base64.b64encode(b"<svg onload='alert(1)'/>").decode()
    text = '<text><renderMultiMedia referencedObject="p1"/></text>'
    for media in ("image/png", "image/svg+xml"):
        html = to_html(document(text, extra=picture(media, svg)))
        assert "image non affichée" in html


def test_right_to_left_and_hidden_marks_are_removed() -> None:
    html = to_html(document("<text>dose 10\u202e mg\u200b</text>"))
    assert "\u202e" not in html
    assert "\u200b" not in html


def test_deep_nesting_ends() -> None:
    recursion = 90
    deep = "<content>" * recursion + "x" + "</content>" * recursion
    assert_inert(to_html(document(f"<text>{deep}</text>")))
    start = time.perf_counter()
    assert "cda-unreadable" in to_html(document("<text>" + "<content>" * 100_000))
    assert time.perf_counter() - start < 1


@given(st.text())
def test_any_words_are_inert(words: str) -> None:
    clean = "".join(c for c in words if c.isprintable()).replace("&", "&amp;").replace("<", "&lt;")
    assert_inert(to_html(document(f"<text><paragraph>{clean}</paragraph></text>")))


def test_our_own_words_follow_the_reader_s_language() -> None:
    data = document("<text>Bonjour</text>")
    assert "né(e) le 02/01/1980" in to_html(data)
    english = to_html(data, "en")
    assert "born on 02/01/1980" in english
    assert "Kept by" in english
    assert "not accepted" in to_html(b"<!DOCTYPE a><a/>", "en")
