"""Lines of text by pyserial or pyvisa-py. Arguments: library, and its name of the line (path, URL, VISA resource)."""

import sys

from conversation import converse

TIMEOUT_S = 5


class BySerial:
    def __init__(self, where):
        import serial

        self.line = serial.serial_for_url(where, baudrate=9600, timeout=TIMEOUT_S)

    def say(self, text):
        self.line.write(text.encode("latin1"))

    def hear(self):
        got = self.line.read_until(b"\r\n")
        if not got.endswith(b"\r\n"):
            raise TimeoutError(repr(got))
        return got[:-2].decode("latin1")


class ByVisa:
    def __init__(self, where):
        import pyvisa

        self.line = pyvisa.ResourceManager("@py").open_resource(where)
        self.line.timeout = 1000 * TIMEOUT_S
        self.line.write_termination = ""
        self.line.read_termination = "\r\n"

    def say(self, text):
        self.line.write(text)

    def hear(self):
        return self.line.read()

    def values(self, text):
        return self.line.query_ascii_values(text, converter=lambda word: float(word.rstrip("VA")))


line = {"pyserial": BySerial, "pyvisa": ByVisa}[sys.argv[1]](sys.argv[2])


def answer(do, text=None):
    if do == "say":
        return line.say(text)
    if do == "hear":
        return line.hear()
    if do == "ask":
        line.say(text)
        return line.hear()
    if do == "say-byte-by-byte":
        return [line.say(one) for one in text] and None
    if do == "values":
        return line.values(text)
    raise ValueError(do)


converse(answer)
