# The app, and the workers that it starts, as a user who is nobody. No engine is needed to develop or test fairsal.
FROM python:3.11-slim-bookworm

RUN useradd --create-home --uid 10001 fairsal && install --directory --owner=fairsal /workspace
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY app.py server.py ./
COPY .streamlit/config.toml .streamlit/
COPY pages pages
COPY fairsal_core fairsal_core

USER 10001
# Outside of the container nobody reaches it but through the port that is published.
ENV FAIRSAL_HOME=/workspace STREAMLIT_SERVER_ADDRESS=0.0.0.0 PYTHONUNBUFFERED=1
VOLUME /workspace
EXPOSE 8501
HEALTHCHECK --interval=30s --timeout=10s --start-period=120s \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=5)"]
CMD ["streamlit", "run", "app.py"]
