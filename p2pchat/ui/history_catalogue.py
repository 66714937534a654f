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
            "TIME is 14:30 (today), 2026-11-22 or 2026-11-22 14:30, or ISO 8601 with a zone.",
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
            f"only side by side. The newest {SEARCH_COUNT} are shown.",
        ),
        "nothing",
        history_actions.search,
    ),
    Command(
        "/unread",
        "/unread",
        "show the messages nobody has read, and mark them as read",
        (
            f"The last {UNREAD_COUNT} of them. Where people type, what came since the last line",
            "counts as read at the next one.",
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
            "p2pchat --import FILE loads it, as often as you like.",
        ),
        "nothing",
        history_actions.export,
    ),
)
