"""pytest finds the project's parts from here."""

pytest_plugins = ["harness.pytest_plugin", "harness.robot.collector", "fixtures.bench"]
