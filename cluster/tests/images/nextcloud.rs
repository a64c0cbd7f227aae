use sha2::{Digest, Sha256};

use crate::container::{Container, Pod, Running, until};
use crate::http::{Answer, Request};
use crate::postgres::{postgres, sql, until_it_answers};
use crate::{can_run, image};

const LOGIN: &str = "admin:adm'in \"pw\"";
const SESSIONS: &str = "/usr/local/etc/php/conf.d/redis-session.ini";
pub(crate) const FILES: &str = "/remote.php/dav/files/admin";

/// The application with its engine room.
pub(crate) struct Office<'a> {
    pod: &'a Pod,
    pub(crate) application: Container<'a>,
    pub(crate) database: Container<'a>,
    _engines: [Running; 2],
}

impl<'a> Office<'a> {
    pub(crate) fn new(pod: &'a Pod) -> Self {
        let database = postgres(pod);
        let cache = Container::new(pod, image("redis"), "999:999");
        let engines = [
            database.start(&["docker-entrypoint.sh", "postgres"]),
            cache.start(&["docker-entrypoint.sh", "--requirepass", "o'clock", "--dir", "/tmp"]),
        ];
        until_it_answers(&database);
        let application = Container::new(pod, image("nextcloud"), "33:33")
            .with("POSTGRES_HOST", "127.0.0.1")
            .with("POSTGRES_DB", "nextcloud")
            .with("POSTGRES_USER", "nextcloud")
            .with("POSTGRES_PASSWORD_FILE", "/secrets/database")
            .with("NEXTCLOUD_ADMIN_USER", "admin")
            .with("NEXTCLOUD_ADMIN_PASSWORD", "adm'in \"pw\"")
            .with("NEXTCLOUD_TRUSTED_DOMAINS", "office.test")
            .with("NEXTCLOUD_DATA_DIR", "/srv/data")
            .with("NEXTCLOUD_UPDATE", "1")
            .with("REDIS_HOST", "127.0.0.1")
            .with("REDIS_HOST_PASSWORD", "o'clock")
            .with("STANDIN_INSTALL_SECONDS", "0.2");
        let password = std::fs::read_to_string(database.path("/secrets/password")).unwrap();
        application.write("/secrets/database", &password);
        application.write(SESSIONS, "");
        own(&application, SESSIONS);
        std::fs::create_dir(application.path("/srv/data")).unwrap();
        own(&application, "/srv/data");
        // A process without rights cannot bind port 80 here.
        application.write("/etc/apache2/ports.conf", "Listen 8080\n");
        let site = application.path("/etc/apache2/sites-enabled/000-default.conf");
        let text = std::fs::read_to_string(&site).unwrap().replace(":80>", ":8080>");
        std::fs::write(&site, text).unwrap();
        Self { pod, application, database, _engines: engines }
    }

    pub(crate) fn serve(&self) -> Running {
        let server = self.application.start(&["/entrypoint.sh", "apache2-foreground"]);
        until("the office answers", || self.try_send("GET", "/status.php", "office.test", b"").is_some());
        server
    }

    pub(crate) fn occ(&self, arguments: &[&str]) -> (i32, String) {
        self.application.run(&[&["php", "/var/www/html/occ"], arguments].concat())
    }

    pub(crate) fn send(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        self.try_send(method, path, "office.test", body).unwrap()
    }

    fn try_send(&self, method: &str, path: &str, host: &str, body: &[u8]) -> Option<Answer> {
        self.pod.inside(|| Request { method, path, host, login: Some(LOGIN), body }.send(8080))
    }
}

fn own(container: &Container, path: &str) {
    std::os::unix::fs::chown(container.path(path), Some(33), Some(33)).unwrap();
}

/// Bytes that differ from each other and are the same each time.
pub(crate) fn bytes(count: usize) -> Vec<u8> {
    (0u64..).flat_map(|index| Sha256::digest(index.to_le_bytes())).take(count).collect()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |digits, byte| digits + &format!("{byte:02x}"))
}

