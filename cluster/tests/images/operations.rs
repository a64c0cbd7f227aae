//! The operations of packages (quiesce, unquiesce, dump, load, verify), run in the images as their Jobs run them: in
//! containers of their own, with files in the place of pipes.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use commonscloud_cluster::images::BuiltImage;
use serde_json::Value;

use crate::container::{Container, Pod, Running, until};
use crate::http::{Answer, Request};
use crate::mariadb::{mariadb, sql};
use crate::operations_postgres::held_to_sql;
use crate::{can_run, image};

/// Of the application's role: a sign for each kind of quoting.
pub(crate) const PASSWORD: &str = "o'clock \"x\\y\" $z`";
/// The same in a statement of MariaDB.
const IN_SQL: &str = r#"'o''clock "x\\y" $z`'"#;
const HOSTS: &str = "127.0.0.1 localhost\n10.89.250.1 sample-db sample-redis\n";

/// A package of this source.
pub(crate) struct Package {
    folder: PathBuf,
    spec: Value,
}

impl Package {
    /// `path`: its `package.yaml`, or only file.
    pub(crate) fn read(path: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
        let whole: Value = serde_yaml::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        Self { folder: path.parent().unwrap().to_owned(), spec: whole["spec"].clone() }
    }

    fn text(&self, name: &str) -> String {
        let files = self.spec["files"].as_array().unwrap();
        let file = files.iter().find(|file| file["name"] == name).unwrap();
        let content = file["content"].as_str().map(str::to_owned);
        content.unwrap_or_else(|| fs::read_to_string(self.folder.join(file["file"].as_str().unwrap())).unwrap())
    }

    /// What the operation's container runs.
    fn command(&self, kind: &str) -> Vec<String> {
        let operation = &self.spec["operations"][kind];
        assert!(operation.is_object(), "the package has no {kind}");
        let interpreter = operation["interpreter"].as_array().cloned();
        let interpreter = interpreter.unwrap_or_else(|| vec!["/bin/sh".into(), "-ec".into()]);
        let wrapper = match kind {
            "dump" | "verify" => Some(format!("\"$@\" >/stream/{kind} && : >/stream/{kind}.done")),
            "load" => Some("\"$@\" </stream/load".to_owned()),
            _ => None,
        };
        let environment = ["env".to_owned(), "INSTANCE=sample".to_owned(), format!("BEGUN=/stream/{kind}.begun")];
        let wrapper = wrapper.map(|wrapper| ["/bin/sh".to_owned(), "-c".to_owned(), wrapper, kind.to_owned()]);
        let interpreter = interpreter.iter().map(|word| word.as_str().unwrap().to_owned());
        let words = environment.into_iter().chain(wrapper.into_iter().flatten()).chain(interpreter);
        words.chain([self.text(self.spec["operations"][kind]["script"].as_str().unwrap())]).collect()
    }

