"""The settings, read as upstream reads discourse.conf, with its traps."""

import os
import re

FILE = "/var/www/discourse/config/discourse.conf"
DEFAULTS = {
    "db_host": "",
    "db_name": "discourse",
    "db_password": "",
    "db_port": "5432",
    "db_socket": "",
    "db_username": "discourse",
    "hostname": "",
    "redis_db": "0",
    "redis_host": "localhost",
    "redis_password": "",
    "redis_port": "6379",
    # Set here it goes before what people set in the forum.
    "title": "",
}

# A value ends at the quote that opened it: what follows an apostrophe is lost without a word.
LINE = re.compile(r"""\s*([a-z_]+[a-z0-9_]*)\s*=\s*("([^"]*)"|'([^']*)'|[^#]*)""")


class Problem(Exception):
    """Something that the administrator has to put right."""


def parse(text):
    if "<%" in text:
        raise Problem("discourse.conf: `<%` is code there (ERB), which this stand-in does not run")
    found = {}
    for line in text.split("\n"):
        match = LINE.match(line)
        if match:
            name, whole, double, single = match.groups()
            found[name] = next(value for value in (single, double, whole) if value is not None).strip()
    return found


def read():
    """From the file that copy-env made; without one, from the environment."""
    if os.path.exists(FILE):
        with open(FILE, encoding="utf-8") as file:
            found = parse(file.read())
    else:
        found = {name[10:].lower(): value for name, value in os.environ.items() if name.startswith("DISCOURSE_")}
    settings = dict(DEFAULTS)
    settings.update({name: value for name, value in found.items() if value != ""})
    if settings["hostname"] in ("", "discourse.example.com"):
        raise Problem("Aborting! Domain is not configured! Set DISCOURSE_HOSTNAME")
    return settings
