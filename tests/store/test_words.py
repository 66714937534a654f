"""Words of texts and searches: the same as the index takes, and never a syntax error."""

import sqlite3

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from p2pchat.store import schema
from p2pchat.store.words import (
    MAX_PHRASE_WORDS,
    MAX_PHRASES,
    Phrase,
    find,
    fts_query,
    parse_search,
    words_of,
)

#: Letters with and without accents, put together and apart, of several scripts; signs and emoji.
CHARACTERS = (
    "abzAZ019 _-'\".,!*\n\t\0ãÃéßſøæǽıİñÑåÅ\u0301\u0303\u0327άΑςσΩйЙёЁіїאבגעֿمرحبا한글日本かなガ"
    "ﬁ①²½Ⅷ\u200d\ufe0f\u20ac\u20ba🤷😀🏽🫠\u3000\ue000ạḍ\u1e9e"
)
TEXTS = st.text(st.sampled_from(CHARACTERS), max_size=30)
QUERIES = TEXTS | st.text(st.sampled_from('ab "*()+^:-{}AND OR NOT NEAR\0é'), max_size=30)


class Index:
    """The index of the store, with texts of our own."""

    def __init__(self) -> None:
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        schema.migrate(self.db)
        self.db.execute("CREATE VIRTUAL TABLE terms USING fts5vocab(words, instance)")

    def words(self, text: str) -> list[str]:
        """Cut a text into words as the index does."""
        self.put(text)
        terms = self.db.execute("SELECT term FROM terms ORDER BY offset").fetchall()
        return [term for (term,) in terms]

    def put(self, text: str) -> None:
        self.db.execute("INSERT INTO words (words) VALUES ('delete-all')")
        self.db.execute("INSERT INTO words (rowid, text) VALUES (1, ?)", (text,))

    def has(self, query: str) -> bool:
        """Tell whether an expression matches the text."""
        return bool(self.db.execute("SELECT 1 FROM words WHERE words MATCH ?", (query,)).fetchall())


class IndexCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.index = Index()
        self.addCleanup(self.index.db.close)


class WordsTests(IndexCase):
    @settings(deadline=None, max_examples=400)
    @given(TEXTS)
    @example("reunia\u0303o às 9h")
    @example("\u0301a\u0301 \u0301")
    @example("hello🤷you")
    @example("100₺")
    def test_as_the_index_takes_them(self, text: str) -> None:
        self.assertEqual([word.text for word in words_of(text)], self.index.words(text))

    @settings(deadline=None, max_examples=200)
    @given(TEXTS)
    def test_where_they_stand(self, text: str) -> None:
        words = words_of(text)
        for word in words:
            (same,) = words_of(text[word.start : word.end])
            self.assertEqual((same.text, same.start), (word.text, 0))
        places = [place for word in words for place in (word.start, word.end)]
        self.assertEqual(places, sorted(places))

    def test_plain_letters_and_all_else(self) -> None:
        self.assertEqual(
            [word.text for word in words_of("Reunião às 9h, don't_go!")],
            ["reuniao", "as", "9h", "don", "t", "go"],
        )


class ParsingTests(SynchronousTestCase):
    def test_words_prefixes_and_phrases(self) -> None:
        for typed, expected in (
            ("one Two", [(("one",), False), (("two",), False)]),
            ("pre* fix", [(("pre",), True), (("fix",), False)]),
            ('"side by side"', [(("side", "by", "side"), False)]),
            ('"side by"* x', [(("side", "by"), True), (("x",), False)]),
            ('"never closed', [(("never", "closed"), False)]),
            ("don't", [(("don", "t"), False)]),
            ('* ** !!! "" \'\' "..."*', []),
            ("", []),
            ('a"b"c', [(("a",), False), (("b",), False), (("c",), False)]),
        ):
            phrases = [(phrase.words, phrase.prefix) for phrase in parse_search(typed)]
            self.assertEqual(phrases, expected, typed)

    def test_there_is_an_end_to_it(self) -> None:
        words = " ".join(f"word{number}" for number in range(1000))
        self.assertEqual(len(parse_search(words)), MAX_PHRASES)
        # what comes again does not count
        self.assertEqual(len(parse_search(f"{'Word* word* ' * 100}{words}")), MAX_PHRASES)
        (phrase,) = parse_search('"' + "word " * 1000)
        self.assertEqual(len(phrase.words), MAX_PHRASE_WORDS)

    def test_one_prefix_of_a_letter_counts(self) -> None:
        for typed, expected in (
            ("a* b* a* ab* c*", ["a", "ab"]),
            ('é* "b"* b word', ["é", "b", "word"]),
            (" ".join(f"{letter}*" for letter in "0123456789abcdef") + " 10*", ["0", "10"]),
        ):
            self.assertEqual([phrase.typed for phrase in parse_search(typed)], expected, typed)


