"""`agentrunner send`, with the product itself."""

from e2e.product import Product
from waiting import until


def test_text_reaches_the_program_once(real: Product) -> None:
    """It ends when it has read its line."""
    run_id = real.command(
        "run", "-d", "--option", "stdin=pipe", "--", "sh", "-c", "read line; echo got $line"
    ).stdout.strip()
    until(lambda: real.run(int(run_id))["started_at"], 20)
    assert "is stored" in real.command("send", run_id, "hello", "there").stdout
    assert real.wait(int(run_id), "COMPLETED")["exit_code"] == 0
    assert real.command("logs", "--raw", run_id).stdout == "got hello there\n"


def test_a_run_that_reads_nothing_is_exit_code_5(real: Product) -> None:
    """And says what would read."""
    run_id = real.command("run", "-d", "--", "sleep", "600").stdout.strip()
    refused = real.command("send", run_id, "hello")
    assert (refused.returncode, "stdin: pipe" in refused.stderr) == (5, True)
    assert real.command("stop", run_id).returncode == 0
