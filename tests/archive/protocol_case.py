"""What tests of links of the archive have in common."""

from p2pchat.archive.archive import Archive
from tests.archive.examples import THOUSAND, chats_of, joined

FIVE, SIX, SEVEN = (THOUSAND.truncated(height) for height in (5, 6, 7))
NOTIFICATION = b"\x05\x05hello"
ENDLESS_LIST = b"\x02\xff\xff\xff\xff"


def spoilt(archive: Archive, index: int) -> Archive:
    """Return an archive with one chat that is not valid."""
    chats = chats_of(archive)
    chats[index] = chats[index][:-1] + bytes([chats[index][-1] ^ 1])
    return joined(chats)
