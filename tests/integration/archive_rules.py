"""What a message of ours must be, for the sake of every deployed program (docs/protocols.md, 3)."""

from collections.abc import Sequence
from typing import Protocol

from tests.integration.archive_chain import is_valid
from tests.integration.archive_links import Kind, Message

EMPTY_UNASKED = "an empty archive that nobody asked for"


class Conversation(Protocol):
    """What was sent and heard on a link between `local_host` and the node at `host`."""

    @property
    def host(self) -> str: ...
    @property
    def local_host(self) -> str: ...
    @property
    def sent(self) -> Sequence[Kind]: ...
    @property
    def heard(self) -> Sequence[Message]: ...


def faults(link: Conversation, message: Message) -> list[str]:
    """Return what is wrong with a message that came over a link, the last one noted there."""
    match message.kind:
        case Kind.PEER_LIST:
            return _list_faults(link, message)
        case Kind.ARCHIVE_RESPONSE:
            return _archive_faults(link, message)
        case Kind.NOTIFICATION:
            return _notification_faults(link, message)
        case Kind.IDENTIFICATION:
            return ["an identification"]
    return []


def _list_faults(link: Conversation, message: Message) -> list[str]:
    listed = message.addresses
    lists = sum(seen.kind == Kind.PEER_LIST for seen in link.heard)
    wrong = {
        "a list that nobody asked for": lists > link.sent.count(Kind.PEER_REQUEST),
        "a list of more than 1,000": len(listed) > 1000,
        "a list with an address twice": len(set(listed)) < len(listed),
        "a list with the asker": link.local_host in listed,
        "a list with its sender": link.host in listed,
    }
    return [f"{fault}: {listed}" for fault, is_so in wrong.items() if is_so]


def _archive_faults(link: Conversation, message: Message) -> list[str]:
    if message.chain:
        return [] if is_valid(message.chain) else ["an archive that is not valid"]
    empty = Message(Kind.ARCHIVE_RESPONSE)
    answers = sum(seen == empty for seen in link.heard)
    asked = link.sent.count(Kind.ARCHIVE_REQUEST)
    return [EMPTY_UNASKED] if answers > asked else []


def _notification_faults(link: Conversation, message: Message) -> list[str]:
    wrong = []
    if Kind.NOTIFICATION not in link.sent:
        wrong.append(f"a notification: {message.text!r}")
    if not 6 <= len(message.text) <= 255 or not all(0x20 <= byte < 0x7F for byte in message.text):
        wrong.append(f"a notification that hurts: {message.text!r}")
    return wrong