#[test]
fn a_file_uploaded_to_the_office_is_there_after_a_power_cut_and_in_its_database() {
    if !can_run() {
        return;
    }
    let pod = Pod::new();
    let office = Office::new(&pod);
    let server = office.serve();
    let status = office.send("GET", "/status.php", b"").json();
    assert_eq!(status["installed"], true, "{status}");
    let page = office.send("GET", "/", b"").text();
    assert!(page.contains("This <strong>is not Nextcloud</strong>") && page.contains("Redis 7."), "{page}");
    let file = bytes(1 << 20);
    assert_eq!(office.send("PUT", &format!("{FILES}/acta%20d%27avui.bin"), &file).status, 201);
    server.kill();

    let _again = office.serve();
    let read = office.send("GET", &format!("{FILES}/acta%20d%27avui.bin"), b"");
    assert_eq!(hex(&read.body), hex(&file));
    let row = sql(&office.database, "select path, size, sha256 from oc_filecache").1;
    assert_eq!(row, format!("files/acta d'avui.bin|1048576|{}\n", hex(&file)));
    let stranger = Request { method: "GET", path: FILES, host: "office.test", login: Some("admin:wrong"), body: b"" };
    assert_eq!(pod.inside(|| stranger.send(8080)).unwrap().status, 401);
}

#[test]
fn the_office_answers_only_to_its_own_name() {
    if !can_run() {
        return;
    }
    let pod = Pod::new();
    let office = Office::new(&pod);
    let _server = office.serve();
    for path in ["/status.php", "/", FILES] {
        assert_eq!(office.try_send("GET", path, "other.test", b"").unwrap().status, 400, "{path}");
    }
}

#[test]
fn a_full_disk_and_a_quota_refuse_an_upload_and_leave_nothing_of_it() {
    if !can_run() {
        return;
    }
    let pod = Pod::new();
    let office = Office::new(&pod);
    let application = office.application.volume("/srv/data", "3m");
    let office = Office { application, ..office };
    let _server = office.serve();
    let file = bytes(2 << 20);
    assert_eq!(office.send("PUT", &format!("{FILES}/one"), &file).status, 201);
    let refused = office.send("PUT", &format!("{FILES}/two"), &file);
    assert_eq!(refused.status, 507);
    assert!(refused.text().contains("No space left on the data volume"), "{}", refused.text());
    assert_eq!(sql(&office.database, "select path from oc_filecache").1, "files/one\n");
    assert_eq!(office.send("DELETE", &format!("{FILES}/one"), b"").status, 204);
    assert_eq!(office.send("PUT", &format!("{FILES}/two"), &file).status, 201, "nothing of the refused one is left");

    let (code, printed) = office.occ(&["user:setting", "admin", "files", "quota", "1 MB"]);
    assert_eq!(code, 0, "{printed}");
    let refused = office.send("PUT", &format!("{FILES}/three"), &bytes(10));
    assert_eq!(refused.status, 507);
    assert!(refused.text().contains("Insufficient space"), "{}", refused.text());

    let upload = || office.send("PUT", &format!("{FILES}/four"), &bytes(10)).status;
    assert_eq!(office.occ(&["user:setting", "admin", "files", "quota", "default"]).0, 0);
    assert_eq!(upload(), 201);
    assert_eq!(office.occ(&["config:app:set", "files", "default_quota", "--value", " B"]).0, 0);
    assert_eq!(upload(), 507, "what is no number is 0, as upstream");
}

#[test]
fn an_installation_killed_after_the_version_file_never_ends_as_upstream() {
    if !can_run() {
        return;
    }
    let pod = Pod::new();
    let office = Office::new(&pod);
    let application = office.application.with("STANDIN_INSTALL_SECONDS", "1000");
    let office = Office { application, ..office };
    let installation = office.application.start(&["/entrypoint.sh", "true"]);
    until("tables are there", || sql(&office.database, "select 1 from oc_migrations").1 == "1\n");
    assert!(office.application.path("/var/www/html/version.php").is_file());
    installation.kill();

    let application = office.application.with("STANDIN_INSTALL_SECONDS", "0");
    let office = Office { application, ..office };
    std::fs::create_dir(office.application.path("/srv/data/admin")).unwrap();
    let password = std::fs::read_to_string(office.database.path("/secrets/password")).unwrap();
    let install = "maintenance:install --admin-pass=x --data-dir=/srv/data --database=pgsql --database-host=127.0.0.1 \
        --database-name=nextcloud --database-user=nextcloud --database-pass";
    let (code, printed) = office.occ(&install.split_whitespace().chain([password.as_str()]).collect::<Vec<_>>());
    assert!(code == 1 && printed.contains("files already exist for this user"), "{code}: {printed}");

    let _server = office.serve();
    let status = office.send("GET", "/status.php", b"");
    assert_eq!((status.status, status.json()["installed"].clone()), (200, false.into()));
    let (code, printed) = office.occ(&["status", "--output=json"]);
    assert!(code == 0 && printed.contains("\"installed\":false"), "{printed}");
}

