# What a hostile guest tries, by verb in argv[1]: the same verbs as probe.as, for programs in a container. Without a
# verb it copies stdin to stdout, says "err" on stderr and exits 3.
import os
import shutil
import sys
import time


def out(data, fd=1):
    while data:
        data = data[os.write(fd, data) :]


verb, rest = (sys.argv[1:2] or [""])[0], sys.argv[2:]
if verb == "args":
    out(b"".join(os.fsencode(arg) + b"\0" for arg in ["probe", verb, *rest]))
elif verb == "env":
    out(b"".join(name + b"=" + value + b"\0" for name, value in os.environb.items()))
elif verb == "exit":
    sys.exit(int(rest[0]))
elif verb == "spin":
    out(b"spinning")
    while True:
        pass
elif verb == "sleep":
    time.sleep(600)
elif verb == "mem":
    kept = []
    while True:
        kept.append(bytearray(os.urandom(1 << 20)))
elif verb in ("yes", "yes-err"):
    while True:
        out(b"y\n" * 4096, 2 if verb == "yes-err" else 1)
elif verb == "bytes":
    out(b"x" * int(rest[0]))
elif verb == "trap":
    out(b"before")
    os.abort()
elif verb == "copy":
    shutil.copyfile(rest[0], rest[1])
elif verb == "":
    while data := os.read(0, 65536):
        out(data)
    out(b"err", 2)
    sys.exit(3)
else:
    sys.exit(64)
