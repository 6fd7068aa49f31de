"""What the callers room answers."""

from __future__ import annotations

from pydantic import BaseModel, Field

from kit.access import Role, Scope


class Me(BaseModel):
    """Who you are to the platform, and what you may do."""

    id: str = Field(description="Id of your key")
    name: str
    roles: list[Role]
    scopes: list[Scope]
    region: str | None = Field(description="Region subtree you may see and change; null: the whole country")
