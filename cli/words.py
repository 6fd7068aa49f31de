"""Indonesian words for the codes that the platform answers with."""

from __future__ import annotations

PROBLEMS = {
    "bad-path": "Alamat tidak dapat dibaca",
    "unauthenticated": "Kunci tidak ada, salah, atau tidak berlaku lagi",
    "forbidden": "Peran kunci ini tidak mengizinkan tindakan tersebut",
    "address-forbidden": "Kunci ini tidak boleh dipakai dari alamat Anda",
    "key-needed": "Hanya kunci itu sendiri yang dapat melakukannya, bukan token atau sesi",
    "grants-unclear": "Hak Anda untuk tindakan ini berlaku di beberapa wilayah yang terpisah",
    "cross-origin": "Perubahan dengan sesi harus datang dari halaman platform ini sendiri",
    "client-refused": "Id atau rahasia kunci tidak dikenal atau tidak berlaku lagi",
    "token-request-refused": "Permintaan token tidak sesuai ketentuan",
    "sign-in-refused": "Nama masuk, sandi, atau kode tidak benar",
    "account-unknown": "Akun tidak ditemukan, atau haknya melampaui wilayah Anda",
    "session-unknown": "Sesi tidak ditemukan",
    "login-taken": "Nama masuk ini sudah dipakai akun lain",
    "region-forbidden": "Wilayah ini di luar wilayah kunci Anda",
    "not-found": "Tidak ditemukan",
    "village-unknown": "Kampung KB tidak ditemukan, atau di luar wilayah Anda",
    "region-unknown": "Kode wilayah tidak ada dalam daftar kode Kemendagri",
    "import-unknown": "Impor tidak ditemukan",
    "key-unknown": "Kunci tidak ditemukan",
    "webhook-unknown": "Webhook tidak ditemukan, atau bukan milik Anda",
    "delivery-unknown": "Pengiriman ini tidak ada dalam catatan webhook tersebut",
    "ruleset-unknown": "Aturan penilaian tidak ditemukan",
    "determination-unknown": "Penetapan tidak ditemukan, atau di luar wilayah Anda",
    "ruleset-immutable": "Aturan yang sudah diterbitkan tidak pernah berubah; buat aturan baru dengan kode sendiri",
    "ruleset-published-before": "Aturan ini sudah diterbitkan",
    "ruleset-not-published": "Hanya aturan terbit yang dapat diberlakukan atau dipensiunkan",
    "ruleset-in-force": "Aturan ini sedang atau akan berlaku; berlakukan dahulu aturan lain",
    "dead-letter-unknown": "Peristiwa tersisih tidak ditemukan, atau di luar wilayah Anda",
    "conflict": "Bertentangan dengan yang sudah tercatat",
    "already-determined": "Kelas wilayah ini untuk periode itu sudah ditetapkan",
    "already-replaced": "Penetapan ini sudah diganti penetapan lain",
    "period-open": "Periode ini belum berakhir",
    "ruleset-not-usable": "Aturan ini tidak dapat dipakai untuk menetapkan periode itu",
    "already-resolved": "Peristiwa tersisih ini sudah diselesaikan",
    "still-failing": "Peristiwa ini masih gagal diolah",
    "feed-reset": "Aliran perubahan ini sudah dimulai dari awal lagi; batas bacaan Anda tidak berlaku",
    "stale": "Data sudah berubah sejak Anda membacanya",
    "too-large": "Kiriman terlalu besar",
    "invalid": "Permintaan tidak sesuai ketentuan",
    "idempotency-key-reused": "Kunci idempotensi sudah dipakai untuk permintaan lain",
    "precondition-required": "Perubahan memerlukan ETag dari data yang Anda baca",
    "too-many-requests": "Terlalu banyak permintaan; coba lagi sebentar lagi",
    "bad-upstream": "Layanan di belakang gateway menjawab tidak semestinya",
    "unavailable": "Layanan sedang tidak tersedia; coba lagi sebentar lagi",
    "upstream-timeout": "Layanan di belakang gateway tidak menjawab tepat waktu",
    "method-not-allowed": "Alamat ini tidak mengenal metode tersebut",
    "unsupported-media-type": "Bentuk kiriman ini tidak dikenali di alamat tersebut",
    "request-timeout": "Permintaan tidak sampai tepat waktu",
    "internal": "Kesalahan pada platform; sebutkan nomor permintaan kepada pengelola",
}
"""By the last part of a problem's type."""

