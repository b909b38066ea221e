"""The schema that a received message is held to: the strict one if the message is to be passed on."""

from uftp.handlers import handler_for
from uftp.protocol.parsing import Header, InvalidXML, check, check_to_pass_on
from uftp.protocol.versions import for_major


def check_message(content: bytes, major: int) -> Header:
    """Validate a whole message that was posted to the path of `major`, and return its root element.

    A message that is to be passed on is held to the strict schema, as its recipient will hold it. Otherwise the
    recipient would refuse it, long after its sender got 200.

    Raises:
        InvalidXML: The message is not valid.
    """
    header = check(content, major)
    if _is_passed_on(header):
        try:
            check_to_pass_on(content, major)
        except InvalidXML as wrong:
            raise InvalidXML(
                f"{wrong} (the message is passed on, and its recipient may accept only what the schema of the "
                "specification has)"
            ) from None
    return header


def schema_for(content: bytes, major: int) -> str:
    """Return the file name of the schema that `check_message` holds `content` to, which may be invalid."""
    version = for_major(major, "")
    try:
        strict = _is_passed_on(check(content, major))
    except InvalidXML:
        strict = False
    return version.strict_schema if strict else version.schema


def _is_passed_on(header: Header) -> bool:
    handler = handler_for(header.message_type)
    return handler is not None and handler.passes_on(header.recipient_domain)
