"""Workers on the wire."""

from agentrunner.domain.worker import Worker, WorkerView, view


def test_the_wire_form() -> None:
    """Instants as text; what proves a worker's identity stays here."""
    worker = Worker(
        id="w",
        name="n",
        host="h",
        version="1",
        machine_id="secret-ish",
        lock_inode=1,
        boot_id="b",
        epoch=3,
        slots=4,
        running=1,
        backends=["command"],
        limits={"cpu": None},
        tree="walk",
        registered_at=0,
        heard_at=1500,
    )
    shown = view(worker, online=True)
    assert (shown.online, shown.registered_at, shown.heard_at) == (
        True,
        "1970-01-01T00:00:00.000Z",
        "1970-01-01T00:00:01.500Z",
    )
    assert not {"machine_id", "lock_inode", "boot_id", "epoch"} & set(WorkerView.__struct_fields__)
