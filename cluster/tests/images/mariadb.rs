use crate::container::{Container, Pod, Running, until};
use crate::{can_run, image};

const PASSWORD: &str = "pa'ss \"w\\ord\" $x`";

/// What the container may write beside its data, its root being read-only.
pub(crate) const WRITABLE: [&str; 3] = ["/var/lib/mysql", "/run/mysqld", "/tmp"];

pub(crate) fn mariadb(pod: &Pod) -> Container<'_> {
    let container = Container::new(pod, image("mariadb"), "999:999")
        .with("MARIADB_ROOT_PASSWORD_FILE", "/secrets/root")
        .with("MARIADB_DATABASE", "acme_wiki")
        .with("MARIADB_USER", "acme")
        .with("MARIADB_PASSWORD_FILE", "/secrets/password")
        .with("MARIADB_INITDB_SKIP_TZINFO", "1")
        // For the client, not for the server.
        .with("MYSQL_PWD", PASSWORD);
    container.write("/secrets/root", "ro'ot\\");
    container.write("/secrets/password", PASSWORD);
    container
}

/// Runs one statement as the application does, and returns what the client printed.
pub(crate) fn sql(container: &Container, user: &str, statement: &str) -> (i32, String) {
    container.run(&["mariadb", "-h", "10.89.250.1", "-u", user, "-BN", "-e", statement])
}

pub(crate) fn until_it_answers(container: &Container) {
    until("MariaDB answers", || sql(container, "acme", "select 1").1 == "1\n");
}

fn start(container: &Container, arguments: &[&str]) -> Running {
    let command: Vec<&str> = ["docker-entrypoint.sh", "mariadbd"].iter().chain(arguments).copied().collect();
    container.start(&command)
}

#[test]
fn mariadb_sets_itself_up_once_on_a_read_only_root_and_keeps_its_data_over_a_power_cut() {
    if !can_run() {
        return;
    }
    let pod = Pod::new();
    let mariadb = mariadb(&pod);
    mariadb
        .write("/docker-entrypoint-initdb.d/1.sql", "create table seen (what text); insert into seen values ('sql');");
    let script = "docker_process_sql --database=acme_wiki <<<\"insert into seen values ('$(docker_sql_escape_string_literal \"a'b\")')\"";
    mariadb.write("/docker-entrypoint-initdb.d/2.sh", script);
    mariadb.write("/etc/mysql/conf.d/package.cnf", "[mariadbd]\nlocal_infile = 0\nmax_allowed_packet = 33554432\n");
    let mariadb = WRITABLE.iter().fold(mariadb, |mariadb, path| mariadb.volume(path, "500m")).read_only();
    let server = start(&mariadb, &["--innodb-buffer-pool-size=64M"]);
    until_it_answers(&mariadb);
    assert_eq!(mariadb.run(&["healthcheck.sh", "--connect", "--innodb_initialized"]), (0, String::new()));
    assert_eq!(sql(&mariadb, "acme", "select what from acme_wiki.seen").1, "sql\na'b\n");
    let settings = "select @@local_infile, @@max_allowed_packet, @@innodb_buffer_pool_size, @@character_set_server";
    assert_eq!(sql(&mariadb, "acme", settings).1, "0\t33554432\t67108864\tutf8mb4\n");
    server.kill();

    assert_ne!(mariadb.run(&["healthcheck.sh", "--connect"]).0, 0, "nothing listens");
    let again = start(&mariadb, &[]);
    until_it_answers(&mariadb);
    assert!(again.printed().contains("skipping initialization"));
    assert_eq!(sql(&mariadb, "acme", "select count(*) from acme_wiki.seen").1, "2\n");
    let (code, printed) = sql(&mariadb, "acme", "create database acmeXwiki");
    assert!(code != 0 && printed.contains("denied"), "{printed}");
    let stranger = mariadb.with("MYSQL_PWD", "wrong");
    for user in ["acme", "root", "nobody"] {
        let (code, printed) = sql(&stranger, user, "select 1");
        assert!(code != 0 && printed.contains("Access denied"), "{user}: {printed}");
    }
    drop(again);
}

#[test]
fn mariadb_as_root_drops_to_its_user_and_may_be_kept_from_having_a_remote_root() {
    if !can_run() {
        return;
    }
    let pod = Pod::new();
    let mariadb = mariadb(&pod).user("0:0").with("MARIADB_ROOT_HOST", "localhost").with("MYSQL_PWD", "ro'ot\\");
    let _server = start(&mariadb, &[]);
    until("MariaDB answers", || mariadb.run(&["healthcheck.sh", "--connect"]).0 == 0);
    let data = std::os::unix::fs::MetadataExt::uid(&mariadb.path("/var/lib/mysql/ibdata1").metadata().unwrap());
    assert_eq!(data, 999);
    assert!(sql(&mariadb, "root", "select 1").1.contains("Access denied"));
    let local = mariadb.run(&["mariadb", "-BNe", "select current_user()"]);
    assert_eq!(local, (0, "root@localhost\n".to_owned()));
}

#[test]
fn mariadb_refuses_a_variable_given_twice_a_missing_password_and_an_unknown_option() {
    if !can_run() {
        return;
    }
    let pod = Pod::new();
    let twice = mariadb(&pod).with("MARIADB_PASSWORD", "other");
    let (code, printed) = twice.run(&["docker-entrypoint.sh", "mariadbd"]);
    assert!(code == 1 && printed.contains("Both MARIADB_PASSWORD and MARIADB_PASSWORD_FILE are set"), "{printed}");
    let without = Container::new(&pod, image("mariadb"), "999:999");
    let (code, printed) = without.run(&["docker-entrypoint.sh", "mariadbd"]);
    assert!(code == 1 && printed.contains("set one of MARIADB_ROOT_PASSWORD"), "{printed}");
    let (code, printed) = without.run(&["docker-entrypoint.sh", "--no-such-option"]);
    assert!(code == 1 && printed.contains("check config"), "{printed}");
}

#[test]
fn mariadb_takes_an_interrupted_set_up_for_a_finished_one_as_upstream_until_it_is_removed() {
    if !can_run() {
        return;
    }
    let pod = Pod::new();
    let mariadb = mariadb(&pod);
    let folder = "--datadir=/var/lib/mysql/data";
    mariadb
        .write("/docker-entrypoint-initdb.d/1.sh", "if [ ! -e /tmp/reached ]; then touch /tmp/reached; sleep 1000; fi");
    mariadb.write("/docker-entrypoint-initdb.d/2.sql", "create table finished (x int);");
    let first = start(&mariadb, &[folder]);
    until("the set-up is in its scripts", || mariadb.path("/tmp/reached").exists());
    assert_ne!(mariadb.run(&["healthcheck.sh", "--datadir=/var/lib/mysql/data", "--connect"]).0, 0);
    first.kill();

    let second = start(&mariadb, &[folder]);
    until_it_answers(&mariadb);
    let finished = "select count(*) from acme_wiki.finished";
    assert!(sql(&mariadb, "acme", finished).1.contains("doesn't exist"));
    second.kill();

    std::fs::remove_dir_all(mariadb.path("/var/lib/mysql/data")).unwrap();
    let _third = start(&mariadb, &[folder]);
    until_it_answers(&mariadb);
    assert_eq!(sql(&mariadb, "acme", finished).1, "0\n");
}
