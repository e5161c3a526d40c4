"""Where a route sends its items, as far as the routes file names it."""

from worker.core.model import Lane
from worker.core.routes import Route
from worker.core.templates import Table


def destinations(route: Route) -> list[Lane]:
    """The lanes of the datasets that the file names literally; none where each object names its own."""
    match route.dataset:
        case None:
            return [route.lane]
        case Table(values=values, otherwise=otherwise):
            named = [*values.values(), *([otherwise] if otherwise is not None else [])]
            return [route.lane._replace(dataset=dataset) for dataset in dict.fromkeys(named)]
        case _:
            return []
