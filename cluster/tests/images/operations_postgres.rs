//! The operations of packages with a PostgreSQL: see `operations.rs`.

use std::fs;

use crate::container::{Container, Pod, Running, until};
use crate::discourse::Forum;
use crate::nextcloud::{FILES, Office};
use crate::operations::{Package, as_job, job};
use crate::postgres::{postgres, sql};
use crate::{can_run, image};

const SERVED: &str = "10.89.250.1";
/// Values that look like parts of a dump.
pub(crate) const HOSTILE: &str = r#"
create table "we""ird Näme" (t text, "row" int, d double precision, b bytea, i interval, at timestamptz);
insert into "we""ird Näme" values
    (E'COPY public."we""ird Näme" (t) FROM stdin;\n\\.\nCOMMIT;\nSELECT ''whole'';', 1, 0.1, '\x00ff', '1 month', now()),
    ('COPY public.other (id) FROM stdin;', 2, 1e300, '', '3 hours', null), ('\.', 3, null, null, null, null);
insert into "we""ird Näme" (t) values (''), (null);
create table other (id int); insert into other select * from generate_series(1, 1000);
"#;

/// Somebody who changes the configuration, and takes two seconds for it.
const WRITER: &str = r#"
$path = "/var/www/html/config/config.php";
$file = fopen($path, "r+");
flock($file, LOCK_EX);
include $path;
echo "locked\n";
sleep(2);
$CONFIG["meanwhile"] = "kept";
ftruncate($file, 0);
fwrite($file, "<?php\n\$CONFIG = " . var_export($CONFIG, true) . ";\n");
fflush($file);
flock($file, LOCK_UN);
"#;
/// A request that takes long.
const SLEEPER: &str =
    "PGPASSWORD=$(cat /secrets/db/password) psql -h 10.89.250.1 -U nextcloud -c 'select pg_sleep(300)'";

/// As the superuser of the tests' database.
fn administer(database: &Container, statement: &str) {
    let (code, printed) = database.run(&["psql", "-h", SERVED, "-U", "nextcloud", "-d", "postgres", "-Atc", statement]);
    assert_eq!(code, 0, "{printed}");
}

#[test]
fn what_looks_like_a_part_of_a_dump_comes_back_as_it_was() {
    if !can_run() {
        return;
    }
    let pod = Pod::new();
    let database = postgres(&pod);
    let engine = database.start(&["docker-entrypoint.sh", "postgres"]);
    until("PostgreSQL answers", || sql(&database, "select 1").1 == "1\n");
    let password = fs::read_to_string(database.path("/secrets/password")).unwrap();
    for package in ["office", "agora"].map(|name| Package::read(&format!("templates/{name}/package.yaml"))) {
        administer(&database, "drop database nextcloud with (force)");
        administer(&database, "create database nextcloud");
        assert_eq!(sql(&database, HOSTILE).0, 0);
        let job = job(&pod, image("postgres"), ("nextcloud", &password), "");
        let before = package.state(&job);
        assert!(before.contains("table we\"ird Näme 5 ") && before.contains("table other 1000 "), "{before}");
        let dump = package.dump(&job);
        assert_eq!(package.state(&job), before);
        let (code, said) = package.load(&job, &dump, None);
        assert!(code == 1 && said.contains("nothing is overwritten"), "{said}");
        assert_eq!(sql(&database, "update other set id = 0 where id = 1").0, 0);
        assert_ne!(package.state(&job), before, "one row of one table");
        package.loads_one_table(&job, &dump, "other", &before);
        assert_eq!(sql(&database, "delete from \"we\"\"ird Näme\"").0, 0);
        package.loads_one_table(&job, &dump, "we\"ird Näme", &before);
        administer(&database, "drop database nextcloud with (force)");
        administer(&database, "create database nextcloud");
        for end in [dump.len() / 3, dump.len() / 2, dump.len() - 20] {
            let (code, said) = package.load(&job, &dump[..end], None);
            assert_eq!(code, 1, "{end}: {said}");
            assert_eq!(package.state(&job), "", "{end}: half of it is there");
        }
        for told in ["\\! : >/stream/told", "select 1 \\g | : >/stream/told", "\\unrestrict x\n\\! : >/stream/told"] {
            held_to_sql(&package, &job, told);
        }
        assert_eq!(package.load(&job, &dump, None), (0, String::new()));
        assert_eq!(package.state(&job), before);
        loads_plainly(&database, &job);
        assert_eq!(package.state(&job), before);
        // In another order on the disk.
        assert_eq!(sql(&database, "update other set id = id").0, 0);
        assert_eq!(package.state(&job), before);
    }
    dies_half_way(&pod, &database, engine);
}

