"""The ceiling: an application that takes the same requests, and does nothing with them."""

from flask import Flask, request

app = Flask("null", static_folder=None)


@app.post("/api/sessions/events")
def post_event() -> dict[str, bool]:
    request.get_data(cache=False)
    return {"ok": True}


@app.get("/readyz")
def get_readyz() -> dict[str, bool]:
    return {"ok": True}
