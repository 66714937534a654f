"""Words of JSON, which several formats have in common."""

VALUES = (
    b"null", b"true", b"false", b"NaN", b"-Infinity", b"1e400", b"-0.0", b"18446744073709551616",
    b'"\\ud800"', b'"\\u0000"', b"\xed\xa0\x80", b"[[[[[[[[", b'{"":', b'":"', b'","', b"{}", b"[]",
)  # fmt: skip


def keys(*names: str) -> tuple[bytes, ...]:
    """Return the keys of objects as they stand in a line."""
    return tuple(f'"{name}":'.encode() for name in names)
