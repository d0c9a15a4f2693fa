"""``ps-gateway``: stands between viewers and game hosts, and reports each viewer's connection to Payments.

It runs in one process and one event loop, on aiohttp towards both sides; the reporter has threads of its own.

Always true: a session is reported if and only if the game host has accepted the viewer; viewers are served whatever
happens to Payments or the spool; messages are passed on to the byte; the memory of one viewer is bounded.

Modules:

``service``        the process: sockets, signals, reload, drain
``dispatcher``     the entry of all requests: validates, picks the route
``routes``         pure: which game host a request goes to, and the format of the file of routes
``headers``        pure: which headers are passed on
``viewer``         a WebSocket: from the upgrade request to the end of the session
``pages``          passes plain HTTP through to the game host
``upstream``       connects to game hosts
``link``           a viewer and their game host: passes messages both ways until one of them leaves
``connection``     one of a link's two WebSockets
``ending``         pure: how a link ends, and what a close frame may say
``liveness``       pings both sides of every link, and ends links that do not answer
``subscribe``      pure: finds the streamer in Pixel Streaming's messages
``admin``          health, metrics and the spool, on an address of their own
``metrics``        what is counted
``spool_command``  ``ps-gateway spool``, which asks ``admin``
"""
