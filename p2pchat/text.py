"""Text from outside, made harmless before anybody sees it (docs/protocols.md, 2.12).

Control characters can move the cursor or rewrite what was printed; bidirectional overrides can make
a line read as another. Both are shown as escapes. Everything else stays as it was typed.
"""

import re

# Control characters (C0, DEL, C1), line and paragraph separators, bidirectional embeddings,
# overrides and isolates, surrogates, the byte order mark and interlinear annotation; and what takes
# no room, so that two names can look the same. Direction marks (U+200E, U+200F), joiners and tag
# characters stay: right-to-left text, emoji and some flags need them.
_HOSTILE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b\u2028\u2029\u202a-\u202e"
    "\u2060-\u206f\u3164\ud800-\udfff\ufeff\uffa0\ufff9-\ufffb]"
)


class _Escapes(dict[int, str]):
    """How each hostile character is shown, by its code; made when it is first asked for."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        shown = _escape(code) if _HOSTILE.match(character) else character
        if len(self) < 10_000:
            self[code] = shown
        return shown


def _escape(code: int) -> str:
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


_ESCAPES = _Escapes()


class Visible:
    """Text that is made visible only if somebody writes it: most log lines nobody does."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __str__(self) -> str:
        return visible(self._text)


def visible(text: str, limit: int | None = None) -> str:
    """Show hostile characters of text as escapes; cut it to limit characters if one is given."""
    if limit is not None and len(text) > limit:
        text = text[: limit - 1] + "…"
    if text.isascii() and text.isprintable():
        return text
    return text.translate(_ESCAPES) if _HOSTILE.search(text) else text


def is_printable(text: str) -> bool:
    """Tell whether text has nothing that `visible` would have to change."""
    return _HOSTILE.search(text) is None
