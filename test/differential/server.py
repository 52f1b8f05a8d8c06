# The registers and coils of modbus.ts, served by pymodbus.
import sys

from pymodbus.datastore import (
    ModbusSequentialDataBlock,
    ModbusServerContext,
    ModbusSlaveContext,
)
from pymodbus.server import StartTcpServer

COUNT = 2000
registers = [(i * 40503 + 12345) & 0xFFFF for i in range(COUNT)]
coils = [i * 7 % 3 == 0 for i in range(COUNT)]
unit = ModbusSlaveContext(
    di=ModbusSequentialDataBlock(0, coils),
    co=ModbusSequentialDataBlock(0, coils),
    hr=ModbusSequentialDataBlock(0, registers),
    ir=ModbusSequentialDataBlock(0, registers),
    zero_mode=True,
)
context = ModbusServerContext(slaves={1: unit}, single=False)
StartTcpServer(context=context, address=("127.0.0.1", int(sys.argv[1])))
