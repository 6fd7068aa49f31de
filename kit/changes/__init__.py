"""The change feed: a service's events in the order of their commits, for those who do not speak NATS."""

TAG = "changes"
ABOUT = (
    "Mengikuti perubahan: aliran peristiwa menurut urutan penyimpanan, dan checksum untuk membandingkan isi dua pihak"
)
