#!/usr/bin/env python3
"""Golden transcripts of the fast wires, written from docs/hardware/{slink-bridge,ipbus,msadc,trigger-crate}.md.

Standard library only and nothing shared with drivers/ or hil-sim/: both ends are compared with what this writes.
    python3 test/golden/wire/make_golden.py     writes slink.json and ipbus.json beside itself
"""
import json
import pathlib
import struct

HERE = pathlib.Path(__file__).parent

# CRC-32C (Castagnoli), reflected polynomial
TABLE = []
for n in range(256):
    c = n
    for _ in range(8):
        c = c >> 1 ^ 0x82F63B78 if c & 1 else c >> 1
    TABLE.append(c)


def crc32c(data: bytes) -> int:
    c = 0xFFFFFFFF
    for b in data:
        c = TABLE[(c ^ b) & 0xFF] ^ c >> 8
    return c ^ 0xFFFFFFFF


assert crc32c(b"123456789") == 0xE3069283

# ---------------------------------------------------------------------------------------------- S-LINK bridge


def frame(kind: int, sequence: int, payload: bytes = b"") -> bytes:
    head = struct.pack("<IHHII", 0x4B4E4C53, 1, kind, len(payload), sequence)
    return head + payload + struct.pack("<I", crc32c(head + payload))


def slink_block(source, event_type, spill, event, form, payload_words, *, tcs=0x08, error=0, errors=0):
    w0 = (len(payload_words) + 3) | source << 16 | event_type << 26 | error << 31
    w1 = event | spill << 20
    w2 = tcs << 8 | errors << 16 | form << 24
    return struct.pack(f"<{3 + len(payload_words)}I", w0, w1, w2, *payload_words)


def msadc_module(event, port, adc, channels):
    """channels: {number: samples}; format 3 of docs/hardware/msadc.md"""
    body = []
    for number, samples in sorted(channels.items()):
        body.append((sum(samples) & 0xFFFF) | len(samples) << 16 | number << 26 | 1 << 30)
        for k in range(0, len(samples), 2):
            tag = 0x40 if k == 0 else 0x80
            body.append(samples[k] | samples[k + 1] << 12 | tag << 24)
    return [(event & 0xFFF) | (len(body) + 1) << 12 | adc << 25 | port << 27 | 3 << 30, *body]


