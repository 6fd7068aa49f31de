"""Village facts for tests, in the shape of the parity cases."""

from __future__ import annotations

import copy
from typing import Any

FUNDING = ["apbn", "apbd", "dana_desa", "donation", "csr", "self_help"]
DATA = ["family_data", "bkkbn_routine", "village_potential", "sectoral", "other"]
POKTAN = ["bkb", "bkr", "bkl", "uppka", "pik_r"]
MECHANISMS = ["planning_meeting", "coordination_meeting", "outreach", "monitoring_evaluation", "reporting"]


def first(names: list[str], count: int) -> dict[str, bool]:
    return {name: place < count for place, name in enumerate(names)}


def profile(*, funds: int = 3, groups: int = 5, data: int = 3, mechanisms: int = 5, **fields: Any) -> dict[str, Any]:
    return {
        "pokja": True,
        "pokja_members": 20,
        "pokja_trained": True,
        "plkb_companion": True,
        "local_regulation": True,
        "funding_sources": FUNDING[:funds],
        "poktan": first(POKTAN, groups),
        "secretariat": True,
        "rumah_dataku": True,
        "data_use": DATA[:data],
        "mechanisms": first(MECHANISMS, mechanisms),
    } | fields


def population(**fields: int | None) -> dict[str, int | None]:
    counters: dict[str, int | None] = {
        "families": 100,
        "pus": 100,
        "adolescents": 100,
        "families_with_under_fives": 100,
        "families_with_adolescents": 100,
        "families_with_elderly": 100,
    }
    return counters | fields


def family_planning(
    *, participation: int = 31, users: int = 60, long_acting: int = 16, unmet: int = 7
) -> dict[str, Any]:
    """Percent of everybody asked; `users` and `unmet` are couples out of 100, `long_acting` of the users."""
    methods = {
        "iud": long_acting,
        "mow": 0,
        "mop": 0,
        "implant": 0,
        "condom": 0,
        "injection": users - long_acting,
        "pill": 0,
    }
    return {
        "poktan_participants": dict.fromkeys(POKTAN, participation),
        "methods": methods,
        "non_users": {"pregnant": 0, "wants_child_soon": 0, "wants_child_later": unmet, "wants_no_more": 0},
    }


def interventions(actors: int) -> list[dict[str, Any]]:
    return [{"actors": [actor]} for actor in range(1, actors + 1)] + [{"actors": []}]


def village(**fields: Any) -> dict[str, Any]:
    """Case A of the worked cases unless told otherwise."""
    made = {
        "profile": profile(),
        "population": population(),
        "family_planning": family_planning(),
        "interventions": interventions(5),
    }
    return copy.deepcopy(made | fields)
