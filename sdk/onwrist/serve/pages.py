"""Files for browsers: the companion app, and the page of the API; nothing from elsewhere."""

from __future__ import annotations

import os
from importlib.resources import as_file, files
from pathlib import Path

from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

# What the machine's own tables say of these differs, and modules and WebAssembly are refused
# under another type.
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".mjs": "text/javascript; charset=utf-8",
    ".onnx": "application/octet-stream",
    ".onwrist": "application/octet-stream",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
_ONLY_SELF = (
    "default-src 'self'; connect-src 'self'; img-src 'self' data: blob:; "
    "style-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; "
)
# Engines are WebAssembly in workers, with threads where the page is isolated.
_APP = {
    "Content-Security-Policy": _ONLY_SELF
    + "script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}
_DOCS = {"Content-Security-Policy": _ONLY_SELF + "script-src 'self'"}
_ALL = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>onwrist serve</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="docs/files/swagger-ui.css">
</head>
<body>
<main id="api"></main>
<script src="docs/files/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
_START = """SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#api",
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
});
"""


class _Files(StaticFiles):
    """Files of a folder and nothing above it, with their types and headers."""

    def __init__(self, folder: Path, headers: dict[str, str], html: bool) -> None:
        super().__init__(directory=folder, html=html)
        self._headers = headers | _ALL

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        known = _TYPES.get(Path(full_path).suffix.lower())
        if known is not None and "content-type" in response.headers:
            response.headers["content-type"] = known
        response.headers.update(self._headers)
        return response


def app_files(folder: Path) -> StaticFiles:
    """The built companion app, to be mounted at /."""
    return _Files(folder, _APP, html=True)


def docs() -> list[BaseRoute]:
    """The page of the API, with the files of Swagger UI that fastapi-offline carries.

    Beside it PROTOCOL.md, for what the page cannot say.
    """
    with as_file(files("fastapi_offline") / "static") as folder:
        carried = _Files(folder, _DOCS, html=False)

    async def page(_: object) -> Response:
        return HTMLResponse(_PAGE, headers=_DOCS | _ALL)

    async def start(_: object) -> Response:
        return Response(_START, media_type=_TYPES[".js"], headers=_DOCS | _ALL)

    async def protocol(_: object) -> Response:
        text = (files("onwrist.serve") / "PROTOCOL.md").read_text("utf-8")
        return Response(text, media_type="text/plain; charset=utf-8", headers=_DOCS | _ALL)

    return [
        Route("/docs", page),
        Route("/docs/protocol", protocol),
        Route("/docs/start.js", start),
        Mount("/docs/files", carried),
    ]
