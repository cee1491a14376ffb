"""`agentrunner up`, with the product itself."""

import signal

from e2e.product import product
from waiting import until


def test_ctrl_c_ends_it_and_says_what_goes_on() -> None:
    """Server and worker are gone, the agent is not, and the command that ends it is named."""
    with product(grace_s=2) as made:
        up = made.up()
        made.wait_ready()
        run_id = made.command("run", "-d", "--", "sleep", "600").stdout.strip()
        until(lambda: made.run(int(run_id))["started_at"], 20)
        up.send(signal.SIGINT)
        until(lambda: not up.is_alive, 20)
        assert "1 agent goes on" in made.log()
        assert "agentrunner stop --all" in made.log()
        assert made.command("ps").returncode == 3
        stopped = made.command("stop", "--all", timeout=60)
        assert stopped.stdout.split() == [run_id, "STOPPED"], stopped


def test_an_option_of_the_table_reaches_the_server() -> None:
    """Here one that a person sees at once."""
    with product() as made:
        made.up("--insecure-no-auth")
        until(lambda: "WARNING: --insecure-no-auth" in made.log(), 30)
