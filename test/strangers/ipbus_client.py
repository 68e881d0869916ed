"""An IPbus 2.0 client over UDP, from the public protocol text alone. Arguments: port, byte order (> or <)."""

import socket
import struct
import sys

from conversation import converse

CONTROL, STATUS, RESEND = 0, 1, 2
READ, WRITE, SUM, BITS = 0, 1, 5, 4
port, order = int(sys.argv[1]), sys.argv[2]
line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
line.connect(("127.0.0.1", port))
line.settimeout(0.1)
history = []


def exchange(words):
    """One datagram and its answer; None after the time-out."""
    line.send(struct.pack(f"{order}{len(words)}I", *words))
    try:
        got = line.recv(2048)
    except TimeoutError:
        return None
    return list(struct.unpack(f"{order}{len(got) // 4}I", got))


def packet(kind, number=0):
    return 0x20000000 | number << 8 | 0xF0 | kind


def status():
    """The number of the packet that the target expects next."""
    return exchange([packet(STATUS)] + [0] * 15)[3] >> 8 & 0xFFFF


def transact(kind, count, *body):
    global number
    request = [packet(CONTROL, number), 0x2000000F | count << 8 | kind << 4, *body]
    reply = exchange(request)
    while reply is None:
        arrived = status() != number
        history.append("reply lost" if arrived else "request lost")
        reply = exchange([packet(RESEND, number)] if arrived else request)
    if reply[0] != request[0] or reply[1] & 0xFFFF00F0 != request[1] & 0xFFFF00F0:
        raise ValueError([hex(word) for word in reply])
    number = number % 0xFFFF + 1
    if reply[1] & 0xF:
        return {"error": reply[1] & 0xF, "done": reply[1] >> 8 & 0xFF, "words": reply[2:]}
    return reply[2:]


def answer(do, address=0, count=1, values=()):
    if do == "history":
        return history
    body = {"read": (READ, count, address), "write": (WRITE, len(values), address, *values)}
    body |= {"sum": (SUM, 1, address, *values), "bits": (BITS, 1, address, *values)}
    return transact(*body[do])


number = status()
converse(answer)
