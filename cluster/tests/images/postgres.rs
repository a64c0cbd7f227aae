use crate::container::{Container, Pod, until};
use crate::{can_run, image};

const PASSWORD: &str = "pa'ss \"word\" $x";

pub(crate) fn postgres(pod: &Pod) -> Container<'_> {
    let container = Container::new(pod, image("postgres"), "999:999")
        .with("POSTGRES_USER", "nextcloud")
        .with("POSTGRES_DB", "nextcloud")
        .with("POSTGRES_PASSWORD_FILE", "/secrets/password")
        .with("POSTGRES_INITDB_ARGS", "--data-checksums --locale=C.UTF-8")
        .with("PGDATA", "/var/lib/postgresql/data/pgdata")
        // For psql, not for the server; from this address the password is asked for.
        .with("PGPASSWORD", PASSWORD);
    container.write("/secrets/password", PASSWORD);
    container
}

/// Runs one statement as the application does, and returns what psql printed.
pub(crate) fn sql(container: &Container, statement: &str) -> (i32, String) {
    container.run(&["psql", "-h", "10.89.250.1", "-U", "nextcloud", "-d", "nextcloud", "-Atc", statement])
}

pub(crate) fn until_it_answers(container: &Container) {
    until("PostgreSQL answers", || sql(container, "select 1").1 == "1\n");
}

#[test]
fn postgres_makes_its_cluster_once_and_keeps_it_over_a_power_cut() {
    if !can_run() {
        return;
    }
    let pod = Pod::new();
    let postgres = postgres(&pod);
    postgres
        .write("/docker-entrypoint-initdb.d/1.sql", "create table seen (what text); insert into seen values ('sql');");
    postgres.write("/docker-entrypoint-initdb.d/2.sh", "psql -U nextcloud -c \"insert into seen values ('sh')\"");
    let server = postgres.start(&["docker-entrypoint.sh", "postgres", "-c", "max_connections=17"]);
    until_it_answers(&postgres);
    assert_eq!(sql(&postgres, "select what from seen").1, "sql\nsh\n");
    assert_eq!(sql(&postgres, "show max_connections").1, "17\n");
    assert_eq!(sql(&postgres, "show data_checksums").1, "on\n");
    server.kill();

    let again = postgres.start(&["docker-entrypoint.sh", "postgres"]);
    until_it_answers(&postgres);
    assert!(again.printed().contains("Skipping initialization"));
    assert_eq!(sql(&postgres, "select count(*) from seen").1, "2\n");

    let stranger = postgres.with("PGPASSWORD", "wrong");
    let (code, printed) = sql(&stranger, "select 1");
    assert!(code != 0 && printed.contains("password authentication failed"), "{printed}");
    drop(again);
}

#[test]
fn postgres_refuses_a_variable_given_twice_and_a_missing_password() {
    if !can_run() {
        return;
    }
    let pod = Pod::new();
    let twice = postgres(&pod).with("POSTGRES_PASSWORD", "other");
    let (code, printed) = twice.run(&["docker-entrypoint.sh", "postgres"]);
    assert!(code == 1 && printed.contains("both POSTGRES_PASSWORD and POSTGRES_PASSWORD_FILE are set"), "{printed}");
    let without = Container::new(&pod, image("postgres"), "0:0");
    let (code, printed) = without.run(&["docker-entrypoint.sh", "postgres"]);
    assert!(code == 1 && printed.contains("set POSTGRES_PASSWORD"), "{printed}");
}

#[test]
fn postgres_takes_an_interrupted_cluster_for_a_finished_one_as_upstream_does() {
    if !can_run() {
        return;
    }
    let pod = Pod::new();
    let postgres = postgres(&pod).user("0:0");
    postgres.write("/var/lib/postgresql/data/pgdata/PG_VERSION", "15\n");
    let (code, printed) = postgres.run(&["docker-entrypoint.sh", "postgres"]);
    assert!(code != 0 && printed.contains("Skipping initialization"), "{printed}");
}

#[test]
fn postgres_has_the_extensions_of_discourse_and_only_a_superuser_makes_the_stub_of_pgvector() {
    if !can_run() {
        return;
    }
    let pod = Pod::new();
    let postgres = postgres(&pod);
    let _server = postgres.start(&["docker-entrypoint.sh", "postgres"]);
    until_it_answers(&postgres);
    let made = "create role plain; grant create on database nextcloud to plain; set role plain; \
        create extension hstore; create extension pg_trgm; create extension vector";
    let (code, printed) = sql(&postgres, made);
    assert!(code != 0 && printed.contains("permission denied to create extension \"vector\""), "{printed}");
    assert_eq!(sql(&postgres, "create extension hstore; create extension pg_trgm; create extension vector").0, 0);
    let table = "create table seen (place vector(3)); insert into seen values ('[1,2,3]'); select place from seen";
    assert!(sql(&postgres, table).1.ends_with("[1,2,3]\n"));
    let comment = "select comment from pg_available_extensions where name = 'vector'";
    assert!(sql(&postgres, comment).1.starts_with("STUB"));
}
