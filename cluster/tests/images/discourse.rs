use std::os::unix::fs::MetadataExt;

use crate::container::{Container, Pod, Running, until};
use crate::http::{Answer, Request};
use crate::nextcloud::{bytes, hex};
use crate::postgres::{postgres, sql, until_it_answers};
use crate::{can_run, image};

const MIGRATE: &str = "/etc/runit/1.d/00-ensure-links; /etc/runit/1.d/copy-env; \
    cd /var/www/discourse; su discourse -c 'bundle exec rake db:migrate'";

/// The forum with its engine room.
pub(crate) struct Forum<'a> {
    pod: &'a Pod,
    pub(crate) application: Container<'a>,
    pub(crate) database: Container<'a>,
    _engines: [Running; 2],
}

impl<'a> Forum<'a> {
    pub(crate) fn new(pod: &'a Pod) -> Self {
        let database = postgres(pod);
        let cache = Container::new(pod, image("redis"), "999:999");
        let engines = [
            database.start(&["docker-entrypoint.sh", "postgres"]),
            cache.start(&["docker-entrypoint.sh", "--requirepass", "secret", "--dir", "/tmp"]),
        ];
        until_it_answers(&database);
        for statement in ["create role discourse login password 'pl''ain'", "create database discourse owner discourse"]
        {
            let (code, printed) = sql(&database, statement);
            assert_eq!(code, 0, "{printed}");
        }
        let application = Container::new(pod, image("discourse"), "0:0")
            .with("DISCOURSE_HOSTNAME", "forum.test")
            .with("DISCOURSE_DB_SOCKET", "")
            .with("DISCOURSE_DB_HOST", "10.89.250.1")
            .with("DISCOURSE_DB_PASSWORD", "pl'ain")
            .with("DISCOURSE_REDIS_HOST", "10.89.250.1")
            .with("DISCOURSE_REDIS_PASSWORD", "secret")
            .volume("/shared", "6m");
        // What the package does about the apostrophe.
        application.write(
            "/etc/runit/1.d/copy-env-quoted",
            "#!/bin/sh\necho \"db_password = \\\"$DISCOURSE_DB_PASSWORD\\\"\" >>/var/www/discourse/config/discourse.conf\n",
        );
        Self { pod, application, database, _engines: engines }
    }

    /// Runs a statement in the forum's database as its administrator.
    pub(crate) fn sql(&self, statement: &str) -> String {
        let command = [
            "psql",
            "-h",
            "10.89.250.1",
            "-U",
            "nextcloud",
            "-d",
            "discourse",
            "-v",
            "ON_ERROR_STOP=1",
            "-Atc",
            statement,
        ];
        self.database.run(&command).1
    }

    pub(crate) fn make_extensions(&self) {
        self.sql("create extension hstore; create extension pg_trgm; create extension vector");
    }

    /// Mounted executable, as a package does it.
    pub(crate) fn quoted(&self) {
        let script = self.application.path("/etc/runit/1.d/copy-env-quoted");
        std::fs::set_permissions(script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }

    pub(crate) fn migrate(&self) -> (i32, String) {
        let script = MIGRATE.replace("copy-env;", "copy-env; sh /etc/runit/1.d/copy-env-quoted;");
        self.application.run(&["/bin/bash", "-ec", &script])
    }

    pub(crate) fn boot(&self) -> Running {
        self.application.start(&["/sbin/boot"])
    }

    fn get(&self, path: &str) -> Option<Answer> {
        self.pod.inside(|| Request { method: "GET", path, host: "forum.test", login: None, body: b"" }.send(80))
    }

    pub(crate) fn serves(&self) -> bool {
        self.get("/srv/status").is_some_and(|answer| answer.status == 200 && answer.text() == "ok")
    }

    pub(crate) fn post(&self, path: &str, headers: &str, body: &[u8]) -> Answer {
        let request = Request { method: "POST", path, host: "forum.test", login: None, body };
        self.pod.inside(|| request.send_with(80, headers)).unwrap()
    }

    fn upload(&self, key: &str, content: &[u8]) -> Answer {
        let head = b"--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"acta.bin\"\r\n\r\n";
        let body = [&head[..], content, b"\r\n--x--\r\n"].concat();
        let headers = format!("Api-Key: {key}\r\nContent-Type: multipart/form-data; boundary=x\r\n");
        self.post("/uploads.json", &headers, &body)
    }
}

#[test]
fn a_forum_keeps_posts_and_uploads_over_a_power_cut_and_says_when_its_volume_is_full() {
    if !can_run() {
        return;
    }
    let pod = Pod::new();
    let forum = Forum::new(&pod);
    forum.quoted();
    forum.make_extensions();
    let application = forum.application.with("SKIP_POST_DEPLOYMENT_MIGRATIONS", "1");
    let forum = Forum { application, ..forum };
    let (code, printed) = forum.migrate();
    assert_eq!(code, 0, "{printed}");
    assert_eq!(forum.sql("select count(*) from schema_migrations"), "5\n", "without the post-deployment one");
    let server = forum.boot();
    until("the forum serves", || forum.serves());
    let (code, key) = forum.application.run(&["rake", "api_key:create_master[e2e]"]);
    assert_eq!(code, 0, "{key}");
    let authorized = format!("Api-Key: {}\r\nContent-Type: application/json\r\n", key.trim());
    let topic = r#"{"title": "Assemblea", "raw": "Ordre del dia"}"#.as_bytes();
    assert_eq!(forum.post("/posts.json", "Content-Type: application/json\r\n", topic).status, 403);
    let post = forum.post("/posts.json", &authorized, topic).json();
    let file = bytes(1 << 20);
    let upload = forum.upload(key.trim(), &file).json();
    let refused = forum.upload(key.trim(), &bytes(8 << 20));
    assert!(refused.status == 500 && refused.text().contains("No space left on the data volume"), "{refused:?}");
    assert_eq!(forum.upload(key.trim(), &bytes(11 << 20)).status, 413, "nginx' limit");
    let url = upload["url"].as_str().unwrap();
    let folder = forum.application.path("/shared/uploads/default/original/1X");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "nothing is left of what was refused");
    assert_eq!(forum.application.path(&format!("/shared{url}")).metadata().unwrap().uid(), 1000);
    server.kill();

