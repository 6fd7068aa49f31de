"""Steps of the tables that every service has (`kit.database.own_metadata`), called by the services' migrations.

A step is frozen once it was released: a later change of the tables is a new step.
"""

from __future__ import annotations

from alembic import op

_POSITIONS = (
    (
        'ALTER TABLE outbox ADD COLUMN type text, ADD COLUMN region_code text COLLATE "C", '
        'ADD COLUMN entity text COLLATE "C", ADD COLUMN position bigint'
    ),
    # what was published stands before what was not, each in the order in which it was written
    """
    UPDATE outbox SET
        type = e.event ->> 'type',
        region_code = e.event ->> 'subject',
        entity = CASE
            WHEN e.event ->> 'type' LIKE '%.registry.village-%' THEN 'village/' || (e.event #>> '{data,village,id}')
            WHEN e.event ->> 'type' LIKE '%-reported.v1' THEN concat_ws('/', 'report', e.event #>> '{data,village,id}',
                replace(substring(e.event ->> 'type' from 'registry\\.(.*)-reported'), '-', '_'),
                e.event #>> '{data,period}', e.event #>> '{data,source_system}')
            WHEN e.event ->> 'type' LIKE '%.interventions.%'
                THEN 'intervention/' || (e.event #>> '{data,intervention_id}')
            ELSE 'assessment/' || (e.event #>> '{data,village,id}')
        END,
        position = CASE WHEN published_at IS NOT NULL THEN e.place END
    FROM (
        SELECT id, convert_from(body, 'UTF8')::jsonb AS event,
            row_number() OVER (ORDER BY published_at IS NULL, id) AS place
        FROM outbox
    ) e WHERE e.id = outbox.id
    """,
    (
        "ALTER TABLE outbox ALTER COLUMN type SET NOT NULL, ALTER COLUMN region_code SET NOT NULL, "
        "ALTER COLUMN entity SET NOT NULL"
    ),
    "DROP INDEX ix_outbox_unpublished",
    "ALTER TABLE outbox DROP COLUMN subject, DROP COLUMN published_at",
    "ALTER TABLE outbox ADD CONSTRAINT uq_outbox_position UNIQUE (position)",
    "CREATE INDEX ix_outbox_unplaced ON outbox (id) WHERE position IS NULL",
    "CREATE INDEX ix_outbox_entity_position ON outbox (entity, position)",
    "CREATE INDEX ix_outbox_region_code_position ON outbox (region_code, position)",
    """
    CREATE TABLE publication (
        only_row boolean NOT NULL DEFAULT true CONSTRAINT pk_publication PRIMARY KEY,
        feed_id uuid NOT NULL DEFAULT gen_random_uuid(),
        position bigint NOT NULL DEFAULT 0,
        published bigint NOT NULL DEFAULT 0,
        stream_sequence bigint NOT NULL DEFAULT 0,
        stream_created timestamptz,
        reconciled_at timestamptz,
        CONSTRAINT ck_publication_only_row CHECK (only_row),
        CONSTRAINT ck_publication_published CHECK (published BETWEEN 0 AND position)
    )
    """,
    (
        "INSERT INTO publication (position, published) "
        "SELECT coalesce(max(position), 0), coalesce(max(position), 0) FROM outbox"
    ),
)
_RESOLUTION = (
    (
        'ALTER TABLE dead_letters ADD COLUMN region_code text COLLATE "C", ADD COLUMN digest bytea, '
        "ADD COLUMN failed_at timestamptz NOT NULL DEFAULT now(), ADD COLUMN outcome text, "
        "ADD COLUMN resolved_at timestamptz, ADD COLUMN resolved_by text, ADD COLUMN resolution text, "
        "DROP CONSTRAINT uq_dead_letters_consumer_subject_stream_sequence"
    ),
    (
        "UPDATE dead_letters SET failed_at = created_at, digest = sha256(body), "
        r"region_code = substring(subject from '\.v\d+\.(\d\d(?:\.\d\d(?:\.\d\d(?:\.\d{4})?)?)?)$')"
    ),
    (
        "DELETE FROM dead_letters d USING dead_letters e "
        "WHERE d.consumer = e.consumer AND d.digest = e.digest AND d.id > e.id"
    ),
    (
        "ALTER TABLE dead_letters ALTER COLUMN digest SET NOT NULL, "
        "ADD CONSTRAINT ck_dead_letters_outcome CHECK (outcome IN ('handled', 'discarded')), "
        "ADD CONSTRAINT ck_dead_letters_resolved_at CHECK ((outcome IS NULL) = (resolved_at IS NULL)), "
        "ADD CONSTRAINT ck_dead_letters_resolved_by CHECK ((outcome IS NULL) = (resolved_by IS NULL)), "
        "ADD CONSTRAINT ck_dead_letters_resolution CHECK ((outcome = 'discarded') = (resolution IS NOT NULL))"
    ),
    "CREATE UNIQUE INDEX uq_dead_letters_open ON dead_letters (consumer, digest) WHERE outcome IS NULL",
)

