"""What this service knows from others' events, how it is made anew, and how assessments follow."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from kit import projection_lock
from kit.rebuilds import Projected, Projection, Settled
from services.scoring.assessments.actions import assess
from services.scoring.facts.actions import fold_registry_events
from services.scoring.facts.tables import ReportedFacts
from services.scoring.histories.rules import EVERY_PERIOD
from services.scoring.interventions.actions import fold_intervention_events
from services.scoring.interventions.tables import Intervention
from services.scoring.villages import store as villages
from services.scoring.villages.tables import Village


async def settle_assessments(session: AsyncSession, after: str | None, limit: int) -> tuple[Settled, str | None]:
    """Assess the next villages after an id as what was last told of them says: nothing is told twice."""
    await projection_lock.take_shared(session)
    ids = await villages.next_ids(session, None if after is None else UUID(after), limit)
    await villages.lock(session, ids)
    found = await assess(session, dict.fromkeys(ids, EVERY_PERIOD), anew=True)
    return Settled(found.villages, found.written, found.news), str(ids[-1]) if len(ids) == limit else None


PROJECTION = Projection(
    tables=(
        Projected(
            Village.__table__,  # type: ignore[attr-defined]  # SQLModel adds __table__ at run time
            version="version",
            dependents={"assessments": "village_id"},
        ),
        Projected(ReportedFacts.__table__),  # type: ignore[attr-defined]  # as above
        Projected(Intervention.__table__),  # type: ignore[attr-defined]  # as above
    ),
    folds={"KKB_REGISTRY": fold_registry_events, "KKB_INTERVENTIONS": fold_intervention_events},
    settle=settle_assessments,
)
