"""The app as a team runs it, behind a reverse proxy: `streamlit run server.py` (docs/operations.md).

The same pages as `app.py`, and on every answer the headers that keep other sites from framing, scripting or reading it.
"""

import base64
import hashlib
import re
from pathlib import Path

import streamlit as st
from starlette.datastructures import MutableHeaders
from starlette.formparsers import MultiPartParser
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import config


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


# An upload waits in memory until it is whole, and not in a file: what is uploaded never touches the disk.
MultiPartParser.spool_max_size = (config.get_option("server.maxUploadSize") + 1) * 2**20

app = st.App(
    "app.py",
    middleware=[
        Middleware(SecurityHeaders),
        # Streamlit itself checks the host of web sockets only.
        Middleware(TrustedHostMiddleware, allowed_hosts=config.get_option("server.allowedHosts") or ["*"]),
    ],
)
