"""What each command about the history and the outbox does."""

import unicodedata
from collections.abc import Sequence
from datetime import datetime

import msgspec

from p2pchat.errors import QueueFullError, RequestError
from p2pchat.history import Entry, Found, OutboxEntry, StoreError
from p2pchat.text import visible
from p2pchat.ui.actions import Actions, Answer, check_target, paged
from p2pchat.ui.exporting import export_file
from p2pchat.ui.fitting import fitting
from p2pchat.ui.said import dated_lines, found_line
from p2pchat.ui.styled import Line
from p2pchat.ui.tables import duration, plural, table
from p2pchat.ui.times import read_time
from p2pchat.ui.words import BLANKS, UsageError, no_word, only_word, shown, split_word

#: How many messages `/history` shows if it is not told, and at the most.
DEFAULT_COUNT = 20
MAX_COUNT = 1000

#: How many messages `/search` and `/unread` show at the most.
SEARCH_COUNT = 50
UNREAD_COUNT = 500

#: How many lines `/outbox` has at the most, and how much of each text.
OUTBOX_LINES = 100
_TEXT = 60

_BEFORE = "before"


class UnreadMessages(msgspec.Struct, frozen=True):
    """Data of `/unread`: how many nobody had read, those shown, and how many are left unread."""

    total: int
    entries: list[Entry]
    left: int = 0


class Exported(msgspec.Struct, frozen=True):
    """Data of `/export`: how many messages are in the file now."""

    file: str
    messages: int


async def outbox(actions: Actions, rest: str) -> Answer:
    no_word(rest)
    waiting = await actions.api.history.outbox()
    if not waiting:
        return Answer(["nothing waits to be delivered"], waiting)
    now = actions.surroundings.now()
    rows = [_outbox_row(entry, now) for entry in waiting[:OUTBOX_LINES]]
    more = len(waiting) - len(rows)
    total = f"{plural(len(waiting), 'message')} to be delivered"
    hint = f"; the last {more} are not listed" if more else ""
    lines = table(("id", "peer", "age", "attempts", "text"), rows)
    return Answer([*lines, total + hint], fitting(waiting, lambda entry: entry.text))


async def cancel(actions: Actions, rest: str) -> Answer:
    word = only_word(rest)
    if not word:
        raise UsageError("no id; /outbox shows them")
    waiting = await actions.api.history.outbox()
    found = next((entry for entry in waiting if _is_called(entry, word)), None)
    if found is None or not await actions.api.cancel(found.msg_id):
        raise RequestError(f"no message {shown(word)} waits to be delivered; /outbox lists all")
    line = f"withdrawn: → {shown(found.to)}: {found.text}"
    return Answer([line], found)


async def history(actions: Actions, rest: str) -> Answer:
    words, before = _split_before(rest)
    when = _time(actions, before) if before is not None else None
    conversation, count = _conversation_and_count(actions, words)
    entries = await actions.api.history.entries(conversation, count, when)
    if not entries:
        until = f" before {visible(before)}" if before is not None else ""
        return Answer([f"nothing was said{_in(conversation)}{until}"], entries)
    shown_ones = fitting(reversed(entries), lambda entry: entry.text)[::-1]
    return paged(_history_lines(actions, shown_ones, len(entries) - len(shown_ones)), shown_ones)


async def search(actions: Actions, rest: str) -> Answer:
    if not rest.strip(BLANKS):
        raise UsageError("no words")
    if not _has_word(rest):
        raise UsageError(f"there is no word in {visible(rest.strip(BLANKS), 80)}")
    found = await actions.api.history.search(rest, SEARCH_COUNT)
    if not found:
        return Answer(["nothing found"], found)
    shown_ones = fitting(found, lambda one: one.entry.text)
    there_may_be_more = len(found) == SEARCH_COUNT or len(shown_ones) < len(found)
    return paged(_found_lines(actions, shown_ones, there_may_be_more), shown_ones)


async def unread(actions: Actions, rest: str) -> Answer:
    no_word(rest)
    kept = actions.api.history
    found = await kept.unread(UNREAD_COUNT)
    if not found.entries:
        return Answer(["nothing unread"], UnreadMessages(0, []))
    entries = fitting(found.entries, lambda entry: entry.text)
    left = len(found.entries) - len(entries)
    before = found.total - len(found.entries)
    lines = _unread_lines(actions, entries, before, left)
    try:
        await kept.read(max(entry.stored_id for entry in entries))
    except (StoreError, QueueFullError) as error:  # they can be read all the same
        lines.append(_remark(f"they stay unread: {error}"))
    return paged(lines, UnreadMessages(found.total, entries, left))


