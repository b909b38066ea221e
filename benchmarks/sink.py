"""Run a participant's system that answers every POST and does nothing more: `python -m benchmarks.sink`.

It prints its port, and ends when its standard input is closed.
"""

from __future__ import annotations

import asyncio
import re
import sys

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_TAKEN = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Taker(asyncio.Protocol):
    """A connection: read requests by their Content-Length, and drop their bodies."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._head = b""
        self._missing = 0

    def data_received(self, data: bytes) -> None:
        while data:
            if not self._missing:
                self._head += data
                head, end, data = self._head.partition(b"\r\n\r\n")
                if not end:
                    return
                self._head = b""
                length = _LENGTH.search(head)
                self._missing = int(length[1]) if length else 0
            taken = min(self._missing, len(data))
            self._missing -= taken
            data = data[taken:]
            if not self._missing:
                self._transport.write(_TAKEN)


async def main() -> None:
    loop = asyncio.get_running_loop()
    taking = await loop.create_server(Taker, "127.0.0.1", 0)
    print(taking.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