/// What else a client could be told by what it reads is refused, with all that stands beside it.
pub(crate) fn held_to_sql(package: &Package, job: &Container, told: &str) {
    let (code, said) = package.load(job, format!("BEGIN;\n{told}\n;\nCOMMIT;\nSELECT 'whole';\n").as_bytes(), None);
    assert!(code == 1 && !job.path("/stream/told").exists(), "{told}: {said}");
}

/// As an exit package tells whoever has nothing but Debian's client, into a database of another role.
fn loads_plainly(database: &Container, job: &Container) {
    administer(database, "drop database nextcloud with (force)");
    administer(database, "drop role if exists hort");
    administer(database, "create role hort");
    administer(database, "create database nextcloud owner hort");
    let plain =
        "(echo 'SET ROLE hort;'; cat /stream/load) | PGPASSWORD=$(cat /secrets/db/password) psql --host=sample-db \
        --username=nextcloud --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 --dbname=nextcloud |
        tail -n 1";
    assert_eq!(job.run(&["sh", "-c", plain]), (0, "whole\n".to_owned()));
    let owner = "select string_agg(distinct tableowner, ' ') from pg_tables where schemaname = 'public'";
    assert_eq!(sql(database, owner).1, "hort\n");
}

fn dies_half_way(pod: &Pod, database: &Container, engine: Running) {
    let package = Package::read("templates/office/package.yaml");
    let password = fs::read_to_string(database.path("/secrets/password")).unwrap();
    let large = "create table large as select repeat(md5(random()::text), 30000) as t from generate_series(1, 30)";
    assert_eq!(sql(database, large).0, 0);
    package.dump_dies_with(&job(pod, image("postgres"), ("nextcloud", &password), ""), engine);
}

