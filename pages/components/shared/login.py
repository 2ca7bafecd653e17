"""Who may see the app: everyone who reaches it, or, where a provider is configured, who has logged in there."""

import streamlit as st
from streamlit.errors import StreamlitSecretNotFoundError


def require_login() -> None:
    """Stop here until the reader has logged in, if `.streamlit/secrets.toml` has an `[auth]` section."""
    try:
        configured = "auth" in st.secrets
    except StreamlitSecretNotFoundError:
        configured = False
    if not configured:
        return
    if st.user.get("is_logged_in", False):
        st.sidebar.button("Log out", on_click=st.logout, icon=":material/logout:", key="logout")
        return
    st.title("fairsal")
    st.markdown("Log in to see faces, runs and results.")
    st.button("Log in", on_click=st.login, type="primary", icon=":material/login:", key="login")
    st.stop()
