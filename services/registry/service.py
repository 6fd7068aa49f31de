"""The registry as a process: its rooms, what it consumes, what runs beside it."""

from __future__ import annotations

from kit.process import Service
from services.registry.aliases.routes import router as aliases
from services.registry.checksums import CHECKSUMS
from services.registry.findings.routes import router as findings
from services.registry.imports.routes import router as imports
from services.registry.imports.worker import run_imports
from services.registry.re_emission import re_emit
from services.registry.regions.routes import router as regions
from services.registry.reports.routes import router as reports
from services.registry.villages.routes import router as villages

SERVICE = Service(
    name="registry",
    title="Village registry",
    description="Regions, Kampung KB, their dated reports, imports, and what does not add up.",
    routers=(regions, villages, reports, findings, imports, aliases),
    workers=(run_imports,),
    checksums=CHECKSUMS,
    re_emit=re_emit,
    tags={
        "villages": "Kampung KB: satu yang aktif di setiap desa/kelurahan",
        "reports": "Laporan bulanan: profil, kependudukan, program Bangga Kencana; yang kosong berarti belum dilaporkan",
        "findings": "Temuan: angka yang tidak cocok; ditampilkan, tidak pernah diperbaiki sendiri",
        "imports": "Impor tabel SIGA apa adanya, dengan hasil untuk setiap baris",
        "regions": "Daftar resmi wilayah (kode Kemendagri)",
    },
)
