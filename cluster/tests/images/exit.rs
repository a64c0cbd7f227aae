//! An exit package lives on a plain Debian machine: each command of its guide is run as it stands there, by tar, psql,
//! mariadb and Debian's own MediaWiki and Radicale alone.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use commonscloud_backup::exit::{ExitManifest, Folder, Source, pack};
use commonscloud_backup::report::StoredPart;
use commonscloud_backup::restic::{Call, Restic, Server, backup, stored};
use commonscloud_cluster::{Progress, tools};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::container::{Container, Pod, until};
use crate::http::Request;
use crate::operations::{PASSWORD, Package, Wiki, job};
use crate::operations_postgres::HOSTILE;
use crate::postgres::{postgres, sql, until_it_answers};
use crate::radicale::{CONFIG, EVENT};
use crate::{can_run, image};

const LONG: Duration = Duration::from_mins(5);

/// What a service leaves behind: the files of its volumes, below `volumes`, and its dump.
struct Left<'l> {
    service: &'l str,
    template: &'l str,
    application: &'l str,
    dump: Option<&'l [u8]>,
}

/// A folder with a package, and the folders that all containers of a machine have.
struct Machine {
    folder: TempDir,
    guide: String,
}

impl Machine {
    /// A machine with a package of this. `fill` puts the files of volumes into a folder.
    fn with(left: &Left<'_>, fill: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["volumes", "package", "srv", "run"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        // As the folder of a server's socket.
        fs::set_permissions(folder.path().join("run"), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
        fill(&folder.path().join("volumes"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(packed(folder.path(), left));
        let guide = fs::read_to_string(folder.path().join("package/README.md")).unwrap();
        Self { folder, guide }
    }

    /// What a package of Debian puts onto it: its own files, and the machine's.
    fn has<'p>(&self, pod: &'p Pod, name: &str) -> Container<'p> {
        let container = Container::new(pod, image(name), "0:0");
        for (program, text) in [("sudo", SUDO), ("systemctl", "#!/bin/sh\n")] {
            let path = format!("/usr/local/bin/{program}");
            container.write(&path, text);
            fs::set_permissions(container.path(&path), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        }
        let own = |name: &str| self.folder.path().join(name);
        container.bind("/media/package", &own("package")).bind("/srv", &own("srv"))
    }

    /// The commands of the guide that have this in them, which are one block.
    fn commands(&self, having: &str) -> String {
        let blocks = self.guide.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
        let found: Vec<&str> = blocks.filter(|block| block.contains(having)).collect();
        assert_eq!(found.len(), 1, "{having}: {}", self.guide);
        found[0].to_owned()
    }

    /// What the guide says between words, which stands in one paragraph.
    fn said(&self, begin: &str, end: &str) -> String {
        let text = self.guide.split_whitespace().collect::<Vec<_>>().join(" ");
        let from = text.find(begin).ok_or(begin).unwrap();
        let rest = &text[from..];
        rest[..rest.find(end).unwrap()].to_owned()
    }

    /// Is all of it here, and are its files what they were.
    fn unpack(&self, container: &Container) {
        let checked = does(container, &self.commands("--check SHA256SUMS"), "");
        assert!(checked.lines().count() > 3 && checked.lines().all(|line| line.ends_with(": OK")), "{checked}");
        if self.guide.contains("tar -xpf") {
            let said = does(container, &self.commands("tar -xpf"), "");
            assert!(!said.contains("FAILED"), "{said}");
        }
    }
}

/// Debian's machines have it; images do not.
const SUDO: &str = "#!/bin/sh\n[ \"$1 $2\" = '-u postgres' ] || exit 1\nshift 2\n\
    exec setpriv --reuid=postgres --regid=postgres --clear-groups -- \"$@\"\n";

/// Does what stands in the guide, in the package's folder; what somebody types is `typed`.
fn does(container: &Container, commands: &str, typed: &str) -> String {
    container.write("/media/commands", &format!("set -e\ncd /media/package\n{commands}"));
    container.write("/media/typed", typed);
    let (code, said) = container.run(&["sh", "-c", "sh /media/commands </media/typed"]);
    assert_eq!(code, 0, "{commands}: {said}");
    said
}

/// Makes the package as `commonscloud export` does, from a repository of restic.
async fn packed(folder: &Path, left: &Left<'_>) {
    let restic = repository(folder).await;
    restic.run(Call::new("init"), LONG).await.unwrap();
    let mut parts = Vec::new();
    for volume in fs::read_dir(folder.join("volumes")).unwrap() {
        let name = volume.unwrap().file_name().into_string().unwrap();
        let call = backup("run", "files", &name).folder(folder.join("volumes")).arg("--").arg(&name);
        parts.push(part(&name, "Files", &restic.run(call, LONG).await.unwrap()));
    }
    if let Some(dump) = left.dump {
        let path = folder.join("dump");
        fs::write(&path, dump).unwrap();
        let words = ["--stdin-filename", "dump", "--stdin-from-command", "--", "cat"];
        let call = backup("run", "dump", "dump").args(words).arg(path);
        parts.push(part("dump", "Dump", &restic.run(call, LONG).await.unwrap()));
    }
    let to = Folder::open(&folder.join("package")).unwrap();
    let source = Source { service: left.service.to_owned(), restic, parts };
    pack(&to, manifest(left), &[source], |_| {}).await.unwrap();
}

async fn repository(folder: &Path) -> Restic {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let program = tools::ensure("restic", &source, &Progress::silent()).await.unwrap().program("restic");
    let cache = folder.join("cache").display().to_string();
    let environment = BTreeMap::from([("RESTIC_CACHE_DIR".to_owned(), cache)]);
    let server = Server { program: Some(program), environment, ..Server::default() };
    let (_, stop) = tokio::sync::watch::channel(false);
    let repository = folder.join("repository").display().to_string();
    Restic::new(stop).at(&repository).with_password("hunter2hunter2").through(server)
}

fn part(name: &str, kind: &str, answer: &commonscloud_backup::restic::Answer) -> StoredPart {
    stored(name, serde_json::from_value(json!(kind)).unwrap(), answer).unwrap()
}

fn manifest(left: &Left<'_>) -> ExitManifest {
    let versions = json!({"template": left.template, "application": left.application, "revision": "r-1",
        "operations": "r-1", "restic": "0.18.1", "operator": "0.1.0", "manifest": 1});
    let service = json!({"instance": {"name": left.service, "kind": "DedicatedService", "uid": "u"},
        "takenAt": "2026-11-29T00:00:00Z", "versions": versions,
        "repository": {"path": format!("hort-0a1b2c3d.{}", left.service), "id": "r", "snapshot": "5"}});
    let all: Value = json!({"version": 1, "entity": {"name": "hort", "uid": "u"}, "release": "0.1.0",
        "exportedAt": "2026-11-30T00:00:00Z", "services": [service]});
    serde_json::from_value(all).unwrap()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    let copied = Command::new("cp").arg("-a").arg(from.join(".")).arg(to).status().unwrap();
    assert!(copied.success());
}

fn get(pod: &Pod, path: &str, login: Option<&str>, port: u16) -> Option<(u16, String)> {
    let answer = pod.inside(|| Request { method: "GET", path, host: "wiki.test", login, body: b"" }.send(port));
    answer.map(|answer| (answer.status, answer.text()))
}

const MAINTENANCE: &str = "/usr/share/mediawiki/maintenance";
/// What Debian's package does when it is installed.
const INSTALL: &str = "mariadb-install-db --user=mysql --rpm --skip-test-db \
    --auth-root-authentication-method=socket --auth-root-socket-user=root";
/// It has to keep its signs, from the database of before to the page of afterwards.
const PAGE: &str = "L%27Hort%20%22x%22%20%60y%60%20%5C%20%24z%20%C2%AB%C3%A9s%C2%BB";

#[test]
fn a_wiki_lives_on_with_debians_mediawiki_and_mariadb() {
    if !can_run() {
        return;
    }
    let before = Pod::new();
    let wiki = Wiki::new(&before);
    assert_eq!(wiki.edit("Acta", PAGE)["edit"]["result"], "Success");
    wiki.application.write("/var/lib/mediawiki/images/a/ab/Acta.txt", "acta de la reunió\n");
    let own = Package::read("examples/templates/mediawiki.yaml");
    let dump = own.dump(&job(&before, image("mariadb"), ("mediawiki", PASSWORD), ""));
    let left = Left { service: "wiki", template: "mediawiki", application: "1.39", dump: Some(&dump) };
    let images = wiki.application.path("/var/lib/mediawiki/images");
    let machine = Machine::with(&left, |volumes| copy(&images, &volumes.join("data/images")));
    drop(wiki);

    let pod = Pod::new();
    let sockets = machine.folder.path().join("run");
    let database = machine.has(&pod, "mariadb").bind("/run/mysqld", &sockets);
    let application = machine.has(&pod, "mediawiki").bind("/run/mysqld", &sockets);
    let (code, said) = database.run(&["sh", "-c", INSTALL]);
    assert_eq!(code, 0, "{said}");
    let _engine = database.start(&["mariadbd", "--user=mysql"]);
    until("MariaDB answers", || database.run(&["mariadb", "--execute", "select 1"]).0 == 0);
    machine.unpack(&application);
    assert_eq!(does(&database, &machine.commands("mariadb --batch"), ""), "whole\n");
    let grant = machine.said("GRANT ALL ON wiki.* TO wiki@localhost", "`");
    let another = "CREATE DATABASE another; GRANT ALL ON another.* TO wiki@localhost;";
    let (code, said) = database.run(&["mariadb", "--execute", &format!("{grant}; {another}")]);
    assert_eq!(code, 0, "{said}");
    configure(&machine, &application);
    does(&application, &machine.commands("update.php"), "");

    let application = application.user("33:33");
    let _server = application.start(&["apache2-foreground"]);
    let raw = "/index.php?title=Acta&action=raw";
    until("the wiki answers", || get(&pod, raw, None, 8080).is_some_and(|(status, _)| status == 200));
    let page = get(&pod, raw, None, 8080).unwrap().1;
    assert_eq!(page.trim(), "L'Hort \"x\" `y` \\ $z «és»");
    let file = fs::read_to_string(application.path("/var/lib/mediawiki/images/a/ab/Acta.txt")).unwrap();
    assert_eq!(file, "acta de la reunió\n");
}

/// As the guide says before its last commands: a configuration by MediaWiki's installer, then of this database.
fn configure(machine: &Machine, application: &Container) {
    let options = machine.said("$wgDBTableOptions = ", "`");
    for named in ["$wgDBname", "$wgDBuser", "$wgDBpassword", "$wgSecretKey"] {
        assert!(machine.guide.contains(named), "{named}");
    }
    let install = format!(
        "php {MAINTENANCE}/install.php --confpath=/etc/mediawiki --dbserver=localhost --dbname=another --dbuser=wiki \
         --dbpass='a password' --pass='a long password 1' --server=http://wiki.test --scriptpath= Hort Anna"
    );
    let (code, said) = application.run(&["sh", "-c", &install]);
    assert_eq!(code, 0, "{said}");
    let path = application.path("/etc/mediawiki/LocalSettings.php");
    let settings = fs::read_to_string(&path).unwrap();
    let own = format!("$wgDBname = 'wiki';\n$wgDBuser = 'wiki';\n$wgDBpassword = 'a password';\n{options};\n");
    fs::write(&path, format!("{settings}\n{own}")).unwrap();
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
}

#[test]
fn calendars_live_on_with_debians_radicale() {
    if !can_run() {
        return;
    }
    let before = Pod::new();
    let radicale = Container::new(&before, image("radicale"), "999:999");
    radicale.write("/etc/radicale/config", CONFIG);
    assert_eq!(radicale.run(&["htpasswd", "-cbB", "/tmp/users", "admin", "o'clock"]).0, 0);
    let server = radicale.start(&["radicale", "--config", "/etc/radicale/config"]);
    until("Radicale answers", || get(&before, "/.web/", None, 5232).is_some());
    let login = Some("admin:o'clock");
    for (method, path, body) in [("MKCALENDAR", "/admin/agenda/", &b""[..]), ("PUT", "/admin/agenda/1.ics", EVENT)] {
        let answer = before.inside(|| Request { method, path, host: "localhost", login, body }.send(5232));
        assert_eq!(answer.unwrap().status, 201, "{method}");
    }
    server.kill();
    let left = Left { service: "agenda", template: "radicale", application: "3", dump: None };
    let collections = radicale.path("/var/lib/radicale/collections");
    let machine = Machine::with(&left, |volumes| copy(&collections, &volumes.join("data/collections")));

    let pod = Pod::new();
    let radicale = machine.has(&pod, "radicale");
    machine.unpack(&radicale);
    let folder = machine.said("filesystem_folder = ", "`");
    let users = machine.said("htpasswd_filename = ", "`");
    let encryption = machine.said("htpasswd_encryption = ", "`");
    // A Debian machine knows `localhost`, where Radicale listens by itself; an image does not.
    let config = format!(
        "[server]\nhosts = 127.0.0.1:5232\n[storage]\n{folder}\n[auth]\ntype = htpasswd\n{users}\n{encryption}\n"
    );
    radicale.write("/etc/radicale/config", &config);
    // Where there is no terminal to type at, it takes nothing for the password unless `-i` says where it is.
    let account = machine.commands("htpasswd -B -c").replace("htpasswd -B", "htpasswd -i -B");
    does(&radicale, &account, "another\n");
    let radicale = radicale.user("999:999");
    let _server = radicale.start(&["radicale", "--config", "/etc/radicale/config"]);
    let event = |login| get(&pod, "/admin/agenda/1.ics", login, 5232);
    until("Radicale answers", || event(None).is_some());
    assert_eq!(event(login).unwrap().0, 401, "its password is the new one");
    let (status, text) = event(Some("admin:another")).unwrap();
    assert!(status == 200 && text.contains("SUMMARY:assemblea"), "{status} {text}");
}

#[test]
fn a_database_lives_on_with_debians_postgresql() {
    if !can_run() {
        return;
    }
    let before = Pod::new();
    let database = postgres(&before);
    let engine = database.start(&["docker-entrypoint.sh", "postgres"]);
    until_it_answers(&database);
    assert_eq!(sql(&database, HOSTILE).0, 0);
    let password = fs::read_to_string(database.path("/secrets/password")).unwrap();
    let own = Package::read("templates/office/package.yaml");
    let dump = own.dump(&job(&before, image("postgres"), ("nextcloud", &password), ""));
    let told = "select count(*), md5(string_agg(x::text, ',' order by x::text)) from \"we\"\"ird Näme\" x";
    let (code, expected) = sql(&database, told);
    assert_eq!(code, 0, "{expected}");
    drop(engine);
    let left = Left { service: "el-forum", template: "another", application: "1", dump: Some(&dump) };
    let machine = Machine::with(&left, |volumes| {
        fs::create_dir(volumes.join("data")).unwrap();
        fs::write(volumes.join("data/acta"), "acta").unwrap();
    });

    let pod = Pod::new();
    let database = machine.has(&pod, "postgres").with("POSTGRES_PASSWORD", "hunter2");
    let _engine = database.start(&["docker-entrypoint.sh", "postgres"]);
    let asked = |role: &str, database_of: &str, statement: &str| {
        database.run(&["psql", "-U", role, "-d", database_of, "-Atc", statement])
    };
    until("PostgreSQL answers", || {
        // Not the one that sets it up.
        asked("postgres", "postgres", "select inet_server_port() is null and current_setting('listen_addresses') <> ''")
            .1
            == "t\n"
    });
    machine.unpack(&database);
    let said = does(&database, &machine.commands("createdb --owner"), "another\nanother\n");
    assert!(said.lines().any(|line| line == "whole"), "{said}");
    assert_eq!(asked("el_forum", "el_forum", told), (0, expected));
    assert_eq!(asked("el_forum", "el_forum", "select count(*) from other"), (0, "1000\n".to_owned()));
    let path: PathBuf = database.path("/srv/el-forum/data/acta");
    assert_eq!(fs::read_to_string(path).unwrap(), "acta");
}
