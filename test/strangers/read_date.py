"""Reads a plain DATE 3.6 file on the standard input, word by word from the written layout, and prints what it found.

Standard library only. Arguments: MSADC sources and trigger sources, as 600,601,602 700. Whatever is not as the layout
says ends the program with the place where it is.
"""

import json
import struct
import sys

MAGIC, SLINK_TYPE, SUPER_EVENT = 0xDA1E5AFE, 64, 0x10
PHYSICS, CALIBRATION, END_OF_BURST = 7, 8, 6
msadc_sources = {int(word) for word in sys.argv[1].split(",")}
trigger_sources = {int(word) for word in sys.argv[2].split(",")}


class Damaged(Exception):
    pass


def need(condition, what, at):
    if not condition:
        raise Damaged(f"{what} at byte {at}")


def read_header(data, at):
    need(at + 68 <= len(data), "cut header", at)
    w = struct.unpack_from("<17I", data, at)
    need(w[1] == MAGIC and w[3] >= 0xFFFF, "no event", at)
    need(w[0] % 4 == 0 and 68 <= w[2] <= w[0] and at + w[0] <= len(data), "size", at)
    return {
        "size": w[0],
        "body": at + w[2],
        "version": w[3],
        "type": w[4] & 0xFFFF,
        "run": w[5],
        "in_run": w[6],
        "spill": w[7] >> 20,
        "in_spill": w[7] & 0xFFFFF,
        "mask": (w[8] >> 1) + (w[9] << 31 & 0xFFFFFFFF),
        "is_super": bool(w[13] & SUPER_EVENT),
    }


def read_msadc(words, event, at):
    """[modules, channels, samples, sum of all samples]"""
    totals, i = [0, 0, 0, 0], 0
    while i < len(words):
        head = words[i]
        end = i + (head >> 12 & 0xFFF)
        need(head >> 30 == 3 and end > i, "module header", at)
        need(head & 0xFFF == event & 0xFFF and end <= len(words), "module", at)
        totals[0] += 1
        i += 1
        while i < end:
            head, count = words[i], words[i] >> 16 & 0x1FF
            need(head >> 30 == 1 and count > 0 and i + 1 + (count + 1) // 2 <= end, "channel", at)
            samples = []
            for k, word in enumerate(words[i + 1 : i + 1 + (count + 1) // 2]):
                need(word >> 24 == (0x80 if k else 0x40), "sample word", at)
                samples += [word & 0xFFF, word >> 12 & 0xFFF]
            need(sum(samples[:count]) & 0xFFFF == head & 0xFFFF, "sum of samples", at)
            totals = [totals[0], totals[1] + 1, totals[2] + count, totals[3] + sum(samples[:count])]
            i += 1 + (count + 1) // 2
    return totals


def read_slink(words, event, at):
    """(source, what it holds) of a block and of those inside it."""
    need(len(words) >= 2 and words[0] & 0xFFFF == len(words), "S-LINK size", at)
    source = words[0] >> 16 & 0x3FF
    need(words[1] & 0xFFFFF == event["in_spill"], "S-LINK event number", at)
    need(words[1] >> 20 & 0x7FF == event["spill"] & 0x7FF, "S-LINK spill number", at)
    if source >= 896:
        i = 2
        while i < len(words):
            size = words[i] & 0xFFFF
            need(0 < size <= len(words) - i, "block in multiplexer", at)
            yield from read_slink(words[i : i + size], event, at)
            i += size
        return
    need(len(words) >= 3 and words[2] >> 8 & 0xFF == 8, "TCS byte", at)
    payload = words[3:]
    if source in msadc_sources:
        yield source, read_msadc(payload, event["in_spill"], at)
    elif source in trigger_sources:
        yield source, list(payload)
    else:
        yield source, len(payload)


def read_equipments(data, at, end, event):
    while at < end:
        need(at + 40 <= end, "cut equipment", at)
        size, kind = struct.unpack_from("<2I", data, at)
        need(kind == SLINK_TYPE and size % 4 == 0 and 40 <= size <= end - at, "equipment", at)
        yield from read_slink(struct.unpack_from(f"<{(size - 28) // 4}I", data, at + 28), event, at)
        at += size


def read_event(data, at):
    event = read_header(data, at)
    end, here, blocks = at + event["size"], event["body"], []
    if event["type"] in (PHYSICS, CALIBRATION, END_OF_BURST):
        while event["is_super"] and here < end:
            sub = read_header(data, here)
            same = ("version", "run", "spill", "in_run", "in_spill")
            need(all(sub[key] == event[key] for key in same), "numbers of the sub-event", here)
            need(not sub["is_super"] and here + sub["size"] <= end, "sub-event", here)
            blocks += read_equipments(data, sub["body"], here + sub["size"], event)
            here += sub["size"]
        if not event["is_super"]:
            blocks += read_equipments(data, here, end, event)
    return event, blocks, end


data, at, events = sys.stdin.buffer.read(), 0, []
while at < len(data):
    event, blocks, at = read_event(data, at)
    keys = ("type", "run", "in_run", "spill", "in_spill", "mask")
    events.append({**{key: event[key] for key in keys}, "blocks": blocks})
json.dump({"bytes": len(data), "events": events}, sys.stdout)
