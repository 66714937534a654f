"""How a message stands in the tables (no IO)."""

from hashlib import sha1
from struct import Struct
from typing import NamedTuple
from zlib import crc32

from p2pchat.history import Entry, EntryState, OutboxEntry, from_milliseconds
from p2pchat.identity import PeerId
from p2pchat.store.errors import DamagedError

#: In the order of their numbers in the file.
STATES: tuple[EntryState, ...] = ("", "queued", "sent", "delivered", "failed")

#: How a message came to be here; plain numbers, as hashing members of an Enum is slow.
OUT, IN, RELAYED = 0, 1, 2

_PUB = 1 << 2
_IMPORTED = 1 << 3
_STATE_SHIFT = 4

#: What of the flags never changes.
_FIXED = (1 << _STATE_SHIFT) - 1
_WAY = _PUB - 1

#: A uuid as text is its bytes in hexadecimal, with four dashes.
_UUID_LENGTH = 36
_UUID_BYTES = 16

#: Of the 20 bytes of a SHA-1.
_FIRST_64_BITS = Struct(">q12x").unpack


class Row(NamedTuple):
    """A message, its names by number, in the order of the columns."""

    id: int
    conversation: int
    author: int
    time: int
    flags: int
    msg_id: bytes | str
    checksum: int
    text: str
    reason: str | None = None


class Named(NamedTuple):
    """A row with its names as text."""

    row: Row
    author: str
    conversation: str


def make_flags(way: int, pub: bool, state: EntryState = "", imported: bool = False) -> int:
    """Put in one number what has few values."""
    return way | _PUB * pub | _IMPORTED * imported | STATES.index(state) << _STATE_SHIFT


def with_state(flags: int, state: EntryState) -> int:
    return (flags & _FIXED) | STATES.index(state) << _STATE_SHIFT


def way_of(flags: int) -> int:
    return flags & _WAY


def state_of(flags: int) -> EntryState:
    return STATES[flags >> _STATE_SHIFT]


def is_under_way(flags: int) -> bool:
    """Tell whether it is a message of ours that belongs into the outbox."""
    return not flags & (_WAY | _IMPORTED) and state_of(flags) in ("queued", "sent")


def identity(way: int, author: str, msg_id: str) -> int:
    """Return the 64 bits that make two messages the same one.

    They are taken for unique: among a million messages two are the same by chance once in thirty
    million histories, and who makes it happen on purpose can do that with messages of their own
    only, as the ids of others are not known before they are used.
    """
    number: int = _FIRST_64_BITS(sha1(f"{way} {author} {msg_id}".encode()).digest())[0]
    return number


def pack_id(msg_id: str) -> bytes | str:
    """Return 16 bytes for a uuid, anything else as it is."""
    if len(msg_id) != _UUID_LENGTH or msg_id[8:24:5] != "----":
        return msg_id
    digits = msg_id.replace("-", "")
    try:
        packed = bytes.fromhex(digits)
    except ValueError:
        return msg_id
    return packed if packed.hex() == digits and len(packed) == _UUID_BYTES else msg_id


def unpack_id(msg_id: bytes | str) -> str:
    """Return what pack_id() was given."""
    if isinstance(msg_id, str):
        return msg_id
    text = msg_id.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def checksum(time: int, flags: int, author: str, conversation: str, msg_id: str, text: str) -> int:
    """Return 32 bits of all that never changes; SQLite would not notice that a byte is another."""
    content = f"{time} {flags & _FIXED} {author} {conversation} {msg_id} {text}"
    # signed, since it takes less room so
    return crc32(content.encode()) - (1 << 31)


def entry_of(named: Named, me: PeerId, read: int) -> Entry:
    """Make an entry of a row; all up to `read` are read. DamagedError if it is not as written."""
    row = checked(named)
    flags = row.flags
    way, pub = way_of(flags), bool(flags & _PUB)
    return Entry(
        stored_id=row.id,
        time=from_milliseconds(row.time),
        msg_id=unpack_id(row.msg_id),
        source=named.author,
        to=named.conversation if pub or way == OUT else me,
        text=row.text,
        kind="pub" if pub else "send",
        direction="out" if way == OUT else "in",
        state=state_of(flags),
        reason=str(row.reason or ""),
        relayed=way == RELAYED,
        unread=way != OUT and row.id > read and not flags & _IMPORTED,
    )


def outbox_entry_of(named: Named, attempts: int) -> OutboxEntry:
    """Make an entry of the outbox; DamagedError if it is not as written."""
    row = checked(named)
    return OutboxEntry(
        stored_id=row.id,
        msg_id=unpack_id(row.msg_id),
        to=PeerId(named.conversation),
        text=row.text,
        queued_at=from_milliseconds(row.time),
        attempts=attempts,
    )


def checked(named: Named) -> Row:
    """Return the row; DamagedError if it is not as it was written."""
    row, author, conversation = named
    try:
        msg_id = unpack_id(row.msg_id)
        code = checksum(row.time, row.flags, author, conversation, msg_id, row.text)
        sound = code == row.checksum and 0 <= row.flags >> _STATE_SHIFT < len(STATES)
    except (TypeError, ValueError, AttributeError):  # some of it is of another type
        sound = False
    if not sound:
        raise DamagedError(f"message {row.id} is not as it was written")
    return row