class QueryTests(IndexCase):
    def test_what_is_found_by_then_is_not_asked_for(self) -> None:
        for typed, expected in (
            ("a* ab* abc", '"abc"'),
            ("re* reunião", '"reunião"'),
            ('a* "b ac d"', '"b ac d"'),
            ("ab* abc*", '"abc" *'),
            ("abc ab", '"abc" AND "ab"'),
            ('"a b"* "a bc"', '"a b" * AND "a bc"'),
        ):
            self.assertEqual(fts_query(parse_search(typed)), expected, typed)

    @settings(deadline=None, max_examples=500)
    @given(QUERIES | st.text(max_size=20), TEXTS | st.text(max_size=20))
    def test_whatever_is_typed_the_index_understands(self, typed: str, text: str) -> None:
        phrases = parse_search(typed)
        if phrases:
            self.index.put(text)
            self.index.has(fts_query(phrases))

    @settings(deadline=None, max_examples=500)
    @given(QUERIES, TEXTS)
    @example("hello", "hello🤷")
    @example("reuniao", "a REUNIÃO")
    @example("reunião", "a reuniao")
    @example('"a b"*', "a bc")
    def test_index_and_marks_agree(self, typed: str, text: str) -> None:
        phrases = parse_search(typed)
        if phrases:
            self.index.put(text)
            self.assertEqual(self.index.has(fts_query(phrases)), find(phrases, text) is not None)

    def test_the_longest_search(self) -> None:
        words = " ".join(f"word{number}" for number in range(1000))
        for typed in (words, f'"{words}', f'"{words}" ' * 100, "(" * 10_000):
            phrases = parse_search(typed)
            if phrases:
                self.assertFalse(self.index.has(fts_query(phrases)))


class MarksTests(SynchronousTestCase):
    def marked(self, typed: str, text: str) -> str | None:
        marks = find(parse_search(typed), text)
        if marks is None:
            return None
        for start, end in reversed(marks):
            text = f"{text[:start]}[{text[start:end]}]{text[end:]}"
        return text

    def test_what_is_marked(self) -> None:
        for typed, text, expected in (
            ("reuniao", "A Reunião, reunião!", "A [Reunião], [reunião]!"),
            ("reunião", "reunia\u0303o", "[reunia\u0303o]"),
            ("re* as", "Reunião às nove", "[Reunião] [às] nove"),
            ('"as nove"', "as oito, às nove", "as oito, [às nove]"),
            ('"as nove" nove', "às nove", "[às nove]"),
            ('"a b" "b c"', "a b c", "[a b c]"),
            ('"a a"', "a a a", "[a a a]"),
            ('"b a"', "a a", None),
            ("re* reuniao", "Reunião, resto", "[Reunião], [resto]"),
            ("one two", "two one", "[two] [one]"),
            ("one two", "one", None),
            ("σοφος", "ΣΟΦΟΣ", "[ΣΟΦΟΣ]"),
            ("hello", "🤷hello🤷", "🤷[hello]🤷"),
        ):
            self.assertEqual(self.marked(typed, text), expected, typed)

    def test_a_phrase_is_what_was_typed(self) -> None:
        self.assertEqual(parse_search("don't!"), [Phrase(("don", "t"), "don't", False)])
        for star in ('"good mor*"', '"good mor"*', '"good mor*"*'):
            self.assertEqual(parse_search(star), [Phrase(("good", "mor"), "good mor", True)])
