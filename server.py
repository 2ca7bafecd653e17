"""The app as a team runs it, behind a reverse proxy: `streamlit run server.py` (docs/operations.md).

The same pages as `app.py`, and on every answer the headers that keep other sites from framing, scripting or reading it. What
comes from a page of another origin is refused, and uploads are bounded, each session's and all together.
"""

import asyncio
import base64
import hashlib
import re
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.formparsers import MultiPartParser
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import config, runtime
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFileRec


def inline_scripts() -> str:
    """Return the hashes of the scripts that stand in streamlit's own page, which a policy has to name one by one."""
    page = (Path(st.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    scripts = re.findall(r"<script(?![^>]*\bsrc=)[^>]*>(.*?)</script>", page, re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
    return " ".join(f"'sha256-{digest}'" for digest in digests)


CONTENT_SECURITY_POLICY = {
    "default-src": "'self'",
    # Components bring their script as a blob; the charts compile their expressions.
    "script-src": f"'self' blob: 'unsafe-eval' 'wasm-unsafe-eval' {inline_scripts()}",
    "style-src": "'self' 'unsafe-inline'",  # streamlit writes its styles into the page
    "img-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "connect-src": "'self' data: blob:",
    "worker-src": "'self' blob:",
    "frame-src": "'self'",
    "object-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}
MOST_FILE = (config.get_option("server.maxUploadSize") + 1) * 2**20
MOST_A_SESSION, MOST_IN_ALL = 6 * MOST_FILE, 24 * MOST_FILE  # a page uses six pictures at once
MOST_SECONDS = 300.0  # for one upload
_UPLOAD = re.compile(r"/_stcore/upload_file/(?P<session>[^/]+)/(?P<file>[^/]+)/?$")
HEADERS = {
    "Content-Security-Policy": "; ".join(f"{name} {allowed}" for name, allowed in CONTENT_SECURITY_POLICY.items()),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # run ids are in addresses
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


class SecurityHeaders:
    """ASGI middleware that adds `HEADERS` to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self.app(scope, receive, send_with_headers if scope["type"] == "http" else send)


def is_own_origin(origin: str, host: str) -> bool:
    """Return whether a page of this origin may change something here: one of this host, or of the address that is configured."""
    configured = config.get_option("browser.serverAddress") if config.is_manually_set("browser.serverAddress") else None
    parts = urlsplit(origin)
    named = parts.hostname is not None and parts.hostname == configured
    return parts.netloc == host or named or origin in config.get_option("server.corsAllowedOrigins")


class OwnOrigin:
    """ASGI middleware that refuses web sockets, and requests that change something, from pages of another origin.

    Browsers say where a page is from, and tokens can leak; what is no browser need not say so.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket") or scope.get("method") in ("GET", "HEAD", "OPTIONS"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        if origin is None or is_own_origin(origin, headers.get("host", "")):
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await PlainTextResponse("Not from this origin.", 403)(scope, receive, send)


class BoundedUploads:
    """ASGI middleware that bounds how much uploads hold in memory, each session's and all together, and how long one may take.

    What a session uploaded is freed some time after it ended: streamlit frees it only when other sessions come and go, and
    never what arrives after the end.
    """

    def __init__(self, app: ASGIApp, a_session: int, in_all: int, one: int, seconds: float) -> None:
        self.app = app
        self.a_session, self.in_all, self.one, self.seconds = a_session, in_all, one, seconds
        self._arriving: Counter[str] = Counter()
        self._gone_since: dict[str, float] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            try:
                await self.app(scope, receive, send)
            finally:
                self._free_later()
            return
        upload = _UPLOAD.search(scope["path"]) if scope["type"] == "http" and scope["method"] == "PUT" else None
        if upload is None:
            await self.app(scope, receive, send)
            return
        await self._take(upload["session"], upload["file"], scope, receive, send)

    async def _take(self, session: str, file: str, scope: Scope, receive: Receive, send: Send) -> None:
        said = Headers(scope=scope).get("content-length", "")
        size = int(said) if said.isdecimal() else self.one
        self.free()
        if refusal := self._refusal(session, file, size):
            await refusal(scope, receive, send)
            return
        begun = False

        async def note(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        with self._counted(session, size):
            try:
                async with asyncio.timeout(self.seconds):
                    await self.app(scope, receive, note)
            except TimeoutError:
                if not begun:
                    await PlainTextResponse("The upload took too long.", 408)(scope, receive, send)
        self._free_later()  # what arrived after its session ended

    def _refusal(self, session: str, file: str, size: int) -> PlainTextResponse | None:
        held = {name: sum(len(one.data) for one in files.values()) for name, files in _files().items()}
        again = _files().get(session, {}).get(file)
        size -= len(again.data) if again else 0
        if held.get(session, 0) + self._arriving[session] + size > self.a_session:
            return PlainTextResponse("This session holds enough uploads: remove some.", 413)
        if sum(held.values()) + self._arriving.total() + size > self.in_all:
            return PlainTextResponse("All sessions together hold enough uploads: try later.", 507)
        return None

    @contextmanager
    def _counted(self, session: str, size: int) -> Iterator[None]:
        self._arriving[session] += size
        try:
            yield
        finally:
            self._arriving[session] -= size
            if not self._arriving[session]:
                del self._arriving[session]

    def _free_later(self) -> None:
        self.free()
        asyncio.get_running_loop().call_later(_kept_seconds() + 1, self.free)

    def free(self) -> None:
        """Forget the files of sessions that have been gone for longer than a browser may take to come back."""
        now, kept = time.monotonic(), _files()
        gone = {session for session in kept if not runtime.get_instance().is_active_session(session)}
        self._gone_since = {session: self._gone_since.get(session, now) for session in gone}
        for session, since in list(self._gone_since.items()):
            if now - since >= _kept_seconds():
                _manager().remove_session_files(session)
                del self._gone_since[session]


def _manager() -> MemoryUploadedFileManager:
    manager = runtime.get_instance().uploaded_file_mgr
    assert isinstance(manager, MemoryUploadedFileManager)
    return manager


def _files() -> dict[str, dict[str, UploadedFileRec]]:
    """Return what is held, by session and file; a copy, since pages run in other threads."""
    return {session: dict(files) for session, files in list(_manager().file_storage.items())}


def _kept_seconds() -> float:
    return float(config.get_option("server.disconnectedSessionTTL"))


# An upload waits in memory until it is whole, and not in a file: what is uploaded never touches the disk.
MultiPartParser.spool_max_size = MOST_FILE

app = st.App(
    "app.py",
    middleware=[
        Middleware(SecurityHeaders),
        # Streamlit itself checks the host of web sockets only.
        Middleware(TrustedHostMiddleware, allowed_hosts=config.get_option("server.allowedHosts") or ["*"]),
        Middleware(OwnOrigin),
        Middleware(BoundedUploads, a_session=MOST_A_SESSION, in_all=MOST_IN_ALL, one=MOST_FILE, seconds=MOST_SECONDS),
    ],
)
