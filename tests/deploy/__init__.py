"""What is in ``deploy``, run for real: nginx, the units, the scripts, and the container as far as it can be run.

All addresses of 127.0.0.0/8 are this machine's, so other clients come from other ones of them.

Modules:

``proxy``       nginx with the shipped site, of which only ports and paths are replaced
``raw``         requests byte by byte, from an address of choice
``machine``     a machine with systemd in a container, to install on
``edge_peers``  a game host and a viewer for a gateway on such a machine
``image``       the Dockerfile, the compose file and ``.dockerignore``, as data
"""
