"""The scoring service as a process: its rooms, what it consumes, what runs beside it."""

from __future__ import annotations

from kit.inbox import Subscription
from kit.process import Service
from services.scoring.assessments.actions import keep_up_to_date
from services.scoring.assessments.routes import router as assessments
from services.scoring.checksums import CHECKSUMS
from services.scoring.class_counts.actions import keep_tallies_short
from services.scoring.class_counts.routes import router as class_counts
from services.scoring.comparisons.routes import router as comparisons
from services.scoring.determinations.routes import router as determinations
from services.scoring.exports.routes import router as exports
from services.scoring.facts.actions import take_registry_events
from services.scoring.histories.routes import router as histories
from services.scoring.interventions.actions import take_intervention_events
from services.scoring.paths.routes import router as paths
from services.scoring.rebuilding import PROJECTION
from services.scoring.recomputations.routes import router as recomputations
from services.scoring.recomputations.worker import run_recomputations
from services.scoring.report_tables.routes import router as report_tables
from services.scoring.rulesets.routes import router as rulesets
from services.scoring.what_ifs.routes import router as what_ifs

SERVICE = Service(
    name="scoring",
    title="Scoring",
    description="Rulesets as published data, the class of every Kampung KB under them, and why.",
    routers=(
        exports,  # before assessments: export.csv is no village
        assessments,
        histories,
        what_ifs,
        paths,
        class_counts,
        report_tables,
        recomputations,
        determinations,
        rulesets,
        comparisons,
    ),
    subscriptions=(
        Subscription("scoring-registry", "KKB_REGISTRY", "kkb.registry.>", take_registry_events),
        Subscription("scoring-interventions", "KKB_INTERVENTIONS", "kkb.interventions.>", take_intervention_events),
    ),
    workers=(keep_up_to_date, keep_tallies_short, run_recomputations),
    checksums=CHECKSUMS,
    projection=PROJECTION,
    tags={
        "assessments": "Kelas Kampung KB dan alasannya, sampai angka terakhir; jumlah per wilayah",
        "determinations": "Penetapan kelas suatu wilayah untuk satu periode: daftar tetap dengan sidik, keputusan, dan ekspor",
        "recomputations": "Menilai ulang semua Kampung KB suatu wilayah, sebagai pekerjaan di latar belakang",
        "rulesets": "Aturan klasifikasi sebagai data; menilai contoh tanpa menyimpannya",
    },
)
