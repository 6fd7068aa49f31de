"""The interventions service as a process: its rooms and what it consumes."""

from __future__ import annotations

from kit.process import Service
from services.interventions.actors.routes import router as actors
from services.interventions.catalogue.routes import router as catalogue
from services.interventions.checksums import CHECKSUMS
from services.interventions.interventions.routes import router as interventions
from services.interventions.re_emission import re_emit
from services.interventions.rebuilding import PROJECTION
from services.interventions.villages.actions import SUBSCRIPTIONS

SERVICE = Service(
    name="interventions",
    title="Interventions",
    description="What is done at the Kampung KB and by whom; the actor list and the catalogue of Inpres 3/2022.",
    routers=(actors, catalogue, interventions),
    subscriptions=SUBSCRIPTIONS,
    checksums=CHECKSUMS,
    projection=PROJECTION,
    re_emit=re_emit,
    tags={
        "interventions": "Intervensi: apa yang dilakukan di Kampung KB, kapan, dan oleh siapa",
        "actors": "Daftar pelaksana (OPD dan mitra pentahelix)",
        "catalogue": "Katalog Inpres 3/2022, fungsi keluarga, sasaran, sumber dana",
    },
)
