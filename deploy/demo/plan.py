"""Which village is to become which class, and why: the district is planned before any fact is drawn.

The numbers by class are the district's own of 30 July 2024 (NEWS-PEKALONGAN): 244 dasar, 22 berkembang, 7 mandiri,
12 berkelanjutan of 285. Everything else is made up: which village has which class, and the reasons.

A plan says how much of everything a village has, so that the index of each dimension lies on the planned side of 3.00
under `web-2021` whatever the dice give. The score behind each span stands beside it. Counts are exact. Percentages of
small villages can come out one point beside the plan after rounding, participation one and a half: the spans keep two
points from the next band (participation: three), unless the denominator is PUS, which is large enough to be exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from contracts.classes import VillageClass
from contracts.facts import ReportKind
from deploy.demo.dice import Dice, Span

REGENCY = "33.26"
PERIOD = "2024-07"
RULESET = "web-2021"
DECREE_NUMBER, DECREE_DATE = "400.13/SIMULASI/2024", "2024-07-30"
"""No decree of anybody: the day is that of the district's own figures, the number says what it is."""
SOURCE_SYSTEM = "demo"
SEED = "kabupaten-pekalongan-2024-07"


@dataclass(frozen=True)
class InputPlan:
    """How many of each: pokja steps (exists, members, trained), funding sources, poktan, facilities, supports."""

    pokja: Span
    funds: Span
    poktan: Span
    facilities: Span
    supports: Span


@dataclass(frozen=True)
class ProsesPlan:
    """How many kinds of data are used, mechanisms carried out, and different actors seen in interventions."""

    data: Span
    mechanisms: Span
    actors: Span


@dataclass(frozen=True)
class OutputPlan:
    """Percentages: participation in poktan, users of PUS, long-acting methods of users, unmet need of PUS."""

    participation: Span
    users: Span
    long_acting: Span
    unmet: Span


# fmt: off
INPUT_STRONG = InputPlan(pokja=(2, 3), funds=(2, 5), poktan=(4, 5), facilities=(2, 2), supports=(2, 2))  # 3-4 3-4 3-4 3 3: 3.00 or more
INPUT_JUST = InputPlan(pokja=(2, 2), funds=(2, 4), poktan=(3, 4), facilities=(2, 2), supports=(2, 2))    # 3 3 3 3 3: 3.00
INPUT_NEAR = InputPlan(pokja=(2, 2), funds=(2, 4), poktan=(3, 4), facilities=(2, 2), supports=(1, 1))    # 3 3 3 3 2: 2.80
INPUT_WEAK = InputPlan(pokja=(0, 2), funds=(0, 1), poktan=(1, 3), facilities=(0, 1), supports=(0, 1))    # at most 3 2 3 2 2: 2.40
INPUT_BARE = InputPlan(pokja=(0, 2), funds=(0, 1), poktan=(3, 3), facilities=(0, 1), supports=(0, 1))    # the same, with room for participation

PROSES_STRONG = ProsesPlan(data=(2, 5), mechanisms=(3, 5), actors=(4, 8))  # 3-4 3-4 3-4: 3.00 or more
PROSES_JUST = ProsesPlan(data=(2, 3), mechanisms=(3, 4), actors=(4, 6))    # 3 3 3: 3.00
PROSES_NEAR = ProsesPlan(data=(2, 3), mechanisms=(3, 4), actors=(2, 3))    # 3 3 2: 2.67
PROSES_WEAK = ProsesPlan(data=(0, 1), mechanisms=(0, 2), actors=(0, 3))    # at most 2 2 2: 2.00
PROSES_OTHERS = ProsesPlan(data=(0, 0), mechanisms=(0, 0), actors=(1, 6))  # at most 1 1 3: 1.67
PROSES_NONE = ProsesPlan(data=(0, 0), mechanisms=(0, 0), actors=(0, 0))    # 1 1 1: 1.00

OUTPUT_STRONG = OutputPlan(participation=(24, 42), users=(54, 70), long_acting=(27, 42), unmet=(4, 8))   # 3-4 4 4 3-4: 3.50 or more
OUTPUT_JUST = OutputPlan(participation=(24, 27), users=(44, 47), long_acting=(27, 36), unmet=(11, 11))   # 3 3 4 2: 3.00
OUTPUT_NEAR = OutputPlan(participation=(13, 17), users=(54, 66), long_acting=(27, 38), unmet=(15, 20))   # 2 4 4 1: 2.75
OUTPUT_MIDDLING = OutputPlan(participation=(13, 17), users=(53, 66), long_acting=(8, 17), unmet=(8, 11))  # 2 4 1 2-3: at most 2.50
OUTPUT_WEAK = OutputPlan(participation=(2, 7), users=(44, 64), long_acting=(6, 17), unmet=(14, 21))      # 1 3-4 1 1: at most 1.75
# fmt: on


class Flaw(StrEnum):
    """What does not add up in a village's reports: the registry makes a finding of it and repairs nothing."""

    USERS_ABOVE_COUPLES = "users_above_couples"
    PARTICIPANTS_ABOVE_TARGET = "participants_above_target"
    COUPLES_TYPED_TWICE = "couples_typed_twice"
    COUPLES_DO_NOT_ADD_UP = "couples_do_not_add_up"
    PART_ABOVE_FAMILIES = "part_above_families"
    TRAINED_ABOVE_MEMBERS = "trained_above_members"


class Gap(StrEnum):
    """What a report leaves blank as a whole."""

    COUPLES = "couples"
    METHODS = "methods"
    REASONS = "reasons"
    PARTICIPANTS = "participants"
    COUNTERS = "counters"


ALL_REPORTS = frozenset(ReportKind)
WITHOUT_PROFILE = ALL_REPORTS - {ReportKind.PROFILE}


