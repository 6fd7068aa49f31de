"""Which facts a ruleset can ask for: read off the shared fact models, so that nothing is listed twice."""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin

from contracts.facts import FACTS_OF, Facts

INTERVENTIONS = "interventions"
"""The one input that is not part of a report: what was done in the village, with the actors that took part."""


class InputKind(StrEnum):
    """What an input's value is."""

    ANSWER = "answer"
    COUNT = "count"
    CHOICES = "choices"
    INTERVENTIONS = "interventions"


@dataclass(frozen=True)
class FactInput:
    """One fact: dotted path (report kind first), kind of value and, for choices, the codes that exist."""

    path: str
    kind: InputKind
    choices: tuple[str, ...] = ()


@cache
def fact_inputs() -> dict[str, FactInput]:
    """All facts a ruleset may refer to, by path."""
    found = {INTERVENTIONS: FactInput(INTERVENTIONS, InputKind.INTERVENTIONS)}
    for kind, model in FACTS_OF.items():
        found |= {item.path: item for item in _of_model(kind.value, model)}
    return found


def _of_model(prefix: str, model: type[Facts]) -> Iterator[FactInput]:
    for name, field in model.model_fields.items():
        path = f"{prefix}.{name}"
        for plain in _plain_types(field.annotation):
            if isinstance(plain, type) and issubclass(plain, Facts):
                yield from _of_model(path, plain)
            elif plain is bool:
                yield FactInput(path, InputKind.ANSWER)
            elif plain is int:
                yield FactInput(path, InputKind.COUNT)
            elif get_origin(plain) is list and issubclass(get_args(plain)[0], StrEnum):
                yield FactInput(path, InputKind.CHOICES, tuple(code.value for code in get_args(plain)[0]))


def _plain_types(annotation: Any) -> Iterator[Any]:
    """The types of an annotation without None and without Annotated's extras."""
    if get_origin(annotation) is Annotated:
        yield from _plain_types(get_args(annotation)[0])
    elif get_origin(annotation) in {Union, types.UnionType}:
        for part in get_args(annotation):
            yield from _plain_types(part)
    elif annotation is not types.NoneType:
        yield annotation
