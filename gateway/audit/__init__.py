"""The audit trail: who did what to which resource, with which result; append-only and chained by digests."""
