# What cffi makes of md5.h, as far as it can be said in types.

from typing import Any

class _Lib:
    def md5_lanes(self) -> int: ...
    def md5_search(
        self, prefix: bytes, size: int, code: Any, tries: int, mask: int, lanes: int
    ) -> int: ...
    def md5_first_invalid(self, chats: Any, start: int, stop: int, lanes: int) -> int: ...

ffi: Any
lib: _Lib
