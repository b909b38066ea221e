"""A mail server on loopback, which keeps what it is sent."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage


@dataclass
class MailServer:
    """What the server was sent, and how it answers.

    `answers` are the codes with which it answers commands, such as {"RCPT": 550}; others are answered with success.
    `refuses` are the codes with which it answers RCPT for some addresses.
    With `silent` it accepts connections and never says a word.
    """

    port: int = 0
    answers: dict[str, int] = field(default_factory=dict)
    refuses: dict[str, int] = field(default_factory=dict)
    silent: threading.Event = field(default_factory=threading.Event)
    stopped: threading.Event = field(default_factory=threading.Event)
    connections: int = 0
    recipients: list[str] = field(default_factory=list)
    messages: list[EmailMessage] = field(default_factory=list)


@contextmanager
def receiving_mail() -> Iterator[MailServer]:
    """A mail server that runs in threads of its own."""
    mail = MailServer()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            mail.connections += 1
            if mail.silent.is_set():
                mail.stopped.wait()
                return
            self.say(220)
            while line := self.rfile.readline():
                command = line.split(b":")[0].split()[0].upper().decode() if line.strip() else ""
                if command == "QUIT":
                    self.say(221)
                    return
                address = line.decode().partition("<")[2].partition(">")[0] if command == "RCPT" else ""
                refused = mail.refuses.get(address) or mail.answers.get(command)
                if refused:
                    self.say(refused)
                elif command == "DATA":
                    self.say(354)
                    mail.messages.append(self.message())
                    self.say(250)
                else:
                    if command == "RCPT":
                        mail.recipients.append(address)
                    self.say(250)

        def message(self) -> EmailMessage:
            lines = []
            while (line := self.rfile.readline()) and line != b".\r\n":
                lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
            return message_from_bytes(b"".join(lines), policy=policy.default)  # type: ignore[return-value]

        def say(self, code: int) -> None:
            self.wfile.write(f"{code} as the test wants it\r\n".encode())

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        mail.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield mail
        finally:
            mail.stopped.set()
            server.shutdown()
            thread.join()
