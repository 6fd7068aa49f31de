"""Endpoints of the rulesets room."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Body, Path, Query, Request, Response
from pydantic import SkipValidation

from kit import clock
from kit.access import Caller, Scope, requires
from kit.database import Session
from kit.etags import IfMatch, etag
from kit.idempotency import Answer, OnlyOnce
from kit.openapi import HEAVY
from kit.paging import ListFilters, Page, page_of
from kit.problems import (
    Conflict,
    PreconditionRequired,
    RegionForbidden,
    RulesetImmutable,
    RulesetInForce,
    RulesetNotPublished,
    RulesetPublishedBefore,
    RulesetUnknown,
    Stale,
    TooLarge,
    problems,
)
from services.scoring.rulesets import actions, evaluating, store
from services.scoring.rulesets.document import Ruleset
from services.scoring.rulesets.library import published
from services.scoring.rulesets.schemas import (
    MOST_VILLAGES,
    BoundaryCases,
    EvaluationOut,
    InForceIn,
    InForceOut,
    RulesetDetail,
    RulesetFilters,
    RulesetOut,
    ValidationOut,
    VillageFactsIn,
)
from services.scoring.rulesets.tables import StoredRuleset

router = APIRouter(prefix="/rulesets", tags=["rulesets"])

RulesetReader = Annotated[Caller, requires(Scope.RULESETS_READ)]
RulesetEvaluator = Annotated[Caller, requires(Scope.RULESETS_EVALUATE)]
RulesetAssessor = Annotated[Caller, requires(Scope.RULESETS_WRITE, whole_country=True)]
RulesetId = Annotated[str, Path(description="Id of a ruleset", examples=["web-2021"])]
# Read by the action from the bytes as they came, so that what does not fit is said in Indonesian.
Document = Annotated[
    Ruleset, SkipValidation, Body(title="Ruleset", description="A whole ruleset document, with the status draft")
]
# Validated by the action, in a thread: thousands of villages would hold up every other request.
Villages = Annotated[
    list[Annotated[VillageFactsIn, SkipValidation]],
    Body(max_length=MOST_VILLAGES, description="Villages as of the parity cases, without id and expected"),
]


@router.get("")
async def list_rulesets(
    _reader: RulesetReader, session: Session, filters: Annotated[RulesetFilters, Query()]
) -> Page[RulesetOut]:
    """List rulesets by id: drafts, published and retired ones."""
    current = await _in_force(session)
    out = [RulesetOut.of(stored, current) for stored in await store.list_page(session, filters)]
    items, cursor = page_of(out, filters.limit, lambda ruleset: ruleset.id)
    return Page(items=items, next_cursor=cursor)


@router.post("", status_code=201, response_model=RulesetOut, responses=problems(RegionForbidden, Conflict, TooLarge))
async def draft_ruleset(
    _document: Document, request: Request, assessor: RulesetAssessor, session: Session, once: OnlyOnce
) -> Response:
    """Store a new draft. Its shape must fit; everything else is checked by validation and when it is published.

    Nation-wide callers only: a ruleset applies to everybody.
    """

    async def draft() -> Answer:
        return await _answer(session, await actions.draft(session, assessor, await request.body()), 201)

    return await once(assessor, draft)


@router.post("/validation", responses=problems(RegionForbidden, TooLarge))
async def validate_document(_document: Document, request: Request, _assessor: RulesetAssessor) -> ValidationOut:
    """What the checks say of a document, its shape included, and its boundary cases; nothing is stored.

    Nation-wide callers only.
    """
    return await actions.validate_document(await request.body())


@router.get("/in-force")
async def list_rulesets_in_force(
    _reader: RulesetReader, session: Session, filters: Annotated[ListFilters, Query()]
) -> Page[InForceOut]:
    """Which ruleset is, was and will be in force from when: all that was ever set, newest day first."""
    found = await store.list_entries(session, filters, clock.today())
    items, cursor = page_of(found, filters.limit, lambda one: one.entry.from_date, lambda one: one.entry.id)
    return Page(
        items=[InForceOut.of(one.entry, now=one.now, replaced=one.replaced) for one in items], next_cursor=cursor
    )


@router.post(
    "/in-force",
    status_code=201,
    response_model=InForceOut,
    responses=problems(RegionForbidden, RulesetUnknown, Conflict, RulesetNotPublished),
)
async def put_ruleset_in_force(
    asked: InForceIn, assessor: RulesetAssessor, session: Session, once: OnlyOnce
) -> Response:
    """Put a published ruleset in force from a day on, today or later; assessments follow by themselves.

    What was set before stays on record; of one day the last entry counts. Nation-wide callers only.
    """

    async def put() -> Answer:
        entry = await actions.put_in_force(session, assessor, asked)
        return Answer(InForceOut.of(entry, now=entry.from_date == clock.today(), replaced=False))

    return await once(assessor, put)


@router.get("/{ruleset}", responses=problems(RulesetUnknown), response_model_exclude_unset=True)
async def get_ruleset(
    ruleset: RulesetId, _reader: RulesetReader, session: Session, response: Response
) -> RulesetDetail:
    """One ruleset with its whole document, exactly as its digest covers it; the ETag is what If-Match wants."""
    stored = await store.find(session, ruleset)
    response.headers["ETag"] = etag(stored.revision)
    return RulesetDetail.of(stored, await _in_force(session))


@router.put(
    "/{ruleset}",
    responses=problems(RegionForbidden, RulesetUnknown, RulesetImmutable, Stale, PreconditionRequired, TooLarge),
)
async def replace_ruleset(
    ruleset: RulesetId,
    _document: Document,
    request: Request,
    _assessor: RulesetAssessor,
    session: Session,
    response: Response,
    if_match: IfMatch = None,
) -> RulesetOut:
    """Put another document in a draft's place. Nation-wide callers only."""
    stored = await actions.replace(session, ruleset, if_match, await request.body())
    response.headers["ETag"] = etag(stored.revision)
    return RulesetOut.of(stored, await _in_force(session))