CREDENTIALS = {"key": "kunci", "token": "token sebuah kunci", "session": "sandi", "oidc": "penyedia identitas kantor"}
"""What somebody came with."""

ROLES = {
    "reader": "pembaca",
    "reporter": "pelapor",
    "officer": "OPD-KB",
    "partner": "mitra",
    "assessor": "penilai",
    "administrator": "administrator",
    "operator": "pengelola platform",
}

SCOPES = {
    "regions:read": "melihat wilayah",
    "villages:read": "melihat Kampung KB dan laporannya",
    "villages:write": "mendaftarkan dan mengubah Kampung KB",
    "reports:write": "melaporkan",
    "imports:read": "melihat impor",
    "imports:write": "mengimpor tabel SIGA",
    "interventions:read": "melihat intervensi",
    "interventions:write": "mencatat intervensi",
    "assessments:read": "melihat klasifikasi",
    "assessments:recompute": "menilai ulang",
    "rulesets:read": "melihat aturan penilaian",
    "rulesets:evaluate": "mencoba aturan penilaian",
    "rulesets:write": "menyusun dan memberlakukan aturan penilaian",
    "determinations:issue": "menetapkan kelas",
    "keys:manage": "mengelola kunci",
    "audit:read": "membaca jejak audit",
    "self:read": "melihat hak sendiri",
    "self:write": "mengganti rahasia atau sandi sendiri",
    "accounts:manage": "mengelola akun",
    "changes:read": "mengikuti perubahan",
    "webhooks:manage": "memakai webhook",
    "events:operate": "mengurus peristiwa tersisih dan bangun ulang",
}
"""What a scope lets somebody do."""

ACCOUNT_STATUSES = {"active": "aktif", "invited": "menunggu sandi", "disabled": "nonaktif"}

CLASSES = {"dasar": "Dasar", "berkembang": "Berkembang", "mandiri": "Mandiri", "berkelanjutan": "Berkelanjutan"}
NOT_ASSESSABLE = "Tidak dapat dinilai"


def class_name(code: str | None) -> str:
    """What a class is called; None is no class."""
    return NOT_ASSESSABLE if code is None else CLASSES.get(code, code)


CERTAINTIES = {
    "legal_text_sighted": "Naskah hukumnya sudah dilihat.",
    "as_implemented": "Belum pasti: sebagaimana diterapkan aplikasi terdahulu; naskah hukumnya belum dilihat.",
    "proposal": "Usulan: tidak ada naskah hukum yang menetapkannya.",
}
"""How sure the legal basis of a ruleset is."""

WEBHOOK_STATES = {"active": "aktif", "paused": "dijeda", "ended": "berakhir"}

WEBHOOK_REASONS = {
    "asked": "diminta",
    "failures": "tiga hari tidak ada yang diterima",
    "gone": "penerima menjawab 410",
    "secret_unreadable": "rahasianya tidak terbaca; ganti dengan rotate",
    "owner_revoked": "kunci pemiliknya dicabut",
    "owner_expired": "kunci pemiliknya kedaluwarsa",
    "owner_not_allowed": "pemiliknya tidak berhak lagi",
}
"""Why a webhook is paused or has ended."""

DELIVERY_STATES = {
    "waiting": "menunggu",
    "delivered": "diterima",
    "given_up": "dihentikan",
    "skipped": "dilewati",
}

