"""Turns comparisons into what the API answers: a summary, and a table with a line for every village."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from contracts.regions import RegionLevel
from kit.spreadsheets import Cell, Column, Sheet
from services.scoring.assessments.presenting import ruleset_used
from services.scoring.assessments.schemas import texts
from services.scoring.comparisons.comparing import CLASSES, Compared, IndicatorTally, Pair, Summary
from services.scoring.comparisons.schemas import ComparisonOut, IndicatorComparison, RegionComparison, Transition
from services.scoring.comparisons.store import NamedVillage
from services.scoring.rulesets.engine import Engine


def comparison(summary: Summary, region: str | None, by: RegionLevel, names: Mapping[str, str]) -> ComparisonOut:
    """The summary of a region; `names` are those of the region and its parts, as far as they are known."""
    parts = sorted({part for part, _, _ in summary.villages})
    return ComparisonOut(
        a=ruleset_used(summary.pair.a),
        b=ruleset_used(summary.pair.b),
        by=by,
        total=_region(summary, parts, region, names),
        items=[_region(summary, [part], part, names) for part in parts],
        indicators=[_indicator(summary.pair, one) for one in summary.indicators],
        decided_by_none=summary.decided_by_none,
    )


def _region(summary: Summary, parts: Sequence[str], code: str | None, names: Mapping[str, str]) -> RegionComparison:
    wanted = set(parts)
    villages: Counter[tuple[int, int]] = Counter()
    simulated: Counter[tuple[int, int]] = Counter()
    for found, own in ((summary.villages, villages), (summary.simulated, simulated)):
        for (part, before, after), count in found.items():
            if part in wanted:
                own[before, after] += count
    return RegionComparison(
        region_code=code,
        region_name=None if code is None else names.get(code),
        villages=villages.total(),
        changed=sum(count for (before, after), count in villages.items() if before != after),
        simulated=simulated.total(),
        transitions=[
            Transition(
                from_class=CLASSES[move[0]], to_class=CLASSES[move[1]], villages=count, simulated=simulated[move]
            )
            for move, count in sorted(villages.items())
        ],
    )


def _indicator(pair: Pair, tally: IndicatorTally) -> IndicatorComparison:
    in_a, in_b = tally.code in pair.a.codes, tally.code in pair.b.codes
    labelled = pair.a if in_a else pair.b
    return IndicatorComparison(
        code=tally.code,
        labels=texts(_indicator_labels(labelled, tally.code)),
        in_a=in_a,
        in_b=in_b,
        differs=tally.differs,
        differs_where_changed=tally.differs_where_changed,
        decided_alone=tally.decided_alone if in_a and in_b else None,
    )


def _indicator_labels(engine: Engine, code: str) -> object:
    return engine.indicators[engine.codes.index(code)].indicator.labels


def sheet(a: Engine, b: Engine, region: str | None) -> Sheet:
    """The table of villages: what it is called and its columns."""
    names = f"{a.ruleset.id} dan {b.ruleset.id}"
    headings = (
        "Kode wilayah",
        "Provinsi",
        "Kabupaten/Kota",
        "Kecamatan",
        "Desa/Kelurahan",
        "Nama Kampung KB",
        f"Kelas menurut {a.ruleset.id}",
        f"Kelas menurut {b.ruleset.id}",
        "Kelas berubah",
        "Indikator yang skornya berbeda",
        "Indikator yang sendirian mengubah kelas",
        "Data simulasi",
    )
    parts = ("perbandingan", a.ruleset.id, b.ruleset.id, *([] if region is None else [region]))
    return Sheet("-".join(parts), f"Perbandingan {names}", [Column(heading) for heading in headings])


def lines(
    compared: Compared, villages: Sequence[NamedVillage], simulated: Sequence[bool], *, changed_only: bool
) -> Iterator[Sequence[Cell]]:
    """A line for every village of a batch, or only for those whose class changes."""
    changed = compared.changed.tolist()
    for row, village in enumerate(villages):
        if changed_only and not changed[row]:
            continue
        yield (
            village.region_code,
            village.province,
            village.regency,
            village.district,
            village.village,
            village.name,
            _class(int(compared.classes_a[row])),
            _class(int(compared.classes_b[row])),
            _yes(changed[row]),
            "; ".join(f"{code} {_score(own)} -> {_score(other)}" for code, own, other in compared.differences(row)),
            "; ".join(code for code, does in zip(compared.pair.codes, compared.alone[row], strict=True) if does),
            _yes(simulated[row]),
        )


def _class(place: int) -> str:
    found = CLASSES[place]
    return "tidak dapat dinilai" if found is None else found.value


def _score(score: int | None) -> str:
    return "tidak dinilai" if score is None else str(score)


def _yes(answer: bool) -> str:
    return "ya" if answer else "tidak"
