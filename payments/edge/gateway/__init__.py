"""``ps-gateway``: stands between viewers and game hosts, and reports each viewer's connection to Payments.

It runs in one process and one event loop, on aiohttp towards both sides; the reporter has threads of its own:

``routes``     which game host a request goes to, and what a file of routes may say; pure
``headers``    which headers go on to the other side; pure
``subscribe``  finds the streamer in Pixel Streaming's messages; pure
``upstream``   connects to a game host, as a viewer's request asks for
``ending``     how it ends: what a close may say; pure
``side``       one of a viewer's two WebSockets: that of the viewer, or that to the game host
``link``       both of them, each sending what the other one receives, from the first message to the end
``pulse``      asks both sides of every link for signs of life
``viewer``     an upgrade: from the request to the end of the session
``pages``      everything else that is asked for goes through to the game host
``front``      where all requests come in
``metrics``    what is counted; ``admin``: health, metrics and the spool, on an address of their own
``spool_command``  ``ps-gateway spool``, which asks ``admin``
``service``    from the settings to the end of the process: sockets, signals, reload, drain

Always true: no event is reported of a viewer whom the game host has not accepted, and none is forgotten of one whom
it has; whatever becomes of Payments or of the spool, viewers are served. Messages are passed on to the byte, and the
memory that one viewer can take is bounded. May import what ``payments.edge`` may.
"""
