"""The application: routes below /v1, one shape of refusal, one document of itself."""

from __future__ import annotations

import html
from typing import Any, Protocol

from fastapi import FastAPI, Request, Security
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException

from harness import __version__
from harness.acquirer.management import books, merchants, terminals
from harness.acquirer.management.gate import Gate
from harness.acquirer.management.shapes import Problem, Refusal
from harness.acquirer.registration.back_office import BackOffice
from harness.acquirer.registration.documents import Refused, Unknown, told
from harness.acquirer.service import Tokens
from harness.errors import BadInput

DOCUMENT = "/v1/openapi.json"
PAGE = "/v1/docs"
_DESCRIPTION = """The back office of the simulated acquirer: applications, merchants, terminals, keys, books.

Every request needs `Authorization: Bearer <token>`. Amounts are cents, times seconds since 1970 on the host's clock.
Every refusal has the same shape; 422 names each element that is wrong or missing.
"""
_REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"model": Refusal, "description": "no token, or not one of ours"},
    403: {"model": Refusal, "description": "this token may only look"},
    404: {"model": Refusal, "description": "there is no such thing"},
    409: {"model": Refusal, "description": "not in the present state"},
    413: {"model": Refusal, "description": "the request is too large"},
    422: {"model": Refusal, "description": "elements are wrong or missing"},
}


class Running(books.Running, Protocol):
    """What of a running acquirer the API needs (``harness.acquirer.service.Service``)."""


def build(running: Running, office: BackOffice, tokens: Tokens) -> FastAPI:
    """The ASGI application. It must run in the thread that owns the database."""
    app = FastAPI(
        title="hil97 acquirer", version=__version__, description=_DESCRIPTION, openapi_url=DOCUMENT, docs_url=None,
        redoc_url=None, responses=_REFUSALS, dependencies=[Security(HTTPBearer(auto_error=False))],
        separate_input_output_schemas=False,
    )
    app.include_router(merchants.router(office), prefix="/v1")
    app.include_router(terminals.router(office), prefix="/v1")
    app.include_router(books.router(running, office), prefix="/v1")
    app.add_exception_handler(RequestValidationError, _not_valid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(BadInput, _bad_input)
    app.add_exception_handler(Exception, _internal)

    @app.get(PAGE, include_in_schema=False)
    async def page() -> HTMLResponse:
        return HTMLResponse(_page(app.openapi()))

    app.add_middleware(Gate, tokens=tokens, open_paths=(DOCUMENT, PAGE))
    return app


async def _not_valid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    problems = [
        ("document", f"no JSON from offset {one['loc'][-1]} on") if one["type"] == "json_invalid" else told(one, skip=1)
        for one in error.errors()
    ]
    return refusal(422, "elements are wrong or missing", problems)


async def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code == 400:  # FastAPI's for a body that is no text, or nested too deep
        return refusal(422, "elements are wrong or missing", [("document", "it can't be read as JSON")])
    answer = refusal(error.status_code, str(error.detail))
    answer.headers.update(error.headers or {})
    return answer


async def _bad_input(request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, Refused):
        return refusal(422, "elements are wrong or missing", error.problems)
    return refusal(404 if isinstance(error, Unknown) else 409, str(error))


async def _internal(request: Request, error: Exception) -> JSONResponse:
    return refusal(500, f"internal error of the acquirer, see what it printed: {type(error).__name__}")


def refusal(status: int, error: str, problems: Any = ()) -> JSONResponse:
    told_of = [Problem(element=element, problem=problem) for element, problem in problems]
    return JSONResponse(Refusal(error=error, problems=told_of).model_dump(), status)


def _page(document: dict[str, Any]) -> str:
    """The document for people, without a script or anything from elsewhere: a lab has no internet."""
    rows = []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
            asked = ", ".join(
                f"{one['name']}{'' if one.get('required') else '?'}" for one in operation.get("parameters", [])
            )
            cells = (
                f"<code>{method.upper()} {html.escape(path)}</code>", html.escape(operation.get("summary", "")),
                html.escape(operation.get("description", "")), html.escape(asked), _shape(body),
            )
            rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    shapes = []
    for name, schema in sorted(document["components"]["schemas"].items()):
        needed = schema.get("required", [])
        fields = "".join(
            f"<li><code>{html.escape(key)}{'' if key in needed else '?'}</code> {_shape(value)}"
            f" {html.escape(value.get('pattern', ''))} {html.escape(value.get('description', ''))}</li>"
            for key, value in schema.get("properties", {}).items()
        )
        shapes.append(
            f'<h3 id="{html.escape(name)}">{html.escape(name)}</h3><p>{html.escape(schema.get("description", ""))}</p>'
            f"<ul>{fields}</ul>"
        )
    title, about = html.escape(document["info"]["title"]), html.escape(document["info"]["description"])
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><style>body{{font:15px sans-serif;"
        "margin:2em;max-width:75em}td,th{text-align:left;vertical-align:top;padding:.3em .8em;border-top:1px solid}"
        f"</style><h1>{title} {html.escape(document['info']['version'])}</h1><p>{about}</p>"
        f'<p><a href="{DOCUMENT}">OpenAPI document</a></p><table><tr><th>request<th>what<th><th>parameters<th>body</tr>'
        f"{''.join(rows)}</table><h2>Shapes</h2>{''.join(shapes)}</html>"
    )


def _shape(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = html.escape(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_shape(one) for one in schema["anyOf"])
    if "enum" in schema:
        return html.escape(" | ".join(str(one) for one in schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_shape(schema.get('items', {}))}"
    return html.escape(str(schema.get("type", "")))