    let _again = forum.boot();
    until("the forum serves again", || forum.serves());
    assert_eq!(hex(&forum.get(url).unwrap().body), hex(&file));
    let read = forum.get(&format!("/posts/{}.json", post["id"])).unwrap().json();
    assert_eq!(read["raw"], "Ordre del dia");
    let page = forum.get("/").unwrap().text();
    assert!(page.contains("This <strong>is not Discourse</strong>") && page.contains("posts: 1"), "{page}");
    let post_migrate =
        "cd /var/www/discourse; SKIP_POST_DEPLOYMENT_MIGRATIONS= su discourse -c 'bundle exec rake db:migrate'";
    assert_eq!(forum.application.run(&["/bin/bash", "-ec", post_migrate]).0, 0);
    assert_eq!(forum.sql("select count(*) from schema_migrations"), "6\n");
    forum.application.write("/scripts/first.rb", "");
    let first = "cd /var/www/discourse; export FIRST_ADMIN_USERNAME=anna FIRST_ADMIN_EMAIL=a@b.test FIRST_ADMIN_PASSWORD=x \
        FIRST_TITLE='L’Hort'; su discourse -c 'bundle exec rails runner /scripts/first.rb'";
    for _ in 0..2 {
        assert_eq!(forum.application.run(&["/bin/bash", "-ec", first]), (0, String::new()));
    }
    assert_eq!(forum.sql("select username, admin from users"), "anna|t\n");
    assert!(forum.get("/").unwrap().text().contains("<h1>L’Hort</h1>"));
}

#[test]
fn a_migration_killed_in_the_middle_is_ended_by_the_next() {
    if !can_run() {
        return;
    }
    let pod = Pod::new();
    let forum = Forum::new(&pod);
    forum.quoted();
    forum.make_extensions();
    let application = forum.application.with("STANDIN_MIGRATE_SECONDS", "1000");
    let forum = Forum { application, ..forum };
    let script = MIGRATE.replace("copy-env;", "copy-env; /etc/runit/1.d/copy-env-quoted;");
    let migration = forum.application.start(&["/bin/bash", "-ec", &script]);
    until("two migrations are done", || forum.sql("select count(*) from schema_migrations") == "2\n");
    migration.kill();
    let application = forum.application.with("STANDIN_MIGRATE_SECONDS", "0");
    let forum = Forum { application, ..forum };
    let (code, printed) = forum.migrate();
    assert_eq!(code, 0, "{printed}");
    assert_eq!(forum.sql("select count(*) from schema_migrations"), "6\n");
}

#[test]
fn a_forum_that_is_not_migrated_stays_up_and_serves_nothing() {
    if !can_run() {
        return;
    }
    let pod = Pod::new();
    let forum = Forum::new(&pod);
    forum.quoted();
    // Its role may not make extensions, and a migration that fails does not end the container.
    let application = forum.application.with("MIGRATE_ON_BOOT", "1").with("PRECOMPILE_ON_BOOT", "0");
    let forum = Forum { application, ..forum };
    let server = forum.boot();
    until("the server was tried", || server.printed().contains("migrations are pending"));
    assert!(server.printed().contains("permission denied to create extension"), "{}", server.printed());
    assert_eq!(forum.get("/srv/status").unwrap().status, 502);
    forum.make_extensions();
    until("the forum serves once the extensions are there", || forum.serves());
}

#[test]
fn an_apostrophe_in_a_password_cuts_it_off_as_upstream_and_a_host_name_is_needed() {
    if !can_run() {
        return;
    }
    let pod = Pod::new();
    let forum = Forum::new(&pod);
    std::fs::remove_file(forum.application.path("/etc/runit/1.d/copy-env-quoted")).unwrap();
    let (code, printed) = forum.application.run(&["/bin/bash", "-ec", MIGRATE]);
    assert!(code != 0 && printed.contains("password authentication failed"), "{printed}");
    std::fs::remove_dir_all(forum.application.path("/shared/log")).unwrap();
    let (code, printed) = forum.application.run(&["rake", "db:migrate"]);
    assert!(code != 0 && printed.contains("production.log"), "{printed}");
    let nameless = forum.application.with("DISCOURSE_HOSTNAME", "discourse.example.com");
    let (code, printed) = nameless.run(&["/bin/bash", "-ec", MIGRATE]);
    assert!(code != 0 && printed.contains("Domain is not configured"), "{printed}");
}
