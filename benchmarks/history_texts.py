"""What people might have said in a year: texts of about 100 characters, and who said them to whom.

Words are as frequent as in natural language: the commonest is in most messages, and most words are
hardly ever said (Zipf's law). A few have accents, and some, as numbers are, are said nowhere else.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import TypeVar
from uuid import UUID

from p2pchat.history import PAGE, Entry
from p2pchat.identity import PeerId

T = TypeVar("T")

ME = PeerId("alice@CIC")
BOB = PeerId("bob@CIC")

#: How many words there are, besides those said once; the share of these among all that is said.
WORDS = 50_000
SHARE_OF_NUMBERS = 0.02

#: Words of the shortest and of the longest message: 100 characters on average.
TEXT_WORDS = (5, 29)

#: Seconds from one message to the next, on average: a million take a year.
PACE = 30.0

_CONSONANTS = ("b", "c", "d", "f", "g", "l", "m", "n", "p", "r", "s", "st", "t", "tr", "v")
_VOWELS = ("a", "e", "i", "o", "u", "ai", "ou", "é", "ü")
_ENDINGS = ("", "", "", "", "n", "r", "s", "t")
_WEIGHTS_OF_VOWELS = (100, 140, 90, 90, 50, 20, 20, 1.5, 0.5)

#: Who alice talks to, and where they all talk; those in front say more.
_PEERS = [BOB, *(PeerId(f"peer{number}@CIC") for number in range(2, 41))]
_PLACES = ["*", "#CIC", "#music", "#garden", "#trains"]


class Talk:
    """What is said, as a seed gives it."""

    def __init__(self, seed: int) -> None:
        self._rng = Random(seed)
        #: The commonest first.
        self.words = _vocabulary(self._rng)
        self._rank = {word: rank for rank, word in enumerate(self.words)}

    def entries(self, count: int, end: datetime) -> Iterator[list[Entry]]:
        """Yield so many messages, the last one at about `end`, in pages as an export has them."""
        pace = timedelta(seconds=PACE)
        time = end - count * pace
        for first in range(0, count, PAGE):
            page = []
            for _ in range(min(PAGE, count - first)):
                time += pace * self._rng.uniform(0, 2)
                page.append(self._entry(time))
            yield page

    def by_frequency(self, text: str) -> list[str]:
        """Return the words of a text, each once, the commonest first, without the numbers."""
        return sorted(set(text.split()) & self._rank.keys(), key=self._rank.__getitem__)

    def _entry(self, time: datetime) -> Entry:
        rng = self._rng
        peer = self._one_of(_PEERS)
        pub, ours = rng.random() < 0.4, rng.random() < 0.4
        return Entry(
            time=time,
            msg_id=str(UUID(int=rng.getrandbits(128), version=4)),
            source=ME if ours else peer,
            to=rng.choice(_PLACES) if pub else peer if ours else ME,
            text=self._text(),
            kind="pub" if pub else "send",
            direction="out" if ours else "in",
            state="delivered" if ours and not pub else "",
        )

    def _text(self) -> str:
        rng = self._rng
        count = rng.randint(*TEXT_WORDS)
        words = [self._one_of(self.words) for _ in range(count)]
        if rng.random() < count * SHARE_OF_NUMBERS:
            words[rng.randrange(count)] = str(rng.randrange(10**9))
        return " ".join(words)

    def _one_of(self, things: Sequence[T]) -> T:
        """Choose one; the tenth is chosen a tenth as often as the first."""
        return things[int(len(things) ** self._rng.random()) - 1]


def _vocabulary(rng: Random) -> list[str]:
    """Make words of few syllables for what is said often, of more for what is not."""
    words: dict[str, None] = {}
    while len(words) < WORDS:
        syllables = 1 + (len(words) > 60) + (len(words) > 2000) + (len(words) > 20_000)
        words[_word(rng, syllables)] = None
    return list(words)


def _word(rng: Random, syllables: int) -> str:
    vowels = rng.choices(_VOWELS, _WEIGHTS_OF_VOWELS, k=syllables)
    return "".join(rng.choice(_CONSONANTS) + vowel for vowel in vowels) + rng.choice(_ENDINGS)
