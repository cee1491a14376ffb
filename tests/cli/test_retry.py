"""`agentrunner retry`, with the product itself."""

from e2e.product import Product


def test_a_finished_run_is_run_again_as_a_new_one(real: Product) -> None:
    """Its id is printed; an unfinished one is exit code 5."""
    first = real.command("run", "-d", "--", "echo", "again").stdout.strip()
    real.wait(int(first), "COMPLETED")
    second = real.command("retry", first).stdout.strip()
    assert real.run(int(second))["retry_of"] == int(first)
    assert real.command("logs", "-f", "--raw", second).stdout == "again\n"
    unfinished = real.command("run", "-d", "--", "sleep", "600").stdout.strip()
    assert real.command("retry", unfinished).returncode == 5
    assert real.command("stop", unfinished).returncode == 0
