"""What a search asks for, and where a text has it (no IO).

Words are what SQLite's tokenizer `unicode61 remove_diacritics 2` takes for words, folded as it
folds them: no case, and Latin letters without their accents. So both stores find the same, and what
the index found can be marked in the text.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

#: How many words and phrases of a search count; SQLite bounds what an expression may have.
MAX_PHRASES = 32

#: How many words a phrase may have; the rest is not looked at.
MAX_PHRASE_WORDS = 64

#: A search looks at so many of the messages that match: those that were stored last.
MAX_MATCHES = 2_000

#: Emoji and signs of currencies; many are younger than the tokenizer's tables (Unicode 6.1), and it
#: takes what it does not know for letters unless it is told.
SYMBOLS = "".join(map(chr, [*range(0x20BA, 0x20C1), *range(0x1F300, 0x1FB00)]))

#: Combining accents, as the tokenizer knows them: part of the word, and dropped.
_ACCENTS = frozenset(
    "\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u0309\u030a\u030b\u030c\u030f\u0311\u031b"
    "\u0323\u0324\u0325\u0326\u0327\u0328\u032d\u032e\u0330\u0331"
)
_ASCII_WORD = re.compile("[a-z0-9]+")
_PIECE = re.compile(r'"([^"]*)"?(\*?)|([^\s"]+)')


class Word(NamedTuple):
    """A word of a text, folded, and where it stands there."""

    text: str
    start: int
    end: int


class Phrase(NamedTuple):
    """Words that must stand side by side; the last one may go on if `prefix`.

    `typed` are the words as they were typed.
    """

    words: tuple[str, ...]
    typed: str
    prefix: bool


def words_of(text: str) -> list[Word]:
    """Cut a text into words."""
    if text.isascii():
        matches = _ASCII_WORD.finditer(text.lower())
        return [Word(match[0], match.start(), match.end()) for match in matches]
    return list(_words_of(text))


def parse_search(text: str) -> list[Phrase]:
    """Read what the user typed; whatever it is, it means something, if only nothing."""
    phrases = []
    for match in _PIECE.finditer(text):
        quoted, star, word = match.groups()
        typed = word if quoted is None else quoted
        prefix = word.endswith("*") if quoted is None else bool(star)
        words = words_of(typed)[:MAX_PHRASE_WORDS]
        if words:
            cut = typed[words[0].start : words[-1].end]
            phrases.append(Phrase(tuple(word.text for word in words), cut, prefix))
    return phrases[:MAX_PHRASES]


def fts_query(phrases: Sequence[Phrase]) -> str:
    """Write the phrases as an expression of FTS5; in its quotes nothing has a meaning."""
    return " AND ".join(f'"{_plain(phrase.typed)}"{" *" * phrase.prefix}' for phrase in phrases)


def find(phrases: Sequence[Phrase], text: str) -> list[tuple[int, int]] | None:
    """Return where text has the phrases, as start and end in order; None if it lacks one."""
    words = words_of(text)
    found: set[tuple[int, int]] = set()
    for phrase in phrases:
        places = set(_places(phrase, words))
        if not places:
            return None
        found |= places
    return _joined(sorted(found))


def _words_of(text: str) -> Iterator[Word]:
    start, folded = 0, ""
    for position, character in enumerate(text):
        fold = _fold(character)
        if fold is None or (not fold and not folded):
            if folded:
                yield Word(folded, start, position)
            folded = ""
            continue
        if not folded:
            start = position
        folded += fold
    if folded:
        yield Word(folded, start, len(text))


@lru_cache(maxsize=10_000)
def _fold(character: str) -> str | None:
    """Return what a character is in a folded word: nothing for an accent, None if it ends one."""
    if character in _ACCENTS:
        return ""
    category = unicodedata.category(character)
    if category[0] not in "LN" and category != "Co":
        return None
    lower = character.casefold()
    if len(lower) > 1:
        lower = character.lower()
    apart = unicodedata.normalize("NFD", lower)
    is_latin = apart[0].isascii() and all(map(unicodedata.combining, apart[1:]))
    return apart[0] if is_latin else lower


def _plain(typed: str) -> str:
    """Take out what may not stand in a string of FTS5."""
    return re.sub('["\0\ud800-\udfff]', " ", typed)


def _places(phrase: Phrase, words: Sequence[Word]) -> Iterator[tuple[int, int]]:
    size = len(phrase.words)
    *head, last = phrase.words
    for first in range(len(words) - size + 1):
        end = words[first + size - 1]
        if end.text != last and not (phrase.prefix and end.text.startswith(last)):
            continue
        if all(words[first + n].text == word for n, word in enumerate(head)):
            yield words[first].start, end.end


def _joined(places: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join what overlaps."""
    joined: list[tuple[int, int]] = []
    for start, end in places:
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined
