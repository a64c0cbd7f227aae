"""Redis, as far as it is needed."""

import socket

from settings import Problem


class Redis:
    def __init__(self, settings):
        address = (settings["redis_host"], int(settings["redis_port"]))
        self.stream = socket.create_connection(address, timeout=5).makefile("rwb")
        if settings["redis_password"]:
            self.ask("AUTH", settings["redis_password"])
        self.ask("SELECT", settings["redis_db"])

    def ask(self, *words):
        parts = [word.encode() for word in words]
        request = b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
        self.stream.write(request)
        self.stream.flush()
        line = self.stream.readline().decode().rstrip()
        if not line or line[0] == "-":
            raise Problem(f"Redis: {line[1:] or 'closed the connection'}")
        if line[0] == "$" and line != "$-1":
            return self.stream.read(int(line[1:]) + 2)[:-2].decode()
        return line[1:]

    def version(self):
        info = dict(line.split(":", 1) for line in self.ask("INFO", "server").splitlines() if ":" in line)
        return info["redis_version"]
