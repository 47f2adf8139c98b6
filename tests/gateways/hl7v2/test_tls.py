"""Can a partner be known by its certificate, over TLS?"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from liane.gateways.hl7v2.mllp import frame
from liane.gateways.hl7v2.partners import Partner, save
from liane.gateways.hl7v2.service import Gateway, tls_context

from .conftest import Client, code
from .messages import adt


def certificate(name, issuer=None):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer_name, signer = (issuer[0].subject, issuer[1]) if issuer else (subject, key)
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .sign(signer, hashes.SHA256())
    )
    return built, key


def pem(path, pair):
    built, key = pair
    form = serialization.Encoding.PEM
    secret = key.private_bytes(
        form, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(secret + built.public_bytes(form))
    return path


async def _talk(port, context):
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname="localhost"
    )
    writer.write(frame(b"MSH|^~\\&|A"))
    await writer.drain()
    return await asyncio.wait_for(reader.readexactly(10), 5)


@pytest.mark.parametrize("declared", [True, False])
async def test_a_partner_is_known_by_its_certificate(services, tmp_path, declared):
    authority = certificate("Autorité de test")
    server = pem(tmp_path / "server.pem", certificate("localhost", authority))
    client_pair = certificate("labo", authority)
    client = pem(tmp_path / "client.pem", client_pair)
    root = tmp_path / "root.pem"
    root.write_bytes(authority[0].public_bytes(serialization.Encoding.PEM))
    print_of_client = hashlib.sha256(
        client_pair[0].public_bytes(serialization.Encoding.DER)
    ).hexdigest()
    known = print_of_client if declared else "00" * 32
    async with services.database.transaction() as tx:
        await tx.execute("delete from hl7v2.partner")
        await save(
            tx, Partner("labo", "Labo", certificates=(known,), unknown_patient="provisional")
        )
    gateway = Gateway(services)
    port = await gateway.start("127.0.0.1", 0, tls_context(server, root))
    try:
        context = ssl.create_default_context(cafile=root)
        context.load_cert_chain(client)
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=context, server_hostname="localhost"
        )
        line = Client(port, reader, writer)
        assert code(await line.send(adt("A01", "t1", key="M1"))) == ("AA" if declared else "AR")
        writer.close()

        # Without a certificate the conversation does not even begin.
        bare = ssl.create_default_context(cafile=root)
        with pytest.raises((OSError, EOFError)):
            await _talk(port, bare)
    finally:
        await gateway.stop()
