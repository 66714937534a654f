"""What is said, in the log: who and how much, and at DEBUG the text."""

from twisted.logger import Logger

from p2pchat.text import Visible, visible


def log_said(log: Logger, kind: str, who: str, text: str) -> None:
    """Log a message in or out; `who` is the other side, `*` or `#namespace`."""
    name, size = visible(who), len(text)
    log.info("[Router] {kind} {who}: {size} characters", kind=kind, who=name, size=size)
    log.debug("[Router] {kind} {who}: {text}", kind=kind, who=name, text=Visible(text))