WEBHOOK_OUTCOMES = {
    "delivered": "diterima",
    "refused": "ditolak",
    "gone": "tidak ada lagi",
    "failed": "penerima gagal",
    "redirected": "dialihkan, tidak diikuti",
    "timeout": "terlalu lama",
    "unreachable": "tidak tersambung",
    "unresolved": "nama tanpa alamat",
    "blocked": "alamat tidak diizinkan",
    "tls": "sertifikat ditolak",
    "broken": "jawaban rusak",
}
"""What became of an attempt."""

RULESET_STATUSES = {"draft": "rancangan", "published": "terbit", "retired": "pensiun"}

THINGS = {
    "village": "Kampung KB",
    "report": "Laporan",
    "intervention": "Intervensi",
    "assessment": "Penilaian",
    "determination": "Penetapan",
}
"""What checksums count."""

REPORTS = {
    "profile": "Profil",
    "population": "Kependudukan",
    "family_planning": "Program Bangga Kencana",
}

IMPORT_STATES = {
    "open": "dibuka",
    "queued": "menunggu",
    "running": "berjalan",
    "done": "selesai",
    "failed": "gagal",
}

ROW_STATUSES = {"stored": "disimpan", "unchanged": "tidak berubah", "skipped": "dilewati", "rejected": "ditolak"}

HOW_SETTLED = {
    "name": "nama sama",
    "abbreviation": "singkatan dipanjangkan",
    "kode": "KODE pada tabel lain",
}

OUTCOMES = {"open": "belum diselesaikan", "handled": "diolah ulang", "discarded": "dibuang"}

EFFECTS = {
    "applied": "diolah, berpengaruh sekarang",
    "stale": "diolah, tidak mengubah apa pun karena sudah ada yang lebih baru",
    "duplicate": "sudah pernah berpengaruh, tidak diolah dua kali",
}

REBUILD_SOURCES = {"events": "aliran peristiwa", "services": "diumumkan ulang"}

REBUILD_STATES = {
    "waiting": "menunggu pengumuman ulang",
    "queued": "menunggu",
    "reading": "membaca peristiwa",
    "settling": "memeriksa penilaian",
    "done": "selesai",
    "failed": "gagal",
}

RECOMPUTATION_STATES = {
    "queued": "menunggu",
    "running": "berjalan",
    "done": "selesai",
    "cancelled": "dihentikan",
    "failed": "gagal",
}

REBUILD_FAILURES = {
    "stream_incomplete": "Aliran peristiwa tidak lengkap; bangun ulang dengan --from-services.",
    "re_emission_incomplete": "Tidak semua yang diumumkan ulang ada di aliran peristiwa; coba lagi.",
    "stream_changed": "Aliran peristiwa dibuat baru atau kehilangan isinya sementara dibaca; coba lagi sebentar lagi.",
    "too_many_failing": "Terlalu banyak peristiwa gagal diolah.",
    "interrupted": "Beberapa kali dimulai tanpa pernah selesai.",
    "never_told": "Terlalu lama menunggu pengumuman ulang.",
    "cancelled": "Dibatalkan.",
    "defect": "Kesalahan pada platform; sebutkan id ini kepada pengelola.",
}

STATUSES = {
    "active": "aktif",
    "inactive": "tidak aktif",
    "expired": "kedaluwarsa",
    "revoked": "dicabut",
    "warning": "peringatan",
    "error": "kesalahan",
}

SIMULATED = "SIMULASI"
"""Mark of made-up data, shown wherever such data are shown."""

AUDIT_KINDS = {"change": "perubahan", "read": "pembacaan", "refusal": "penolakan", "gap": "CELAH"}
"""What an entry of the audit trail tells of."""

AUDIT_FAULTS = {
    "changed": "isinya diubah",
    "replaced": "ditulis ulang beserta sidiknya",
    "missing": "hilang",
    "moved": "bukan di tempatnya; tempat asalnya",
    "added": "ditambahkan di luar rantai",
    "not_as_noted": "berbeda dengan ujung yang dicatat; jejak sebelumnya ditulis ulang",
}
"""What can be wrong with the audit trail."""
