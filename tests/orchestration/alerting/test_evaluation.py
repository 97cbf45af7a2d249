"""An evaluation as the sensor makes it: real state in a real instance, a real webhook, and what a restart finds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from ingestion.settings import Secret
from orchestration.alerting.evaluation import heartbeat, recall, tell
from orchestration.alerting.rules import read_rules
from tests.orchestration.alerting.receivers import Receiver, receiving
from tests.orchestration.alerting.world import NOON, finding

RULES = read_rules()
FAILED = finding()


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    with receiving(tmp_path) as one:
        yield one


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    return tmp_path


@pytest.fixture
def addresses(receiver: Receiver) -> dict[str, Secret]:
    return {name: Secret(f"json://127.0.0.1:{receiver.port}/{name}") for name in RULES.channels}


def ended(instance: dg.DagsterInstance, *, well: bool = True) -> str:
    @dg.op
    def step() -> None:
        assert well

    @dg.job
    def hourly() -> None:
        step()

    return hourly.execute_in_process(instance=instance, raise_on_error=False).run_id


def test_what_was_told_is_known_after_a_restart(home: Path, receiver: Receiver, addresses: dict[str, Secret]) -> None:
    for _ in range(2):
        with dg.DagsterInstance.from_config(str(home)) as instance:
            tell(instance, [FAILED], RULES, addresses, NOON)
    assert sorted(one.path for one in receiver.received) == ["/finance", "/oncall"]


def test_what_another_version_kept_is_told_anew(home: Path, receiver: Receiver, addresses: dict[str, Secret]) -> None:
    with dg.DagsterInstance.from_config(str(home)) as instance:
        tell(instance, [FAILED], RULES, addresses, NOON)
        instance.daemon_cursor_storage.set_cursor_values({"tieout/alerts": '{"alerts": "of another form"}'})
        tell(instance, [FAILED], RULES, addresses, NOON)
    assert len(receiver.received) == 4


def test_a_channel_without_address_keeps_nobody_else_from_being_told(
    home: Path, receiver: Receiver, addresses: dict[str, Secret]
) -> None:
    with dg.DagsterInstance.from_config(str(home)) as instance:
        tell(instance, [FAILED], RULES, {"finance": addresses["finance"]}, NOON)
        assert [one.path for one in receiver.received] == ["/finance"]
        tell(instance, [FAILED], RULES, addresses, NOON + timedelta(minutes=1))
    assert [one.path for one in receiver.received] == ["/finance", "/oncall"]


def test_the_heartbeat_beats_once_a_run_and_not_while_somebody_waits_to_be_told(
    home: Path, receiver: Receiver, addresses: dict[str, Secret]
) -> None:
    file, monitor = home / "heartbeat", Secret(f"http://127.0.0.1:{receiver.port}/monitor")

    def beats() -> int:
        assert heartbeat(instance, RULES, file, monitor, NOON) is None
        return sum(one.path == "/monitor" for one in receiver.received)

    with dg.DagsterInstance.from_config(str(home)) as instance:
        assert (beats(), file.exists()) == (0, False)
        run_id = ended(instance)
        assert [beats(), beats()] == [1, 1]
        assert file.read_text().split()[1:] == ["hourly", run_id, "SUCCESS"]
        run_id = ended(instance, well=False)
        tell(instance, [FAILED], RULES, {}, NOON)
        assert beats() == 1
        tell(instance, [FAILED], RULES, addresses, NOON + timedelta(minutes=1))
        assert beats() == 2
        assert file.read_text().split()[2:] == [run_id, "FAILURE"]
        assert recall(instance).heard_run == run_id


def test_a_monitor_that_did_not_take_the_heartbeat_is_called_again(home: Path, receiver: Receiver) -> None:
    monitor = Secret(f"http://127.0.0.1:{receiver.port}/monitor")
    with dg.DagsterInstance.from_config(str(home)) as instance:
        ended(instance)
        receiver.is_down = lambda host: True
        assert "503" in str(heartbeat(instance, RULES, home / "heartbeat", monitor, NOON))
        receiver.is_down = lambda host: False
        assert heartbeat(instance, RULES, home / "heartbeat", monitor, NOON) is None
    assert len(receiver.received) == 1
