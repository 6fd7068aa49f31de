"""What the tokens room takes and answers (RFC 6749, 4.4)."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class TokenIn(BaseModel):
    """What a client asks for, as a form. Its id and secret stand here or in `Authorization: Basic`, not in both."""

    model_config = ConfigDict(extra="ignore")  # RFC 6749, 3.2: unrecognised parameters must be ignored

    grant_type: str = Field("", max_length=200, description="`client_credentials`")
    client_id: str | None = Field(None, max_length=200, description="Id of a key")
    client_secret: str | None = Field(
        None, max_length=200, description="The key's secret: what stands after the last `_`"
    )
    scope: str = Field("", max_length=2000, description="Must be absent: a token may do what its key may")


class AccessToken(BaseModel):
    """A token just issued."""

    access_token: str = Field(description="To send as `Authorization: Bearer`; clients do not look inside")
    token_type: Literal["Bearer"]
    expires_in: int = Field(description="Seconds", examples=[900])
