#!/usr/bin/env python3
"""Clients that never stop asking a server, while its certificate is changed under them.

  clients.py PORT CA SECONDS-MAX STOP-FILE

Half of them keep their connection, half open one for each request; all check the server's certificate and name. A kept connection that the
server ends before it has said a word of the answer is opened anew and the request repeated, as RFC 9110 (9.2.2) has it; anything else is a
failure. Ends when STOP-FILE is there; prints the serial numbers in the order that they were met and the counts. Status 1: something failed.
"""
import http.client
import os
import ssl
import sys
import threading
import time

port, ca, seconds, stop_file = int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), sys.argv[4]
until = time.monotonic() + seconds
lock = threading.Lock()
serials, failures = [], []
counts = {"kept": 0, "new": 0, "reopened": 0}


def context():
    made = ssl.create_default_context(cafile=ca)
    # Each handshake is to show the certificate: no tickets.
    made.options |= ssl.OP_NO_TICKET
    return made


def connect():
    connection = http.client.HTTPSConnection("localhost", port, context=context(), timeout=10)
    connection.connect()
    serial = connection.sock.getpeercert()["serialNumber"]
    with lock:
        if serial not in serials:
            serials.append(serial)
            print("serial", serial, flush=True)
    return connection


def ask(connection):
    connection.request("GET", "/")
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200 or body != b"good\n":
        raise ValueError(f"{answer.status} {body!r}")


def client(keeps):
    connection, used = None, 0
    while not os.path.exists(stop_file) and time.monotonic() < until:
        try:
            if connection is None:
                connection, used = connect(), 0
            try:
                ask(connection)
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError, ssl.SSLEOFError):
                if used == 0:
                    raise
                with lock:
                    counts["reopened"] += 1
                connection, used = connect(), 0
                ask(connection)
            used += 1
            with lock:
                counts["kept" if keeps else "new"] += 1
            if not keeps:
                connection.close()
                connection = None
            time.sleep(0.005)
        except Exception as why:  # all of them count
            with lock:
                failures.append(repr(why))
            connection = None
            time.sleep(0.05)


threads = [threading.Thread(target=client, args=(i % 2 == 0,)) for i in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
for why in failures[:10]:
    print("failed", why)
print(f"requests {counts['kept'] + counts['new']} ({counts['kept']} on kept connections, {counts['new']} on new ones, "
      f"{counts['reopened']} connections that were ended while idle), failed {len(failures)}, serials {len(serials)}")
sys.exit(1 if failures else 0)
