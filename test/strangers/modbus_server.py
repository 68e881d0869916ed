"""A PLC by pymodbus: the registers of docs/hardware/plc.md. Arguments: port, and addresses to leave out.

Its program counts register 0 by itself, every 20 ms, until it is told to stop.
"""

import asyncio
import sys
import threading
import time

from conversation import converse
from pymodbus.constants import Endian
from pymodbus.datastore import ModbusServerContext, ModbusSlaveContext, ModbusSparseDataBlock
from pymodbus.device import ModbusDeviceIdentification
from pymodbus.payload import BinaryPayloadBuilder
from pymodbus.server import StartAsyncTcpServer

port = int(sys.argv[1])
dew_point = BinaryPayloadBuilder(byteorder=Endian.Big, wordorder=Endian.Little)
dew_point.add_32bit_float(-3.625)
words = {0: [65530, 0, 0b1111, 0, 0], 10: [0x10000 - 55, 455, 9652, 123, 315], 20: dew_point.to_registers()}
for address in sys.argv[2:]:
    del words[int(address)]
block = ModbusSparseDataBlock(words)
identity = ModbusDeviceIdentification(info_name={"VendorName": "pymodbus", "ProductCode": "PLC", "MajorMinorRevision": "3.0"})
counts = True


def program():
    while True:
        time.sleep(0.02)
        if counts:
            block.setValues(0, [(block.getValues(0)[0] + 1) & 0xFFFF])


def answer(do, address=0, count=1, values=None):
    global counts
    if do == "get":
        return block.getValues(address, count)
    if do == "set":
        return block.setValues(address, values)
    if do == "count":
        counts = bool(values[0])
        return counts
    raise ValueError(do)


async def main():
    context = ModbusServerContext(slaves=ModbusSlaveContext(hr=block, zero_mode=True), single=True)
    server = await StartAsyncTcpServer(
        context=context, identity=identity, address=("127.0.0.1", port), allow_reuse_address=True, defer_start=True
    )
    serving = asyncio.create_task(server.serve_forever())
    await server.serving
    threading.Thread(target=program, daemon=True).start()
    await asyncio.to_thread(converse, answer)
    serving.cancel()


asyncio.run(main())
