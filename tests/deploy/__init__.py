"""What is in ``deploy``, run for real: nginx, the units, the scripts, and what can be of the container.

``proxy`` runs a real nginx with the shipped site, of which only ports and paths are replaced, and ``raw`` speaks to a
socket byte by byte. All addresses of 127.0.0.0/8 are this machine's: other clients are clients from other ones of them.
``machine`` boots a machine with systemd in a container, to install on; ``image`` reads the Dockerfile and its like.
"""
