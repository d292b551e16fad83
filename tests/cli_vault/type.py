#!/usr/bin/env python3
"""Types lines at prompts of a command that runs in a terminal of its own, and prints what that shows.

  type.py LINE... -- COMMAND...          a line for each prompt: what ends with ": "; the status is the command's
"""
import os
import pty
import sys

split = sys.argv.index("--")
lines, command = sys.argv[1:split], sys.argv[split + 1:]
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(command[0], command)
shown = seen = b""
while True:
    try:
        piece = os.read(terminal, 4096)
    except OSError:  # the terminal's other end is closed
        break
    if not piece:
        break
    shown += piece
    seen += piece
    if lines and seen.endswith(b": "):
        os.write(terminal, lines.pop(0).encode() + b"\n")
        seen = b""
sys.stdout.buffer.write(shown)
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