@dataclass(frozen=True)
class Story:
    """One way to a class: so many villages, what they have, what they report, how silent their answers are.

    `silence` is the share of profile answers that are left blank instead of given; only stories that must not reach
    3.00 are silent about what they have. `flaws` and `gaps` go to the first villages of the story, one each.
    """

    name: str
    target: VillageClass
    villages: int
    input: InputPlan
    proses: ProsesPlan
    output: OutputPlan
    reports: frozenset[ReportKind] = ALL_REPORTS
    silence: float = 0.0
    flaws: tuple[Flaw, ...] = ()
    gaps: tuple[Gap, ...] = ()


_D, _B, _M, _S = VillageClass
_SILENT = frozenset[ReportKind]()

STORIES = (
    Story("nothing_reported", _D, 36, INPUT_WEAK, PROSES_NONE, OUTPUT_WEAK, reports=_SILENT),
    Story("only_others_work_there", _D, 6, INPUT_WEAK, PROSES_OTHERS, OUTPUT_WEAK, reports=_SILENT),
    Story(
        "only_population", _D, 14, INPUT_WEAK, PROSES_OTHERS, OUTPUT_WEAK, reports=frozenset({ReportKind.POPULATION})
    ),
    Story(
        "answers_left_blank",
        _D,
        34,
        INPUT_WEAK,
        PROSES_WEAK,
        OUTPUT_MIDDLING,
        silence=0.8,
        gaps=(*Gap, *Gap, Gap.COUPLES, Gap.METHODS, Gap.PARTICIPANTS),
    ),
    Story("no_profile_good_output", _D, 18, INPUT_WEAK, PROSES_OTHERS, OUTPUT_STRONG, reports=WITHOUT_PROFILE),
    Story("no_profile_weak_output", _D, 12, INPUT_WEAK, PROSES_OTHERS, OUTPUT_WEAK, reports=WITHOUT_PROFILE),
    Story(
        "weak_everywhere", _D, 50, INPUT_WEAK, PROSES_WEAK, OUTPUT_WEAK, silence=0.1, flaws=(*Flaw, *tuple(Flaw)[:4])
    ),
    Story("equipped_but_idle", _D, 24, INPUT_STRONG, PROSES_WEAK, OUTPUT_MIDDLING),
    Story("busy_but_bare", _D, 10, INPUT_WEAK, PROSES_STRONG, OUTPUT_WEAK),
    Story("good_output_only", _D, 8, INPUT_BARE, PROSES_WEAK, OUTPUT_STRONG),
    Story("one_support_short", _D, 14, INPUT_NEAR, PROSES_STRONG, OUTPUT_WEAK),
    Story("one_sector_short", _D, 10, INPUT_STRONG, PROSES_NEAR, OUTPUT_WEAK),
    Story("output_just_short", _D, 8, INPUT_STRONG, PROSES_WEAK, OUTPUT_NEAR),
    Story(
        "well_managed",
        _B,
        14,
        INPUT_STRONG,
        PROSES_STRONG,
        OUTPUT_WEAK,
        flaws=(Flaw.COUPLES_DO_NOT_ADD_UP, Flaw.TRAINED_ABOVE_MEMBERS),
    ),
    Story("well_managed_and_improving", _B, 5, INPUT_STRONG, PROSES_JUST, OUTPUT_MIDDLING),
    Story("well_managed_output_just_short", _B, 3, INPUT_JUST, PROSES_STRONG, OUTPUT_NEAR),
    Story("equipped_with_results", _M, 3, INPUT_STRONG, PROSES_WEAK, OUTPUT_STRONG),
    Story("equipped_with_results_one_sector_short", _M, 1, INPUT_JUST, PROSES_NEAR, OUTPUT_STRONG),
    Story("busy_with_results_one_support_short", _M, 3, INPUT_NEAR, PROSES_STRONG, OUTPUT_STRONG),
    Story("strong_everywhere", _S, 10, INPUT_STRONG, PROSES_STRONG, OUTPUT_STRONG),
    Story("just_over_every_threshold", _S, 2, INPUT_JUST, PROSES_JUST, OUTPUT_JUST),
)
"""From nothing reported to strong everywhere. What the stories of `dasar` share is only the class."""


@dataclass(frozen=True)
class Planned:
    """A village of the code list with the part it plays."""

    code: str
    name: str
    story: Story
    flaw: Flaw | None = None
    gap: Gap | None = None

    def dice_for(self, topic: str) -> Dice:
        """Dice of this village for one topic: what one topic draws never moves another."""
        return Dice(SEED, self.code, topic)


def planned_counts() -> dict[VillageClass, int]:
    """How many villages are to become each class."""
    return {target: sum(story.villages for story in STORIES if story.target == target) for target in VillageClass}


class WrongDistrict(ValueError):
    """The code list does not hold the villages the plan is for."""


def plan_district(names: dict[str, str]) -> list[Planned]:
    """Give each village (code: name) its story, by code.

    Raises:
        WrongDistrict: there are not as many villages as the stories need.
    """
    needed = sum(planned_counts().values())
    if len(names) != needed:
        raise WrongDistrict(f"The plan is for {needed} villages of {REGENCY}; the code list has {len(names)}.")
    codes = Dice(SEED, "order").shuffled(sorted(names))
    planned = []
    for story in STORIES:
        own, codes = codes[: story.villages], codes[story.villages :]
        planned += [
            Planned(
                code,
                names[code],
                story,
                flaw=story.flaws[place] if place < len(story.flaws) else None,
                gap=story.gaps[place] if place < len(story.gaps) else None,
            )
            for place, code in enumerate(own)
        ]
    return sorted(planned, key=lambda village: village.code)
