"""What is written for every sample, as it was when someone last looked at it.

`python -m tests.written [AREA ...]` records it anew; `python -m tests.written --show AREA CASE` prints what is written
now. Only digests are kept: the texts of two commits are compared by showing them at both.
"""
