#!/usr/bin/env python3
"""Asks for a credential as systemd does: from an abstract name that says for whom, and reads to the end.

  credential.py SOCKET UNIT CREDENTIAL          "-" for the unit: from no name at all
  credential.py --activate yes|no COMMAND...    starts the command with a socket as systemd gives it (Accept=), and asks it for
                                                "password" of "web.service"
"""
import os
import signal
import socket
import sys


def name_of(unit, credential):
    return f"\0{os.urandom(6).hex()}/unit/{unit}/{credential}"


def ask(path, name):
    asking = socket.socket(socket.AF_UNIX)
    asking.settimeout(20)
    if name is not None:
        asking.bind(name)
    asking.connect(path)
    asking.shutdown(socket.SHUT_WR)
    return asking


def give(asking):
    while True:
        piece = asking.recv(65536)
        if not piece:
            break
        sys.stdout.buffer.write(piece)


def activate(accept, command):
    path = "activated"
    listening = socket.socket(socket.AF_UNIX)
    if os.path.exists(path):
        os.unlink(path)
    listening.bind(path)
    listening.listen()
    asking = ask(path, name_of("web.service", "password"))
    given = listening.accept()[0] if accept == "yes" else listening
    pid = os.fork()
    if pid == 0:
        os.dup2(given.fileno(), 3)
        os.set_inheritable(3, True)
        os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
        os.execvp(command[0], command)
    given.close()
    give(asking)
    if accept == "no":
        os.kill(pid, signal.SIGTERM)
    os.waitpid(pid, 0)


if sys.argv[1] == "--activate":
    activate(sys.argv[2], sys.argv[3:])
else:
    give(ask(sys.argv[1], None if sys.argv[2] == "-" else name_of(sys.argv[2], sys.argv[3])))