async def export(actions: Actions, rest: str) -> Answer:
    name = only_word(rest)
    if not name:
        raise UsageError("no file")
    pages = actions.api.history.export()
    path, count = await export_file(pages, name, actions.surroundings.in_thread)
    return Answer([f"{plural(count, 'message')} written to {path}"], Exported(path, count))


def _outbox_row(entry: OutboxEntry, now: datetime) -> tuple[str, ...]:
    return (
        str(entry.stored_id),
        shown(entry.to),
        duration((now - entry.queued_at).total_seconds()),
        str(entry.attempts),
        visible(entry.text, _TEXT),
    )


def _is_called(entry: OutboxEntry, word: str) -> bool:
    return word in (str(entry.stored_id), entry.msg_id)


def _split_before(rest: str) -> tuple[list[str], str | None]:
    """Split the words that stand before `before` from the time behind it, None if there is none."""
    words: list[str] = []
    while rest.strip(BLANKS):
        is_quoted = rest.lstrip(BLANKS).startswith('"')
        word, rest = split_word(rest)
        if word.lower() == _BEFORE and not is_quoted:
            return words, rest.strip(BLANKS)
        words.append(word)
    return words, None


def _time(actions: Actions, text: str) -> datetime:
    text = only_word(text) if text.startswith('"') else text
    try:
        return read_time(text, actions.surroundings.now(), actions.surroundings.zone)
    except ValueError as error:
        example = "write 14:30, 2026-11-22 or 2026-11-22 14:30:15"
        raise UsageError(f"{shown(text)} is no time: {example}" if text else example) from error


def _conversation_and_count(actions: Actions, words: list[str]) -> tuple[str | None, int]:
    """Read whose messages are wanted, None for everybody's, and how many."""
    conversation, count = None, DEFAULT_COUNT
    if words and not _is_number(words[0]):
        conversation = _conversation(actions, words.pop(0))
    if words and _is_number(words[0]):
        count = _count(words.pop(0))
    if words:
        raise UsageError(f"{shown(words[0])} is neither a number nor before TIME")
    return conversation, count


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdecimal()


def _count(word: str) -> int:
    if len(word) > len(str(MAX_COUNT)) or not 1 <= int(word) <= MAX_COUNT:
        raise UsageError(f"{shown(word)} is not from 1 to {MAX_COUNT}")
    return int(word)


def _conversation(actions: Actions, name: str) -> str:
    if name.startswith(("#", "*")):
        check_target(name)
        return name
    return actions.api.resolve(name)


def _in(conversation: str | None) -> str:
    if conversation is None:
        return ""
    return f" {'in' if conversation.startswith(('#', '*')) else 'with'} {shown(conversation)}"


def _has_word(text: str) -> bool:
    """Tell whether text has a letter, a digit or a character of somebody's own."""
    categories = map(unicodedata.category, text)
    return any(category[0] in "LN" or category == "Co" for category in categories)


def _history_lines(actions: Actions, entries: Sequence[Entry], older: int) -> list[Line]:
    hint = "ask for fewer, or before TIME"
    remark = [_remark(f"{plural(older, 'older one')} left out: {hint}")] if older else []
    return [*remark, *dated_lines(entries, actions.surroundings.zone)]


def _found_lines(actions: Actions, found: Sequence[Found], there_may_be_more: bool) -> list[Line]:
    lines = [found_line(one, actions.surroundings.zone) for one in found]
    if there_may_be_more:
        lines.append(_remark(f"these are the newest {len(found)}; more words find fewer"))
    return lines


def _unread_lines(actions: Actions, entries: Sequence[Entry], before: int, left: int) -> list[Line]:
    lines = list(dated_lines(entries, actions.surroundings.zone))
    if before:
        lines.insert(0, _remark(f"{plural(before, 'message')} before these; /history has them"))
    if left:
        lines.append(_remark(f"{plural(left, 'message')} unread still; /unread shows more"))
    return lines


def _remark(text: str) -> Line:
    return [("class:notice", f"· {text}")]