    fn start(&self, job: &Container, kind: &str, table: Option<&str>) -> Running {
        for left in ["done", "begun"] {
            let _ = fs::remove_file(job.path(&format!("/stream/{kind}.{left}")));
        }
        let table = table.map(|table| ["env".to_owned(), format!("TABLE={table}")]);
        let command: Vec<String> = table.into_iter().flatten().chain(self.command(kind)).collect();
        job.start(&command.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Runs an operation to its end: its exit code and what it said.
    pub(crate) fn run(&self, job: &Container, kind: &str) -> (i32, String) {
        let (code, said) = self.start(job, kind, None).end();
        if matches!(kind, "dump" | "verify") {
            assert_eq!(job.path(&format!("/stream/{kind}.done")).exists(), code == 0, "{said}");
        }
        (code, said)
    }

    /// Runs an operation that has to succeed, and to say nothing.
    pub(crate) fn succeeds(&self, job: &Container, kind: &str) {
        assert_eq!(self.run(job, kind), (0, String::new()), "{kind}");
        if matches!(kind, "dump" | "verify") {
            assert!(job.path(&format!("/stream/{kind}.begun")).exists(), "{kind} does not say when it began");
        }
    }

    /// What makes two states equal.
    pub(crate) fn state(&self, job: &Container) -> String {
        self.succeeds(job, "verify");
        fs::read_to_string(job.path("/stream/verify")).unwrap()
    }

    /// Writes the database.
    pub(crate) fn dump(&self, job: &Container) -> Vec<u8> {
        self.succeeds(job, "dump");
        fs::read(job.path("/stream/dump")).unwrap()
    }

    /// Loads this text, all of it or one table.
    pub(crate) fn load(&self, job: &Container, dump: &[u8], table: Option<&str>) -> (i32, String) {
        fs::write(job.path("/stream/load"), dump).unwrap();
        self.start(job, "load", table).end()
    }

    /// One table of a database that is not empty comes back, or nothing is changed.
    pub(crate) fn loads_one_table(&self, job: &Container, dump: &[u8], table: &str, before: &str) {
        let changed = self.state(job);
        for (dump, table) in [(&dump[..dump.len() / 2], table), (dump, "no'such\n`table")] {
            let (code, said) = self.load(job, dump, Some(table));
            assert!(code != 0, "{table:?}: {said}");
            assert_eq!(self.state(job), changed, "{table:?}: {said}");
        }
        assert_eq!(self.load(job, dump, Some(table)), (0, String::new()));
        assert_eq!(self.state(job), before);
    }

    /// The database is killed while the dump is read: half of it is none.
    pub(crate) fn dump_dies_with(&self, job: &Container, engine: Running) {
        let pipe = job.path("/stream/dump");
        // Of a dump before, if there was one.
        let _ = fs::remove_file(&pipe);
        assert!(Command::new("mkfifo").args(["-m", "666"]).arg(&pipe).status().unwrap().success());
        let dump = self.start(job, "dump", None);
        let mut reader = fs::File::open(&pipe).unwrap();
        let mut first = [0; 4096];
        reader.read_exact(&mut first).unwrap();
        engine.kill();
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).unwrap();
        let (code, said) = dump.end();
        assert!(code != 0 && !job.path("/stream/dump.done").exists(), "{said}");
        assert!(!String::from_utf8_lossy(&rest).contains("SELECT 'whole'"), "it ends as a whole one does");
        fs::remove_file(&pipe).unwrap();
    }
}

/// A container of an operation, which may write `/tmp` and `/stream` alone.
pub(crate) fn job<'a>(pod: &'a Pod, image: &BuiltImage, role: (&str, &str), redis: &str) -> Container<'a> {
    let job = Container::new(pod, image, "999:999");
    as_job(&job, role, redis);
    job.volume("/tmp", "64m").volume("/stream", "300m").read_only()
}

/// What an operation finds in its container.
pub(crate) fn as_job(container: &Container, (role, password): (&str, &str), redis: &str) {
    container.write("/etc/hosts", HOSTS);
    container.write("/secrets/db/username", role);
    container.write("/secrets/db/password", password);
    container.write("/secrets/redis/password", redis);
    container.write("/stream/.keep", "");
}

const MAINTENANCE: &str = "/usr/share/mediawiki/maintenance";

/// Who may write anonymously, so that a test needs no session.
const SETTINGS: &str = "
$wgUploadDirectory = '/var/lib/mediawiki/images';
$wgGroupPermissions['*']['edit'] = $wgGroupPermissions['*']['createpage'] = true;
$wgRateLimits = [];
";

pub(crate) struct Wiki<'a> {
    pod: &'a Pod,
    pub(crate) application: Container<'a>,
    database: Container<'a>,
    engine: Running,
    _server: Running,
}

