"""What is done in demonstration villages: made-up activities of kinds that Inpres 3/2022 names, by kinds of institutions.

No person is named. Codes are those of the interventions service: actors, kegiatan, family functions, target groups.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Activity:
    """A kind of activity: who may take part (first the one in charge), for whom, who may pay for it."""

    kegiatan: str
    title: str
    family_function: str
    target_groups: tuple[str, ...]
    actors: tuple[str, ...]
    funding: tuple[str, ...]


def _of(kegiatan: str, function: str, title: str, groups: str, actors: str, funding: str) -> Activity:
    return Activity(kegiatan, title, function, tuple(groups.split()), tuple(actors.split()), tuple(funding.split()))


# fmt: off
ACTIVITIES = (
    _of("1-01", "pendidikan", "Pemutakhiran papan data Rumah DataKu", "seluruh_penduduk", "opd-ppkb pemerintah-desa-kelurahan bps lembaga-pendidikan", "dana_desa apbd"),
    _of("1-02", "perlindungan", "Pelayanan keliling akta kelahiran dan kartu identitas anak", "seluruh_penduduk balita", "dinas-dukcapil pemerintah-desa-kelurahan", "apbd"),
    _of("2-01", "pembinaan_lingkungan", "Senam bersama dan cek kesehatan GERMAS", "seluruh_penduduk", "puskesmas dinas-kesehatan komponen-masyarakat dinas-pemuda-olahraga", "apbd dana_desa self_help"),
    _of("2-03", "kasih_sayang", "Pertemuan kelompok BKB tentang pengasuhan 1.000 hari pertama", "keluarga_balita", "opd-ppkb komponen-masyarakat puskesmas", "apbn dana_desa"),
    _of("2-04", "kasih_sayang", "Pertemuan kelompok BKR tentang komunikasi dengan remaja", "keluarga_remaja", "opd-ppkb lembaga-pendidikan komponen-masyarakat", "apbn dana_desa"),
    _of("2-05", "kasih_sayang", "Pertemuan kelompok BKL tentang lansia tangguh", "lansia keluarga_lansia", "opd-ppkb puskesmas komponen-masyarakat", "apbn dana_desa"),
    _of("2-06", "pendidikan", "Penyuluhan PIK Remaja tentang pendewasaan usia perkawinan", "remaja", "opd-ppkb lembaga-pendidikan kanwil-kemenag media", "apbn apbd"),
    _of("2-07", "reproduksi", "KIE kesehatan reproduksi dan metode jangka panjang", "pus", "opd-ppkb perwakilan-bkkbn puskesmas media", "apbn"),
    _of("2-08", "keagamaan", "Bimbingan calon pengantin", "remaja pus", "kanwil-kemenag puskesmas opd-ppkb", "apbn"),
    _of("2-09", "keagamaan", "Penyuluhan keluarga sakinah", "pus", "kanwil-kemenag komponen-masyarakat", "apbn self_help"),
    _of("2-10", "perlindungan", "Sosialisasi pencegahan kekerasan pada perempuan dan anak", "seluruh_penduduk", "dinas-pppa tni-polri komponen-masyarakat media", "apbd"),
    _of("2-11", "kasih_sayang", "Kelas ibu tentang ASI eksklusif dan makanan pendamping", "keluarga_balita", "puskesmas dinas-kesehatan komponen-masyarakat", "apbd dana_desa"),
    _of("3-01", "reproduksi", "Penggerakan pelayanan KB dalam rangka bulan bakti", "pus", "opd-ppkb puskesmas tni-polri perwakilan-bkkbn", "apbn apbd"),
    _of("3-03", "perlindungan", "Pembinaan kader posyandu", "balita lansia", "dinas-pmd puskesmas pemerintah-desa-kelurahan", "dana_desa apbd"),
    _of("3-05", "reproduksi", "Pelayanan KB gratis di fasilitas kesehatan", "pus", "puskesmas dinas-kesehatan opd-ppkb", "apbn"),
    _of("3-06", "ekonomi", "Pertemuan peningkatan kemampuan keluarga penerima PKH", "pus", "dinas-sosial pemerintah-desa-kelurahan", "apbn"),
    _of("4-05", "reproduksi", "Pemberian tablet tambah darah bagi remaja putri", "remaja", "puskesmas lembaga-pendidikan dinas-pendidikan", "apbn apbd"),
    _of("4-07", "perlindungan", "Penimbangan dan pengukuran balita serentak", "balita", "puskesmas dinas-kesehatan pemerintah-desa-kelurahan komponen-masyarakat", "dana_desa apbd"),
    _of("4-08", "perlindungan", "Pemberian makanan tambahan bagi anak 6-23 bulan", "balita", "puskesmas pemerintah-desa-kelurahan swasta", "dana_desa csr"),
    _of("4-14", "kasih_sayang", "Pendampingan keluarga berisiko stunting", "keluarga_balita", "opd-ppkb puskesmas komponen-masyarakat lembaga-pendidikan", "apbn dana_desa"),
    _of("4-15", "ekonomi", "Memasak bersama di Dapur Sehat Atasi Stunting", "keluarga_balita", "opd-ppkb dinas-ketahanan-pangan dinas-kelautan-perikanan komponen-masyarakat", "dana_desa csr self_help"),
    _of("5-01", "pendidikan", "Penguatan PAUD holistik integratif", "balita keluarga_balita", "dinas-pendidikan pemerintah-desa-kelurahan", "dana_desa apbd"),
    _of("5-06", "pendidikan", "Pojok baca dan literasi keluarga", "remaja seluruh_penduduk", "lembaga-pendidikan dinas-pendidikan dinas-kominfo media", "apbd donation"),
    _of("5-07", "sosial_budaya", "Pentas seni dan olahraga remaja", "remaja", "dinas-pemuda-olahraga dinas-pariwisata komponen-masyarakat", "self_help donation"),
    _of("6-02", "ekonomi", "Penyaluran bantuan pangan nontunai", "pus", "dinas-sosial pemerintah-desa-kelurahan", "apbn"),
    _of("6-03", "perlindungan", "Pendaftaran peserta jaminan kesehatan penerima bantuan iuran", "seluruh_penduduk", "dinas-sosial dinas-kesehatan pemerintah-desa-kelurahan", "apbd apbn"),
    _of("7-04", "ekonomi", "Bantuan modal bergulir bagi kelompok UPPKA", "pus", "dinas-koperasi bumn-bumd swasta", "csr apbd"),
    _of("7-05", "ekonomi", "Fasilitasi nomor induk berusaha dan pemasaran produk keluarga", "pus", "dinas-perdagangan dinas-koperasi dinas-kominfo", "apbd"),
    _of("7-06", "ekonomi", "Pelatihan batik dan pengemasan bagi kelompok UPPKA", "pus", "dinas-perindustrian dinas-ketenagakerjaan swasta lembaga-pendidikan", "apbd csr"),
    _of("7-08", "ekonomi", "Pelatihan olahan pangan lokal UPPKA", "pus", "opd-ppkb dinas-pertanian dinas-ketahanan-pangan", "apbn dana_desa"),
    _of("7-10", "ekonomi", "Pembenihan ikan dalam ember", "seluruh_penduduk", "dinas-kelautan-perikanan lembaga-pendidikan", "apbd"),
    _of("8-01", "pembinaan_lingkungan", "Pemicuan stop buang air besar sembarangan", "seluruh_penduduk", "puskesmas dinas-pupr pemerintah-desa-kelurahan", "apbd dana_desa"),
    _of("8-02", "pembinaan_lingkungan", "Perbaikan rumah tidak layak huni dan jamban", "seluruh_penduduk", "dinas-pupr pemerintah-desa-kelurahan tni-polri swasta", "apbd dana_desa csr"),
    _of("8-03", "pembinaan_lingkungan", "Gerakan satu rumah satu jumantik", "seluruh_penduduk", "puskesmas komponen-masyarakat lembaga-pendidikan", "dana_desa self_help"),
)
# fmt: on
