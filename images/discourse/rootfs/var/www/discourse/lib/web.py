"""The pages and the API."""

import errno
import hashlib
import html
import json
import os
import re
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cache
import database
import uploads

PAGE = """<!doctype html>
<html lang="ca">
<meta charset="utf-8">
<title>{title} (substitut · stand-in)</title>
<style>
body {{ font: 1.1rem/1.5 sans-serif; max-width: 44rem; margin: 3rem auto; padding: 0 1rem; color: #222 }}
.what {{ background: #fff3cd; border-left: .4rem solid #e0a800; padding: .6rem 1rem }}
ul {{ padding-left: 1rem }}
</style>
<h1>{title}</h1>
<div class="what">
<p>Això <strong>no és Discourse</strong>: és un substitut que ocupa el seu lloc en proves i demostracions. No hi deseu res que us importi.</p>
<p lang="en">This <strong>is not Discourse</strong>: it is a stand-in that takes its place in tests and demos. Keep nothing here that matters to you.</p>
</div>
<ul>
<li>missatges · posts: {posts}</li>
<li>fitxers · uploads: {uploads}</li>
<li>PostgreSQL {postgres}, Redis {redis}</li>
<li>inici de sessió · sign-in: {sign_in}</li>
</ul>
"""

# As upstream, in Redis: what people who administer set in the browser.
READ_ONLY = "default:readonly_mode:user"


class Refused(Exception):
    def __init__(self, status, reason):
        super().__init__(reason)
        self.status = status


class Handler(BaseHTTPRequestHandler):
    settings = {}

    def do_GET(self):
        self.answer(self.get)

    def do_POST(self):
        self.answer(self.post)

    def log_message(self, *_):
        pass

    def answer(self, act):
        try:
            status, kind, content = act(urllib.parse.urlsplit(self.path).path)
        except Refused as refused:
            status, kind, content = refused.status, "application/json", errors(str(refused))
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            reason = "No space left on the data volume" if full else str(error)
            status, kind, content = 500, "application/json", errors(reason)
        except Exception as error:
            print(f"{self.path}: {type(error).__name__}: {error}")
            status, kind, content = 500, "application/json", errors(type(error).__name__)
        body = content.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def get(self, path):
        if path == "/srv/status":
            return 200, "text/plain", "ok"
        if path == "/":
            return 200, "text/html", self.page()
        post = re.fullmatch(r"/posts/([0-9]{1,18})\.json", path)
        if post:
            return 200, "application/json", self.read_post(int(post.group(1)))
        raise Refused(404, "The requested URL or resource could not be found.")

    def post(self, path):
        if path not in ("/posts.json", "/uploads.json"):
            raise Refused(404, "The requested URL or resource could not be found.")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if cache.Redis(self.settings).ask("EXISTS", READ_ONLY) == "1":
            raise Refused(503, "The site is in read only mode. Interactions are disabled.")
        connection = database.connect(self.settings)
        try:
            self.check_key(connection)
            if path == "/posts.json":
                return 200, "application/json", self.write_post(connection, body)
            found = uploads.file_of(self.headers.get("Content-Type"), body)
            if not found:
                raise Refused(422, "You supplied invalid parameters to the request: file")
            return 200, "application/json", json.dumps(uploads.store(connection, *found))
        finally:
            connection.close()

    def check_key(self, connection):
        cursor = connection.cursor()
        digest = hashlib.sha256(self.headers.get("Api-Key", "").encode()).hexdigest()
        cursor.execute("SELECT 1 FROM api_keys WHERE key_hash = %s", (digest,))
        if not cursor.fetchone():
            raise Refused(403, "You are not permitted to view the requested resource.")

    def write_post(self, connection, body):
        if (self.headers.get("Content-Type") or "").startswith("application/json"):
            form = json.loads(body)
        else:
            form = dict(urllib.parse.parse_qsl(body.decode()))
        raw, title, topic = form.get("raw"), form.get("title"), form.get("topic_id")
        if not raw or not (title or topic):
            raise Refused(422, "raw and one of title and topic_id are needed")
        cursor = connection.cursor()
        if not topic:
            cursor.execute("INSERT INTO topics (title) VALUES (%s) RETURNING id", (title,))
            topic = cursor.fetchone()[0]
        user = self.headers.get("Api-Username", "system")
        row = (topic, user, raw)
        cursor.execute("INSERT INTO posts (topic_id, username, raw) VALUES (%s, %s, %s) RETURNING id", row)
        identity = cursor.fetchone()[0]
        connection.commit()
        cache.Redis(self.settings).ask("PUBLISH", "/latest", str(identity))
        return json.dumps({"id": identity, "topic_id": topic, "username": user, "raw": raw})

    def read_post(self, identity):
        connection = database.connect(self.settings)
        cursor = connection.cursor()
        cursor.execute("SELECT topic_id, username, raw FROM posts WHERE id = %s", (identity,))
        row = cursor.fetchone()
        connection.close()
        if not row:
            raise Refused(404, "The requested URL or resource could not be found.")
        return json.dumps({"id": identity, "topic_id": row[0], "username": row[1], "raw": row[2]})

    def page(self):
        if not os.path.exists(f"{database.HOME}/public/assets/manifest.json"):
            raise Refused(500, "the assets are not precompiled")
        connection = database.connect(self.settings)
        cursor = connection.cursor()
        cursor.execute(
            "SELECT (SELECT count(*) FROM posts), (SELECT count(*) FROM uploads), current_setting('server_version'),"
            " (SELECT value FROM site_settings WHERE name = 'title')"
        )
        posts, files, postgres, title = cursor.fetchone()
        connection.close()
        sign_in = "openid-connect" if self.settings.get("openid_connect_enabled") == "true" else "password"
        return PAGE.format(
            title=html.escape(self.settings["title"] or title or "Discourse"),
            posts=posts,
            uploads=files,
            postgres=html.escape(postgres),
            redis=html.escape(cache.Redis(self.settings).version()),
            sign_in=sign_in,
        )


def errors(reason):
    return json.dumps({"errors": [reason]})


def serve(settings):
    Handler.settings = settings
    print("listening on 127.0.0.1:3000")
    ThreadingHTTPServer(("127.0.0.1", 3000), Handler).serve_forever()
