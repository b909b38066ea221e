"""Run the CRO service of `shapeshifter-uftp`, unchanged, in a process of its own: `python -m benchmarks.peer`.

It reads the public keys (Base64) of its senders as a line of JSON, by domain, and prints its port. It ends when its
standard input is closed. It verifies and parses each message, answers 200, and does nothing more. Its log would show
every message, so it is off.
"""

from __future__ import annotations

import json
import logging
import sys
from base64 import b64encode
from typing import Any

from nacl.bindings import crypto_sign_keypair
from shapeshifter_uftp import ShapeshifterCroService
from shapeshifter_uftp.uftp import PayloadMessage

from benchmarks.messages import CRO_DOMAIN, PATH


class Peer(ShapeshifterCroService):  # type: ignore[misc]
    """The CRO service; its handlers do nothing."""

    def process_agr_portfolio_query(self, message: PayloadMessage) -> None:
        pass

    def process_agr_portfolio_update(self, message: PayloadMessage) -> None:
        pass

    def process_dso_portfolio_query(self, message: PayloadMessage) -> None:
        pass

    def process_dso_portfolio_update(self, message: PayloadMessage) -> None:
        pass


def main() -> None:
    keys: dict[str, str] = json.loads(sys.stdin.readline())
    service: Any = Peer(
        sender_domain=CRO_DOMAIN,
        signing_key=b64encode(crypto_sign_keypair()[1]).decode(),
        key_lookup_function=lambda domain, role: keys.get(domain),
        endpoint_lookup_function=lambda domain, role: None,
        host="127.0.0.1",
        port=0,
        path=PATH,
    )
    for name in ("shapeshifter-uftp", "uvicorn", "uvicorn.access", "uvicorn.error"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    service.server.config.access_log = False
    service.run_in_thread()
    print(service.server.servers[0].sockets[0].getsockname()[1], flush=True)
    sys.stdin.read()
    service.stop()


if __name__ == "__main__":
    main()
