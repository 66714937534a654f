"""Marks and words for what became of what we said."""

from p2pchat.api import ChatInfo
from p2pchat.events import ChatChanged
from p2pchat.ui.tables import plural

#: By state; a message whose first event did not come yet has none.
MARKS = {
    "": "…",
    "queued": "…",
    "sent": "✓",
    "delivered": "✓✓",
    "failed": "✗",
    "mining": "…",
    "archived": "✓",
    "confirmed": "✓✓",
    "displaced": "↻",
}

#: What a line about chats of the archive begins with.
CHAIN = "⛓"


def chat_text(text: str) -> str:
    """Write a chat of ours as `→ bob@CIC: hi` writes a message."""
    return f"{CHAIN} {text}"


def chat_note(chat: ChatInfo | ChatChanged) -> str:
    """Tell in words how far a chat of ours has come."""
    match chat.state:
        case "mining":
            return "mining"
        case "archived":
            return f"in the archive at height {chat.height}"
        case "confirmed":
            # nobody has sent it since this node was started, somebody had before
            peers = f" by {plural(chat.confirmations, 'peer')}" if chat.confirmations else ""
            return f"in the archive at height {chat.height}, confirmed{peers}"
        case "displaced":
            return "displaced by a longer archive, mined again"
