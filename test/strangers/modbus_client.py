"""A Modbus client by pymodbus. Arguments: port."""

import socket
import sys

from conversation import converse
from pymodbus.client import ModbusTcpClient
from pymodbus.constants import DeviceInformation, Endian
from pymodbus.factory import ClientDecoder
from pymodbus.framer.socket_framer import ModbusSocketFramer
from pymodbus.mei_message import ReadDeviceInformationRequest
from pymodbus.payload import BinaryPayloadDecoder
from pymodbus.pdu import ExceptionResponse
from pymodbus.register_read_message import ReadHoldingRegistersRequest

port = int(sys.argv[1])
client = ModbusTcpClient("127.0.0.1", port=port, timeout=5)


def result(response, take):
    if isinstance(response, ExceptionResponse):
        return {"exception": response.exception_code}
    if response.isError():
        raise response
    return take(response)


def raw(pieces, replies):
    """Sends the pieces as separate segments, and reads so many replies by pymodbus's own framer."""
    line = socket.create_connection(("127.0.0.1", port), timeout=5)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for piece in pieces:
        line.sendall(piece)
    framer, found = ModbusSocketFramer(ClientDecoder()), []
    while len(found) < replies:
        framer.processIncomingPacket(line.recv(4096), found.append, unit=0, single=True)
    line.close()
    return [reply.registers for reply in found]


def request(transaction, address, count):
    message = ReadHoldingRegistersRequest(address, count, unit=1)
    message.transaction_id = transaction
    return ModbusSocketFramer(ClientDecoder()).buildPacket(message)


def answer(do, address=0, count=1, values=None):
    if do == "read":
        return result(client.read_holding_registers(address, count, slave=1), lambda r: r.registers)
    if do == "read-input":
        return result(client.read_input_registers(address, count, slave=1), lambda r: r.registers)
    if do == "read-coils":
        return result(client.read_coils(address, count, slave=1), lambda r: r.bits)
    if do == "float":
        words = client.read_holding_registers(address, 2, slave=1).registers
        decoder = BinaryPayloadDecoder.fromRegisters(words, byteorder=Endian.Big, wordorder=Endian.Little)
        return decoder.decode_32bit_float()
    if do == "write":
        return result(client.write_register(address, values[0], slave=1), lambda r: r.value)
    if do == "write-many":
        return result(client.write_registers(address, values, slave=1), lambda r: r.count)
    if do == "write-and-read":
        response = client.readwrite_registers(
            read_address=address, read_count=count, write_address=1, write_registers=values, unit=1
        )
        return result(response, lambda r: r.registers)
    if do == "identify":
        response = client.execute(ReadDeviceInformationRequest(DeviceInformation.Basic, unit=1))
        return result(response, lambda r: [r.information[i].decode() for i in sorted(r.information)])
    if do == "byte-by-byte":
        return raw([bytes([byte]) for byte in request(7, address, count)], 1)[0]
    if do == "joined":
        return raw([b"".join(request(i, address + i, 1) for i in range(count))], count)
    raise ValueError(do)


client.connect()
converse(answer)
