"""How drivers talk to instruments: SCPI by PyVISA (:mod:`.visa`), Modbus (:mod:`.modbus`), HTTP (:mod:`.http`).

All three hold one connection, made when it is first needed and again after a failure: a call that fails leaves nothing
behind that the next answer could be taken for. Whatever goes wrong becomes an
:class:`~harness.instruments.contracts.InstrumentError` made in :mod:`.troubles`, so that the same trouble reads the
same whatever it came over.
"""
