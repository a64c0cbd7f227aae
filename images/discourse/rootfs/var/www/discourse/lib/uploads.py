"""Files that people upload, on the volume."""

import hashlib
import os
import re
import tempfile

PUBLIC = "/var/www/discourse/public"
FOLDER = "/uploads/default/original/1X"


def file_of(content_type, body):
    """Name and bytes of the file in a multipart form, or None."""
    boundary = re.search(r'boundary="?([^";]+)', content_type or "")
    if not boundary:
        return None
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary.group(1).encode()):
        head, found, content = part.partition(b"\r\n\r\n")
        name = re.search(rb'filename="([^"]*)"', head)
        if found and name:
            return name.group(1).decode(errors="replace"), content
    return None


def store(connection, name, content):
    """Keeps the bytes, then their row: nothing is left of a file that does not fit."""
    sha1 = hashlib.sha1(content).hexdigest()
    extension = re.sub(r"[^a-z0-9.]", "", os.path.splitext(name)[1].lower())
    url = f"{FOLDER}/{sha1}{extension}"
    os.makedirs(PUBLIC + FOLDER, exist_ok=True)
    handle, unfinished = tempfile.mkstemp(dir=PUBLIC + FOLDER)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(unfinished, 0o644)
        os.replace(unfinished, PUBLIC + url)
    except OSError:
        os.unlink(unfinished)
        raise
    cursor = connection.cursor()
    cursor.execute(
        "INSERT INTO uploads (original_filename, filesize, sha1, url) VALUES (%s, %s, %s, %s)"
        " ON CONFLICT (sha1) DO UPDATE SET url = excluded.url RETURNING id",
        (name, len(content), sha1, url),
    )
    identity = cursor.fetchone()[0]
    connection.commit()
    return {"id": identity, "url": url, "original_filename": name, "filesize": len(content)}
