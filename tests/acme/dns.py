#!/usr/bin/env python3
"""A name server for tests: dns.py FOLDER, on a free port of 127.0.0.1 that it writes to FOLDER/port.

Every name below contoso.test is 127.0.0.1; TXT records of NAME are the lines of FOLDER/NAME; everything else is not there.
"""
import os
import socket
import struct
import sys

folder = sys.argv[1]
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 0))
with open(os.path.join(folder, "port.new"), "w", encoding="ascii") as out:
    out.write(str(server.getsockname()[1]))
os.rename(os.path.join(folder, "port.new"), os.path.join(folder, "port"))


def record(kind, data):
    return b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 1, len(data)) + data


def answer(query):
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode().lower())
        at += 1 + query[at]
    question = query[12:at + 5]
    kind = struct.unpack(">H", query[at + 1:at + 3])[0]
    name, records, code = ".".join(labels), [], 0
    if not name.endswith("contoso.test"):
        code = 3
    elif kind == 1:
        records = [record(1, bytes([127, 0, 0, 1]))]
    elif kind == 16 and os.path.exists(os.path.join(folder, name)):
        with open(os.path.join(folder, name), encoding="ascii") as texts:
            records = [record(16, bytes([len(text)]) + text.encode()) for text in texts.read().split()]
    return query[:2] + struct.pack(">HHHHH", 0x8580 | code, 1, len(records), 0, 0) + question + b"".join(records)


while True:
    packet, peer = server.recvfrom(512)
    server.sendto(answer(packet), peer)
