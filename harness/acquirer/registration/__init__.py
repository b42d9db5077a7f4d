"""Registration as the acquirer's back office does it: applications of merchants, units bound to terminal numbers,
activation, dormancy (docs/registration.md). What the switch sees is changed through ``harness.acquirer.registry``.
"""
