"""Pixel Streaming as it is: Epic's own libraries for the protocol and for the player's page, in a real browser.

``signalling.mjs`` is a signalling server in small, on Epic's library of the protocol, run by node. ``player.mjs`` is a
page with Epic's own frontend, ``streamer.mjs`` one that stands in for Unreal Engine: what it streams is a canvas. Both
pages are in one headless Chromium. ``stage.py`` starts all of it; ``package-lock.json`` says what npm installs.
"""
