"""PostgreSQL: connections and migrations."""

import glob
import os
import time

import psycopg2

from settings import Problem

HOME = "/var/www/discourse"
LOCK = 2026


def connect(settings):
    # A socket folder goes before a host, as upstream.
    host = settings["db_socket"] or settings["db_host"]
    return psycopg2.connect(
        host=host,
        port=settings["db_port"],
        dbname=settings["db_name"],
        user=settings["db_username"],
        password=settings["db_password"],
        connect_timeout=5,
    )


def migrations(folder):
    """Version and file of each migration, oldest first."""
    files = sorted(glob.glob(f"{HOME}/db/{folder}/*.sql"))
    return [(os.path.basename(file).split("_")[0], file) for file in files]


def migrate(settings, with_post_deployment, log):
    connection = connect(settings)
    cursor = connection.cursor()
    # A second migration at the same time waits here; the lock ends with its connection.
    cursor.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
    cursor.execute("CREATE TABLE IF NOT EXISTS schema_migrations (version text PRIMARY KEY)")
    connection.commit()
    wanted = migrations("migrate") + (migrations("post_migrate") if with_post_deployment else [])
    done = applied(cursor)
    for number, (version, file) in enumerate(wanted):
        if version in done:
            continue
        log(f"== {os.path.basename(file)}: migrating")
        with open(file, encoding="utf-8") as script:
            cursor.execute(script.read())
        cursor.execute("INSERT INTO schema_migrations VALUES (%s)", (version,))
        connection.commit()
        if number == 1:
            time.sleep(float(os.environ.get("STANDIN_MIGRATE_SECONDS", "0")))
    connection.close()


def applied(cursor):
    cursor.execute("SELECT version FROM schema_migrations")
    return {version for (version,) in cursor.fetchall()}


def check(settings):
    """Raises when the server cannot work with this database."""
    connection = connect(settings)
    try:
        missing = {version for version, _ in migrations("migrate")} - applied(connection.cursor())
    except psycopg2.errors.UndefinedTable as error:
        raise Problem("the database is empty: run `bundle exec rake db:migrate`") from error
    finally:
        connection.close()
    if missing:
        raise Problem(f"migrations are pending: {', '.join(sorted(missing))}; run `bundle exec rake db:migrate`")
