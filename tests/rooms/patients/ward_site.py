"""A served ward for the tests of pages: two namesakes and a protected patient, real sessions."""

from __future__ import annotations

from dataclasses import dataclass

import httpx
from tests.ui.site import Site

from liane.access import staff as accounts

WARD, OTHER = "uf-3101", "uf-3102"


@dataclass
class Ward:
    """A served ward with two patients, and how to ask for its pages."""

    site: Site
    ids: dict[str, str]

    async def token(self, login: str, role: str, unit: str = WARD) -> str:
        database, sessions = self.site.services.database, self.site.services.sessions
        async with database.transaction() as tx:
            await accounts.enrol(tx, login, f"{login.title()} Essai", role, "chu", [unit])
        async with database.transaction() as tx:
            who = await accounts.find(tx, login)
            assert who is not None
            return await sessions.start(tx, who)

    async def client(self, role: str, unit: str = WARD) -> httpx.AsyncClient:
        token = await self.token(role.replace("_", ""), role, unit)
        return httpx.AsyncClient(
            base_url=self.site.url,
            cookies={"liane_session": token},
            headers={"Origin": self.site.url, "Accept-Language": "fr"},
            trust_env=False,
            timeout=30,
        )


PEOPLE = {
    "jeanne": (
        "1",
        "309-1",
        {"family": "DUBREUIL", "given": "Jeanne", "used": "MOREL", "birth": "1948-03-14"},
    ),
    "morel": ("2", "309-2", {"family": "MOREL", "given": "Jeanne", "birth": "1950-02-02"}),
    "secret": ("3", "310", {"family": "CACHÉE", "given": "Louise", "birth": "1990-05-05"}),
}
