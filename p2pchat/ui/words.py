"""The words of a command line, and the quotes that hold a name with blanks together.

A word ends at the first blank or tab. A name that has blanks is put in double quotes, within which
a backslash takes the next character as it is: `"anna \\"ann\\" b@CIC"`. Behind a word exactly one
blank is dropped, so that a message keeps every further one.
"""

import re

from p2pchat.errors import RequestError
from p2pchat.text import visible

#: What separates words; other white space of Unicode may be part of a name.
BLANKS = " \t"

_WORD = re.compile(r"[^ \t]*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"(?=[ \t]|$)')
_ESCAPED = re.compile(r"\\(.)")
_NEEDS_QUOTES = re.compile(r'[\s"]')


class UsageError(RequestError):
    """A command is not written as its usage says."""


def split_word(text: str) -> tuple[str, str]:
    """Take the first word of text; return it, without its quotes, and what follows.

    The word is empty if there is none. Raises UsageError on quotes that do not close.
    """
    text = text.lstrip(BLANKS)
    if not text.startswith('"'):
        end = _word_end(text)
        return text[:end], text[end + 1 :]
    match = _QUOTED.match(text)
    if match is None:
        raise UsageError('a name that begins with " ends with " and then a blank')
    return unescaped(match[1]), text[match.end() + 1 :]


def only_word(text: str) -> str:
    """Take the one word of text, "" if there is none; raises UsageError if there are more."""
    word, rest = split_word(text)
    if rest.strip(BLANKS):
        raise UsageError(f"nothing is expected after {shown(word)}")
    return word


def no_word(text: str) -> None:
    """Make sure that text has no word; raises UsageError if it has one."""
    if text.strip(BLANKS):
        raise UsageError("takes no argument")


def unescaped(text: str) -> str:
    """Resolve the backslashes of what stood between quotes."""
    return _ESCAPED.sub(r"\1", text)


def quoted(word: str) -> str:
    """Write word so that `split_word` reads it as one; in quotes only if it needs them."""
    if word and not _NEEDS_QUOTES.search(word):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def shown(name: str) -> str:
    """Write a name for people: harmless, and in quotes where it could be taken for more than one.

    Without the quotes a peer could choose a name that reads like the beginning of a message.
    """
    return quoted(visible(name, 160))


def _word_end(text: str) -> int:
    match = _WORD.match(text)
    return match.end() if match else 0
