"""Values as JSON, exactly."""

from __future__ import annotations

import json
import math
import re
from typing import Any

MAX_DEPTH = 30
"""Levels of dicts and lists inside one another that the server takes."""
_LONGEST_QUOTE = 64
_ADVICE = {
    "set": "sorted(value)",
    "frozenset": "sorted(value)",
    "bytes": "base64.b64encode(value).decode()",
    "datetime": "value.isoformat()",
    "date": "value.isoformat()",
    "Decimal": "str(value)",
    "UUID": "str(value)",
    "PosixPath": "str(value)",
}


def json_text(field: str, value: Any) -> str:
    """The JSON text of None, booleans, numbers, strings, lists, tuples (as lists) and dicts with string keys.

    Raises ValueError or TypeError with the path of anything else: NaN, a set, a key that is no string, and whatever
    json.dumps would turn into something different. `field` is the first word of the path.
    """
    _check(field, value, [])
    return json.dumps(value, allow_nan=False, ensure_ascii=False)


def _check(path: str, value: Any, inside: list[Any]) -> None:
    if value is None or isinstance(value, (bool, int)):
        return
    if isinstance(value, str):
        _check_text(path, value)
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{path} must be a finite number (got {value}); JSON has no other: write None")
    elif isinstance(value, dict) or _is_list(value):
        if any(value is outer for outer in inside):
            raise ValueError(f"{path} must not contain itself; write what identifies it instead")
        if len(inside) == MAX_DEPTH:
            raise ValueError(f"{path} must not be nested deeper than {MAX_DEPTH} levels")
        inside.append(value)
        for step, member in _members(path, value):
            _check(step, member, inside)
        inside.pop()
    else:
        raise TypeError(f"{path} must be a JSON value (got {_type_of(value)}); write {_advice_for(value)}")


def _is_list(value: Any) -> bool:
    """A named tuple is none: as a list it would lose its names."""
    return isinstance(value, (list, tuple)) and not hasattr(value, "_fields")


def _members(path: str, value: Any) -> list[tuple[str, Any]]:
    if not isinstance(value, dict):
        return [(f"{path}[{i}]", member) for i, member in enumerate(value)]
    for key in value:
        if not isinstance(key, str):
            raise TypeError(f"{path} must have strings as keys (got {_cut(repr(key))}); write str(key)")
        _check_text(f"a key of {path}", key)
    return [(_member_path(path, key), member) for key, member in value.items()]


def _check_text(path: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        half = ord(text[error.start])
        raise ValueError(f"{path} must be Unicode text: \\u{half:x} is half of a surrogate pair") from None


def _member_path(path: str, key: str) -> str:
    if re.fullmatch(r"[A-Za-z_$][\w$]*", key, re.ASCII):
        return f"{path}.{_cut(key)}"
    return f"{path}[{json.dumps(_cut(key), ensure_ascii=False)}]"


def _type_of(value: Any) -> str:
    return f"an instance of {type(value).__name__}"


def _advice_for(value: Any) -> str:
    if hasattr(value, "_asdict"):
        return "value._asdict()"
    if hasattr(value, "__dataclass_fields__"):
        return "dataclasses.asdict(value)"
    return _ADVICE.get(type(value).__name__, "dicts, lists and strings")


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}…"
