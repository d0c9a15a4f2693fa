"""Real Pixel Streaming: Epic's libraries for the protocol and the player page, in a real browser.

``signalling.mjs`` is a small signalling server with Epic's protocol library, run by node. ``player.mjs`` is a page
with Epic's own frontend; ``streamer.mjs`` stands in for Unreal Engine and streams a canvas. Both pages are in one
headless Chromium. ``package-lock.json`` says what npm installs.

Modules:

``stage``  starts all of it: signalling server, browser, streamers, players
"""
