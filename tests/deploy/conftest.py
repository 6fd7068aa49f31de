"""A data folder that PostgreSQL's own user can reach when the tests run as root (pytest's tmp_path is closed to others)."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def open_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="kkb-test-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder)
