"""For tests of what is built on Agent Runner: a model that plays a script, agents that play a scenario, and a clock.

with ScriptedModel([Turn(text="Done.")]) as model:
    run_an_agent(environment=model.environment())
    assert model.usage.output_tokens == 50
"""

from agentrunner.testing.agent import ScriptedAgent
from agentrunner.testing.clock import Clock
from agentrunner.testing.model import Request, ScriptedModel
from agentrunner.testing.turn import Fault, ToolCall, Turn

__all__ = ["Clock", "Fault", "Request", "ScriptedAgent", "ScriptedModel", "ToolCall", "Turn"]