#[test]
fn an_office_is_dumped_while_nobody_can_write_and_comes_back_as_it_was() {
    if !can_run() {
        return;
    }
    let package = Package::read("templates/office/package.yaml");
    let pod = Pod::new();
    let office = Office::new(&pod);
    let password = fs::read_to_string(office.database.path("/secrets/password")).unwrap();
    as_job(&office.application, ("nextcloud", &password), "");
    let job = job(&pod, image("postgres"), ("nextcloud", &password), "");
    let _server = office.serve();
    let put = |name: &str| office.send("PUT", &format!("{FILES}/{name}"), b"acta").status;
    assert_eq!(put("acta%20d%27avui%20%22x%22"), 201);
    package.succeeds(&office.application, "unquiesce");
    for _ in 0..2 {
        package.succeeds(&office.application, "quiesce");
    }
    assert_eq!(put("another"), 503);
    assert_eq!(office.send("GET", "/status.php", b"").json()["maintenance"], true);
    let before = package.state(&job);
    let dump = package.dump(&job);
    // What Nextcloud writes of its own meanwhile.
    assert_eq!(office.occ(&["maintenance:mode", "--off"]).0, 0);
    assert_eq!(put("another"), 503, "it is quiet until `unquiesce`");
    assert_eq!(office.occ(&["config:system:set", "maintenance", "--type=boolean", "--value=true"]).0, 0);
    // As Nextcloud writes its configuration: with a lock, and in place.
    let writer = office.application.start(&["php", "-r", WRITER]);
    until("the configuration is locked", || writer.printed().contains("locked"));
    for _ in 0..2 {
        package.succeeds(&office.application, "unquiesce");
    }
    assert_eq!(writer.end(), (0, "locked\n".to_owned()));
    assert_eq!(office.occ(&["config:system:get", "meanwhile"]), (0, "kept\n".to_owned()));
    assert_eq!(put("another"), 201);
    assert_ne!(package.state(&job), before);

    // What began before and does not end is told, and not waited for.
    let sleeper = job.start(&["sh", "-c", SLEEPER]);
    let sleeps = "select count(*) from pg_stat_activity where query like '%pg_sleep%' and state = 'active'";
    until("somebody is at work", || sql(&office.database, sleeps).1.trim() == "2");
    let (code, said) = package.run(&office.application, "quiesce");
    assert!(code == 0 && said.contains("of before, 1 connections still run, the oldest for 3"), "{code} {said}");
    sleeper.kill();
    let end = "select pg_terminate_backend(pid) from pg_stat_activity where query like 'select pg_sleep%'";
    administer(&office.database, end);
    package.succeeds(&office.application, "unquiesce");

    // Who put it into maintenance, takes it out of that.
    assert_eq!(office.occ(&["maintenance:mode", "--on"]).0, 0);
    package.succeeds(&office.application, "quiesce");
    package.succeeds(&office.application, "unquiesce");
    // The server's PHP looks at a file it knows every two seconds.
    until("it is in maintenance again", || put("third") == 503);
    administer(&office.database, "drop database nextcloud with (force)");
    administer(&office.database, "create database nextcloud");
    assert_eq!(package.load(&job, &dump, None), (0, String::new()));
    assert_eq!(package.state(&job), before);
}

#[test]
fn a_forum_is_dumped_while_nobody_can_write_and_comes_back_as_it_was() {
    if !can_run() {
        return;
    }
    let package = Package::read("templates/agora/package.yaml");
    let pod = Pod::new();
    let forum = Forum::new(&pod);
    forum.quoted();
    forum.make_extensions();
    let (code, printed) = forum.migrate();
    assert_eq!(code, 0, "{printed}");
    let _server = forum.boot();
    until("the forum serves", || forum.serves());
    let (code, key) = forum.application.run(&["rake", "api_key:create_master[e2e]"]);
    assert_eq!(code, 0, "{key}");
    let headers = format!("Api-Key: {}\r\nContent-Type: application/json\r\n", key.trim());
    let post = || {
        let body = serde_json::json!({"title": "L'Hort \"x\"", "raw": "COPY public.posts (id) FROM stdin;\n\\.\n"});
        forum.post("/posts.json", &headers, body.to_string().as_bytes()).status
    };
    assert_eq!(post(), 200);
    let quiet = job(&pod, image("redis"), ("discourse", "pl'ain"), "secret");
    let job = job(&pod, image("postgres"), ("discourse", "pl'ain"), "secret");
    package.succeeds(&quiet, "unquiesce");
    for _ in 0..2 {
        package.succeeds(&quiet, "quiesce");
    }
    assert_eq!(post(), 503);
    let before = package.state(&job);
    let dump = package.dump(&job);
    for _ in 0..2 {
        package.succeeds(&quiet, "unquiesce");
    }
    assert_eq!(post(), 200);
    assert_ne!(package.state(&job), before);

    // Extensions are made by the image's set-up: the forum's role may not.
    administer(&forum.database, "drop database discourse with (force)");
    administer(&forum.database, "create database discourse owner discourse");
    forum.make_extensions();
    assert_eq!(package.load(&job, &dump, None), (0, String::new()));
    assert_eq!(package.state(&job), before);
}