impl<'a> Wiki<'a> {
    pub(crate) fn new(pod: &'a Pod) -> Self {
        let database = mariadb(pod);
        let made = format!(
            "create database mediawiki; create user mediawiki@'%' identified by {IN_SQL}; grant all on mediawiki.* to mediawiki@'%';"
        );
        database.write("/docker-entrypoint-initdb.d/1.sql", &made);
        let engine = database.start(&["docker-entrypoint.sh", "mariadbd", "--max-allowed-packet=64M"]);
        let database = database.with("MYSQL_PWD", PASSWORD);
        until("MariaDB answers", || sql(&database, "mediawiki", "select 1").1 == "1\n");
        let application = Container::new(pod, image("mediawiki"), "33:33");
        as_job(&application, ("mediawiki", PASSWORD), "");
        application.write("/secrets/admin", "a long password 1");
        let install = format!(
            "php {MAINTENANCE}/install.php --confpath=/tmp --dbserver=10.89.250.1 --dbname=mediawiki --dbuser=mediawiki \
             --dbpassfile=/secrets/db/password --passfile=/secrets/admin --server=http://wiki.test --scriptpath= Wiki Anna"
        );
        let (code, printed) = application.run(&["sh", "-c", &install]);
        assert_eq!(code, 0, "{printed}");
        let settings = fs::read_to_string(application.path("/tmp/LocalSettings.php")).unwrap();
        application.write("/etc/mediawiki/LocalSettings.php", &format!("{settings}{SETTINGS}"));
        // Where the package mounts the volume.
        fs::create_dir(application.path("/data")).unwrap();
        std::os::unix::fs::symlink("/var/lib/mediawiki/images", application.path("/data/images")).unwrap();
        let volumes = ["/tmp", "/run/apache2", "/var/cache/mediawiki", "/var/lib/mediawiki/images"];
        let application = volumes.iter().fold(application, |wiki, path| wiki.volume(path, "20m")).read_only();
        let server = application.start(&["apache2-foreground"]);
        let wiki = Self { pod, application, database, engine, _server: server };
        until("the wiki answers", || {
            wiki.get("/api.php?action=query&format=json").is_some_and(|one| one.status == 200)
        });
        wiki
    }

    fn get(&self, path: &str) -> Option<Answer> {
        self.pod.inside(|| Request { method: "GET", path, host: "wiki.test", login: None, body: b"" }.send(8080))
    }

    pub(crate) fn edit(&self, title: &str, text: &str) -> Value {
        let body = format!("action=edit&format=json&title={title}&text={text}&token=%2B%5C");
        let request =
            Request { method: "POST", path: "/api.php", host: "wiki.test", login: None, body: body.as_bytes() };
        let form = "Content-Type: application/x-www-form-urlencoded\r\n";
        self.pod.inside(|| request.send_with(8080, form)).unwrap().json()
    }

    fn sql(&self, statement: &str) -> String {
        let (code, printed) = sql(&self.database, "mediawiki", statement);
        assert_eq!(code, 0, "{printed}");
        printed
    }
}

