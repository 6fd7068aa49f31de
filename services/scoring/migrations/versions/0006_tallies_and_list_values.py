"""tallies of classes, values that lists sort and filter by."""
# ruff: noqa: S608 - all names are written here

import sqlalchemy as sa
import sqlmodel.sql.sqltypes
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_COUNTS = (
    "villages",
    "simulated",
    "without_reports",
    "completeness_0",
    "completeness_1",
    "completeness_50",
    "completeness_80",
    "completeness_100",
)
_COUNTED = (
    "sum(n)",
    "sum(n) FILTER (WHERE simulated)",
    "sum(n) FILTER (WHERE without_reports)",
    "sum(n) FILTER (WHERE answered = 0)",
    "sum(n) FILTER (WHERE answered > 0 AND 100 * answered < 50 * asked)",
    "sum(n) FILTER (WHERE 100 * answered >= 50 * asked AND 100 * answered < 80 * asked)",
    "sum(n) FILTER (WHERE 100 * answered >= 80 * asked AND answered < asked)",
    "sum(n) FILTER (WHERE answered = asked AND answered > 0)",
)
_SORTED = {
    "input": "coalesce((indexes ->> 'input')::numeric, -1)",
    "proses": "coalesce((indexes ->> 'proses')::numeric, -1)",
    "output": "coalesce((indexes ->> 'output')::numeric, -1)",
    "distance": "coalesce(distance, 999)",
}


def _rows(table: str, sign: int) -> str:
    columns = "region_code, village_class, simulated, without_reports, answered, asked"
    return f"SELECT {columns}, {sign} AS n FROM {table} WHERE active"


def _tally(rows: str) -> str:
    counted = ", ".join(f"coalesce({count}, 0) AS {name}" for name, count in zip(_COUNTS, _COUNTED, strict=True))
    changed = " OR ".join(f"{name} <> 0" for name in _COUNTS)
    return (
        f"INSERT INTO class_tallies (regency_code, village_class, {', '.join(_COUNTS)}) SELECT * FROM ("
        f"SELECT left(region_code, 5), village_class, {counted} FROM ({rows}) AS r GROUP BY 1, 2) AS t "
        f"WHERE {changed};"
    )


_FUNCTION = f"""
CREATE FUNCTION tally_classes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    {_tally(_rows("came", 1))}
  ELSIF TG_OP = 'UPDATE' THEN
    {_tally(f"{_rows('came', 1)} UNION ALL {_rows('went', -1)}")}
  ELSE
    {_tally(_rows("went", -1))}
  END IF;
  RETURN NULL;
END $$
"""
_TRIGGERS = {
    "insert": "NEW TABLE AS came",
    "update": "OLD TABLE AS went NEW TABLE AS came",
    "delete": "OLD TABLE AS went",
}


def upgrade() -> None:
    """Forward."""
    op.create_table(
        "class_tallies",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("regency_code", sa.Text(collation="C"), nullable=False),
        sa.Column("village_class", sqlmodel.sql.sqltypes.AutoString(), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in _COUNTS),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_class_tallies")),
    )
    op.execute(_tally(_rows("assessments", 1)))
    op.execute(_FUNCTION)
    for what, tables in _TRIGGERS.items():
        op.execute(
            f"CREATE TRIGGER tally_{what} AFTER {what.upper()} ON assessments REFERENCING {tables} "
            "FOR EACH STATEMENT EXECUTE FUNCTION tally_classes()"
        )
    op.add_column("assessments", sa.Column("distance", sa.Numeric(), nullable=True))
    op.add_column("assessments", sa.Column("newest_periods", postgresql.JSONB(), nullable=True))
    op.add_column("assessments", sa.Column("readiness", postgresql.JSONB(), nullable=True))
    for name, value in _SORTED.items():
        op.create_index(
            f"ix_assessments_{name}",
            "assessments",
            [sa.text(value), "village_id"],
            unique=False,
            postgresql_where=sa.text("active"),
        )


def downgrade() -> None:
    """Back."""
    for name in _SORTED:
        op.drop_index(f"ix_assessments_{name}", table_name="assessments")
    for name in ("readiness", "newest_periods", "distance"):
        op.drop_column("assessments", name)
    for what in _TRIGGERS:
        op.execute(f"DROP TRIGGER tally_{what} ON assessments")
    op.execute("DROP FUNCTION tally_classes()")
    op.drop_table("class_tallies")
