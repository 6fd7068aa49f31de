"""The checker finds what it is there to find, each in a history where everything else is right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.faults.history.checker import Violation, check
from tests.faults.history.imagined import Imagined
from tests.faults.history.intents import intents
from tests.faults.history.nemesis import plans
from tests.faults.history.record import Attempt, Operation

DESA = "33.26.01.2001"
OTHER_DESA = "33.26.02.2001"
PROFILE = {"pokja": True, "pokja_members": 12, "poktan": {"bkb": True}, "funding_sources": ["apbd"]}
BETTER = PROFILE | {"pokja_trained": True, "data_use": ["family_data", "sectoral"]}


class Story:
    """A short history with all kinds of operations in it."""

    def __init__(self) -> None:
        self.platform = Imagined()
        do = self.platform
        self.village = do.register(DESA)
        self.other = do.register(OTHER_DESA)
        self.first = do.report(self.village, "profile", PROFILE)
        self.second = do.report(self.village, "profile", BETTER)
        self.unknown = do.report(self.village, "population", {"pus": 300}, unknown=True)
        self.intervention = do.record(self.village, "bps", "puskesmas")
        self.correction = do.correct(self.intervention, "bps", "media", "dinas-sosial", "dinas-kesehatan")
        self.withdrawn = do.record(self.other, "swasta")
        self.withdrawal = do.withdraw(self.withdrawn)
        self.change = do.change(self.village)
        self.read = do.read_village(self.village)
        self.read_report = do.read_report(self.village, "profile")
        self.read_class = do.read_class(self.village)
        self.history, self.evidence = do.settled()

    def found(self) -> list[Violation]:
        return check(self.history, self.evidence)

    def traffic(self, service: str) -> Any:
        return self.evidence.traffic[service]

    def forget_event(self, service: str, event: dict[str, Any]) -> None:
        """As if it had never been sent: positions stay without a gap."""
        traffic = self.traffic(service)
        traffic.outbox.remove(event)
        for place, row in enumerate(traffic.outbox, 1):
            row["position"] = place
        traffic.position = traffic.published = len(traffic.outbox)
        traffic.stream = [one for one in traffic.stream if one["id"] != event["event_id"]]
        positions = {row["event_id"]: row["position"] for row in traffic.outbox}
        for message in traffic.stream:
            message["position"] = positions[message["id"]]
        for other in self.evidence.traffic.values():
            other.inbox = [row for row in other.inbox if row["event_id"] != event["event_id"]]

    def send(self, service: str, event: dict[str, Any]) -> None:
        """As if it had been sent once more, under another id."""
        traffic = self.traffic(service)
        number = f"{len(traffic.outbox)}-again"
        again = event | {"event_id": number, "position": len(traffic.outbox) + 1}
        again["event"] = event["event"] | {"id": number}
        traffic.outbox.append(again)
        traffic.position = traffic.published = len(traffic.outbox)
        traffic.stream.append({"sequence": 99, "id": number, "position": again["position"], "event": again["event"]})
        self.evidence.traffic["scoring"].inbox.append({"consumer": f"scoring-{service}", "event_id": number})


def report_row(story: Story, operation: Operation) -> dict[str, Any]:
    return next(row for row in story.evidence.reports if row["source_reference"] == operation.id)


def event_of_report(story: Story, operation: Operation) -> dict[str, Any]:
    number = report_row(story, operation)["id"]
    return next(row for row in story.traffic("registry").outbox if row["event"]["data"].get("report_id") == number)


def lose_an_acknowledged_report(story: Story) -> tuple[str, ...]:
    """The newest revision is gone without a trace, as if its transaction had been rolled back."""
    story.forget_event("registry", event_of_report(story, story.second))
    story.evidence.reports.remove(report_row(story, story.second))
    report_row(story, story.first)["superseded_at"] = None
    return (story.second.id,)


def lose_an_acknowledged_village(story: Story) -> tuple[str, ...]:
    story.evidence.villages = [row for row in story.evidence.villages if row["id"] != story.other]
    return ()


def lose_an_acknowledged_change(story: Story) -> tuple[str, ...]:
    row = next(r for r in story.traffic("registry").outbox if r["event"]["data"].get("name") == story.change.id)
    story.forget_event("registry", row)
    return (story.change.id,)


def keep_a_refused_report(story: Story) -> tuple[str, ...]:
    story.platform.refuse(story.second)
    return (story.second.id,)


def keep_what_nobody_asked_for(story: Story) -> tuple[str, ...]:
    del story.history.operations[story.correction.id]
    return (story.correction.id,)


def change_what_was_called_unchanged(story: Story) -> tuple[str, ...]:
    assert story.second.answer is not None
    story.second.answer.body["unchanged"] = True
    return (story.second.id,)


def record_twice(story: Story) -> tuple[str, ...]:
    operation = next(one for one in story.history.operations.values() if one.action == "record")
    row = story.platform.intervention(story.intervention)
    revision = story.evidence.revisions[0]
    story.evidence.interventions.append(row | {"id": "again", "version": 1})
    story.evidence.revisions.append(revision | {"intervention_id": "again"})
    return (operation.id,)


def report_twice_under_one_reference(story: Story) -> tuple[str, ...]:
    report_row(story, story.second)["source_reference"] = story.first.id
    return (story.first.id,)


def tell_a_change_twice(story: Story) -> tuple[str, ...]:
    story.send("registry", event_of_report(story, story.second))
    return (story.second.id,)


def tell_a_correction_twice(story: Story) -> tuple[str, ...]:
    story.send("interventions", story.traffic("interventions").outbox[1])
    return (story.correction.id,)


def tell_a_class_twice(story: Story) -> tuple[str, ...]:
    newest = next(row for row in reversed(story.traffic("scoring").outbox) if row["entity"].endswith(story.village))
    key = newest["event"]["data"]["village"]
    data = newest["event"]["data"] | {"village": key | {"version": key["version"] + 1}}
    story.send("scoring", newest | {"event": newest["event"] | {"data": data}})
    assessed = next(row for row in story.evidence.assessments if row["village_id"] == story.village)
    assessed["version"] += 1
    return ()


def tell_nothing_of_a_report(story: Story) -> tuple[str, ...]:
    story.forget_event("registry", event_of_report(story, story.first))
    return (story.first.id,)


def tell_nothing_of_a_withdrawal(story: Story) -> tuple[str, ...]:
    story.forget_event("interventions", story.traffic("interventions").outbox[-1])
    return (story.withdrawal.id,)


def tell_something_else(story: Story) -> tuple[str, ...]:
    event_of_report(story, story.second)["event"]["data"]["facts"] = PROFILE
    return (story.second.id,)


def skip_a_revision(story: Story) -> tuple[str, ...]:
    report_row(story, story.second)["revision"] = 3
    return ()


def skip_a_position(story: Story) -> tuple[str, ...]:
    story.traffic("registry").outbox[-1]["position"] += 1
    return ()


def skip_a_version_of_a_village(story: Story) -> tuple[str, ...]:
    story.platform.village(story.village)["version"] += 1
    return ()


def stop_before_the_last_event(story: Story) -> tuple[str, ...]:
    story.traffic("scoring").published -= 1
    return ()


def publish_in_another_order(story: Story) -> tuple[str, ...]:
    outbox = story.traffic("registry").outbox
    outbox[2]["position"], outbox[3]["position"] = outbox[3]["position"], outbox[2]["position"]
    outbox[2], outbox[3] = outbox[3], outbox[2]
    return ()


def lose_a_message_of_the_stream(story: Story) -> tuple[str, ...]:
    story.traffic("registry").stream.pop(3)
    return ()


def send_past_the_outbox(story: Story) -> tuple[str, ...]:
    story.traffic("registry").stream.append({"sequence": 99, "id": "stranger", "position": 99, "event": {}})
    return ()


def acknowledge_what_was_not_done(story: Story) -> tuple[str, ...]:
    story.traffic("scoring").inbox.pop()
    return ()


def take_twice(story: Story) -> tuple[str, ...]:
    story.traffic("scoring").inbox.append(story.traffic("scoring").inbox[0])
    return ()


def miss_a_report_elsewhere(story: Story) -> tuple[str, ...]:
    story.evidence.reported_facts.pop()
    return ()


def keep_an_older_report_elsewhere(story: Story) -> tuple[str, ...]:
    known = next(row for row in story.evidence.reported_facts if row["kind"] == "profile")
    older = report_row(story, story.first)
    known |= {"revision": 1, "report_id": older["id"], "facts": older["facts"], "reported_at": older["reported_at"]}
    return (story.second.id,)


def keep_a_withdrawn_intervention_elsewhere(story: Story) -> tuple[str, ...]:
    story.evidence.counted[1]["withdrawn"] = False
    return ()


def keep_an_older_village_elsewhere(story: Story) -> tuple[str, ...]:
    next(row for row in story.evidence.followed if row["id"] == story.village)["version"] = 1
    return ()


def class_it_otherwise(story: Story) -> tuple[str, ...]:
    row = next(row for row in story.evidence.assessments if row["village_id"] == story.village)
    row["village_class"] = "mandiri" if row["village_class"] != "mandiri" else "dasar"
    return (story.second.id,)


def class_it_without_an_intervention(story: Story) -> tuple[str, ...]:
    """The class of a scoring service that missed the correction, told and stored consistently."""
    village, events = story.village, story.traffic("scoring").outbox
    mine = [row for row in events if row["event"]["data"]["village"]["id"] == village]
    stored = next(row for row in story.evidence.assessments if row["village_id"] == village)
    scores = stored["scores"] | {"proses_lintas_sektor": 1}
    stored["scores"] = scores
    mine[-1]["event"]["data"]["scores"] = scores
    return (story.correction.id,)


def change_without_having_seen(story: Story) -> tuple[str, ...]:
    story.correction.if_match = '"7"'
    return (story.correction.id,)


def give_one_version_to_two(story: Story) -> tuple[str, ...]:
    assert story.second.answer is not None
    story.second.answer.body["report"]["revision"] = 1
    return (story.second.id,)


def store_something_else(story: Story) -> tuple[str, ...]:
    report_row(story, story.second)["facts"]["pokja_members"] = 13
    return (story.second.id,)


def answer_a_repetition_otherwise(story: Story) -> tuple[str, ...]:
    answer = story.withdrawal.answer
    assert answer is not None
    places = story.history.next_place(), story.history.next_place()
    again = Attempt(places[0], 1, places[1], 200, answer.body | {"version": 3}, replayed=True)
    story.withdrawal.attempts.append(again)
    return (story.withdrawal.id,)


def answer_with_a_defect(story: Story) -> tuple[str, ...]:
    story.unknown.attempts[0].status = 500
    return (story.unknown.id,)


def refuse_the_current_etag(story: Story) -> tuple[str, ...]:
    refused = Operation("c1-x", 1, "change", "registry", "PATCH", f"/villages/{story.village}", if_match='"6"')
    refused.about = {"village": story.village, "desa": ""}
    attempt = story.history.invoke(refused, 0)
    attempt.status, attempt.body = 412, {"current_etag": '"6"'}
    story.history.complete(refused, attempt)
    return (refused.id,)


def refuse_for_nobody(story: Story) -> tuple[str, ...]:
    refused = Operation("c1-x", 1, "register", "registry", "POST", "/villages", about={"desa": DESA})
    attempt = story.history.invoke(refused, 0)
    attempt.status, attempt.body = 409, {"existing_id": story.other}
    story.history.complete(refused, attempt)
    return (refused.id,)


def read_an_older_village(story: Story) -> tuple[str, ...]:
    assert story.read.answer is not None
    story.read.answer.body["version"] -= 1
    return (story.read.id,)


def read_what_was_never_written(story: Story) -> tuple[str, ...]:
    assert story.read.answer is not None
    story.read.answer.body["name"] = "never"
    return (story.read.id,)


def read_a_village_from_the_future(story: Story) -> tuple[str, ...]:
    assert story.read.answer is not None
    story.read.answer.body["version"] += 5
    return (story.read.id,)


def read_no_report(story: Story) -> tuple[str, ...]:
    assert story.read_report.answer is not None
    story.read_report.answer.body["items"] = []
    return (story.read_report.id,)


def read_an_older_report(story: Story) -> tuple[str, ...]:
    assert story.read_report.answer is not None
    story.read_report.answer.body["items"] = [report_row(story, story.first)]
    return (story.read_report.id,)


def read_a_class_of_another_version(story: Story) -> tuple[str, ...]:
    assert story.read_class.answer is not None
    story.read_class.answer.body["class"] = "berkelanjutan"
    return (story.read_class.id,)


def put_an_event_aside(story: Story) -> tuple[str, ...]:
    row = {"consumer": "scoring-registry", "subject": "kkb.x", "reason": "ValueError", "attempts": 8}
    story.traffic("scoring").dead_letters.append(row)
    return ()


def leave_something_under_way(story: Story) -> tuple[str, ...]:
    story.evidence.unquiet.append("registry: 3 unpublished")
    return ()


def follow_with_a_gap(story: Story) -> tuple[str, ...]:
    story.traffic("registry").followed.pop(2)
    return ()


def follow_and_be_told_twice(story: Story) -> tuple[str, ...]:
    story.traffic("scoring").followed.insert(1, story.traffic("scoring").followed[0])
    return ()


def begin_without_the_last(story: Story) -> tuple[str, ...]:
    story.evidence.feeds["interventions"].pop()
    return ()


def show_a_district_another(story: Story) -> tuple[str, ...]:
    story.evidence.district_feeds["registry"].append(story.evidence.feeds["registry"][0])
    return ()


def hide_a_withdrawal(story: Story) -> tuple[str, ...]:
    story.evidence.feeds["interventions"][-1]["tombstone"] = False
    return ()


def begin_the_feed_anew(story: Story) -> tuple[str, ...]:
    story.traffic("registry").refusals.append("410: feed-reset")
    return ()


def sum_up_otherwise(story: Story) -> tuple[str, ...]:
    kind = story.evidence.checksums["scoring"]["kinds"][1]
    kind["digest"] = kind["parts"][0]["digest"] = "00000000000000ff"
    return ()


def leave_out_a_part(story: Story) -> tuple[str, ...]:
    story.evidence.checksums["registry"]["kinds"][0]["parts"].pop()
    return ()


def sum_up_another_moment(story: Story) -> tuple[str, ...]:
    story.evidence.checksums["registry"]["as_of"] -= 1
    return ()


def number_a_message_otherwise(story: Story) -> tuple[str, ...]:
    story.traffic("registry").stream[0]["position"] += 1
    return ()


BROKEN: list[tuple[str, Callable[[Story], tuple[str, ...]]]] = [
    ("lost", lose_an_acknowledged_report),
    ("lost", lose_an_acknowledged_village),
    ("lost", lose_an_acknowledged_change),
    ("phantom", keep_a_refused_report),
    ("phantom", keep_what_nobody_asked_for),
    ("phantom", change_what_was_called_unchanged),
    ("doubled", record_twice),
    ("doubled", report_twice_under_one_reference),
    ("event", tell_a_change_twice),
    ("event", tell_a_correction_twice),
    ("doubled", tell_a_class_twice),
    ("event", tell_nothing_of_a_report),
    ("event", tell_nothing_of_a_withdrawal),
    ("event", tell_something_else),
    ("gap", skip_a_revision),
    ("gap", skip_a_position),
    ("gap", skip_a_version_of_a_village),
    ("gap", stop_before_the_last_event),
    ("event", publish_in_another_order),
    ("stream", lose_a_message_of_the_stream),
    ("stream", send_past_the_outbox),
    ("inbox", acknowledge_what_was_not_done),
    ("inbox", take_twice),
    ("projection", miss_a_report_elsewhere),
    ("projection", keep_an_older_report_elsewhere),
    ("projection", keep_a_withdrawn_intervention_elsewhere),
    ("projection", keep_an_older_village_elsewhere),
    ("class", class_it_otherwise),
    ("class", class_it_without_an_intervention),
    ("overwritten", change_without_having_seen),
    ("overwritten", give_one_version_to_two),
    ("altered", store_something_else),
    ("answer", answer_a_repetition_otherwise),
    ("answer", answer_with_a_defect),
    ("answer", refuse_the_current_etag),
    ("answer", refuse_for_nobody),
    ("read", read_an_older_village),
    ("read", read_what_was_never_written),
    ("read", read_a_village_from_the_future),
    ("read", read_no_report),
    ("read", read_an_older_report),
    ("read", read_a_class_of_another_version),
    ("feed", follow_with_a_gap),
    ("feed", follow_and_be_told_twice),
    ("feed", begin_without_the_last),
    ("feed", show_a_district_another),
    ("feed", hide_a_withdrawal),
    ("feed", begin_the_feed_anew),
    ("checksum", sum_up_otherwise),
    ("checksum", leave_out_a_part),
    ("checksum", sum_up_another_moment),
    ("stream", number_a_message_otherwise),
    ("dead letter", put_an_event_aside),
    ("unquiet", leave_something_under_way),
]


def test_where_all_is_right_nothing_is_found() -> None:
    assert Story().found() == []


@pytest.mark.parametrize(("kind", "breaks"), BROKEN, ids=lambda value: getattr(value, "__name__", value))
def test_what_is_broken_is_found(kind: str, breaks: Callable[[Story], tuple[str, ...]]) -> None:
    story = Story()
    operations = breaks(story)
    found = [violation for violation in story.found() if violation.check == kind]
    assert found
    assert set(operations) <= {name for violation in found for name in violation.operations}


@pytest.mark.parametrize("took_effect", [True, False])
def test_an_unknown_outcome_may_be_either(took_effect: bool) -> None:
    """The same story, told without what the unknown write did: nothing is missing."""
    platform = Imagined()
    village = platform.register(DESA)
    if took_effect:
        platform.report(village, "profile", PROFILE, unknown=True)
    else:
        never = Operation("c1-never", 1, "report", "registry", "POST", f"/villages/{village}/profile")
        never.about = {"village": village, "kind": "profile", "period": "2025-09", "source": "manual"}
        never.body = {"facts": PROFILE, "simulated": False}
        platform.history.invoke(never, 0).error = "ConnectError"
    platform.record(village, "bps")
    assert check(*platform.settled()) == []


def test_a_seed_replays_the_same_choices() -> None:
    def drawn(seed: str) -> list[object]:
        clients = [intent for n in (1, 2) for intent, _ in zip(intents(seed, n), range(200), strict=False)]
        return [*clients, *(plan for plan, _ in zip(plans(seed, "processes", 2), range(50), strict=False))]

    assert drawn("1") == drawn("1")
    assert drawn("1") != drawn("2")
