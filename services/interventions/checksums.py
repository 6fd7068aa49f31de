"""What the interventions service holds: interventions, and villages as the registry told of them."""

from __future__ import annotations

from sqlalchemy.orm import join
from sqlmodel import col

from kit.checksums.things import interventions, villages
from services.interventions.interventions.tables import Intervention
from services.interventions.villages.tables import Village

CHECKSUMS = (
    villages(
        Village,
        number=col(Village.id),
        name=col(Village.name),
        region_code=col(Village.region_code),
        status=col(Village.status),
    ),
    interventions(
        join(Intervention, Village, col(Village.id) == col(Intervention.village_id)),
        number=col(Intervention.id),
        version=col(Intervention.version),
        region_code=col(Village.region_code),
        village=col(Intervention.village_id),
        date=col(Intervention.date),
        withdrawn=col(Intervention.withdrawn_at).is_not(None),
    ),
)
