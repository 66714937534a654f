"""What is fuzzed: a module each, with

check        takes an input; AssertionError, or any other exception, is a finding
MAX_LENGTH   of an input, in bytes
WORDS        what the inputs are made of, for the fuzzer to put in
"""

from importlib import import_module
from typing import Protocol, cast


class Target(Protocol):
    """A module of this package."""

    MAX_LENGTH: int
    WORDS: tuple[bytes, ...]

    def check(self, data: bytes) -> None:
        """Let this input come in, and check all that has to hold."""


#: All targets, and the modules in this package.
TARGETS = {
    "chat-codec": "chat_codec",
    "session": "session",
    "rendezvous-server": "rendezvous_server",
    "rendezvous-proxied": "rendezvous_proxied",
    "rendezvous-answers": "rendezvous_answers",
    "archive-framer": "archive_framer",
    "archive-link": "archive_link",
    "archive-growth": "archive_growth",
    "archive-disk": "archive_disk",
    "import": "history_import",
    "config": "config_file",
    "metrics-http": "metrics_http",
    "console-lines": "console_lines",
    "store-salvage": "store_salvage",
    "redis-replies": "redis_replies",
}


def load(name: str) -> Target:
    """Import a target and what it fuzzes."""
    return cast(Target, import_module(f"{__name__}.{TARGETS[name]}"))
