"""The archive by a plain reading of docs/protocols.md, 3, that shares nothing with the program."""

import itertools
import random
from hashlib import md5

#: An archive: its chats in order, each as it stands on the wire.
Chain = tuple[bytes, ...]

#: What every MD5 begins with.
PROOF = b"\0\0"


def text_of(chat: bytes) -> str:
    return chat[1:-32].decode("latin-1")


def texts(chain: Chain) -> list[str]:
    return [text_of(chat) for chat in chain]


def digest(chain: Chain, index: int) -> bytes:
    """Return what the MD5 of a chat must be."""
    return md5(b"".join(chain[max(0, index - 19) : index + 1])[:-16]).digest()


def is_valid(chain: Chain) -> bool:
    return all(
        chat.endswith(digest(chain, index)) and chat[-16:].startswith(PROOF)
        for index, chat in enumerate(chain)
    )


def mined(chain: Chain, text: str) -> Chain:
    """Return the archive with one chat more on top."""
    head = bytes([len(text)]) + text.encode("latin-1")
    state = md5(b"".join(chain[-19:]) + head)
    for number in itertools.count(random.getrandbits(96)):
        code = number.to_bytes(16, "big")
        attempt = state.copy()
        attempt.update(code)
        if attempt.digest().startswith(PROOF):
            return (*chain, head + code + attempt.digest())
    raise AssertionError("numbers never end")


def grown(chain: Chain, *more: str) -> Chain:
    """Return the archive with several chats more on top."""
    for text in more:
        chain = mined(chain, text)
    return chain


def response(chain: Chain) -> bytes:
    """Write an ArchiveResponse."""
    return b"\x04" + len(chain).to_bytes(4, "big") + b"".join(chain)


def split(data: bytes) -> Chain:
    """Read the chats of an archive without its count."""
    chats = []
    while data:
        size = 33 + data[0]
        chats.append(data[:size])
        data = data[size:]
    return tuple(chats)
