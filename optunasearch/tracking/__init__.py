"""Trackers: what follows a search from outside.

A callback ``(study, trial)`` hears of finished trials. A tracker hears of the rest
as well: give an instance of a subclass of :class:`Tracker` among the search's
`callbacks`.
"""

from optunasearch.tracking._tracker import FoldEvent, SearchEvent, Tracker

__all__ = ["FoldEvent", "SearchEvent", "Tracker"]
