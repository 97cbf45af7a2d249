"""The same arguments give the same bytes, and a broken run leaves nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sandbox.generate import generate
from sandbox.views import app
from tests.sandbox.world.conftest import TINY, Dataset


def contents(dataset: Path) -> dict[str, bytes]:
    return {str(path.relative_to(dataset)): path.read_bytes() for path in sorted(dataset.rglob("*")) if path.is_file()}


def test_same_arguments_same_bytes(tiny: Dataset, tmp_path: Path) -> None:
    generate(tmp_path / "again", **TINY)
    assert contents(tmp_path / "again") == contents(tiny.path)


def test_another_seed_is_another_world(tiny: Dataset, tmp_path: Path) -> None:
    generate(tmp_path / "other", **TINY, seed=8)
    same = {name for name, text in contents(tmp_path / "other").items() if text == contents(tiny.path)[name]}
    assert not same


@pytest.mark.parametrize("seed", range(6))
def test_small_worlds_of_any_seed_have_room_for_every_defect(seed: int, tmp_path: Path) -> None:
    generate(tmp_path / "dataset", **TINY, seed=seed)


def test_a_plant_changes_nothing_but_its_own_view(tiny_clean: Dataset, tmp_path: Path) -> None:
    generate(tmp_path / "planted", **TINY, defects="deposit_unknown")
    before, after = contents(tiny_clean.path), contents(tmp_path / "planted")
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"answer_key.jsonl", "dataset.json", "bank/usd_collections.csv"} or (
        len(changed) == 3 and {"answer_key.jsonl", "dataset.json"} < changed
    )


def test_a_dataset_is_replaced_and_anything_else_is_not(tmp_path: Path) -> None:
    generate(tmp_path / "dataset", **TINY, seed=8)
    generate(tmp_path / "dataset", **TINY)
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "to_mother.txt").write_text("dear")
    with pytest.raises(ValueError, match="is not empty and not a dataset"):
        generate(tmp_path / "letters", **TINY)
    assert contents(tmp_path / "letters") == {"to_mother.txt": b"dear"}


def test_an_interrupted_run_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(app, "build", interrupt)
    with pytest.raises(KeyboardInterrupt):
        generate(tmp_path / "dataset", **TINY)
    assert not list(tmp_path.iterdir())


def test_too_small_a_world_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"customers is 9: .* at least 10"):
        generate(tmp_path / "dataset", customers=9)
    with pytest.raises(ValueError, match="months is 0"):
        generate(tmp_path / "dataset", months=0)


def test_progress_tells_what_is_going_on(tmp_path: Path) -> None:
    said: list[str] = []
    generate(tmp_path / "dataset", **TINY, progress=said.append)
    assert len(said) == 4
