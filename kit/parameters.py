"""Unknown query parameters are refused: a filter that is silently ignored answers with everything."""

from __future__ import annotations

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel

from kit.problems import Invalid


def _declared(dependant: Dependant) -> set[str]:
    names: set[str] = set()
    for field in dependant.query_params:
        model = field.field_info.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            names |= {inner.alias or name for name, inner in model.model_fields.items()}
        else:
            names.add(field.alias)
    return names.union(*(_declared(inner) for inner in dependant.dependencies))


async def only_known_parameters(request: Request) -> None:
    """Dependency of every operation.

    Raises:
        Invalid: a query parameter that the operation does not declare, named with a pointer.
    """
    route = request.scope.get("route")
    if not request.query_params or not isinstance(route, APIRoute):
        return
    unknown = sorted(set(request.query_params) - _declared(route.dependant))
    if unknown:
        detail = "this operation has no such parameter"
        errors = [{"pointer": f"query:{name}", "detail": detail} for name in unknown]
        raise Invalid(f"{detail}: {', '.join(unknown)}", errors=errors)
