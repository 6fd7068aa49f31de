"""In which language sentences are answered: what the caller accepts, Indonesian otherwise (RFC 9110, 12.5.4)."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from fastapi import Depends, Header, Response


class Language(StrEnum):
    """The languages that sentences are written in."""

    INDONESIAN = "id"
    ENGLISH = "en"


_ALIASES = {"in": Language.INDONESIAN}
"""The code of Indonesian before 1989, which old Java clients still send."""


def preferred(header: str | None) -> Language:
    """The language of the highest quality; of equals the one named first, and Indonesian where none fits."""
    best, quality = Language.INDONESIAN, 0.0
    for part in (header or "").split(","):
        tag, *parameters = (piece.strip() for piece in part.split(";"))
        language = _language(tag)
        own = _quality(parameters)
        if language is not None and own > quality:
            best, quality = language, own
    return best


def _language(tag: str) -> Language | None:
    primary = tag.lower().partition("-")[0]
    if primary == "*":
        return Language.INDONESIAN
    known = {language.value: language for language in Language} | _ALIASES
    return known.get(primary)


def _quality(parameters: list[str]) -> float:
    """The weight of an entry, 1 where none is given; 0 ("not acceptable") where it cannot be read."""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            text = value.strip()
            readable = text.replace(".", "", 1).isdecimal()
            return min(float(text), 1.0) if readable else 0.0
    return 1.0


def headers_of(language: Language) -> dict[str, str]:
    """What an answer says of its language: caches must keep one answer a language."""
    return {"Content-Language": language.value, "Vary": "Accept-Language"}


async def _answer_language(
    response: Response,
    accept_language: Annotated[
        str | None,
        Header(description="Language of sentences: id or en, with quality values; Indonesian where neither fits"),
    ] = None,
) -> Language:
    language = preferred(accept_language)
    response.headers.update(headers_of(language))
    return language


AnswerLanguage = Annotated[Language, Depends(_answer_language)]
"""The language an endpoint's sentences are to be in; its answer says so."""
