use crate::container::{Container, Pod, Running, until};
use crate::http::{Answer, Request, base64};
use crate::mariadb::{mariadb, sql, until_it_answers};
use crate::nextcloud::{bytes, hex};
use crate::{can_run, image};

const HTTPS: &str = "X-Forwarded-Proto: https\r\n";
const FORM: &str = "X-Forwarded-Proto: https\r\nContent-Type: application/x-www-form-urlencoded\r\n";
const PREAMBLE: &str =
    "<?php if (($_SERVER['HTTP_X_FORWARDED_PROTO'] ?? '') === 'https') { $_SERVER['HTTPS'] = true; }";
const ACCOUNTS: &str = r#"<?php
require '/srv/phorge/scripts/init/init-script.php';
if (!id(new PhabricatorUser())->loadOneWhere('userName = %s', 'anna')) {
    $user = id(new PhabricatorUser())->setUsername('anna')->setRealName('Anna')->setIsAdmin(1)->setIsApproved(1);
    $email = id(new PhabricatorUserEmail())->setAddress('anna@projects.test')->setIsVerified(1);
    id(new PhabricatorUserEditor())->setActor($user)->createNewUser($user, $email);
    PhabricatorAuthPassword::initializeNewPassword($user, PhabricatorAuthPassword::PASSWORD_TYPE_ACCOUNT)
        ->setPassword(new PhutilOpaqueEnvelope("pa'ss"), $user)->save();
}
"#;

/// The application with its database.
struct Projects<'a> {
    pod: &'a Pod,
    application: Container<'a>,
    database: Container<'a>,
    engine: Option<Running>,
}

impl<'a> Projects<'a> {
    fn new(pod: &'a Pod) -> Self {
        let database = mariadb(pod);
        database.write("/docker-entrypoint-initdb.d/1.sql", "grant all on `acme\\_%`.* to acme@'%';");
        let settings = "[mariadbd]\nlocal_infile = 0\nmax_allowed_packet = 64M\nsql_mode = STRICT_ALL_TABLES\n";
        database.write("/etc/mysql/conf.d/phorge.cnf", settings);
        let engine = database.start(&["docker-entrypoint.sh", "mariadbd", "--innodb-buffer-pool-size=240M"]);
        until_it_answers(&database);
        let application = Container::new(pod, image("phorge"), "2000:2000");
        let password = std::fs::read_to_string(database.path("/secrets/password")).unwrap();
        let local = serde_json::json!({
            "mysql.host": "10.89.250.1", "mysql.port": "3306", "mysql.user": "acme", "mysql.pass": password,
            "storage.default-namespace": "acme", "storage.local-disk.path": "/var/files",
            "phabricator.base-uri": "https://projects.test/", "security.require-https": true,
        });
        application.write("/srv/phorge/conf/local/local.json", &local.to_string());
        application.write("/srv/phorge/support/preamble.php", PREAMBLE);
        application.write("/scripts/accounts.php", ACCOUNTS);
        Self { pod, application, database, engine: Some(engine) }
    }

    /// As a package runs it: nothing may be written but the volumes.
    fn restricted(self, files: &str) -> Self {
        let projects = self.with_volumes(files);
        Self { application: projects.application.read_only(), ..projects }
    }

    fn with_volumes(self, files: &str) -> Self {
        let volumes = [("/tmp", "64m"), ("/run", "1m"), ("/var/files", files), ("/var/repo", "1m")];
        let application =
            volumes.iter().fold(self.application, |application, (path, size)| application.volume(path, size));
        Self { application, ..self }
    }

    fn run(&self, command: &[&str]) -> (i32, String) {
        self.application.run(command)
    }

    fn serve(&self) -> Running {
        let server = self.application.start(&["phorge", "web"]);
        // Until PHP is there as well.
        until("the application answers", || self.status("projects.test").is_some_and(|(status, _)| status != 502));
        server
    }

    fn send(&self, method: &str, path: &str, host: &str, headers: &str, body: &[u8]) -> Option<Answer> {
        self.pod.inside(|| Request { method, path, host, login: None, body }.send_with(8080, headers))
    }

    fn status(&self, host: &str) -> Option<(u16, String)> {
        self.send("GET", "/status/", host, HTTPS, b"").map(|answer| (answer.status, answer.text()))
    }

    fn call(&self, method: &str, form: &str) -> serde_json::Value {
        self.send("POST", &format!("/api/{method}"), "projects.test", FORM, form.as_bytes()).unwrap().json()
    }
}

