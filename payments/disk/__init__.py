"""The narrow seam to the operating system: file operations, locks between processes, atomic replacement of a file.

Every change that Payments makes to a file goes through ``Disk``, so that tests can record, fail and crash the
operations one by one. Files are made 0600 and folders 0700; no file is opened through a symbolic link. Local file
systems only: the locks are ``flock``, and what a network file system makes of those and of ``fdatasync`` is its own
affair.

May import ``payments.errors`` only. Not here: what is in the files.
"""

from payments.disk.operations import Disk
from payments.disk.replacement import replace_file, write_file

__all__ = ["Disk", "replace_file", "write_file"]
