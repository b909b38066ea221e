"""A DNS server on loopback, which answers what a test has published in it."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.resolver
import dns.rrset

BROKEN, SILENT = "SERVFAIL", "no answer"


class Zone:
    """What the server answers: {(name, type): values}, and the names that it has trouble with.

    `asked` lists the names that were asked for, in order.
    """

    def __init__(self) -> None:
        self.records: dict[tuple[str, str], list[str]] = {}
        self.trouble: dict[str, str] = {}
        self.asked: list[str] = []
        self.resolver = dns.resolver.Resolver(configure=False)

    def txt(self, name: str, *texts: str) -> None:
        self.records[name, "TXT"] = [f'"{text}"' for text in texts]

    def cname(self, name: str, target: str) -> None:
        self.records[name, "CNAME"] = [target]

    def answer(self, wire: bytes) -> bytes | None:
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append(name)
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        if self.trouble.get(name) == SILENT:
            return None
        if self.trouble.get(name) == BROKEN:
            answer.set_rcode(dns.rcode.SERVFAIL)
        elif values := self.records.get((name, kind)):
            answer.answer.append(dns.rrset.from_text_list(question.name, 60, "IN", kind, values))
        elif name not in {known for known, _ in self.records}:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer.to_wire()


@contextmanager
def serving() -> Iterator[Zone]:
    """A zone that is served, and a resolver that asks there."""
    zone = Zone()

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            wire, sock = self.request
            if answer := zone.answer(wire):
                sock.sendto(answer, self.client_address)

    with socketserver.ThreadingUDPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        zone.resolver.nameservers = ["127.0.0.1"]
        zone.resolver.port = server.server_address[1]
        try:
            yield zone
        finally:
            server.shutdown()
            thread.join()
