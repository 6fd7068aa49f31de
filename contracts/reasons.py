"""Why an indicator has no score under a ruleset, as codes."""

from enum import StrEnum


class ReasonCode(StrEnum):
    """Kinds of reasons, in the order in which they are told."""

    REPORT_ABSENT = "report_absent"
    ANSWER_MISSING = "answer_missing"
    DATE_MISSING = "date_missing"
    DENOMINATOR_ZERO = "denominator_zero"
    IMPLAUSIBLE = "implausible"
    REPORT_TOO_OLD = "report_too_old"
    AGE_UNKNOWN = "age_unknown"
