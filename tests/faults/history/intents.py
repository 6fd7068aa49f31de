"""What clients want, drawn from a seed and from nothing else.

A client's n-th intent depends on the seed, the client's number and n alone, never on what was answered: the same seed
gives the same schedule of choices however the requests interleave. What an intent is applied to (the present ETag, the
k-th of the interventions that are known) is looked up when its turn comes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

from contracts.facts import ReportKind
from tests.faults.history.record import Action

DESA = tuple(f"33.26.{district:02}.{number}" for district in (1, 2, 3) for number in (2001, 2002, 2003))
"""Few, so that clients meet; real codes of the code list, in three districts of one regency."""
PERIODS = ("2025-08", "2025-09")
SOURCES = ("manual", "siga")
ACTORS = (
    "dinas-kesehatan",
    "dinas-sosial",
    "dinas-pendidikan",
    "dinas-koperasi",
    "swasta",
    "media",
    "dinas-pertanian",
    "lembaga-pendidikan",
    "puskesmas",
    "dinas-dukcapil",
    "bps",
    "tni-polri",
)
FUNCTIONS = ("ekonomi", "reproduksi", "keagamaan")

_WEIGHTS: dict[Action, int] = {
    "register": 5,
    "change": 7,
    "report": 30,
    "record": 13,
    "correct": 9,
    "withdraw": 10,
    "read village": 7,
    "read report": 6,
    "read intervention": 4,
    "read class": 9,
}
IfMatch = Literal["right", "stale", "missing"]


@dataclass(frozen=True)
class Intent:
    """One thing a client wants to do next."""

    action: Action
    pause: float
    """Seconds to think before it."""
    patience: float
    """Seconds to wait for an answer."""
    replica: int
    """Which of a service's processes is asked first; repetitions go on to the next."""
    repeats: int
    """How often it is sent again after an unknown outcome."""
    twice: bool
    """Whether it is sent two times at once, as an impatient person does."""
    desa: str
    by_code: bool
    """Whether the village is named by its region code rather than by its id."""
    if_match: IfMatch
    pick: float
    """Which of the things that are known, as a share from 0 up to 1."""
    simulated: bool
    kind: ReportKind
    period: str
    source: str
    facts: dict[str, Any]
    status: Literal["active", "inactive"] | None
    actors: tuple[str, ...]
    function: str
    day: str
    participants: int | None


def intents(seed: str, client: int) -> Iterator[Intent]:
    """The endless list of what a client wants."""
    random = Random(f"{seed}/client/{client}")
    while True:
        # an own stream for each: one more number drawn for an intent does not change all that follow
        yield _intent(Random(random.getrandbits(64)))


def _intent(random: Random) -> Intent:
    kind = random.choice(tuple(ReportKind))
    return Intent(
        action=random.choices(tuple(_WEIGHTS), tuple(_WEIGHTS.values()))[0],
        pause=min(random.expovariate(12), 0.5),
        patience=random.choice((1.0, 3.0, 8.0)),
        replica=random.randrange(64),
        repeats=random.choice((0, 1, 3, 6)),
        twice=random.random() < 0.06,
        desa=random.choice(DESA),
        by_code=random.random() < 0.4,
        if_match=random.choices(("right", "stale", "missing"), (70, 18, 12))[0],
        pick=random.random(),
        simulated=random.random() < 0.15,
        kind=kind,
        period=random.choices(PERIODS, (1, 3))[0],
        source=random.choices(SOURCES, (3, 1))[0],
        facts=_FACTS[kind](random),
        status=random.choices((None, "active", "inactive"), (80, 10, 10))[0],
        actors=tuple(random.sample(ACTORS, random.choice((1, 1, 2, 3)))),
        function=random.choice(FUNCTIONS),
        day=f"2025-0{random.randint(1, 9)}-{random.randint(1, 28):02}",
        participants=random.choice((None, 0, random.randint(1, 400))),
    )


def _answer(random: Random, strength: float) -> bool | None:
    return None if random.random() < 0.1 else random.random() < strength


def _count(random: Random, most: int) -> int | None:
    return None if random.random() < 0.08 else random.randint(0, max(0, most))


def _some(random: Random, choices: tuple[str, ...], strength: float) -> list[str] | None:
    return None if random.random() < 0.08 else [one for one in choices if random.random() < strength]


def _profile(random: Random) -> dict[str, Any]:
    strength = random.choice((0.2, 0.6, 0.95))
    questions = ("pokja", "pokja_decree", "pokja_trained", "plkb_companion", "local_regulation", "work_plan")
    facilities = ("secretariat", "rumah_dataku")
    mechanisms = ("planning_meeting", "coordination_meeting", "outreach", "monitoring_evaluation", "reporting")
    return {
        **{name: _answer(random, strength) for name in questions + facilities},
        "pokja_members": _count(random, 30),
        "pokja_trained_members": _count(random, 30),
        "funding_sources": _some(random, ("apbn", "apbd", "dana_desa", "donation", "csr", "self_help"), strength),
        "data_use": _some(random, ("family_data", "bkkbn_routine", "village_potential", "sectoral"), strength),
        "poktan": {name: _answer(random, strength) for name in ("bkb", "bkr", "bkl", "uppka", "pik_r")},
        "mechanisms": {name: _answer(random, strength) for name in mechanisms},
    }


def _population(random: Random) -> dict[str, Any]:
    families = random.randint(200, 3000)
    parts = ("adolescents", "families_with_under_fives", "families_with_adolescents", "families_with_elderly")
    return {
        "families": families,
        "pus": _count(random, families),
        **{name: _count(random, families) for name in parts},
        "age_bands": random.choice((None, [], [{"band": "0-4", "male": 12, "female": _count(random, 40)}])),
    }


def _family_planning(random: Random) -> dict[str, Any]:
    most = random.choice((20, 300))
    groups = {
        "poktan_participants": ("bkb", "bkr", "bkl", "uppka", "pik_r"),
        "methods": ("iud", "mow", "mop", "implant", "condom", "injection", "pill"),
        "non_users": ("pregnant", "wants_child_soon", "wants_child_later", "wants_no_more"),
    }
    facts: dict[str, Any] = {group: {name: _count(random, most) for name in names} for group, names in groups.items()}
    return {**facts, "users_total": _count(random, 7 * most), "unmet_need": _count(random, most)}


_FACTS = {
    ReportKind.PROFILE: _profile,
    ReportKind.POPULATION: _population,
    ReportKind.FAMILY_PLANNING: _family_planning,
}