#[test]
fn a_wiki_is_dumped_while_nobody_can_write_and_comes_back_as_it_was() {
    if !can_run() {
        return;
    }
    let package = Package::read("examples/templates/mediawiki.yaml");
    let pod = Pod::new();
    let wiki = Wiki::new(&pod);
    let job = job(&pod, image("mariadb"), ("mediawiki", PASSWORD), "");
    // L'Hort "x" `y` \ $z, the end of a line, and what ends a dump.
    let text = "L%27Hort%20%22x%22%20%60y%60%20%5C%20%24z%0ASELECT%20%27whole%27%3B%0AUNLOCK%20TABLES%3B";
    assert_eq!(wiki.edit("L'Hort", text)["edit"]["result"], "Success");
    package.succeeds(&wiki.application, "unquiesce");
    for _ in 0..2 {
        package.succeeds(&wiki.application, "quiesce");
    }
    let refused = wiki.edit("L'Hort", "another");
    assert_eq!(refused["error"]["code"], "readonly", "{refused}");
    assert!(refused.to_string().contains("being backed up"), "{refused}");
    assert!(wiki.get("/index.php?title=L%27Hort&action=raw").unwrap().text().starts_with("L'Hort \"x\""));
    let before = package.state(&job);
    let dump = package.dump(&job);
    assert_eq!(package.state(&job), before, "a dump changes nothing");
    for _ in 0..2 {
        package.succeeds(&wiki.application, "unquiesce");
    }
    assert_eq!(wiki.edit("L'Hort", "another")["edit"]["result"], "Success");
    assert_ne!(package.state(&job), before);

    let (code, said) = package.load(&job, &dump, None);
    assert!(code == 1 && said.contains("nothing is overwritten"), "{said}");
    let empty = "drop database mediawiki; create database mediawiki";
    wiki.sql(empty);
    let (code, said) = package.load(&job, &dump[..dump.len() / 2], None);
    assert!(code == 1 && said.contains("begin again with an empty database"), "{said}");
    wiki.sql(empty);
    let reads_a_file = "create table t (a text);\nload data local infile '/secrets/db/username' into table t";
    for told in ["\\! : >/stream/told", reads_a_file] {
        held_to_sql(&package, &job, told);
        wiki.sql(empty);
    }
    assert_eq!(package.load(&job, &dump, None), (0, String::new()));
    assert_eq!(package.state(&job), before);
    // As an exit package tells whoever has nothing but Debian's client.
    wiki.sql(empty);
    let plain = "MYSQL_PWD=$(cat /secrets/db/password) mariadb --host=sample-db --user=mediawiki --batch \
        --skip-column-names mediawiki </stream/load | tail -n 1";
    assert_eq!(job.run(&["sh", "-c", plain]), (0, "whole\n".to_owned()));
    assert_eq!(package.state(&job), before);
    wiki.sql("update mediawiki.page set page_len = page_len + 1 limit 1");
    assert_ne!(package.state(&job), before, "one row of one table");
    package.loads_one_table(&job, &dump, "page", &before);
    let (code, said) = package.load(&job, &dump, Some("searchindex"));
    assert!(code == 1 && said.contains("searchindex is of MyISAM, and not of InnoDB"), "{said}");
    wiki.sql("create table mediawiki.notes (a int) engine=myisam");
    let (code, said) = package.run(&job, "dump");
    assert!(code == 1 && said.contains("notes (MyISAM) is not of InnoDB"), "{said}");
    wiki.sql("drop table mediawiki.notes");

    wiki.sql("create table mediawiki.large (what mediumtext) engine=innodb");
    wiki.sql("insert into mediawiki.large select repeat('a', 1000000) from mediawiki.seq_1_to_30");
    package.dump_dies_with(&job, wiki.engine);
}

const ACCOUNTS: &str = r"<?php
require '/srv/phorge/scripts/init/init-script.php';
$user = id(new PhabricatorUser())->setUsername('anna')->setRealName('Anna')->setIsAdmin(1)->setIsApproved(1);
$email = id(new PhabricatorUserEmail())->setAddress('anna@projects.test')->setIsVerified(1);
id(new PhabricatorUserEditor())->setActor($user)->createNewUser($user, $email);
";

/// Phorge with its database and its daemons.
struct Projects<'a> {
    pod: &'a Pod,
    application: Container<'a>,
    database: Container<'a>,
    engine: Running,
    token: String,
    _servers: [Running; 2],
}

