"""What is wrong is found at the end of each run and told from a sensor, which goes on while runs fail or receivers are down."""

from __future__ import annotations

from datetime import UTC, datetime

import dagster as dg
import msgspec

from ingestion.settings import read_settings
from orchestration.alerting.collection import (
    FINDINGS,
    explained,
    from_instance,
    from_last_run,
    from_warehouse,
    watched,
)
from orchestration.alerting.evaluation import heartbeat, tell
from orchestration.alerting.finding import Kind
from orchestration.alerting.rules import read_rules
from orchestration.built import built
from reporting.attention import MARTS

_SECONDS_BETWEEN = 60


@dg.definitions
def defs() -> dg.Definitions:
    """Wrong rules are refused here: with them no run is started, of whose failure nobody would be told."""
    rules = read_rules()

    @dg.asset(
        key=FINDINGS,
        deps=[dg.AssetKey(mart.split(".")) for mart in MARTS],
        description="What in the marts somebody has to look after: its metadata is what the alerts read of them.",
        group_name="evidence",
        kinds={"json"},
    )
    def findings() -> dg.MaterializeResult:  # type: ignore[type-arg]
        found = from_warehouse(built(read_settings()), datetime.now(UTC))
        return dg.MaterializeResult(
            metadata={
                "findings": dg.MetadataValue.json(msgspec.to_builtins(found)),
                **{
                    str(kind): dg.MetadataValue.int(sum(one.kind is kind for one in found))
                    for kind in Kind
                    if kind.is_of_marts
                },
            }
        )

    @dg.sensor(
        name="alerts",
        minimum_interval_seconds=_SECONDS_BETWEEN,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells who is to know of what is wrong, by orchestration/alerting/rules.yml; docs/alerting.md.",
    )
    def alerts(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        settings, now = read_settings(), datetime.now(UTC)
        repository = context.repository_def
        assert repository
        found = [*from_last_run(context.instance), *from_instance(context.instance, *watched(repository), now)]
        state = tell(context.instance, explained(found), rules, settings.channels, now)
        unheard = heartbeat(context.instance, rules, settings.home / "heartbeat", settings.heartbeat_url, now)
        troubles = {name: trouble.reason for name, trouble in state.troubles.items()}
        troubles |= {name: "has no address" for name in rules.channels if name not in settings.channels}
        troubles |= {"heartbeat": unheard} if unheard else {}
        firing = sum(alert.over_at is None for alert in state.alerts.values())
        return dg.SkipReason("; ".join([f"{firing} alerts", *(f"{name}: {said}" for name, said in troubles.items())]))

    return dg.Definitions(assets=[findings], sensors=[alerts])