#[test]
fn a_session_file_that_cannot_be_written_stops_the_start() {
    if !can_run() {
        return;
    }
    let pod = Pod::new();
    let office = Office::new(&pod);
    std::fs::remove_file(office.application.path(SESSIONS)).unwrap();
    let (code, printed) = office.application.run(&["/entrypoint.sh", "true"]);
    assert!(code != 0 && printed.contains("redis-session.ini"), "{code}: {printed}");
}

#[test]
fn occ_manages_people_settings_and_upgrades() {
    if !can_run() {
        return;
    }
    let pod = Pod::new();
    let office = Office::new(&pod);
    assert_eq!(office.application.run(&["/entrypoint.sh", "true"]).0, 0);
    assert_eq!(office.occ(&["no:such"]).0, 1);
    assert_eq!(office.occ(&["config:app:set", "files", "default_quota", "--value", "5 GB"]).0, 0);
    assert_eq!(office.occ(&["config:app:get", "files", "default_quota"]).1, "5 GB\n");
    assert_eq!(office.occ(&["config:system:get", "trusted_domains"]).1, "localhost\noffice.test\n");
    assert_eq!(office.occ(&["user:setting", "admin", "files", "quota", "five"]).0, 1);
    assert_eq!(office.occ(&["user_oidc:provider", "sso"]).0, 1, "the app is not there yet");
    assert_eq!(office.occ(&["app:install", "user_oidc"]).0, 0);
    office.application.write("/secrets/oidc", "s'ecret\n");
    let provider =
        ["user_oidc:provider", "sso", "-c", "office", "--clientsecret-file=/secrets/oidc", "-d", "https://sso.test/x"];
    for _ in 0..2 {
        assert_eq!(office.occ(&provider).0, 0);
    }
    assert!(!office.occ(&["user_oidc:provider", "sso"]).1.contains("ecret"));
    assert_eq!(office.occ(&["user_oidc:provider", "sso", "--mapping-uid=preferred_username", "--unique-uid=0"]).0, 0);
    let claims = r#"{"sub":"8f1c","preferred_username":"admin"}"#;
    assert_eq!(office.occ(&["standin:sign-in", "sso", claims]), (0, "admin\n".to_owned()), "as upstream");
    let soft = ["config:system:set", "user_oidc", "soft_auto_provision", "--type=boolean", "--value=false"];
    assert_eq!(office.occ(&soft).0, 0);
    let (code, printed) = office.occ(&["standin:sign-in", "sso", claims]);
    assert!(code == 1 && printed.contains("User conflict"), "{printed}");
    let delete = ["user_oidc:provider:delete", "--force", "sso"];
    assert_eq!([office.occ(&delete).0, office.occ(&delete).0], [0, 1]);
    assert!(office.occ(&["list"]).1.contains("maintenance:data-fingerprint\n"));

    let version = office.application.path("/usr/src/nextcloud/version.php");
    let text = std::fs::read_to_string(&version).unwrap();
    std::fs::write(&version, text.replace("34, 0, 1", "35, 0, 0")).unwrap();
    let (code, printed) = office.application.run(&["/entrypoint.sh", "true"]);
    assert!(code == 0 && printed.contains("Update successful"), "{printed}");
    std::fs::write(&version, text).unwrap();
    let (code, printed) = office.application.run(&["/entrypoint.sh", "true"]);
    assert!(code == 1 && printed.contains("downgrading is not supported"), "{printed}");
}
