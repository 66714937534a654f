"""The catalogue of commands: how each is written, what it does, what its argument can be."""

from difflib import get_close_matches

import msgspec

from p2pchat.errors import RequestError
from p2pchat.ui.actions import Actions, Answer
from p2pchat.ui.archive_catalogue import ARCHIVE_COMMANDS
from p2pchat.ui.entry import Command
from p2pchat.ui.history_catalogue import HISTORY_COMMANDS
from p2pchat.ui.words import only_word, shown


class CommandHelp(msgspec.Struct, frozen=True):
    """Data of one command in the reply to `/help`."""

    command: str
    usage: str
    summary: str


def find_command(name: str) -> Command:
    """Find a command by its name; RequestError names the nearest one if there is none."""
    known = COMMANDS.get(name.lower())
    if known:
        return known
    near = get_close_matches(name.lower(), COMMANDS, n=1, cutoff=0.6)
    hint = f"did you mean {COMMANDS[near[0]].usage}?" if near else "/help lists all."
    raise RequestError(f"unknown command {shown(name)}: {hint} //TEXT sends /TEXT")


async def _help(_: Actions, rest: str) -> Answer:
    name = only_word(rest)
    if not name:
        lines = [f"{entry.usage:<18}  {entry.summary}" for entry in COMMANDS.values()]
        return Answer([*lines, *_FOOTNOTES], [_help_data(entry) for entry in COMMANDS.values()])
    command = find_command("/" + name.lstrip("/"))
    lines = [f"{command.usage}: {command.summary}", *command.details]
    return Answer(lines, [_help_data(command)])


def _help_data(command: Command) -> CommandHelp:
    return CommandHelp(command.name, command.usage, command.summary)


_SLASH = "Plain text goes to whom you wrote last with /msg; //TEXT sends /TEXT."
_MARKS = "Marks of what you send: … queued, ✓ sent, ✓✓ delivered, ✗ not delivered and why."
_TARGET = "* means all peers, #NS those of one namespace; with blanks in double quotes."
_CLASSIC = "With --classic-commands a plain console takes some without the slash: /help help."
_FOOTNOTES = (_SLASH, _MARKS, _CLASSIC)

_TABLE = (
    Command(
        "/peers",
        "/peers [*|#NS]",
        "ask for peers now and list them",
        (_TARGET, "A stale peer is dialled again when it is discovered, or by /reconnect."),
        "target",
        Actions.peers,
    ),
    Command(
        "/msg",
        "/msg PEER TEXT",
        "send TEXT to one peer",
        (
            "PEER is name@namespace; the name alone is enough where only one peer has it.",
            'A PEER with blanks goes in double quotes: "anna b@CIC". In them \\" is a quote.',
            "TEXT is everything behind the one blank after PEER, exactly as typed.",
            "A pasted text of several lines is one message; its line ends become blanks.",
            "For a PEER who is not there it is queued, and sent when the peer comes: /outbox.",
            _SLASH,
            _MARKS,
        ),
        "peer",
        Actions.msg,
    ),
    Command(
        "/pub",
        "/pub *|#NS TEXT",
        "publish TEXT to all connected peers or to a namespace",
        (_TARGET, "Nobody confirms a publication; the reply tells how many peers it goes to."),
        "target",
        Actions.pub,
    ),
    *HISTORY_COMMANDS,
    Command("/conn", "/conn", "list the live connections", (), "nothing", Actions.conn),
    Command(
        "/rtt",
        "/rtt",
        "show round trip times by peer",
        ("Measured with each PING: last, mean, median, 95th percentile and count.",),
        "nothing",
        Actions.rtt,
    ),
    Command(
        "/reconnect",
        "/reconnect",
        "dial every known peer that is not connected",
        ("Stale peers too.",),
        "nothing",
        Actions.reconnect,
    ),
    *ARCHIVE_COMMANDS,
    Command(
        "/log",
        "/log LEVEL",
        "set how much goes to the log file",
        ("LEVEL is DEBUG, INFO, WARNING or ERROR.",),
        "level",
        Actions.log,
    ),
    Command("/status", "/status", "show the node at a glance", (), "nothing", Actions.status),
    Command(
        "/quit",
        "/quit",
        "say goodbye to all peers and leave",
        ("On a terminal Ctrl-C and Ctrl-D do the same.",),
        "nothing",
        Actions.quit,
    ),
    Command(
        "/help",
        "/help [COMMAND]",
        "show the commands, or all about one",
        (
            "Started with --classic-commands, a plain console takes these words without a slash:",
            "help peers hist req val status debug, chat TEXT, connect HOST, hist N|all, help WORD",
            "Each is a line of its own, in lower case; everything else is a message.",
            "peers means /archive; debug means /log DEBUG or, if it is that already, /log INFO.",
        ),
        "command",
        _help,
    ),
)

#: Every command by its name.
COMMANDS = {command.name: command for command in _TABLE}
