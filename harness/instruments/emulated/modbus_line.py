"""The conversation in Modbus TCP. pymodbus frames, decodes and encodes; imported when somebody first speaks it.

Its own server keeps one identification for the whole process, and would end a connection on none of our faults.
"""

from __future__ import annotations

import logging
import sys

from pymodbus.framer.socket import FramerSocket
from pymodbus.pdu import DecodePDU, ExceptionResponse, ModbusPDU
from pymodbus.pdu import bit_message as bits
from pymodbus.pdu import register_message as registers
from pymodbus.pdu.mei_message import ReadDeviceInformationRequest, ReadDeviceInformationResponse

from harness.instruments.emulated.listener import Line
from harness.instruments.emulated.modbus import ModbusInstrument

logging.getLogger("pymodbus").setLevel(logging.CRITICAL)  # what a client sends wrongly is answered, not logged
_READ = 65536
_LARGEST_FRAME = 260  # Modbus messaging on TCP/IP, 4.1
_READ_COILS = 1
_FUNCTIONS = (1, 4, 5, 15, 0x2B)  # Modbus application protocol, 6
_ILLEGAL_FUNCTION, _ILLEGAL_ADDRESS, _ILLEGAL_VALUE, _DEVICE_FAILURE = 1, 2, 3, 4  # the same, 7


async def converse(instrument: ModbusInstrument, line: Line) -> None:
    """One connection, until it ends, or what comes is no Modbus."""
    decoder, unread = DecodePDU(True), b""
    framer = FramerSocket(decoder)
    while data := await line.reader.read(_READ):
        unread += data
        while len(unread) >= FramerSocket.MIN_SIZE:
            used, unit, transaction, body = framer.decode(unread)
            if unread[2:4] != b"\0\0" or (used and not body) or (not used and len(unread) >= _LARGEST_FRAME):
                return  # what follows can't be told apart any more
            if not used:
                break
            unread = unread[used:]
            answer = _answer(instrument, decoder, body)
            answer.dev_id, answer.transaction_id = unit, transaction
            await line.send(framer.buildFrame(answer))


def _answer(instrument: ModbusInstrument, decoder: DecodePDU, body: bytes) -> ModbusPDU:
    function = body[0]
    if instrument.faults.errors:
        return ExceptionResponse(function & 0x7F, _DEVICE_FAILURE)
    asked = decoder.decode(body) if function < 0x80 else None
    if asked is None:
        return ExceptionResponse(function & 0x7F, _ILLEGAL_VALUE if function in _FUNCTIONS else _ILLEGAL_FUNCTION)
    if isinstance(asked, ReadDeviceInformationRequest):
        maker, model, serial, version = instrument.identity
        told = {0: maker.encode(), 1: model.encode(), 2: f"{version} {serial}".encode()}
        return ReadDeviceInformationResponse(asked.read_code, told)
    instrument.rig.catch_up()
    try:
        return _of_values(instrument, asked)
    except OSError as error:  # the interface behind a contact is gone
        print(f"instruments: {instrument.name}: {error}", file=sys.stderr)
        return ExceptionResponse(function, _DEVICE_FAILURE)
    finally:
        instrument.rig.kick()


def _of_values(instrument: ModbusInstrument, asked: ModbusPDU) -> ModbusPDU:
    """What is read and written."""
    address, nothing_there = asked.address, ExceptionResponse(asked.function_code, _ILLEGAL_ADDRESS)
    match asked:
        case bits.ReadCoilsRequest() if asked.function_code == _READ_COILS:
            coils = instrument.coils(address, asked.count)
            return nothing_there if coils is None else bits.ReadCoilsResponse(bits=coils)
        case registers.ReadInputRegistersRequest():
            found = instrument.inputs(address, asked.count)
            return nothing_there if found is None else registers.ReadInputRegistersResponse(registers=found)
        case bits.WriteSingleCoilRequest():
            if instrument.write(address, asked.bits[:1]):
                return bits.WriteSingleCoilResponse(address=address, bits=asked.bits)
            return nothing_there
        case bits.WriteMultipleCoilsRequest():
            if len(asked.bits) != asked.count:
                return ExceptionResponse(asked.function_code, _ILLEGAL_VALUE)
            if instrument.write(address, asked.bits):
                return bits.WriteMultipleCoilsResponse(address=address, count=asked.count)
            return nothing_there
    return ExceptionResponse(asked.function_code, _ILLEGAL_FUNCTION)
