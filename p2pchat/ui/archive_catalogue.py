"""The commands about the archive."""

from p2pchat.ui import archive_actions
from p2pchat.ui.archive_actions import DEFAULT_COUNT
from p2pchat.ui.entry import Command

ARCHIVE_COMMANDS = (
    Command(
        "/chat",
        "/chat TEXT",
        "put TEXT into the public archive, for all to see and for good",
        (
            "TEXT is 1 to 255 characters of plain ASCII, exactly as typed, blanks too.",
            "A code is looked for that proves some work, which takes a moment; then the chat goes",
            "to everybody. It is looked after until others have it: … is mined, ✓ stands in our",
            "archive, ✓✓ in that of another peer, ↻ was displaced and is mined again.",
        ),
        "nothing",
        archive_actions.chat,
    ),
    Command(
        "/hist",
        "/hist [N|all]",
        "show the newest chats of the archive",
        (f"The newest {DEFAULT_COUNT}, N or all, each with its height; * marks ours.",),
        "nothing",
        archive_actions.hist,
    ),
    Command(
        "/archive",
        "/archive",
        "show the archive at a glance, its peers and our chats",
        (
            "A peer's height is that of the last archive it sent. Who sends worthless ones again",
            "and again is ignored for a while.",
        ),
        "nothing",
        archive_actions.archive,
    ),
    Command(
        "/connect",
        "/connect HOST",
        "dial a peer of the archive, and keep dialling it",
        ("HOST is an address or a name, with :PORT if it is not the network's usual one.",),
        "nothing",
        archive_actions.connect,
    ),
    Command(
        "/req",
        "/req",
        "ask all peers for their archive now",
        ("They are asked every now and then anyway.",),
        "nothing",
        archive_actions.req,
    ),
    Command("/val", "/val", "verify the whole archive again", (), "nothing", archive_actions.val),
)
