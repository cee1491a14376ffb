"""Delivery of what reporters have left, asked for by a person."""

import os

from agentrunner.client.courier import Delivered, Leftovers
from agentrunner.client.http import Http
from agentrunner.client.places import Place
from agentrunner.client.spool import Head, root_of


def deliver_all(
    server: str | None = None,
    token: str | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    state_dir: str | os.PathLike[str] | None = None,
) -> Delivered:
    """Send every report of this user that no living reporter has, each to the server it is for.

    Raises BadSetting, OSError.
    """
    place = Place.of(server, token, data_dir)

    def connect(head: Head) -> Http:
        return Http(place.target(head))

    return Leftovers(root_of(place.state_dir(state_dir)), connect).deliver()
