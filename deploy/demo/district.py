"""The whole demonstration district as requests to the platform, drawn from nothing but the names of its villages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from contracts.facts import AnyFacts, Poktan, ReportKind
from deploy.demo.family_planning import draw_family_planning
from deploy.demo.interventions import draw_interventions
from deploy.demo.plan import PERIOD, SOURCE_SYSTEM, Planned, plan_district
from deploy.demo.population import draw_population
from deploy.demo.profile import POKTAN, draw_profile
from deploy.demo.reporting import reported

_LAUNCH_YEARS = (2016, 2024)


@dataclass(frozen=True)
class DemoVillage:
    """A village with everything that is recorded of it."""

    planned: Planned
    reports: dict[ReportKind, AnyFacts]
    interventions: list[dict[str, Any]]

    @property
    def registration(self) -> dict[str, Any]:
        """Body for POST /api/v1/villages. No decree and no coordinates: made up, they would look like evidence."""
        return {
            "region_code": self.planned.code,
            "name": f"Kampung KB {self.planned.name} (simulasi)",
            "launch_year": self.planned.dice_for("launch").between(_LAUNCH_YEARS),
            "coverage": "desa",
            "simulated": True,
            "source_system": SOURCE_SYSTEM,
        }

    def report_body(self, kind: ReportKind) -> dict[str, Any]:
        """Body of one report."""
        return {
            "period": PERIOD,
            "facts": self.reports[kind].model_dump(mode="json"),
            "simulated": True,
            "source_system": SOURCE_SYSTEM,
        }


def make_district(names: dict[str, str]) -> list[DemoVillage]:
    """All villages of the district (code: name), by code; the same names always give the same district.

    Raises:
        WrongDistrict: the plan is for another number of villages.
    """
    return [_make_village(planned) for planned in plan_district(names)]


def _make_village(planned: Planned) -> DemoVillage:
    profile, population = draw_profile(planned), draw_population(planned)
    # Without a profile nothing says which groups meet, so all of them may.
    present = _groups(profile.poktan) if ReportKind.PROFILE in planned.story.reports else POKTAN
    planning = draw_family_planning(planned, population, present)
    return DemoVillage(planned, reported(planned, profile, population, planning), draw_interventions(planned))


def _groups(poktan: Poktan) -> tuple[str, ...]:
    return tuple(group for group in POKTAN if getattr(poktan, group))