@router.delete(
    "/{ruleset}",
    status_code=204,
    responses=problems(RegionForbidden, RulesetUnknown, RulesetImmutable, Stale, PreconditionRequired),
)
async def delete_ruleset(
    ruleset: RulesetId, _assessor: RulesetAssessor, session: Session, if_match: IfMatch = None
) -> None:
    """Throw a draft away; what was published stays for ever. Nation-wide callers only."""
    await actions.delete(session, ruleset, if_match)


@router.get("/{ruleset}/boundary-cases", responses=problems(RulesetUnknown, RulesetNotPublished))
async def get_boundary_cases(ruleset: RulesetId, _reader: RulesetReader, session: Session) -> BoundaryCases:
    """Cases at every boundary of a published ruleset, as they were stored with it; those of a draft: validation."""
    stored = await store.find(session, ruleset)
    cases = await store.boundary_cases(session, ruleset)
    if stored.digest is None or cases is None:
        raise RulesetNotPublished(f"{ruleset} is a draft")
    return BoundaryCases(ruleset=stored.id, digest=stored.digest, cases=cases)


@router.post("/{ruleset}/validation", responses=problems(RegionForbidden, RulesetUnknown))
async def validate_ruleset(ruleset: RulesetId, _assessor: RulesetAssessor, session: Session) -> ValidationOut:
    """What the checks say of a ruleset, and its boundary cases; nothing is changed. Nation-wide callers only."""
    return await actions.validate(session, ruleset)


@router.post(
    "/{ruleset}/publication",
    response_model=RulesetOut,
    responses=problems(RegionForbidden, RulesetUnknown, RulesetPublishedBefore, Stale, PreconditionRequired),
)
async def publish_ruleset(
    ruleset: RulesetId, assessor: RulesetAssessor, session: Session, once: OnlyOnce, if_match: IfMatch = None
) -> Response:
    """Publish a draft as you read it: from then on it never changes. It must pass its checks.

    The pointers of a 422 are into the document. Nation-wide callers only.
    """

    async def publish() -> Answer:
        return await _answer(session, await actions.publish(session, assessor, ruleset, if_match), 200)

    return await once(assessor, publish)


@router.post(
    "/{ruleset}/retirement",
    response_model=RulesetOut,
    responses=problems(RegionForbidden, RulesetUnknown, RulesetNotPublished, RulesetInForce),
)
async def retire_ruleset(ruleset: RulesetId, assessor: RulesetAssessor, session: Session, once: OnlyOnce) -> Response:
    """Retire a published ruleset that is not in force: it cannot be put in force again, and can still be asked about.

    Nation-wide callers only.
    """

    async def retire() -> Answer:
        return await _answer(session, await actions.retire(session, assessor, ruleset), 200)

    return await once(assessor, retire)


@router.post(
    "/{ruleset}/evaluations",
    responses=problems(RulesetUnknown),
    response_model=list[EvaluationOut],
    openapi_extra=HEAVY,
)
async def evaluate_villages(
    ruleset: RulesetId, villages: Villages, _evaluator: RulesetEvaluator, session: Session
) -> Response:
    """Score villages that you send under a published or retired ruleset; nothing is stored."""
    engine = await published(session, ruleset)
    answer = await asyncio.to_thread(evaluating.evaluate, engine, villages, clock.today())
    return Response(answer, media_type="application/json")


async def _answer(session: Session, stored: StoredRuleset, status: int) -> Answer:
    headers = {"ETag": etag(stored.revision), "Location": f"/api/v1/rulesets/{stored.id}"}
    return Answer(RulesetOut.of(stored, await _in_force(session)), status, headers)


async def _in_force(session: Session) -> str:
    return (await store.in_force(session, clock.today()))[0]
