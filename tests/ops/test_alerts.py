"""The alert rules: each fires in the trouble that it is for, and all are silent when all is well."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped] # it has no types of its own

RULES = Path(__file__).resolve().parents[2] / "ops" / "prometheus"
PROMTOOL = shutil.which("promtool")

wants_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian: prometheus)")

Series = dict[str, str]

SERVER = 'job="courtside-server", instance="server:8000"'
WORKER = 'job="courtside-worker", instance="worker:9464"'
REQUESTS = "courtside_http_request_duration_seconds"


def histogram(name: str, labels: str, quick: str, slow: str, *, bound: str, most: str) -> Series:
    """A histogram in which `quick` are below `bound` seconds and the others, `slow` with them, below `most`."""
    inside = f"{labels}, " if labels else ""
    return {
        f'{name}_bucket{{{inside}le="{bound}"}}': quick,
        f'{name}_bucket{{{inside}le="{most}"}}': slow,
        f'{name}_bucket{{{inside}le="+Inf"}}': slow,
        f"{name}_count{{{labels}}}": slow,
        f"{name}_sum{{{labels}}}": slow,
    }


WELL: Series = {
    f"up{{{SERVER}}}": "1x60",
    f"up{{{WORKER}}}": "1x60",
    **histogram(
        REQUESTS,
        f'{SERVER}, method="POST", route="/api/bookings", status="201"',
        "0+600x60",
        "0+600x60",
        bound="0.05",
        most="5",
    ),
    f'{REQUESTS}_count{{{SERVER}, method="POST", route="/api/bookings", status="503"}}': "0+1x60",
    f'{REQUESTS}_count{{{SERVER}, method="GET", route="/health/ready", status="503"}}': "0+600x60",
    f'booking_count_total{{{SERVER}, action="book", outcome="confirmed"}}': "0+300x60",
    f'booking_count_total{{{SERVER}, action="book", outcome="slot_taken"}}': "0+300x60",
    f'booking_count_total{{{SERVER}, action="book", outcome="unavailable"}}': "0+1x60",
    **histogram("lock_wait_time_seconds", SERVER, "0+300x60", "0+300x60", bound="0.005", most="2.5"),
    f"courtside_database_up{{{SERVER}}}": "1x60",
    f"courtside_database_up{{{WORKER}}}": "1x60",
    f'courtside_db_pool_connections{{{SERVER}, state="used"}}': "4x60",
    f"courtside_db_pool_limit{{{SERVER}}}": "20x60",
    f"courtside_redis_up{{{SERVER}}}": "1x60",
    f"courtside_feed_up{{{SERVER}}}": "1x60",
    f'courtside_outbox_oldest_age_seconds{{{SERVER}, work="mail"}}': "0 2 0 5 0 1x55",
    f'courtside_outbox_oldest_age_seconds{{{SERVER}, work="job"}}': "0 1 0 2 0 0x55",
    f'courtside_outbox_parked{{{SERVER}, work="mail"}}': "0x60",
    f'courtside_outbox_parked{{{SERVER}, work="job"}}': "0x60",
    f'courtside_mails_total{{{WORKER}, outcome="delivered"}}': "0+60x60",
    f'courtside_mails_total{{{WORKER}, outcome="deferred"}}': "0+2x60",
    f'courtside_waitlist_slot_entries{{{SERVER}, rank="1"}}': "7x60",
    f'courtside_worker_loop_restarts_total{{{WORKER}, loop="arq"}}': "0 1 1 2x57",
    **histogram("courtside_live_fanout_seconds", SERVER, "0+600x60", "0+600x60", bound="0.1", most="5"),
    f'courtside_backup_age_seconds{{{SERVER}, kind="backup"}}': "80000+60x60",
    f'courtside_backup_age_seconds{{{SERVER}, kind="verify"}}': "600000+60x60",
    f'courtside_backup_ok{{{SERVER}, kind="backup"}}': "1x60",
    f'courtside_backup_ok{{{SERVER}, kind="verify"}}': "1x60",
}
"""An hour in which nothing is wrong, though a request fails here and there."""

Trouble = tuple[Mapping[str, str | None], list[tuple[dict[str, str], str]]]
"""What is different (None: it is not there), and the labels and summary of each alert that fires after that hour."""

TROUBLES: dict[str, Trouble] = {
    "CourtsideServerDown": (
        {f"up{{{SERVER}}}": "0x60", 'up{job="courtside-server", instance="server-2:8000"}': "1x60"},
        [({"job": "courtside-server", "instance": "server:8000"}, "server:8000 does not answer.")],
    ),
    "CourtsideNoServer": (
        {f"up{{{SERVER}}}": None},
        [({}, "No server answers; nobody can book.")],
    ),
    "CourtsideWorkerDown": (
        {f"up{{{WORKER}}}": "0x60"},
        [({}, "No worker answers; mails and promotions wait.")],
    ),
    "CourtsideErrors": (
        {f'{REQUESTS}_count{{{SERVER}, method="POST", route="/api/bookings", status="503"}}': "0+200x60"},
        [({}, "25% of the requests fail on our side.")],
    ),
    "CourtsideBookingsFail": (
        {f'booking_count_total{{{SERVER}, action="book", outcome="unavailable"}}': "0+200x60"},
        [({}, "Only 75% of what is asked of bookings is answered.")],
    ),
    "CourtsideSlow": (
        histogram(
            REQUESTS,
            f'{SERVER}, method="POST", route="/api/bookings", status="201"',
            "0+300x60",
            "0+600x60",
            bound="0.05",
            most="5",
        ),
        [({}, "One request of twenty takes longer than 4.505s.")],
    ),
    "CourtsideLockContention": (
        histogram("lock_wait_time_seconds", SERVER, "0+150x60", "0+300x60", bound="0.005", most="2.5"),
        [({}, "Bookings wait 2.251s for their locks.")],
    ),
    "CourtsideDatabaseDown": (
        {f"courtside_database_up{{{SERVER}}}": "0x60", f"courtside_database_up{{{WORKER}}}": "0x60"},
        [({}, "Postgres answers nobody.")],
    ),
    "CourtsidePoolFull": (
        {f'courtside_db_pool_connections{{{SERVER}, state="used"}}': "19x60"},
        [
            (
                {"job": "courtside-server", "instance": "server:8000"},
                "server:8000 uses 95% of its database connections.",
            )
        ],
    ),
    "CourtsideRedisDown": (
        {f"courtside_redis_up{{{SERVER}}}": "0x60"},
        [
            (
                {},
                "Redis is away. Bookings go on; mails and other processes' news come a few seconds late.",
            )
        ],
    ),
    "CourtsideFeedDown": (
        {f"courtside_feed_up{{{SERVER}}}": "0x60"},
        [({}, "A server does not hear of other servers' bookings at once; its grid is seconds late.")],
    ),
    "CourtsideMailLate": (
        {f'courtside_outbox_oldest_age_seconds{{{SERVER}, work="mail"}}': "0+60x60"},
        [({}, "A mail has been due for 1h 0m 0s.")],
    ),
    "CourtsidePromotionsLate": (
        {f'courtside_outbox_oldest_age_seconds{{{SERVER}, work="job"}}': "90x60"},
        [({}, "A promotion on the waitlist has been due for 1m 30s.")],
    ),
    "CourtsideWorkParked": (
        {f'courtside_outbox_parked{{{SERVER}, work="mail"}}': "3x60"},
        [({"work": "mail"}, "3 mail rows of the outbox were set aside and wait for a human.")],
    ),
    "CourtsideMailsFail": (
        {f'courtside_mails_total{{{WORKER}, outcome="deferred"}}': "0+180x60"},
        [({}, "75% of the mails do not get through.")],
    ),
    "CourtsideWaitlistLong": (
        {f'courtside_waitlist_slot_entries{{{SERVER}, rank="1"}}': "80x60"},
        [({}, "80 people wait for one slot.")],
    ),
    "CourtsideWorkerRestless": (
        {f'courtside_worker_loop_restarts_total{{{WORKER}, loop="arq"}}': "0+2x60"},
        [({"loop": "arq"}, "The worker's loop arq keeps failing.")],
    ),
    "CourtsideBackupOld": (
        {f'courtside_backup_age_seconds{{{SERVER}, kind="backup"}}': "100800x60"}
        | {f'courtside_backup_age_seconds{{{SERVER}, kind="verify"}}': "777600x60"},
        [
            ({"kind": "backup"}, "The last good backup is 1d 4h 0m 0s old."),
            ({"kind": "verify"}, "The last good verify is 9d 0h 0m 0s old."),
        ],
    ),
    "CourtsideBackupFailed": (
        {f'courtside_backup_ok{{{SERVER}, kind="verify"}}': "0x60"},
        [({"kind": "verify"}, "The last verify failed.")],
    ),
    "CourtsideGridLate": (
        histogram("courtside_live_fanout_seconds", SERVER, "0+300x60", "0+600x60", bound="0.1", most="5"),
        [({}, "Watchers of the grid learn of a change after 4.51s.")],
    ),
}


def alerts() -> dict[str, dict[str, Any]]:
    groups = yaml.safe_load((RULES / "alerts.yml").read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def test_every_alert_has_a_trouble_to_fire_in() -> None:
    assert alerts().keys() == TROUBLES.keys()


def test_every_alert_leads_to_a_runbook_that_exists() -> None:
    root = RULES.parents[1]
    assert [name for name, rule in alerts().items() if not (root / rule["annotations"]["runbook"]).is_file()] == []


def promtool(folder: Path, tests: list[dict[str, Any]]) -> subprocess.CompletedProcess[str]:
    file = folder / "tests.yml"
    names = [str(RULES / name) for name in ("rules.yml", "alerts.yml")]
    file.write_text(yaml.safe_dump({"rule_files": names, "evaluation_interval": "1m", "tests": tests}, sort_keys=False))
    return subprocess.run([str(PROMTOOL), "test", "rules", str(file)], capture_output=True, text=True, check=False)


def story(series: Series, expected: dict[str, list[tuple[dict[str, str], str]]]) -> dict[str, Any]:
    """A test for promtool: what fires after an hour of these series, and nothing but that."""
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [
            {
                "eval_time": "60m",
                "alertname": name,
                "exp_alerts": [
                    {
                        "exp_labels": {**rule["labels"], **labels},
                        "exp_annotations": {**rule["annotations"], "summary": summary},
                    }
                    for labels, summary in expected.get(name, [])
                ],
            }
            for name, rule in alerts().items()
        ],
    }


@wants_promtool
def test_each_alert_fires_in_its_trouble_and_no_other_does_and_all_are_silent_when_all_is_well(tmp_path: Path) -> None:
    stories = [story(WELL, {})]
    for name, (changes, expected) in TROUBLES.items():
        series = {key: values for key, values in {**WELL, **changes}.items() if values is not None}
        stories.append(story(series, {name: expected}))
    done = promtool(tmp_path, stories)
    assert done.returncode == 0, done.stdout + done.stderr


@wants_promtool
def test_an_alert_that_does_not_fire_would_be_noticed(tmp_path: Path) -> None:
    expected = {"CourtsideErrors": TROUBLES["CourtsideErrors"][1]}
    assert promtool(tmp_path, [story(WELL, expected)]).returncode != 0


@wants_promtool
@pytest.mark.parametrize("name", ["rules.yml", "alerts.yml"])
def test_promtool_finds_nothing_wrong_with_the_rules(name: str) -> None:
    done = subprocess.run(
        [str(PROMTOOL), "check", "rules", "--lint-fatal", str(RULES / name)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
