"""Actions and obstacles in sentences, Indonesian and English, told from the ruleset's own labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.scoring.paths.levers import Change
from services.scoring.paths.rules import Blocked, Improvement, Obstacle
from services.scoring.paths.serving import actor_name, people
from services.scoring.rulesets.document import Direction, Indicator, Labels, Ruleset, operands
from services.scoring.rulesets.engine import NOT_ASSESSABLE, Engine, as_decimal
from services.scoring.rulesets.inputs import InputKind, fact_inputs

_REPORTS = {
    "profile": Labels(id="profil", en="profile"),
    "population": Labels(id="kependudukan", en="population"),
    "family_planning": Labels(id="program Bangga Kencana", en="family planning"),
}
_WHY = {
    "denominator_zero": Labels(id="{fact} dilaporkan 0", en="{fact} is reported as 0"),
    "too_few_people": Labels(id="jumlahnya tidak cukup: {fact}", en="there are too few: {fact}"),
    "no_more_choices": Labels(id="semua pilihan sudah dipakai", en="every choice is used already"),
    "no_more_actors": Labels(
        id="semua macam pelaksana sudah terlibat", en="every kind of institution takes part already"
    ),
    "implausible": Labels(id="angka yang dilaporkan melebihi {fact}", en="the figure that was reported exceeds {fact}"),
    "not_reported": Labels(id="laporan {fact} belum ada", en="there is no {fact} report"),
    "not_improvable": Labels(
        id="tidak ada yang dapat diubah oleh Kampung KB", en="there is nothing that the village can change"
    ),
    "top_of_ruleset": Labels(id="aturan tidak memberi skor lebih tinggi", en="the ruleset gives no higher score"),
}


@dataclass(frozen=True)
class _Language:
    """One language: which label it takes, and how it writes whole numbers."""

    pick: Callable[[Labels], str]
    number: Callable[[int], str]
    indonesian: bool

    def say(self, indonesian: str, english: str) -> str:
        return indonesian if self.indonesian else english


_ID = _Language(lambda labels: labels.id, lambda number: f"{number:,}".replace(",", "."), indonesian=True)
_EN = _Language(lambda labels: labels.en, lambda number: f"{number:,}", indonesian=False)


def action(engine: Engine, improvement: Improvement, reports: Sequence[str]) -> Labels:
    """What to do for one indicator; `reports` are those to be made for the first time that it rests on."""
    indicator = engine.indicators[improvement.place].indicator
    texts = [_Teller(engine.ruleset, indicator, language).told(improvement.changes, reports) for language in (_ID, _EN)]
    return Labels(id=texts[0], en=texts[1])


class _Teller:
    """Tells the changes of one indicator in one language."""

    def __init__(self, ruleset: Ruleset, indicator: Indicator, language: _Language) -> None:
        self.indicator = indicator
        self.language = language
        self.own = {leaf.input for leaf in operands(indicator.formula)}
        self.labels = {label.path: label for label in ruleset.inputs}

    def told(self, changes: Sequence[Change], reports: Sequence[str]) -> str:
        kinds = {kind: [one for one in changes if fact_inputs()[one.path].kind is kind] for kind in InputKind}
        parts = [
            *self._reports(reports),
            *self._answers(kinds[InputKind.ANSWER]),
            *(self._choices(one) for one in kinds[InputKind.CHOICES]),
            *self._counts(kinds[InputKind.COUNT]),
            *(self._actors(one) for one in kinds[InputKind.INTERVENTIONS]),
        ]
        text = "; ".join(parts)
        return f"{text[:1].upper()}{text[1:]}."

    def _reports(self, reports: Sequence[str]) -> list[str]:
        names = [self.language.pick(_REPORTS[kind]) for kind in reports]
        return [
            self.language.say(f"laporkan {name} untuk bulan ini", f"report {name} for this month") for name in names
        ]

    def _answers(self, changes: Sequence[Change]) -> list[str]:
        say = self.language.say
        parts = {
            say("adakan", "bring about"): [one for one in changes if one.after and one.before is not None],
            say("laporkan, atau adakan", "report, or bring about"): [
                one for one in changes if one.after and one.before is None
            ],
            say("laporkan", "report"): [one for one in changes if not one.after],
        }
        return [f"{verb}: {', '.join(self._label(one.path) for one in some)}" for verb, some in parts.items() if some]

    def _choices(self, change: Change) -> str:
        had = change.before or []
        more = [code for code in change.after if code not in had]
        names = {code: self.language.pick(one) for code, one in (self.labels[change.path].choices or {}).items()}
        if not more:
            return self.language.say("laporkan", "report") + f": {self._label(change.path)}"
        shown, unit = ", ".join(names[code] for code in more), self.language.pick(self.indicator.unit)
        return self.language.say(
            f"tambah {len(more)} {unit}, misalnya {shown}", f"{len(more)} more {unit}, for example {shown}"
        )

    def _actors(self, change: Change) -> str:
        codes = [code for one in change.after[len(change.before or []) :] for code in one["actors"]]
        unit = self.language.pick(self.indicator.unit)
        shown = ", ".join(actor_name(code) for code in codes)
        return self.language.say(
            f"libatkan {len(codes)} {unit} lain dalam intervensi, misalnya {shown}",
            f"{len(codes)} more {unit} to take part in interventions, for example {shown}",
        )

    def _counts(self, changes: Sequence[Change]) -> list[str]:
        stated = [one for one in changes if one.before is None and one.path in self.own]
        return [*self._stated(stated), *self._moved([one for one in changes if one.before is not None])]

    def _stated(self, changes: Sequence[Change]) -> list[str]:
        if not changes:
            return []
        supposed = self.language.say("diandaikan", "supposed")
        figures = [f"{self._label(one.path)} ({supposed} {self.language.number(one.after)})" for one in changes]
        return [self.language.say("laporkan untuk bulan ini: ", "report for this month: ") + ", ".join(figures)]

    def _moved(self, changes: Sequence[Change]) -> list[str]:
        """What the indicator itself asks for first; where these people come from or go to after it."""
        falling = self.indicator.direction is Direction.LOWER
        wanted = [one for one in changes if one.path in self.own and (one.after < one.before) is falling]
        rest = [one for one in changes if one not in wanted and one.after != one.before]
        return [*(self._change(one) for one in wanted), *(self._other(one) for one in rest)]

    def _change(self, change: Change) -> str:
        words, by = people(change.path), abs(change.after - change.before)
        who = self._label(change.path) if words is None else self.language.pick(words)
        number, seen = self.language.number(by), self._from_to(change)
        if change.after > change.before:
            return self.language.say(f"tambah {number} {who} ({seen})", f"{number} more {who} ({seen})")
        return self.language.say(f"kurangi {number} {who} ({seen})", f"{number} fewer {who} ({seen})")

    def _other(self, change: Change) -> str:
        label, seen = self._label(change.path), self._from_to(change)
        return self.language.say(f"dengan itu {label} {seen}", f"with it {label} {seen}")

    def _from_to(self, change: Change) -> str:
        before, after = self.language.number(change.before), self.language.number(change.after)
        return self.language.say(f"{before} menjadi {after}", f"{before} to {after}")

    def _label(self, path: str) -> str:
        label = self.labels.get(path)
        return path if label is None else self.language.pick(label.labels)


def because(engine: Engine, blocked: Blocked) -> Labels:
    """Why a dimension stays below its threshold."""
    return Labels(id=_because(engine, blocked, _ID), en=_because(engine, blocked, _EN))


def _because(engine: Engine, blocked: Blocked, language: _Language) -> str:
    dimension = engine.ruleset.dimensions[blocked.dimension]
    name = language.pick(dimension.labels)
    reasons = "; ".join(_obstacle(engine, one, language) for one in blocked.obstacles)
    if blocked.highest == NOT_ASSESSABLE:
        text = language.say(f"Indeks {name} tidak dapat dinilai", f"The {name} index cannot be assessed")
    else:
        index = _decimal(as_decimal(blocked.highest, dimension.rounding.decimals), language)
        threshold = _decimal(str(dimension.threshold), language)
        text = language.say(
            f"Indeks {name} paling tinggi {index}, di bawah ambang {threshold}",
            f"The {name} index is {index} at most, below the threshold {threshold}",
        )
    return f"{text}: {reasons}." if reasons else f"{text}."


def _obstacle(engine: Engine, obstacle: Obstacle, language: _Language) -> str:
    name = language.pick(engine.indicators[obstacle.place].indicator.labels)
    why = language.pick(_WHY[obstacle.code]).format(fact=_fact(engine, obstacle.path, language))
    if obstacle.best == NOT_ASSESSABLE:
        return language.say(f"{name} tidak dapat dinilai ({why})", f"{name} cannot be assessed ({why})")
    return language.say(
        f"skor {name} paling tinggi {obstacle.best} ({why})", f"{name} scores {obstacle.best} at most ({why})"
    )


def _fact(engine: Engine, path: str | None, language: _Language) -> str:
    if path in _REPORTS:
        return language.pick(_REPORTS[path])
    labels = {label.path: label.labels for label in engine.ruleset.inputs}
    return language.pick(labels[path]) if path in labels else path or ""


def _decimal(text: str | None, language: _Language) -> str:
    shown = text or ""
    return shown.replace(".", ",") if language.indonesian else shown
