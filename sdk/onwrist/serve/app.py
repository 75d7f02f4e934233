"""Models and settings in, the service as an ASGI app out: `create_app`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from fastapi import FastAPI, Request, WebSocket
from fastapi.exceptions import HTTPException
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException as AnyHTTPException
from starlette.middleware.cors import CORSMiddleware

from onwrist.serve import answers, pages, schema
from onwrist.serve.posts import Posts
from onwrist.serve.security import Guard, Token
from onwrist.serve.sessions import PROTOCOL
from onwrist.serve.settings import Settings
from onwrist.serve.streams import Streams
from onwrist.serve.windows import TooMany
from onwrist.serve.workers import Workers
from onwrist_runtime.errors import EngineError, InputError, ParityError
from onwrist_runtime.model import Model

_DESCRIPTION = """Windows in, predictions out. Samples as they arrive go over a WebSocket,
`/v1/models/NAME/stream`, which OpenAPI has no words for: [the protocol](docs/protocol)."""


def create_app(models: Sequence[Model], settings: Settings | None = None) -> FastAPI:
    """The service of some models, for any ASGI server.

    Raises
    ------
    InputError
        Two of the models have the same name.
    EngineError, BundleError, ParityError
        The step graph of one cannot be run, or does not give its golden numbers here.
    """
    settings = settings or Settings()
    limits, token = settings.limits, Token(settings.token)
    known = by_name(models)
    for model in models:
        model.stream()  # opens and proves the step graph, once for all streams
    workers = Workers(settings.threads)
    streams = Streams(workers, limits, token)
    posts = Posts(workers, limits)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        workers.close()

    app = FastAPI(
        title="onwrist serve",
        version=str(PROTOCOL),
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        routes=pages.docs(),
    )
    _add_errors(app)

    def model_of(name: str) -> Model:
        if name not in known:
            there = ", ".join(known)
            raise HTTPException(
                404, f"there is no model {answers.brief(name)!r} here; there are: {there}"
            )
        return known[name]

    @app.get(
        "/health",
        summary="Whether the service is there, and how many stream",
        tags=["service"],
        responses=schema.gives(schema.Health, "it is there", 421),
    )
    async def health() -> Response:
        return _json(
            {"status": "ok", "streams": streams.running, "most_streams": limits.streams}
        )

    @app.get(
        "/v1/models",
        summary="The models of this service",
        tags=["models"],
        responses=schema.gives(schema.Models, "all of them", 401, 403, 421),
    )
    async def list_models() -> Response:
        return _json({"models": [answers.described(model) for model in known.values()]})

    @app.get(
        "/v1/models/{name}",
        summary="A model and its manifest",
        tags=["models"],
        responses=schema.gives(schema.ModelInFull, "the model", 401, 403, 404, 421),
    )
    async def describe_model(name: str) -> Response:
        return _json(answers.in_full(model_of(name)))

    @app.post(
        "/v1/models/{name}/predict",
        summary="Predict on windows",
        tags=["models"],
        responses=schema.gives(
            schema.Predicted,
            "the predictions",
            400,
            401,
            403,
            404,
            408,
            413,
            415,
            422,
            500,
            503,
        ),
        openapi_extra=schema.takes_windows(),
    )
    async def predict(name: str, request: Request) -> Response:
        return await posts.predict(model_of(name), request)

    @app.websocket("/v1/models/{name}/stream")
    async def stream(socket: WebSocket, name: str) -> None:
        await streams.serve(socket, model_of(name))

    if settings.app is not None:
        app.mount("/", pages.app_files(settings.app))
    _describe(app, token)
    if settings.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type"],
        )
    app.add_middleware(Guard, settings=settings, token=token)
    return app


def by_name(models: Sequence[Model]) -> dict[str, Model]:
    """Models by their names.

    Raises
    ------
    InputError
        Two have the same.
    """
    known: dict[str, Model] = {}
    for model in models:
        if model.name in known:
            raise InputError(
                f"two bundles are called {model.name}: {known[model.name].version} and "
                f"{model.version}; serve them on two ports"
            )
        known[model.name] = model
    return known


def _json(value: Any) -> Response:
    return Response(answers.text(value), media_type="application/json")


def _add_errors(app: FastAPI) -> None:
    """Every error in the same form."""

    async def said(_: Request, error: Exception) -> Response:
        assert isinstance(error, AnyHTTPException)
        words = answers.brief(error.detail, answers.LONGEST)
        return JSONResponse({"error": words}, error.status_code, error.headers)

    def status(code: int) -> Any:
        async def handler(_: Request, error: Exception) -> Response:
            return JSONResponse({"error": answers.brief(str(error), answers.LONGEST)}, code)

        return handler

    app.add_exception_handler(AnyHTTPException, said)
    for kind, code in (
        (msgspec.DecodeError, 400),
        (msgspec.ValidationError, 422),
        (InputError, 422),
        (TooMany, 413),
        (EngineError, 500),
        (ParityError, 500),
    ):
        app.add_exception_handler(kind, status(code))


def _describe(app: FastAPI, token: Token) -> None:
    """Put the forms of bodies and answers, and the token, into openapi.json."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        described = plain()
        components = described.setdefault("components", {})
        # FastAPI's own form of errors is not used.
        components["schemas"] = schema.components()
        for path in described["paths"].values():
            for operation in path.values():
                if operation["responses"].get("422", {}).get("description") != (
                    "it cannot be used"
                ):
                    operation["responses"].pop("422", None)
        if token.needed:
            components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
            described["security"] = [{"token": []}]
        return described

    app.openapi = openapi  # type: ignore[method-assign]