_RE_EMISSIONS = """
    CREATE TABLE re_emissions (
        id uuid NOT NULL CONSTRAINT pk_re_emissions PRIMARY KEY,
        region_code text COLLATE "C",
        reason text NOT NULL,
        requested_by text NOT NULL,
        requested_at timestamptz NOT NULL,
        state text NOT NULL,
        started_at timestamptz,
        written_at timestamptz,
        finished_at timestamptz,
        place text,
        events bigint NOT NULL DEFAULT 0,
        first_event uuid,
        last_event uuid,
        feed_id uuid,
        first_position bigint,
        last_position bigint,
        attempts integer NOT NULL DEFAULT 0,
        failure text,
        CONSTRAINT ck_re_emissions_state CHECK (state IN ('queued', 'running', 'done', 'failed')),
        CONSTRAINT ck_re_emissions_finished_at CHECK ((finished_at IS NULL) = (state IN ('queued', 'running'))),
        CONSTRAINT ck_re_emissions_failure CHECK ((failure IS NULL) = (state <> 'failed')),
        CONSTRAINT ck_re_emissions_positions CHECK (first_position <= last_position)
    )
"""
_REBUILDS = (
    """
    CREATE TABLE rebuilds (
        id uuid NOT NULL CONSTRAINT pk_rebuilds PRIMARY KEY,
        source text NOT NULL,
        re_emissions jsonb,
        dry_run boolean NOT NULL,
        reason text NOT NULL,
        requested_by text NOT NULL,
        requested_at timestamptz NOT NULL,
        state text NOT NULL,
        attempts integer NOT NULL DEFAULT 0,
        started_at timestamptz,
        finished_at timestamptz,
        events_read bigint NOT NULL DEFAULT 0,
        events_expected bigint,
        unreadable bigint NOT NULL DEFAULT 0,
        failing bigint NOT NULL DEFAULT 0,
        differences jsonb,
        place text,
        settled jsonb,
        failure text,
        failure_detail text,
        CONSTRAINT ck_rebuilds_source CHECK (source IN ('events', 'services')),
        CONSTRAINT ck_rebuilds_re_emissions CHECK (re_emissions IS NULL OR source = 'services'),
        CONSTRAINT ck_rebuilds_state CHECK (state IN ('waiting', 'queued', 'reading', 'settling', 'done', 'failed')),
        CONSTRAINT ck_rebuilds_finished_at CHECK ((finished_at IS NULL) = (state NOT IN ('done', 'failed'))),
        CONSTRAINT ck_rebuilds_failure CHECK ((failure IS NULL) = (state <> 'failed')),
        CONSTRAINT ck_rebuilds_failure_detail CHECK ((failure IS NULL) = (failure_detail IS NULL))
    )
    """,
    # one at a time
    "CREATE UNIQUE INDEX uq_rebuilds_under_way ON rebuilds ((finished_at IS NULL)) WHERE finished_at IS NULL",
)


def positions_and_resolutions() -> None:
    """Events get a position in the order of their commits; dead letters can be resolved."""
    for statement in (*_POSITIONS, *_RESOLUTION):
        op.execute(statement)


def re_emissions() -> None:
    """A service that owns facts can tell its present state again."""
    op.execute(_RE_EMISSIONS)


def rebuilds() -> None:
    """A service with a projection can rebuild it."""
    for statement in _REBUILDS:
        op.execute(statement)
