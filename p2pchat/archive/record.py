"""One chat of the archive, as it stands on the wire and in the file (docs/protocols.md, 3).

====== ============================================
1      N, the length of the text
N      the text
16     the verification code
16     the MD5 of the chat's window
====== ============================================
"""

import unicodedata
from typing import NamedTuple

from p2pchat.errors import RequestError

CODE_SIZE = 16
DIGEST_SIZE = 16
MAX_TEXT = 255

#: What a chat has besides its text, in bytes.
OVERHEAD = 1 + CODE_SIZE + DIGEST_SIZE
MAX_CHAT = OVERHEAD + MAX_TEXT

#: How many chats a window covers at the most, the one it belongs to included.
WINDOW = 20

#: What a valid MD5 starts with.
PROOF = b"\0\0"


#: What is written for characters that have no accent to lose.
_NEAREST = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u00ab\u00bb", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"),
        **{"ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O"},
        **{"ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ı": "i", "€": "EUR"},
    }
)


class Chat(NamedTuple):
    """One record: text as it came, its verification code, its MD5."""

    text: bytes
    code: bytes
    digest: bytes


def chat_size(buffer: bytes | bytearray | memoryview, start: int) -> int:
    """Return how many bytes the chat that starts there takes."""
    return OVERHEAD + buffer[start]


def head(text: bytes) -> bytes:
    """Return what stands before the code of a chat with this text."""
    return bytes([len(text)]) + text


def check_text(text: str) -> bytes:
    """Return the bytes of a text of ours: 1 to 255 characters of printable ASCII (3.6).

    Raises RequestError with the position of what can't be sent and a text that could.
    """
    if not text:
        raise RequestError("no text")
    for position, character in enumerate(text, 1):
        if not " " <= character <= "~":
            raise RequestError(
                f"character {position} ({character!a}) is not plain ASCII, and some programs "
                f"refuse an archive that holds it; try: {_fold(text)[:MAX_TEXT]}"
            )
    if len(text) > MAX_TEXT:
        raise RequestError(
            f"{len(text)} characters; at most {MAX_TEXT} are allowed, those from character "
            f"{MAX_TEXT + 1} on are too many; try: {text[:MAX_TEXT]}"
        )
    return text.encode("ascii")


def _fold(text: str) -> str:
    """Write text in ASCII as well as it goes: accents fall off, the rest becomes `?`."""
    plain = unicodedata.normalize("NFKD", text).translate(_NEAREST)
    kept = (character for character in plain if not unicodedata.combining(character))
    return "".join(character if " " <= character <= "~" else "?" for character in kept) or "?"
