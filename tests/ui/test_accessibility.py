"""No page has a serious or critical finding of axe-core, in either theme, on desk or phone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .conftest import open_page
from .site import Site

ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
PAGES = (
    "/patients/dubreuil",
    "/patients/dubreuil/summary",
    "/patients/dubreuil/vitals",
    "/patients/dubreuil/laboratory",
    "/patients/dubreuil/results",
    "/patients/dubreuil/results/dubreuil-ionogram",
    "/patients/dubreuil/documents",
    "/patients/dubreuil/documents?q=creatinine",
    "/patients/dubreuil/documents/dubreuil-doc1",
    "/patients/dubreuil/history",
    "/patients/dubreuil/history/Observation/dubreuil-2823-3-5",
    "/documents?q=ceftriaxone",
    "/styleguide",
)
RUN = """async () => {
  const found = await axe.run(document, {resultTypes: ["violations"]});
  return found.violations.filter(v => ["serious", "critical"].includes(v.impact))
    .map(v => ({id: v.id, nodes: v.nodes.slice(0, 4).map(n => n.html.slice(0, 160) + " | " + n.failureSummary.slice(0, 200))}));
}"""


@pytest.mark.journey
@pytest.mark.parametrize(("theme", "width"), [("day", 1440), ("night", 1440), ("night", 390)])
async def test_no_serious_finding(browser: Any, story: Site, theme: str, width: int) -> None:
    bad: dict[str, Any] = {}
    for path in PAGES:
        page = await open_page(browser, story, path, theme=theme, width=width, height=900)
        await page.wait_for_timeout(150)
        cdp = await page.context.new_cdp_session(page)
        await cdp.send("Runtime.evaluate", {"expression": AXE.read_text("utf-8")})
        found = await page.evaluate(RUN)
        if found:
            bad[path] = found
        assert page.faults == []
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        await page.context.close()
    assert bad == {}, json.dumps(bad, indent=1, ensure_ascii=False)
