"""The floor: cost of gunicorn, Flask and the disk alone for an event that is synced before its answer."""

import os

from flask import Flask, request

app = Flask("floor", static_folder=None)
# In the server's folder, on the same disk as the journal that it is compared with.
_file = os.open("floor", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
_LINE = b"x" * 699 + b"\n"


@app.post("/api/sessions/events")
def post_event() -> dict[str, bool]:
    request.get_data(cache=False)
    os.write(_file, _LINE)
    os.fdatasync(_file)
    return {"ok": True}


@app.get("/readyz")
def get_readyz() -> dict[str, bool]:
    return {"ok": True}
