"""With which options do the demonstration's programs find the doors?"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from liane.demo.doors import Address, ClientCredentials, Doors, TokenSource, address

CLIENT_ID = "LIANE_TEST_DEMO_CLIENT_ID"
CLIENT_SECRET = "LIANE_TEST_DEMO_CLIENT_SECRET"  # noqa: S105 (the name of a variable)
BASE_URL = "LIANE_TEST_DEMO_BASE_URL"
TOKEN = "LIANE_TEST_DEMO_TOKEN"  # noqa: S105 (the name of a variable)


def parser(description: str) -> argparse.ArgumentParser:
    """The options every program of the demonstration has."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--http", default="http://127.0.0.1:8000", help="address of the web server")
    made.add_argument("--mllp", default="127.0.0.1:2575", help="host:port of the HL7 v2 gateway")
    made.add_argument(
        "--dicom", default="127.0.0.1:11112:LIANE", help="host:port:AE of the DICOM gateway"
    )
    made.add_argument("--ledger", type=Path, help="file of what was sent and answered")
    made.add_argument("--client", type=Path, help="file printed by `liane client add --json`")
    return made


def doors_from(given: argparse.Namespace) -> Doors:
    """The doors named by the options, the client from a file or from the environment."""
    host, port, title = given.dicom.split(":")
    return Doors(
        fhir_url=f"{given.http.rstrip('/')}/fhir",
        token=_token(given),
        mllp=address(given.mllp),
        dicom=Address(host, int(port)),
        dicom_ae_title=title,
    )


def _token(given: argparse.Namespace) -> str | TokenSource:
    if given.client:
        return ClientCredentials.from_file(given.client)
    if fixed := os.environ.get(TOKEN):
        return fixed
    endpoint = f"{given.http.rstrip('/')}/id/o/token/"
    return ClientCredentials(endpoint, os.environ[CLIENT_ID], os.environ[CLIENT_SECRET])
