"""The gateway, as real processes between real WebSockets.

Modules:

``gateways``  gateways on free loopback ports, with spools of their own
``hosts``     game hosts: WebSocket servers, and raw sockets that do as told
``audience``  a process of viewers and of the hosts that they watch
``campaign``  viewers come and go while things break; then their time is compared with the credits
``networks``  a network between edge and Payments that can be cut
``raw``       WebSockets byte by byte
``reports``   what was reported to a stand-in for Payments
"""
