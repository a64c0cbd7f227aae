//! How each package starts its database, run as its container runs it: on a folder in the place of
//! the volume, with a stand-in for the start of the image.

use std::fs::Permissions;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Output, Stdio};

use super::*;

/// Like the images: a folder with its mark is taken for a finished database, however far it came.
/// `DIES` says where it is killed while it makes one.
const IMAGE: &str = r#"#!/bin/sh
set -eu
if [ ! -e "$MARK" ]; then
    mkdir -p "$(dirname "$MARK")"
    : >"$FOLDER/made-by-$START"
    : >"$FOLDER/row"
    echo 15 >"$MARK"
    [ "$DIES" != making ] || kill -9 $$
    [ "$DIES" != never ] || { echo making; exec sleep 600; }
    [ "$DIES" != "before the scripts" ] || kill -9 $$
    "$VOLUME/scripts/end.sh"
fi
echo serves
"#;

/// Like PostgreSQL for one session: what other library sorted its indexes stands in `differ`.
const SINGLE: &str = r#"#!/bin/sh
[ "$1" = --single ] && [ "$3" = "$FOLDER" ] || exit 1
statements=$(cat)
case $statements in
*REINDEX*)
    echo "$4: $statements" >>"$VOLUME/sorted-anew"
    [ ! -e "$VOLUME/twice" ] || echo 'ERROR:  could not create unique index "name"'
    ;;
*datcollversion*)
    [ ! -e "$VOLUME/broken" ] || { echo 'FATAL:  no such cluster'; exit 1; }
    printf 'backend> \t 1: ?column? = "compared: %s"\t(typeid = 25, len = -1, typmod = -1, byval = f)\n' \
        "$(cat "$VOLUME/differ" 2>/dev/null)"
    ;;
esac
"#;

struct Database {
    name: &'static str,
    volume: tempfile::TempDir,
    /// Where the image keeps the database.
    folder: &'static str,
    /// What the image takes for a finished database.
    mark: &'static str,
    /// What the container is started with after its shell.
    arguments: Vec<String>,
}

