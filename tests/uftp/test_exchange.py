"""A message's whole way, through real processes: posted, handled, answered."""

import pytest

from tests.support.peer import Peer
from tests.support.polling import wait_for
from tests.support.processes import serving, working
from tests.support.receiver import receiving

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_test_message_is_answered() -> None:
    """TestMessages in three versions come in over HTTP and are answered in theirs, at the configured endpoint."""
    agr = Peer("AGR")
    with receiving() as receiver, serving("--workers", "1") as web, working() as worker:
        agr.register(receiver.url)
        for version, major in [("3.0.0", 3), ("3.1.0", 3), ("4.0.0", 4)]:
            conversation = "00000000-0000-0000-0000-00000000000" + version[0]
            before = len(receiver.posts)
            answer = agr.post(web.port, agr.xml(Version=version, ConversationID=conversation), major)
            assert (answer.status, answer.body) == (200, b""), answer
            wait_for(f"an answer\n{worker.log}", lambda n=before: len(receiver.posts) > n)  # type: ignore[misc]
            posted = receiver.posts[-1]
            assert posted.message_type == "TestMessageResponse"
            assert posted.path == f"/shapeshifter/api/v{major}/message"
            assert posted.attributes["Version"] == version
            assert posted.attributes["ConversationID"] == conversation
            assert posted.attributes["RecipientDomain"] == agr.domain
            assert posted.headers["Content-Type"] == "text/xml; charset=utf-8"
        assert worker.stop() == 0, worker.log
