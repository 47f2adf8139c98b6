"""How do the words inside a letter become searchable after the letter has arrived?

A document is filed at once, so that nobody waits for its acknowledgement; a job written with it
then reads its words (a PDF in a child process with little memory and time) and adds them to the
card as its narrative. Reading twice writes the same card: the job may be repeated.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from liane.access import writes as door
from liane.access.actor import SYSTEM
from liane.fhir.narrative import narrative
from liane.rooms.record import rules
from liane.store import Database
from liane.store.blobs import Blobs
from liane.store.jobs import Handler, Job
from liane.store.resources import Write, read

WORDS_JOB = "document.words"
READER = SYSTEM("letters")

WordsOf = Callable[[bytes, str], str]
"""Bytes and media type of a document to its words, empty when there are none."""


def words_job(blobs: Blobs, words_of: WordsOf) -> Handler:
    """The handler of `document.words`: the payload is the id of a DocumentReference."""

    async def read_words(database: Database, job: Job) -> None:
        async with database.reading() as tx:
            version = await read(tx, "DocumentReference", job.payload["id"])
        if version is None or version.deleted:
            return
        document = rules.parsed(version)
        attachment = document["content"][0]["attachment"]
        if document.get("text") or not str(attachment.get("url", "")).startswith("blob:"):
            return
        content = await blobs.read(attachment["url"].removeprefix("blob:"))
        words = await asyncio.to_thread(words_of, content, attachment.get("contentType", ""))
        if not words.strip():
            return
        document["text"] = narrative(words)
        async with database.transaction() as tx:
            write = Write(document, id=version.id, if_match=version.version)
            await door.apply(tx, READER, [write], reason="words of the document")

    return read_words