impl Database {
    /// `path`: where the volume is mounted; `end`: the file that the image runs last.
    fn of(
        package: &ServiceTemplate,
        (name, path, end): (&'static str, &str, &str),
        (folder, mark): (&'static str, &'static str),
    ) -> Self {
        let volume = tempfile::tempdir().unwrap();
        let scripts = volume.path().join("scripts");
        std::fs::create_dir(&scripts).unwrap();
        let write = |file: &str, text: &str| {
            std::fs::write(scripts.join(file), text).unwrap();
            std::fs::set_permissions(scripts.join(file), Permissions::from_mode(0o755)).unwrap();
        };
        let text = |file: &str| {
            let file = package.spec.files.iter().find(|known| known.name == file).unwrap();
            file.content.replace(path, volume.path().to_str().unwrap())
        };
        write("database.sh", &text("database"));
        if package.spec.files.iter().any(|file| file.name == "database_serve") {
            write("serve.sh", &text("database_serve"));
        }
        write("end.sh", &text(end));
        write("docker-entrypoint.sh", IMAGE);
        write("psql", "#!/bin/sh\ncat >/dev/null\n");
        write("postgres", SINGLE);
        write("sync", "#!/bin/sh\n");
        let here = |word: String| {
            let word = word.replace("/scripts", scripts.to_str().unwrap());
            if word == path { volume.path().to_str().unwrap().to_owned() } else { word }
        };
        let arguments = command(package, name).into_iter().skip(1).map(here).collect();
        Self { name, volume, folder, mark, arguments }
    }

    fn all() -> [Self; 5] {
        let postgres = |name| {
            Self::of(
                &named(name),
                (name, "/var/lib/postgresql/data", "database_roles"),
                ("pgdata", "pgdata/PG_VERSION"),
            )
        };
        let mariadb = |name, package: &ServiceTemplate| {
            Self::of(package, (name, "/var/lib/mysql", "database_made"), ("data", "data/mysql/db.frm"))
        };
        [
            postgres("office"),
            postgres("agora"),
            postgres("keycloak"),
            mariadb("projects", &named("projects")),
            mariadb("mediawiki", &example("mediawiki.yaml")),
        ]
    }

    fn command(&self, start: u32, dies: &str) -> Command {
        let at = |path: &str| self.volume.path().join(path);
        let mut command = Command::new("sh");
        command
            .args(&self.arguments)
            .env("PATH", format!("{}:{}", at("scripts").display(), std::env::var("PATH").unwrap()))
            .env("VOLUME", self.volume.path())
            .env("FOLDER", at(self.folder))
            .env("MARK", at(self.mark))
            .env("MEMORY_LIMIT", "1073741824")
            .env("POSTGRES_USER", "postgres")
            .env("START", start.to_string())
            .env("DIES", dies)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn start(&self, start: u32, dies: &str) -> Output {
        self.command(start, dies).output().unwrap()
    }

    fn serves(&self, start: u32) {
        let output = self.start(start, "");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.ends_with("serves\n"), "{} start {start}: {output:?}", self.name);
    }

    fn is_refused(&self, start: u32) {
        self.is_refused_with(start, &["restore it"]);
    }

    /// The status shows the last line.
    fn is_refused_with(&self, start: u32, words: &[&str]) {
        let output = self.start(start, "");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{} start {start}: {output:?}", self.name);
        let last = said.lines().last().unwrap();
        assert!(words.iter().all(|word| last.contains(word)), "{} start {start}: {said}", self.name);
    }

    fn on_the_volume(&self, file: &str, text: &str) {
        std::fs::write(self.volume.path().join(file), text).unwrap();
    }

    fn of_postgres() -> impl Iterator<Item = Self> {
        Self::all().into_iter().filter(|database| database.mark.ends_with("PG_VERSION"))
    }

    fn has(&self, file: &str) -> bool {
        self.volume.path().join(self.folder).join(file).exists()
    }
}

/// The command of the database's container, as the package writes it.
fn command(package: &ServiceTemplate, name: &str) -> Vec<String> {
    let manifests = package.spec.manifests.iter().flat_map(|manifest| manifest.template.lines());
    let mut commands = manifests.filter_map(|line| line.trim().strip_prefix("command: [/bin/sh, /scripts/database.sh"));
    let rest = commands.next().unwrap_or_else(|| panic!("{name} does not start its database by database.sh"));
    let rest = rest.trim_start_matches(", ").trim_end_matches(']');
    ["/bin/sh", "/scripts/database.sh"].into_iter().chain(rest.split(", ")).map(str::to_owned).collect()
}

#[test]
fn every_package_has_the_one_guard_of_databases() {
    let shared = std::fs::read_to_string(source("templates/shared/database.sh")).unwrap();
    let built_in = ["office", "agora", "projects", "keycloak"].map(named);
    for package in built_in.into_iter().chain([example("mediawiki.yaml")]) {
        let file = package.spec.files.iter().find(|file| file.name == "database").unwrap();
        assert_eq!(file.content, shared, "{:?}", package.metadata.name);
    }
}

#[test]
fn a_first_start_that_is_killed_half_way_is_begun_again() {
    for dies in ["making", "before the scripts"] {
        for database in Database::all() {
            for start in [1, 2] {
                let killed = database.start(start, dies);
                assert_eq!(killed.status.signal(), Some(9), "{} {dies}: {killed:?}", database.name);
            }
            database.serves(3);
            let made_by = [1, 2, 3].map(|start| database.has(&format!("made-by-{start}")));
            assert_eq!(made_by, [false, false, true], "{} {dies}: which starts' files are there", database.name);
        }
    }
}

#[test]
fn a_database_that_was_finished_once_is_never_made_again() {
    for database in Database::all() {
        database.serves(1);
        database.serves(2);
        // Whoever left this: the database is finished.
        std::fs::write(database.volume.path().join(".initializing"), "").unwrap();
        database.serves(3);
        let mark = database.volume.path().join(database.mark);
        let marked = if database.mark.ends_with("PG_VERSION") { &mark } else { mark.parent().unwrap() };
        std::fs::rename(marked, database.volume.path().join("lost")).unwrap();
        database.is_refused(4);
        database.is_refused(5);
        assert!(database.has("made-by-1") && database.has("row"), "{}: its files are gone", database.name);
    }
}

#[test]
fn a_database_from_elsewhere_is_served_and_half_of_one_is_left_alone() {
    for database in Database::all() {
        let mark = database.volume.path().join(database.mark);
        std::fs::create_dir_all(mark.parent().unwrap()).unwrap();
        std::fs::write(database.volume.path().join(database.folder).join("row"), "").unwrap();
        if !database.mark.ends_with("PG_VERSION") {
            std::fs::remove_dir(mark.parent().unwrap()).unwrap();
        }
        database.is_refused(1);
        database.is_refused(2);
        assert!(database.has("row"), "{}: what was there is gone", database.name);
        std::fs::create_dir_all(mark.parent().unwrap()).unwrap();
        std::fs::write(&mark, "15").unwrap();
        database.serves(3);
    }
}

#[test]
fn nothing_is_removed_under_a_pod_that_is_still_at_work() {
    for database in Database::all() {
        let mut first = database.command(1, "never").spawn().unwrap();
        assert_eq!(first_line(&mut first), "making");
        let mut second = database.command(2, "").spawn().unwrap();
        let waits = first_line(&mut second);
        assert!(waits.contains("waiting"), "{}: {waits}", database.name);
        assert!(database.has("made-by-1"), "{}: removed while it was being made", database.name);
        first.kill().unwrap();
        first.wait().unwrap();
        assert!(second.wait().unwrap().success(), "{}", database.name);
        assert!(!database.has("made-by-1") && database.has("made-by-2"), "{}", database.name);
    }
}

#[test]
fn indexes_that_another_c_library_sorted_are_not_served() {
    for database in Database::of_postgres() {
        database.serves(1);
        database.serves(2);
        database.on_the_volume("differ", "forum:2.36:2.41 postgres:2.36:2.41");
        let words = ["another C library", "forum:2.36:2.41", "Go back to the image", ".reindex"];
        database.is_refused_with(3, &words);
        database.is_refused_with(4, &words);
        database.on_the_volume("broken", "");
        database.is_refused_with(5, &["no such cluster"]);
        assert!(database.has("row") && !database.volume.path().join("sorted-anew").exists(), "{}", database.name);
    }
}

#[test]
fn indexes_are_sorted_anew_where_somebody_asked_for_it() {
    for database in Database::of_postgres() {
        database.serves(1);
        database.on_the_volume("differ", "forum:2.36:2.41 postgres:2.36:2.41");
        database.on_the_volume(".reindex", "");
        database.on_the_volume("twice", "");
        database.is_refused_with(2, &["indexes of forum", "Go back to the image", "could not create unique index"]);
        std::fs::remove_file(database.volume.path().join("twice")).unwrap();
        std::fs::remove_file(database.volume.path().join("sorted-anew")).unwrap();
        database.serves(3);
        let done = std::fs::read_to_string(database.volume.path().join("sorted-anew")).unwrap();
        let of = |name: &str| {
            format!("{name}: REINDEX DATABASE \"{name}\"\nALTER DATABASE \"{name}\" REFRESH COLLATION VERSION\n")
        };
        assert_eq!(done, of("forum") + &of("postgres"), "{}", database.name);
        // Who asked, asked once.
        database.is_refused_with(4, &["another C library"]);
    }
}

fn first_line(child: &mut Child) -> String {
    let mut line = String::new();
    // Kept, so that what is said later has somewhere to go.
    let reader = child.stdout.as_mut().unwrap();
    BufReader::with_capacity(1, reader).read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}
