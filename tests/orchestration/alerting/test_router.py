"""Who is told what, and when: evaluations of one simulated day after another, with the shipped rules."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from orchestration.alerting.finding import Kind
from tests.orchestration.alerting.world import Day, finding

FAILED = finding()
WARNING = finding(Kind.NOT_FRESH, "stripe")
MINOR = finding(Kind.CHECK_FAILED, "marts/fct_payouts", level="warning")


def test_a_finding_is_told_once_however_often_it_is_found_and_when_it_is_over() -> None:
    day = Day()
    assert day.told(FAILED) == ["oncall new hourly", "finance new hourly"]
    assert [day.at(f"{hour}:00").told(FAILED) for hour in (13, 14, 15)] == [[], [], []]
    assert day.at("15:30").told() == []
    assert day.at("17:00").told() == ["oncall over hourly", "finance over hourly"]
    assert day.state.alerts == {}


def test_what_lasts_is_told_again_as_often_as_its_severity_says() -> None:
    day = Day()
    day.told(FAILED)
    assert day.at("15:59").told(FAILED) == []
    assert day.at("16:00").told(FAILED) == ["oncall still hourly", "finance still hourly"]
    assert day.at("19:59").told(FAILED) == []


def test_the_same_thing_in_other_words_is_the_same_alert() -> None:
    day = Day()
    day.told(FAILED)
    assert day.at("13:00").told(finding(what="17 rows of 2,943", since=FAILED.since + timedelta(hours=1))) == []
    (alert,) = day.state.alerts.values()
    assert (alert.finding.what, alert.since) == ("17 rows of 2,943", FAILED.since)


def test_what_comes_and_goes_with_every_run_is_one_alert() -> None:
    day = Day()
    said = []
    for hour in range(12, 20):
        said += day.at(f"{hour}:00").told(FAILED)
        said += day.at(f"{hour}:30").told()
    assert said == ["oncall new hourly", "finance new hourly", "oncall still hourly", "finance still hourly"]


def test_more_that_is_affected_is_told_at_once_and_less_is_not() -> None:
    day = Day()
    day.told(finding(parts=("stripe",)))
    assert day.at("12:10").told(finding(parts=("orb", "stripe"))) == ["oncall worse hourly", "finance worse hourly"]
    assert day.at("12:20").told(finding(parts=("orb",))) == []


def test_what_becomes_louder_is_told_to_whom_it_now_concerns() -> None:
    small, large = (finding(Kind.BREAK_OVER_LIMIT, "overpaid", amounts={"USD": Decimal(each)}) for each in (200, 9000))
    day = Day()
    day.told(small)
    assert day.at("08:00").told(small) == ["finance new overpaid"]
    assert day.at("09:00").told(large) == ["oncall new overpaid", "finance worse overpaid"]
    assert day.at("10:00").told(small) == []
    assert day.at("10:30").told() == []
    # It was told loudly to both: both hear at once that it is over, though it had become minor.
    assert day.at("12:30").told() == ["oncall over overpaid", "finance over overpaid"]


def test_quiet_hours_hold_back_all_but_what_may_disturb_and_tell_it_together_when_they_end() -> None:
    day = Day()
    day.at("21:00")
    other = finding(Kind.CERTIFICATE_MISSING, "orb")
    assert day.told(WARNING, FAILED) == ["oncall new hourly", "finance new hourly"]
    assert day.at("23:00").told(WARNING, other) == []
    assert "finance new stripe" not in day.at("06:59").told(WARNING, other)
    before = day.messages
    assert set(day.at("07:00").told(WARNING, other)) == {"finance new stripe", "finance new orb"}
    assert day.messages == before + 1


def test_what_came_and_went_in_the_night_is_told_in_the_morning() -> None:
    day = Day()
    day.at("22:00").told(WARNING)
    assert day.at("23:00").told() == []
    assert day.at("07:00").told() == ["finance missed stripe"]
    assert day.at("07:01").told() == []


def test_what_is_minor_is_told_once_a_day_together() -> None:
    day = Day()
    others = [finding(Kind.CHECK_FAILED, f"marts/{name}", level="warning") for name in "abc"]
    assert day.told(MINOR, *others) == []
    assert day.at("07:59").told(MINOR, *others) == []
    assert day.messages == 0
    assert len(day.at("08:00").told(MINOR, *others)) == 4
    assert day.messages == 1
    assert day.at("12:00").told(MINOR) == []
    over = [f"finance over marts/{name}" for name in "abc"]
    assert sorted(day.at("08:00").told(MINOR)) == [*over, "finance still marts/fct_payouts"]
    assert day.messages == 2


def test_many_alerts_of_one_evaluation_are_few_messages() -> None:
    day = Day()
    found = [finding(subject=f"job_{number:02}") for number in range(25)]
    assert len(day.told(*found)) == 50
    assert day.messages == 6


def test_a_receiver_that_was_down_for_an_hour_hears_of_it_once() -> None:
    day = Day()
    day.down = {"oncall"}
    assert day.told(FAILED) == ["finance new hourly"]
    minutes = [day.at(f"12:{minute:02}").told(FAILED) for minute in range(1, 60)]
    assert not any(minutes)
    assert day.state.troubles["oncall"].failures < 12
    day.down = set()
    after = [day.at(f"13:{minute:02}").told(FAILED) for minute in range(60)]
    assert [said for said in after if said] == [["oncall new hourly"]]
    assert after.index(["oncall new hourly"]) <= 10


def test_what_came_and_went_while_the_receiver_was_down_is_told_when_it_is_back() -> None:
    day = Day()
    day.down = {"oncall", "finance"}
    day.told(FAILED)
    day.at("12:30").told()
    day.down = set()
    assert day.at("14:30").told() == ["oncall missed hourly", "finance missed hourly"]
    assert day.state.alerts == {}


def test_a_consequence_is_silent_while_its_cause_lasts_and_told_when_it_outlives_it() -> None:
    day = Day()
    consequence = finding(Kind.NOT_FRESH, "stripe", explained_by=FAILED.fingerprint)
    assert day.told(FAILED, consequence) == ["oncall new hourly", "finance new hourly"]
    assert day.at("13:00").told(WARNING) == ["finance new stripe"]
    assert day.at("13:10").told(consequence, FAILED) == []
    assert WARNING.fingerprint in day.state.alerts


def test_below_every_limit_nobody_is_told() -> None:
    day = Day()
    assert day.told(finding(Kind.BREAK_OVER_LIMIT, "overpaid", amounts={"USD": Decimal("100.00")})) == []
    assert day.state.alerts == {}


def test_an_exception_is_its_owners() -> None:
    day = Day()
    day.told(finding(Kind.EXCEPTION_EXPIRED, "1f00", owner="ada@acme.example"))
    (alert,) = day.state.alerts.values()
    assert alert.owner == "ada@acme.example"
