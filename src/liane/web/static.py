"""Where do style, script, fonts and icons come from?"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from litestar import Router
from litestar.static_files import create_static_files_router


def built_folder() -> Path:
    """The folder that the front-end build fills."""
    return Path(str(resources.files("liane.ui"))) / "static" / "built"


def static_router() -> Router:
    """Public files under `/static/`, revalidated by the browser at each page."""
    folder = built_folder()
    folder.mkdir(parents=True, exist_ok=True)
    return create_static_files_router(
        path="/static",
        directories=[folder],
        include_in_schema=False,
        name="static",
    )