#[test]
fn phorge_serves_once_its_databases_are_there_and_keeps_a_file_over_a_power_cut() {
    if !can_run() {
        return;
    }
    let pod = Pod::new();
    let projects = Projects::new(&pod).restricted("3m");
    let (code, printed) = projects.run(&["phorge", "daemons"]);
    assert!(code == 1 && printed.contains("not up to date"), "{printed}");
    let server = projects.serve();
    assert_eq!(projects.status("projects.test").unwrap().0, 500, "the databases are not there yet");
    for _ in 0..2 {
        let (code, printed) = projects.run(&["phorge", "storage-upgrade"]);
        assert!(code == 0 && printed.contains("up to date"), "{printed}");
        assert_eq!(projects.run(&["php", "/scripts/accounts.php"]), (0, String::new()));
    }
    assert_eq!(projects.run(&["/srv/phorge/bin/auth", "lock"]).0, 0);
    assert_eq!(projects.status("projects.test").unwrap(), (200, "ALIVE\n".to_owned()));
    assert_eq!(projects.status("other.test").unwrap().0, 500);
    assert_eq!(projects.send("GET", "/status/", "projects.test", "", b"").unwrap().status, 302, "not by HTTPS");
    let _daemons = projects.application.start(&["/usr/local/bin/phorge", "daemons"]);
    let heartbeat = "select count(*) from acme_daemon.daemon_log where status = 'run'";
    until("the daemons work", || sql(&projects.database, "acme", heartbeat).1 == "1\n");

    let token = projects.run(&["/srv/phorge/bin/standin", "token", "anna"]).1;
    let login = format!("api.token={}", token.trim());
    assert_eq!(projects.call("conduit.ping", "api.token=cli-wrong")["error_code"], "ERR-INVALID-AUTH");
    // A form whose base64 needs no escape but for `+`.
    let file = bytes(1 << 20);
    let text = base64(&file).replace('+', "%2B");
    let phid = projects.call("file.upload", &format!("{login}&name=acta.bin&data_base64={text}"));
    let phid = phid["result"].as_str().unwrap().to_owned();
    let large = base64(&bytes(4 << 20)).replace('+', "%2B");
    let refused = projects.call("file.upload", &format!("{login}&name=large&data_base64={large}"));
    assert!(refused["error_info"].as_str().unwrap().contains("No space left on device"), "{refused}");
    projects.call("maniphest.createtask", &format!("{login}&title=Pressupost"));
    server.kill();

    let _again = projects.serve();
    let read = projects.call("file.download", &format!("{login}&phid={phid}"));
    assert_eq!(hex(read["result"].as_str().unwrap().as_bytes()), hex(base64(&file).as_bytes()));
    let page = projects.send("GET", "/", "projects.test", HTTPS, b"").unwrap().text();
    for part in ["This <strong>is not Phorge</strong>", "tasks: 1", "files: 1", "(locked)"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("setup issue"), "{page}");
    let (code, printed) = projects.run(&["/srv/phorge/bin/auth", "recover", "anna"]);
    assert!(code == 0 && printed.contains("https://projects.test/login/once/recover/"), "{printed}");
    assert_eq!(projects.run(&["/srv/phorge/bin/auth", "recover", "nobody"]).0, 1);
    assert_eq!(projects.run(&["/srv/phorge/bin/config", "set", "a.b", "1"]).0, 255, "the mount is read-only");
    projects.engine.unwrap().kill();
    let status = pod.inside(|| {
        let request = Request { method: "GET", path: "/status/", host: "projects.test", login: None, body: b"" };
        request.send_with(8080, HTTPS).unwrap().status
    });
    assert_eq!(status, 500, "the database is down");
}

#[test]
fn phorges_first_upgrade_killed_in_the_middle_fails_until_its_databases_are_dropped_as_upstream() {
    if !can_run() {
        return;
    }
    let pod = Pod::new();
    let projects = Projects::new(&pod);
    let application = projects.application.with("STANDIN_UPGRADE_SECONDS", "1000");
    let projects = Projects { application, ..projects };
    let upgrade = projects.application.start(&["phorge", "storage-upgrade"]);
    let tables = "select count(*) from information_schema.tables where table_schema = 'acme_file'";
    until("some tables are there", || sql(&projects.database, "acme", tables).1 == "2\n");
    upgrade.kill();
    let application = projects.application.with("STANDIN_UPGRADE_SECONDS", "0");
    let projects = Projects { application, ..projects };
    let (code, printed) = projects.run(&["phorge", "storage-upgrade"]);
    assert!(code == 255 && printed.contains("already exists"), "{printed}");
    assert!(printed.lines().last().is_some_and(|line| line.starts_with("  #")), "a stack frame is last: {printed}");
    let names = "select schema_name from information_schema.schemata where schema_name like 'acme\\_%'";
    for name in sql(&projects.database, "acme", names).1.lines().filter(|name| *name != "acme_wiki") {
        assert_eq!(sql(&projects.database, "acme", &format!("drop database {name}")).0, 0);
    }
    let (code, printed) = projects.run(&["phorge", "storage-upgrade"]);
    assert_eq!(code, 0, "{printed}");
    assert_eq!(projects.run(&["/srv/phorge/bin/storage", "status"]).0, 0);
}

#[test]
fn phorge_refuses_a_configuration_that_cannot_be_read_and_shows_an_extension_that_is_broken() {
    if !can_run() {
        return;
    }
    let pod = Pod::new();
    let projects = Projects::new(&pod).with_volumes("3m");
    assert_eq!(projects.run(&["phorge", "storage-upgrade"]).0, 0);
    projects.application.write("/srv/phorge/src/extensions/Broken.php", "<?php class {");
    let server = projects.serve();
    assert_eq!(projects.status("projects.test").unwrap().0, 500);
    std::fs::remove_file(projects.application.path("/srv/phorge/src/extensions/Broken.php")).unwrap();
    assert_eq!(projects.status("projects.test").unwrap().0, 200);
    server.kill();
    for text in ["", "[1]", "{"] {
        projects.application.write("/srv/phorge/conf/local/local.json", text);
        let (code, printed) = projects.run(&["phorge", "web"]);
        assert!(code == 1 && printed.contains("local.json is missing or no JSON object"), "{text}: {printed}");
    }
}
