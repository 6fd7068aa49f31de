"""The words of explanations: one module a language, all with the same phrases."""

from __future__ import annotations

from kit.language import Language
from services.scoring.rulesets.words.english import English
from services.scoring.rulesets.words.indonesian import Indonesian
from services.scoring.rulesets.words.phrases import Phrases

_PHRASES: dict[Language, Phrases] = {Language.INDONESIAN: Indonesian(), Language.ENGLISH: English()}


def phrases_of(language: Language) -> Phrases:
    """The phrases of a language."""
    return _PHRASES[language]
