"""How does a test come in by the front door, as a person does?"""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import httpx

SESSION_COOKIE = "liane_session"


def hidden_fields(page: str) -> dict[str, str]:
    """The hidden fields of the form on a page."""
    found = re.findall(r'<input type="hidden" name="([^"]+)"(?: value="([^"]*)")?', page)
    return {name: unescape(value) for name, value in found}


async def open_form(
    client: httpx.AsyncClient, base_url: str, next_page: str = "/"
) -> httpx.Response:
    """Follow `/sign-in` to the form of the identity application."""
    answer = await client.get(
        f"{base_url}/sign-in", params={"next": next_page}, follow_redirects=True
    )
    assert answer.status_code == 200, answer.text
    return answer


async def submit_form(
    client: httpx.AsyncClient, form: httpx.Response, login: str, password: str
) -> httpx.Response:
    """Fill in the form and send it; redirects are not followed."""
    action = form.url.join("/id/accounts/login/")
    fields = {**hidden_fields(form.text), "login": login, "password": password}
    return await client.post(action, data=fields, headers={"Referer": str(form.url)})


async def sign_in(
    client: httpx.AsyncClient, base_url: str, login: str, password: str, next_page: str = "/"
) -> httpx.Response:
    """Sign `client` in through the real form; the answer of the callback (a redirect)."""
    form = await open_form(client, base_url, next_page)
    answer = await submit_form(client, form, login, password)
    assert answer.status_code == 302, f"sign-in refused: {answer.status_code}"
    return await follow_to_callback(client, answer)


async def follow_to_callback(client: httpx.AsyncClient, answer: httpx.Response) -> httpx.Response:
    """Follow redirects up to and including `/sign-in/callback`."""
    for _ in range(6):
        target = answer.url.join(answer.headers["location"])
        answer = await client.get(target)
        if target.path == "/sign-in/callback":
            return answer
    raise AssertionError("the sign-in never came back")


async def sign_in_browser(page: Any, base_url: str, login: str, password: str) -> None:
    """The same in a browser (Playwright page): ends on the home page, signed in."""
    await page.goto(f"{base_url}/sign-in")
    await page.fill("#login", login)
    await page.fill("#password", password)
    await page.click("button[type=submit]")
    await page.wait_for_url(lambda url: url.startswith(base_url) and "/id/" not in url)