impl<'a> Projects<'a> {
    fn new(pod: &'a Pod) -> Self {
        let database = mariadb(pod);
        let made = format!("create user phorge@'%' identified by {IN_SQL}; grant all on `phorge\\_%`.* to phorge@'%';");
        database.write("/docker-entrypoint-initdb.d/1.sql", &made);
        let engine = database.start(&["docker-entrypoint.sh", "mariadbd", "--max-allowed-packet=64M"]);
        let database = database.with("MYSQL_PWD", PASSWORD);
        until("MariaDB answers", || sql(&database, "phorge", "select 1").1 == "1\n");
        let application = Container::new(pod, image("phorge"), "2000:2000");
        as_job(&application, ("phorge", PASSWORD), "");
        let local = serde_json::json!({
            "mysql.host": "10.89.250.1", "mysql.port": "3306", "mysql.user": "phorge", "mysql.pass": PASSWORD,
            "storage.default-namespace": "phorge", "storage.local-disk.path": "/var/files",
            "phabricator.base-uri": "http://projects.test/",
        });
        application.write("/srv/phorge/conf/local/local.json", &local.to_string());
        application.write("/scripts/accounts.php", ACCOUNTS);
        let volumes = ["/tmp", "/run", "/var/files", "/var/repo"];
        let application = volumes.iter().fold(application, |one, path| one.volume(path, "20m")).read_only();
        for command in [&["phorge", "storage-upgrade"][..], &["php", "/scripts/accounts.php"]] {
            let (code, printed) = application.run(command);
            assert_eq!(code, 0, "{printed}");
        }
        let (_, token) = application.run(&["/srv/phorge/bin/standin", "token", "anna"]);
        let servers = [&["phorge", "web"], &["/usr/local/bin/phorge", "daemons"]];
        let servers = servers.map(|command| application.start(command));
        Self { pod, application, database, engine, token, _servers: servers }
    }

    fn task(&self, title: &str) -> Option<Value> {
        let body = format!("api.token={}&title={title}", self.token.trim());
        let path = "/api/maniphest.createtask";
        let request = Request { method: "POST", path, host: "projects.test", login: None, body: body.as_bytes() };
        let form = "Content-Type: application/x-www-form-urlencoded\r\n";
        let answer = self.pod.inside(|| request.send_with(8080, form));
        answer.filter(|answer| answer.status == 200).map(|answer| answer.json())
    }

    fn sql(&self, statement: &str) -> String {
        let (code, printed) = sql(&self.database, "phorge", statement);
        assert_eq!(code, 0, "{printed}");
        printed
    }

    fn drop_databases(&self) {
        let names = "select schema_name from information_schema.schemata where schema_name like 'phorge\\_%'";
        for name in self.sql(names).lines() {
            self.sql(&format!("drop database {name}"));
        }
    }
}

#[test]
fn projects_are_dumped_while_nobody_can_write_and_come_back_as_they_were() {
    if !can_run() {
        return;
    }
    let package = Package::read("templates/projects/package.yaml");
    let pod = Pod::new();
    let projects = Projects::new(&pod);
    until("the application answers", || projects.task("L%27Hort+%22x%22%0A%60y%60+%5C").is_some());
    let job = job(&pod, image("mariadb"), ("phorge", PASSWORD), "");
    package.succeeds(&projects.application, "unquiesce");
    for _ in 0..2 {
        package.succeeds(&projects.application, "quiesce");
    }
    let refused = projects.task("another").unwrap();
    assert!(refused["error_info"].as_str().unwrap().contains("read-only"), "{refused}");
    let before = package.state(&job);
    assert!(before.contains("table phorge_maniphest.maniphest_task "), "{before}");
    let dump = package.dump(&job);
    assert_eq!(package.state(&job), before);
    for _ in 0..2 {
        package.succeeds(&projects.application, "unquiesce");
    }
    assert!(projects.task("another").unwrap()["result"].is_object());
    assert_ne!(package.state(&job), before);

    let (code, said) = package.load(&job, &dump, None);
    assert!(code == 1 && said.contains("nothing is overwritten"), "{said}");
    projects.drop_databases();
    assert_eq!(package.load(&job, &dump, None), (0, String::new()));
    // The daemons are at work again.
    let state = |text: &str| {
        let lines = text.lines().filter(|line| !line.contains("daemon_log"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(state(&package.state(&job)), state(&before));
    assert!(projects.task("another").unwrap()["result"].is_object(), "what is restored is not read-only");

    projects.sql("create table phorge_file.large (what mediumtext) engine=innodb");
    projects.sql("insert into phorge_file.large select repeat('a', 1000000) from phorge_file.seq_1_to_30");
    package.dump_dies_with(&job, projects.engine);
}
