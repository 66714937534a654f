"""What a search asks for, and where a text has it (no IO).

Words are what SQLite's tokenizer `unicode61 remove_diacritics 2` takes for words, folded as it
folds them: no case, and Latin letters without their accents. So both stores find the same, and what
the index found can be marked in the text.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

#: How many words and phrases of a search count; SQLite bounds what an expression may have, and each
#: takes its time.
MAX_PHRASES = 16

#: How many prefixes of a single letter count: the index goes through all words that begin so.
MAX_LETTERS = 1

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
_ASCII_WORD = re.compile("([a-z0-9]+)")
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

    @property
    def is_letter(self) -> bool:
        """Whether it stands for all words with the same first letter."""
        return self.prefix and len(self.words) == 1 and len(self.words[0]) == 1


class _Cut(NamedTuple):
    """The words of a text, and a function that tells where each of them stands, by its number."""

    texts: list[str]
    place: Callable[[int], tuple[int, int]]


def words_of(text: str) -> list[Word]:
    """Cut a text into words."""
    texts, place = _cut(text)
    return [Word(word, *place(at)) for at, word in enumerate(texts)]


def _cut(text: str) -> _Cut:
    if text.isascii():
        # words between what is none; faster than to ask for each word where it is
        pieces = _ASCII_WORD.split(text.lower())
        edges = list(accumulate(map(len, pieces), initial=0))
        return _Cut(pieces[1::2], lambda at: (edges[2 * at + 1], edges[2 * at + 2]))
    words = list(_words_of(text))
    return _Cut([word.text for word in words], lambda at: words[at][1:])


def parse_search(text: str) -> list[Phrase]:
    """Read what the user typed; whatever it is, it means something, if only nothing."""
    letters = 0
    phrases: dict[tuple[tuple[str, ...], bool], Phrase] = {}
    for phrase in _phrases(text):
        key = phrase.words, phrase.prefix
        if key in phrases:
            continue
        letters += phrase.is_letter
        if not phrase.is_letter or letters <= MAX_LETTERS:
            phrases[key] = phrase
        if len(phrases) == MAX_PHRASES:
            break
    return list(phrases.values())


def _phrases(text: str) -> Iterator[Phrase]:
    for match in _PIECE.finditer(text):
        quoted, star, word = match.groups()
        typed = word if quoted is None else quoted
        prefix = bool(star) or typed.endswith("*")
        words = words_of(typed)[:MAX_PHRASE_WORDS]
        if words:
            cut = typed[words[0].start : words[-1].end]
            yield Phrase(tuple(word.text for word in words), cut, prefix)


def fts_query(phrases: Sequence[Phrase]) -> str:
    """Write the phrases as an expression of FTS5; in its quotes nothing has a meaning.

    A prefix that a longer word has too is not asked for: that is found by then, and sooner.
    """
    return " AND ".join(
        f'"{_plain(phrase.typed)}"{" *" * phrase.prefix}'
        for phrase in phrases
        if not any(_implies(other, phrase) for other in phrases)
    )


def find(phrases: Sequence[Phrase], text: str) -> list[tuple[int, int]] | None:
    """Return where text has the phrases, as start and end in order; None if it lacks one."""
    words = _cut(text)
    last_words = tuple(phrase.words[-1] for phrase in phrases)
    # one pass for all phrases: a text may have thousands of words
    ends = [at for at, word in enumerate(words.texts) if word.startswith(last_words)]
    found: set[tuple[int, int]] = set()
    for phrase in phrases:
        places = set(_places(phrase, words.texts, ends))
        if not places:
            return None
        found |= places
    return _joined(sorted((words.place(first)[0], words.place(last)[1]) for first, last in found))


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


def _implies(other: Phrase, phrase: Phrase) -> bool:
    """Tell whether a text with `other` has `phrase`, too, which is a prefix and another one."""
    if other is phrase or not phrase.prefix or len(phrase.words) > 1:
        return False
    return any(word.startswith(phrase.words) for word in other.words)


def _places(phrase: Phrase, texts: Sequence[str], ends: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield the first and the last word of each place; `ends` are where there may be a last one."""
    *head, last = phrase.words
    for end in ends:
        first = end - len(head)
        if texts[end] != last and not (phrase.prefix and texts[end].startswith(last)):
            continue
        if first >= 0 and all(texts[first + n] == word for n, word in enumerate(head)):
            yield first, end


def _joined(places: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join what overlaps."""
    joined: list[tuple[int, int]] = []
    for start, end in places:
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined
