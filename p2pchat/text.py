"""Text from outside, made harmless before anybody sees it (docs/protocols.md, 2.12).

Control characters can move the cursor or rewrite what was printed; bidirectional overrides can make
a line read as another. Both are shown as escapes. Everything else stays as it was typed.
"""

import re

# Control characters (C0, DEL, C1), line and paragraph separators, bidirectional embeddings,
# overrides and isolates, surrogates, the byte order mark and interlinear annotation. Direction
# marks (U+200E, U+200F) and tag characters stay: right-to-left text and some flags need them.
_HOSTILE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff\ufff9-\ufffb]"
)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def visible(text: str, limit: int | None = None) -> str:
    """Show hostile characters of text as escapes; cut it to limit characters if one is given."""
    if limit is not None and len(text) > limit:
        text = text[: limit - 1] + "…"
    if text.isascii() and text.isprintable():
        return text
    return _HOSTILE.sub(_escape, text)


def is_printable(text: str) -> bool:
    """Tell whether text has nothing that `visible` would have to change."""
    return _HOSTILE.search(text) is None
