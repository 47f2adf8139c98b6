"""How does an examination appear in the chart while its images are still arriving?

The first images are told at once, the others about once a second, and when it has been quiet for a
moment the full list is written and the picture that stands for it is made.
"""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import timedelta

from liane.access.actor import SYSTEM
from liane.rooms.imaging import actions, thumbnails
from liane.rooms.imaging.reads import unfinished, without_thumbnail
from liane.ui.services import Services

log = logging.getLogger(__name__)

QUIET_SECONDS = 1.2
TELL_EVERY_SECONDS = 0.4
TELLING_SHARE = 20
"""Telling may cost one part in so many of the time: long examinations are told less often."""
ATTEMPTS = 5

_FOLLOWER = SYSTEM("imaging")


class Follower:
    """Keeps the record in step with the index, one small task per arriving examination."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._touched: dict[str, float] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._finishing = asyncio.Event()

    def touch(self, study_uid: str) -> None:
        """An image of this examination was filed."""
        self._touched[study_uid] = time.monotonic()
        if study_uid not in self._tasks:
            self._tasks[study_uid] = asyncio.create_task(self._follow(study_uid))

    async def recover(self) -> None:
        """Tell what an earlier process left untold."""
        now = self._services.clock.now()
        async with self._services.database.reading() as tx:
            studies = await unfinished(tx, now - timedelta(seconds=5))
            studies += await without_thumbnail(tx, now - timedelta(days=2))
        for study_uid in dict.fromkeys(studies):
            self.touch(study_uid)

    async def finish(self) -> None:
        """Tell everything now, then return."""
        self._finishing.set()
        while self._tasks:
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _follow(self, study_uid: str) -> None:
        told = float("inf")
        try:
            await self._tell(study_uid, full=False)
            await self._picture(study_uid)
            pause = TELL_EVERY_SECONDS
            while not await self._quiet(study_uid, pause):
                began = time.monotonic()
                await self._tell(study_uid, full=False)
                pause = max(TELL_EVERY_SECONDS, TELLING_SHARE * (time.monotonic() - began))
            told = time.monotonic()
            await self._tell(study_uid, full=True)
            await self._picture(study_uid)
        except Exception:
            log.exception(
                "examination %s could not be followed; the next start tries again", study_uid
            )
        finally:
            del self._tasks[study_uid]
            if self._touched.pop(study_uid) > told:
                self.touch(study_uid)

    async def _quiet(self, study_uid: str, pause_seconds: float) -> bool:
        """Wait one turn; True when nothing came for a while (or everything must end now)."""
        try:
            await asyncio.wait_for(self._finishing.wait(), min(pause_seconds, 10.0))
        except TimeoutError:
            pass
        else:
            return True
        return time.monotonic() - self._touched[study_uid] >= QUIET_SECONDS

    async def _tell(self, study_uid: str, *, full: bool) -> None:
        for attempt in range(ATTEMPTS):
            try:
                async with self._services.database.transaction() as tx:
                    await actions.publish_study(tx, _FOLLOWER, study_uid, full=full)
                return
            except Exception:
                if attempt == ATTEMPTS - 1:
                    raise
                log.warning("examination %s not told yet; trying again", study_uid, exc_info=True)
                await asyncio.sleep(0.2 * 2**attempt)

    async def _picture(self, study_uid: str) -> None:
        try:
            await thumbnails.make(self._services, study_uid)
        except Exception:
            log.exception("no picture for examination %s", study_uid)
