"""The commands about the history and the outbox."""

from p2pchat.ui import history_actions
from p2pchat.ui.entry import Command
from p2pchat.ui.history_actions import DEFAULT_COUNT, MAX_COUNT, SEARCH_COUNT, UNREAD_COUNT

HISTORY_COMMANDS = (
    Command(
        "/outbox",
        "/outbox",
        "list what waits to be delivered",
        ("With ids for /cancel, how long each waits and how often it was sent.",),
        "nothing",
        history_actions.outbox,
    ),
    Command(
        "/cancel",
        "/cancel ID",
        "withdraw a message that waits to be delivered",
        (
            "ID is as /outbox shows it, or the msg_id.",
            "What was sent before and is not confirmed yet may have arrived all the same.",
        ),
        "outbox",
        history_actions.cancel,
    ),
    Command(
        "/history",
        "/history [PEER|#NS|*] [N] [before TIME]",
        "show what was said, the newest last",
        (
            "By one PEER and to it, published to a namespace #NS or to all (*), or everything.",
            f"The last {DEFAULT_COUNT} messages or N, at most {MAX_COUNT}; /export writes all.",
            "Of long ones fewer: all texts shown have 262,144 characters together at the most.",
            "TIME is 14:30 or 14:30:15 (today), 2026-11-22, 2026-11-22 14:30 or with seconds, or",
            "ISO 8601 such as 2026-11-22T14:30:15, also with a zone (Z, +01:00).",
        ),
        "conversation",
        history_actions.history,
    ),
    Command(
        "/search",
        "/search WORDS",
        "find messages with all these words, the newest first",
        (
            "Case and accents don't matter. word* finds what begins so, words in double quotes",
            'only side by side, "good mor*" both. '
            f"The newest {SEARCH_COUNT} are shown, of long ones fewer.",
        ),
        "nothing",
        history_actions.search,
    ),
    Command(
        "/unread",
        "/unread",
        "show the messages nobody has read, and mark them as read",
        (
            f"The last {UNREAD_COUNT} of them; of long ones fewer, the rest stays unread.",
            "On a terminal or plain console what was shown counts as read when a line is typed.",
        ),
        "nothing",
        history_actions.unread,
    ),
    Command(
        "/export",
        "/export FILE",
        "write the whole history to a new file",
        (
            "One JSON object a line, for your eyes alone; FILE must not be there yet.",
            "A node started with --import FILE takes it in, as often as you like. From a friend's",
            "file, what you two wrote to each other and what was published is taken, from your",
            "point of view.",
        ),
        "nothing",
        history_actions.export,
    ),
)
