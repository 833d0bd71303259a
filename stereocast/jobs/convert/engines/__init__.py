"""Where the sections of a film run: in processes of this machine, or on a Ray cluster.

A section is whole shots, so nothing that a stage remembers is lost between two of them, and its encoder starts afresh
at the same frames as in one pipeline: the joined film has the same packets whoever made them.
"""
