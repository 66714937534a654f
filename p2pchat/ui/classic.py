"""The words that users of an earlier archive program know, understood as commands.

Only lines that are one of the words alone are, and `chat TEXT`, `connect HOST`, `hist N`,
`hist all` and `help` with one of the words. Everything else stays the message it would be:
`status report follows`, for instance. So does what is not in lower case, because a sentence that
begins with `Chat` must not end up in public for good.
"""

from p2pchat.api import NodeApi
from p2pchat.ui.commands import parse
from p2pchat.ui.words import BLANKS

_ALONE = {
    "/help": "/help",
    "/peers": "/archive",
    "/hist": "/hist",
    "/req": "/req",
    "/val": "/val",
    "/status": "/status",
}

_WORDS = {"help", "peers", "hist", "req", "val", "status", "connect", "chat"}


def slashed(line: str, api: NodeApi) -> str:
    """Return the command that a line in the classic words means; any other line as it is.

    `chat` and `connect` alone become commands too, which then tell what is missing.
    """
    name, rest = parse("/" + line.lstrip(BLANKS))
    words = rest.split()
    if name == "/chat" or (name == "/connect" and len(words) <= 1):
        return f"{name} {rest}"
    if name == "/hist" and len(words) == 1 and (words[0] == "all" or words[0].isdecimal()):
        return f"{name} {words[0]}"
    if name == "/help" and len(words) == 1 and words[0] in _WORDS:
        return f"{name} {words[0]}"
    if words:
        return line
    if name == "/debug":
        return f"/log {_other_level(api)}"
    return _ALONE.get(name, line)


def _other_level(api: NodeApi) -> str:
    return "INFO" if api.status().log_level == "DEBUG" else "DEBUG"
