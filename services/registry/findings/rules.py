"""What does not add up in the reports of one village, month and source.

Rules of the Web Kampung KB forms (sum over PUS, participants within target, users within PUS) and sizes that no desa
has. A rule speaks only where all its numbers were reported: what is missing is not zero. Nothing is repaired.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from contracts.facts import FamilyPlanningFacts, PopulationFacts, ProfileFacts

LARGEST_COUPLES = 50_000
LARGEST_FAMILIES = 100_000
LARGEST_PEOPLE = 500_000
"""No desa or kelurahan is this large; a number above is a typing error or belongs to a larger region."""

PARTICIPANTS_OF = {
    "bkb": ("families_with_under_fives", "keluarga yang memiliki balita"),
    "bkr": ("families_with_adolescents", "keluarga yang memiliki remaja"),
    "bkl": ("families_with_elderly", "keluarga yang memiliki lansia"),
    "uppka": ("families", "jumlah keluarga"),
    "pik_r": ("adolescents", "jumlah remaja"),
}
"""Poktan and the population counter its participants are part of."""


@dataclass(frozen=True)
class Found:
    """One thing that does not add up, in words an officer understands."""

    code: str
    subject: str
    severity: str
    message: str
    numbers: dict[str, int] = field(default_factory=dict)


def check(
    profile: ProfileFacts | None, population: PopulationFacts | None, planning: FamilyPlanningFacts | None
) -> list[Found]:
    """All findings of one village, month and source."""
    found = list(_pokja(profile)) if profile else []
    if population:
        found += _sizes(population)
    if planning:
        found += _users_by_method(planning)
    if planning and population:
        found += _against_couples(planning, population.pus)
        found += _participants(planning, population)
        found += _insured(planning, population)
    return found


def _pokja(profile: ProfileFacts) -> Iterator[Found]:
    members, trained = profile.pokja_members, profile.pokja_trained_members
    if members is not None and trained is not None and trained > members:
        yield Found(
            "trained_above_members",
            "pokja_trained_members",
            "warning",
            f"Anggota pokja terlatih ({trained:,}) lebih banyak daripada anggota pokja ({members:,}).",
            {"trained": trained, "members": members},
        )


def _sizes(population: PopulationFacts) -> Iterator[Found]:
    limits = {
        "pus": LARGEST_COUPLES,
        "families": LARGEST_FAMILIES,
        "adolescents": LARGEST_PEOPLE,
        "families_with_under_fives": LARGEST_FAMILIES,
        "families_with_adolescents": LARGEST_FAMILIES,
        "families_with_elderly": LARGEST_FAMILIES,
    }
    for name, limit in limits.items():
        count = getattr(population, name)
        if count is not None and count > limit:
            yield Found(
                "impossible_size",
                name,
                "error",
                f"{name} = {count:,}: tidak ada desa/kelurahan sebesar itu (batas wajar {limit:,}).",
                {"count": count, "limit": limit},
            )
    if population.families is not None:
        yield from _parts_of_families(population, population.families)
    people = people_of(population)
    if people is not None and population.pus is not None and 2 * population.pus > people:
        yield Found(
            "couples_above_people",
            "pus",
            "error",
            f"PUS ({population.pus:,} pasangan) lebih banyak daripada penduduknya ({people:,} jiwa).",
            {"pus": population.pus, "people": people},
        )


def _parts_of_families(population: PopulationFacts, families: int) -> Iterator[Found]:
    for name in ("families_with_under_fives", "families_with_adolescents", "families_with_elderly"):
        part = getattr(population, name)
        if part is not None and part > families:
            yield Found(
                "part_above_families",
                name,
                "warning",
                f"{name} ({part:,}) lebih banyak daripada jumlah keluarga ({families:,}).",
                {"part": part, "families": families},
            )


def people_of(population: PopulationFacts) -> int | None:
    """People of all ages; None unless every cell of the 16 bands was reported."""
    if population.age_bands is None or len({band.band for band in population.age_bands}) != 16:  # noqa: PLR2004 - the 16 bands of the form
        return None
    cells = [cell for band in population.age_bands for cell in (band.male, band.female)]
    return None if any(cell is None for cell in cells) else sum(cell for cell in cells if cell is not None)


def users_of(planning: FamilyPlanningFacts) -> int | None:
    """Users of the seven methods; None unless all seven were reported."""
    counts = list(planning.methods.model_dump().values())
    return None if any(count is None for count in counts) else sum(counts)


def _users_by_method(planning: FamilyPlanningFacts) -> Iterator[Found]:
    users, total = users_of(planning), planning.users_total
    parts = [users, planning.users_lam, planning.users_traditional]
    if total is None or any(part is None for part in parts):
        return
    by_method = sum(part for part in parts if part is not None)
    if by_method != total:
        yield Found(
            "users_do_not_add_up",
            "users_total",
            "warning",
            f"Peserta KB aktif ({total:,}) tidak sama dengan jumlah per metode ({by_method:,}).",
            {"total": total, "by_method": by_method},
        )


def _against_couples(planning: FamilyPlanningFacts, couples: int | None) -> Iterator[Found]:
    if couples is None:
        return
    users = users_of(planning)
    stated = max((u for u in (users, planning.users_total) if u is not None), default=None)
    if stated is not None and stated > couples:
        yield Found(
            "users_above_couples",
            "users",
            "error",
            f"Peserta KB ({stated:,}) lebih banyak daripada PUS ({couples:,}).",
            {"users": stated, "pus": couples},
        )
    if planning.unmet_need is not None and planning.unmet_need > couples:
        yield Found(
            "unmet_need_above_couples",
            "unmet_need",
            "error",
            f"Unmet need ({planning.unmet_need:,}) lebih banyak daripada PUS ({couples:,}).",
            {"unmet_need": planning.unmet_need, "pus": couples},
        )
    reasons = list(planning.non_users.model_dump().values())
    if users is not None and all(reason is not None for reason in reasons):
        total = users + sum(reasons)
        if total != couples:
            yield Found(
                "couples_do_not_add_up",
                "pus",
                "warning",
                f"Peserta KB ditambah bukan peserta ({total:,}) tidak sama dengan PUS ({couples:,}).",
                {"users": users, "non_users": sum(reasons), "pus": couples},
            )


def _participants(planning: FamilyPlanningFacts, population: PopulationFacts) -> Iterator[Found]:
    for poktan, (counter, words) in PARTICIPANTS_OF.items():
        participants = getattr(planning.poktan_participants, poktan)
        target = getattr(population, counter)
        if participants is not None and target is not None and participants > target:
            yield Found(
                "participants_above_target",
                poktan,
                "warning",
                f"Peserta {poktan.upper().replace('_', '-')} ({participants:,}) melebihi {words} ({target:,}).",
                {"participants": participants, "target": target},
            )


def _insured(planning: FamilyPlanningFacts, population: PopulationFacts) -> Iterator[Found]:
    people = people_of(population)
    if people is not None and planning.bpjs_users is not None and planning.bpjs_users > people:
        yield Found(
            "insured_above_people",
            "bpjs_users",
            "warning",
            f"Pengguna BPJS ({planning.bpjs_users:,}) lebih banyak daripada penduduk ({people:,}).",
            {"bpjs_users": planning.bpjs_users, "people": people},
        )
