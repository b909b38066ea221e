"""A certificate authority of a test's own, and the TLS contexts of servers on loopback."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import trustme

from uftp.delivery import connections


@dataclass
class Authority:
    """A certificate authority that this process trusts while a test runs."""

    root: trustme.CA = field(default_factory=trustme.CA)
    clients: trustme.CA = field(default_factory=trustme.CA)

    def server(self, *, demands_certificate: bool = False) -> ssl.SSLContext:
        """Return the context of a server at `localhost`, which demands a client certificate of `clients` if told."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.root.issue_cert("localhost", "127.0.0.1").configure_cert(context)
        if demands_certificate:
            self.clients.configure_trust(context)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def client(self, name: str = "cro.example", issuer: trustme.CA | None = None) -> tuple[str, str]:
        """Return the certificate with its chain, and the key, of a client: both PEM."""
        issued = (issuer or self.clients).issue_cert(name)
        chain = "".join(pem.bytes().decode() for pem in issued.cert_chain_pems)
        return chain, issued.private_key_pem.bytes().decode()


@contextmanager
def trusting(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Authority]:
    """Have this process trust a new authority, as an operator does with SSL_CERT_FILE."""
    authority = Authority()
    file = folder / "authority.pem"
    authority.root.cert_pem.write_to_path(str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    connections._pool.cache_clear()
    try:
        yield authority
    finally:
        connections._pool.cache_clear()
