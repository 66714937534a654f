"""What each command about the archive does; a node without one refuses them all."""

import msgspec

from p2pchat.api import ArchiveApi, ArchivedChat, Verification
from p2pchat.ui.actions import Actions, Answer
from p2pchat.ui.marks import chat_text
from p2pchat.ui.status import archive_lines
from p2pchat.ui.tables import plural, timed
from p2pchat.ui.words import UsageError, no_word, only_word, shown

#: How many chats `/hist` shows if it is not told.
DEFAULT_COUNT = 20

#: The largest number that `/hist` takes.
MAX_COUNT = 1_000_000


class Dialled(msgspec.Struct, frozen=True):
    """Data of `/connect`: whom we dial from now on."""

    host: str


class Asked(msgspec.Struct, frozen=True):
    """Data of `/req`: how many peers are asked."""

    peers: int


async def chat(actions: Actions, rest: str) -> Answer:
    if not rest.strip():
        raise UsageError("no text")
    ours = actions.api.archive.chat(rest)
    return Answer([chat_text(ours.text)], ours)


async def hist(actions: Actions, rest: str) -> Answer:
    api = actions.api.archive
    found = api.history(_count(only_word(rest)))
    return Answer(_history_lines(found) if found else [_nothing(api)], found)


async def archive(actions: Actions, rest: str) -> Answer:
    no_word(rest)
    info = actions.api.archive.info()
    return Answer(archive_lines(info), info)


async def connect(actions: Actions, rest: str) -> Answer:
    host = only_word(rest)
    if not host:
        raise UsageError("no host")
    actions.api.archive.connect(host)
    return Answer([f"dialling {shown(host)}, and again until it answers"], Dialled(host))


async def req(actions: Actions, rest: str) -> Answer:
    no_word(rest)
    count = actions.api.archive.request()
    line = f"asked {plural(count, 'peer')} for their archive" if count else "no peer to ask"
    return Answer([line], Asked(count))


async def val(actions: Actions, rest: str) -> Answer:
    no_word(rest)
    api = actions.api.archive
    found = await api.verify()
    return Answer([_verdict(found) if found.height else _nothing(api)], found)


def _count(word: str) -> int | None:
    """Read how many chats are wanted, None for all."""
    if not word:
        return DEFAULT_COUNT
    if word.lower() == "all":
        return None
    is_number = word.isascii() and word.isdecimal() and len(word) <= len(str(MAX_COUNT))
    if not is_number or not 1 <= int(word) <= MAX_COUNT:
        raise UsageError(f"{shown(word)} is neither all nor a number from 1 to {MAX_COUNT}")
    return int(word)


def _history_lines(chats: list[ArchivedChat]) -> list[str]:
    # not a table: measuring the width of a hundred thousand texts would hold up the node
    digits = len(str(chats[-1].height))
    return [f"{one.height:>{digits}} {'*' if one.ours else ' '} {one.text}" for one in chats]


def _nothing(api: ArchiveApi) -> str:
    return f"the archive is {'still being read' if api.info().loading else 'empty'}"


def _verdict(found: Verification) -> str:
    if found.invalid is not None:
        return f"chat {found.invalid} of {found.height} is not valid ({timed(found.seconds)})"
    if found.height == 1:
        return f"the only chat is valid ({timed(found.seconds)})"
    return f"all {found.height} chats are valid ({timed(found.seconds)})"
