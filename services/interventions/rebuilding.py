"""What this service knows from the registry's events, and how it is made anew."""

from __future__ import annotations

from kit.rebuilds import Projected, Projection
from services.interventions.villages.actions import refresh_villages
from services.interventions.villages.tables import Village

PROJECTION = Projection(
    tables=(
        Projected(
            Village.__table__,  # type: ignore[attr-defined]  # SQLModel adds __table__ at run time
            version="version",
            # what somebody recorded stays, also where its village turns out never to have been
            kept="EXISTS (SELECT FROM public.interventions i WHERE i.village_id = l.id)",
        ),
    ),
    folds={"KKB_REGISTRY": refresh_villages},
)