def msadc_stream():
    """one spill of three events, as a bridge sends it; one module, three channels"""
    hello = json.dumps(
        {
            "identity": {"maker": "golden", "model": "MSADC", "serial": "0001", "firmware": "1.2"},
            "sources": [600],
            "maximumBlockBytes": 262140,
        },
        separators=(",", ":"),
    ).encode()
    events = []
    for event in (1, 2, 3):
        pulse = [100 + event, 104, 101, 105, 100, 104, 100, 104, 180, 400, 700, 650, 420, 260, 180, 140]
        channels = {0: pulse, 5: [s + 7 for s in pulse], 15: [90, 94] * 8}
        words = msadc_module(event, 2, 1, channels if event != 2 else {})
        events.append(slink_block(600, 0, 7, event, 0x00, words))
    words_sent = sum(len(e) // 4 for e in events)
    parts = [
        ("hello", 0, hello),
        ("start of spill", 2, struct.pack("<IIQ", 7, 4711, 1663243200_000000000)),
        ("data", 1, events[0]),
        ("data, all channels suppressed", 1, events[1]),
        ("heartbeat", 4, b""),
        ("data", 1, events[2]),
        ("end of spill", 3, struct.pack("<IIIIQQ", 7, 1, 600, 3, words_sent, 123456789)),
    ]
    return [
        {"name": name, "kind": kind, "sequence": i, "payload": payload.hex(), "frame": frame(kind, i, payload).hex()}
        for i, (name, kind, payload) in enumerate(parts)
    ]


def trigger_blocks():
    out = []
    for event, (mask, ticks, busy, date_type) in enumerate([(0x0001, 388800, 0, 7), (0x0006, 391000, 58, 7), (0x0008, 500000, 116, 8)], 1):
        block = slink_block(700, 0, 7, event, 0x30, [mask, ticks, busy, date_type])
        out.append({"event": event, "triggerMask": mask, "ticks": ticks, "busyTicks": busy, "dateType": date_type, "block": block.hex()})
    return out


def slink():
    return {
        "crc32c": {"of": "123456789", "value": crc32c(b"123456789")},
        "bridgeToController": msadc_stream(),
        "controllerToBridge": [
            {"name": "XOFF", "kind": 5, "sequence": 0, "frame": frame(5, 0).hex()},
            {"name": "XON", "kind": 6, "sequence": 1, "frame": frame(6, 1).hex()},
        ],
        "records": {
            "startOfSpill": {"spill": 7, "cycle": 4711, "unixNs": "1663243200000000000"},
            "endOfSpill": {"spill": 7, "sources": [{"source": 600, "eventsSent": 3, "wordsSent": 3 * 3 + 2 * 28 + 1, "busyNs": 123456789}]},
            "fragments": [{"source": 600, "spill": 7, "event": e} for e in (1, 2, 3)],
        },
        "triggerBlocks": trigger_blocks(),
    }


# ------------------------------------------------------------------------------------------------------ IPbus


def words(*values):
    return struct.pack(f">{len(values)}I", *values)


def control(packet_id):
    return 0x200000F0 | packet_id << 8


def transaction(number, count, kind, info):
    return 2 << 28 | number << 16 | count << 8 | kind << 4 | info


def status_reply(next_id, received=(), sent=()):
    traffic = (0, 0, 0, 0)
    pad = lambda headers: (0,) * (4 - len(headers)) + tuple(headers)
    return words(0x200000F1, 1500, 4, control(next_id), *traffic, *pad(received), *pad(sent))


def ipbus():
    """A conversation with an MSADC board that was just switched on, source 600; latency 19 at first."""
    READ, WRITE, RMW = 0, 1, 4
    out = []

    def say(name, request, reply, call=None):
        entry = {"name": name, "request": request.hex(), "reply": reply.hex() if reply is not None else None}
        if call is not None:
            entry["call"] = call
        out.append(entry)

    say("status: first packet is 1", words(0x200000F1, *(0,) * 15), status_reply(1))
    say(
        "read ID, FIRMWARE, SOURCE_ID",
        words(control(1), transaction(0, 3, READ, 15), 0x0000),
        words(control(1), transaction(0, 3, READ, 0), 0x4D534144, 0x00010002, 600),
        {"do": "read", "address": 0, "count": 3, "values": [0x4D534144, 0x00010002, 600]},
    )
    say(
        "write LATENCY, SAMPLES",
        words(control(2), transaction(0, 2, WRITE, 15), 0x0005, 20, 32),
        words(control(2), transaction(0, 2, WRITE, 0)),
        {"do": "write", "address": 5, "values": [20, 32]},
    )
    say(
        "set bit 0 of CONTROL, which was 2",
        words(control(3), transaction(0, 1, RMW, 15), 0x0004, 0xFFFFFFFF, 1),
        words(control(3), transaction(0, 1, RMW, 0), 2),
        {"do": "modify", "address": 4, "and": 0xFFFFFFFF, "or": 1, "before": 2},
    )
    say(
        "read of an address that is not named: bus error, no word done",
        words(control(4), transaction(0, 1, READ, 15), 0x0FFF),
        words(control(4), transaction(0, 0, READ, 4)),
        {"do": "read", "address": 0x0FFF, "count": 1, "refusedAt": 0x0FFF},
    )
    say(
        "write over the end of what is named: bus error after one word",
        words(control(5), transaction(0, 2, WRITE, 15), 0x02FF, 40, 41),
        words(control(5), transaction(0, 1, WRITE, 5)),
        {"do": "write", "address": 0x02FF, "values": [40, 41], "refusedAt": 0x0300},
    )
    thresholds = [30 + i % 16 for i in range(300)]
    say(
        "read 300 thresholds: two transactions of one packet",
        words(control(6), transaction(0, 255, READ, 15), 0x0100, transaction(1, 45, READ, 15), 0x01FF),
        words(control(6), transaction(0, 255, READ, 0), *thresholds[:255], transaction(1, 45, READ, 0), *thresholds[255:]),
        {"do": "read", "address": 0x0100, "count": 300, "values": thresholds},
    )
    say("status: packet 7 is next", words(0x200000F1, *(0,) * 15), status_reply(7, [control(i) for i in (3, 4, 5, 6)], [control(i) for i in (3, 4, 5, 6)]))
    say("re-send request for packet 2", words(0x200002F2), words(control(2), transaction(0, 2, WRITE, 0)))
    say("a packet whose id is not expected: no answer", words(control(9), transaction(0, 1, READ, 15), 0), None)
    return {"conversation": out, "ids": {"first": 1, "last": 65535, "afterLast": 1}}


def write(name, value):
    text = json.dumps(value, indent=1) + "\n"
    (HERE / name).write_text(text)


if __name__ == "__main__":
    write("slink.json", slink())
    write("ipbus.json", ipbus())
