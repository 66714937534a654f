"""docs/events.md says all there is to say about the JSON console, and nothing that is not so."""

import re
from functools import reduce
from operator import or_
from pathlib import Path

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from p2pchat import api, events, history
from p2pchat.ui import actions, archive_actions, history_actions
from p2pchat.ui.catalogue import COMMANDS, CommandHelp
from p2pchat.ui.json_lines import Replied

DOCUMENT = (Path(__file__).parents[2] / "docs" / "events.md").read_text("utf-8")

EVENTS = [kind for kind in vars(events).values() if isinstance(kind, type)]
EVENTS = [kind for kind in EVENTS if issubclass(kind, events.Event) and kind is not events.Event]
EVENTS.append(Replied)

DATA = {
    "peer": api.PeerInfo,
    "round trip times": api.RttInfo,
    "message": actions.Sent,
    "waiting message": history.OutboxEntry,
    "kept message": history.Entry,
    "found message": history.Found,
    "unread messages": history_actions.UnreadMessages,
    "export": history_actions.Exported,
    "publication": actions.Published,
    "link": api.LinkInfo,
    "peer times": actions.PeerRtt,
    "redialled": actions.Redialled,
    "chat of ours": api.ChatInfo,
    "archived chat": api.ArchivedChat,
    "archive at a glance": api.ArchiveInfo,
    "kernel": api.KernelInfo,
    "archive peer": api.ArchivePeerInfo,
    "dialled host": archive_actions.Dialled,
    "asked": archive_actions.Asked,
    "verification": api.Verification,
    "log level": actions.LogLevel,
    "status": api.Status,
    "rendezvous server": api.RendezvousInfo,
    "command": CommandHelp,
}


def sections() -> dict[str, str]:
    """Split the document at its headings of the third level."""
    parts = re.split(r"^###? (.+)\n", DOCUMENT, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def documented_fields(section: str) -> list[str]:
    return re.findall(r"^\| `(\w+)` \|", section, flags=re.MULTILINE)


def encoded_fields(kind: type[msgspec.Struct]) -> list[str]:
    return [field.encode_name for field in msgspec.structs.fields(kind)]


class DocumentTests(SynchronousTestCase):
    def test_every_event_and_every_field_in_order(self) -> None:
        found = sections()
        for kind in EVENTS:
            tag = kind.__struct_config__.tag
            self.assertEqual(
                ["time", *documented_fields(found[f"`{tag}`"])], encoded_fields(kind), tag
            )

    def test_no_other_event(self) -> None:
        headings = {name for name in sections() if name.startswith("`")}
        self.assertEqual(headings, {f"`{kind.__struct_config__.tag}`" for kind in EVENTS})

    def test_every_event_has_an_example_that_is_exact(self) -> None:
        decoder = msgspec.json.Decoder(reduce(or_, EVENTS))
        examples = re.findall(r"^\{.*\}$", DOCUMENT, flags=re.MULTILINE)
        seen = set()
        for example in examples:
            event = decoder.decode(example)
            self.assertEqual(msgspec.json.encode(event).decode(), example)
            seen.add(type(event))
        self.assertEqual(seen, set(EVENTS))

    def test_the_data_of_replies(self) -> None:
        found = sections()
        for name, kind in DATA.items():
            self.assertEqual(documented_fields(found[name]), encoded_fields(kind), name)

    def test_the_data_of_every_command(self) -> None:
        table = sections()["Data of replies"]
        commands = re.findall(r"^\| `(/\w+)`.* \| (.+) \|$", table, flags=re.MULTILINE)
        self.assertEqual([name for name, _ in commands], list(COMMANDS))
        for _, data in commands:
            name = data.removeprefix("list of ").removesuffix("s")
            self.assertTrue(
                data == "null" or any(key in DATA for key in (data, name, f"{name}s")), data
            )
