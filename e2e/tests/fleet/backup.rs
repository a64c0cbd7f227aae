//! Backups and restores by the program of the Jobs against plain restic: the same data, the same server, one run, and
//! no cluster.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use commonscloud_cluster::cargo::{self, Profile};
use commonscloud_cluster::progress::Progress;
use commonscloud_cluster::tools;
use commonscloud_e2e::wait::eventually;
use commonscloud_e2e::{Failure, Outcome, command, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::clock;
use crate::noise::noise;
use crate::plan::Plan;
use crate::report::Report;

const PROGRAM: &str = "commonscloud-backup";
const VOLUME: &str = "uploads";
/// A pass that has to be whole, and one while people work.
const FILES: [&str; 5] = ["files", "--run", "00000000-0000-0000-0000-000000000001", "--tag", "files"];
const FIRST: [&str; 5] = ["files", "--run", "00000000-0000-0000-0000-000000000001", "--tag", "first"];
/// Beside the volumes, one with next to nothing in it.
const NEXT_TO_NOTHING: &str = "nothing";
/// Of the large files.
const LARGE: usize = 16 << 20;
/// Of the small ones.
const SMALL: usize = 3 << 10;
/// One in so many large files is another before the last pass.
const CHANGED: usize = 8;
const LIMIT: Duration = Duration::from_mins(30);

/// What all of it took, in seconds.
struct Round {
    backup: [f64; 2],
    restore: [f64; 2],
    /// By plain restic, which then does not look at what it wrote.
    unverified: f64,
    second: Second,
}

/// Second passes after a first one, while nobody can write.
struct Second {
    /// Over next to nothing: what begins and ends.
    least: f64,
    /// Nothing changed since the first pass.
    unchanged: f64,
    /// A part did.
    changed: f64,
}

/// Measures both in turn, in another order each time.
pub async fn measure(source: &Path, plan: &Plan, report: &mut Report) -> Outcome {
    eprintln!("backups of {} MiB and {} small files, by restic and by the Jobs' program", plan.megabytes, plan.files);
    let course = Course::new(source, plan).await?;
    let mut rounds = Vec::new();
    for number in 0..plan.backups {
        rounds.push(course.round(number).await?);
    }
    let median =
        |figure: &dyn Fn(&Round) -> f64| clock::percentile(&rounds.iter().map(figure).collect::<Vec<f64>>(), 0.5);
    report.of("backup.throughput_ratio", median(&|round| round.backup[0] / round.backup[1]));
    report.of("restore.throughput_ratio", median(&|round| round.restore[0] / round.restore[1]));
    let gib = clock::number(course.bytes >> 20) / 1024.0;
    let changed = clock::number((course.changing().count() * LARGE) >> 20) / 1024.0;
    // Of less than nothing there is noise alone.
    let per_gib = |round: &Round| (round.second.unchanged - round.second.least).max(0.0) / gib;
    let per_changed = |round: &Round| (round.second.changed - round.second.unchanged).max(0.0) / changed;
    report.of("backup.quiet_s_per_gib", median(&per_gib));
    report.of("backup.quiet_s_per_changed_gib", median(&per_changed));
    report.detail(
        "backup",
        json!({
            "gib": gib,
            "restic_backup_s": median(&|round| round.backup[0]),
            "backup_s": median(&|round| round.backup[1]),
            "restic_restore_s": median(&|round| round.restore[0]),
            "restic_restore_unverified_s": median(&|round| round.unverified),
            "restore_s": median(&|round| round.restore[1]),
            "changed_gib": changed,
            "files": plan.files + course.large,
            "second_pass_least_s": median(&|round| round.second.least),
            "second_pass_unchanged_s": median(&|round| round.second.unchanged),
            "second_pass_changed_s": median(&|round| round.second.changed),
        }),
    );
    Ok(())
}

/// The data, the server, and the two programs.
struct Course {
    folder: TempDir,
    program: PathBuf,
    restic: PathBuf,
    path: String,
    address: String,
    bytes: usize,
    large: usize,
    _server: Child,
}

/// One of the two with a repository of its own.
struct Side<'a> {
    course: &'a Course,
    name: String,
}

impl Course {
    async fn new(source: &Path, plan: &Plan) -> Outcome<Self> {
        let (owned, profile) = (source.to_path_buf(), plan.profile);
        let built = tokio::task::spawn_blocking(move || match profile {
            Profile::Dist => cargo::dist(&[PROGRAM], &owned),
            Profile::Release => cargo::release(PROGRAM, &owned).map(|program| vec![program]),
        });
        let program = built.await.map_err(|error| Failure::new(error.to_string()))??.pop();
        let restic = tools::ensure("restic", source, &Progress::shown()).await?.program("restic");
        let server = tools::ensure("rest-server", source, &Progress::shown()).await?.program("rest-server");
        let folder = tempfile::tempdir()?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let server = Command::new(server)
            .args(["--no-auth", "--listen", &address, "--path"])
            .arg(folder.path().join("server"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        eventually("the server listens", LIMIT, async || {
            TcpStream::connect(&address)?;
            Ok(())
        })
        .await?;
        let large = (plan.megabytes << 20).div_ceil(LARGE);
        let course = Self {
            program: program.ok_or_else(|| Failure::new("no program was built"))?,
            path: format!(
                "{}:{}",
                restic.parent().unwrap_or(Path::new("/")).display(),
                std::env::var("PATH").unwrap_or_default()
            ),
            bytes: large * LARGE + plan.files * SMALL,
            folder,
            restic,
            address,
            large,
            _server: server,
        };
        course.fill(plan.files)?;
        Ok(course)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn fill(&self, files: usize) -> Outcome {
        std::fs::write(self.at("key"), "correct horse battery\n")?;
        let volume = self.at("volumes").join(VOLUME);
        std::fs::create_dir_all(self.at(NEXT_TO_NOTHING).join(VOLUME))?;
        std::fs::write(self.at(NEXT_TO_NOTHING).join(VOLUME).join("file"), noise(0, SMALL))?;
        for folder in 0..files.div_ceil(1000) {
            std::fs::create_dir_all(volume.join(format!("small-{folder}")))?;
        }
        for number in 0..files {
            std::fs::write(volume.join(format!("small-{}/{number}", number / 1000)), noise(number as u64, SMALL))?;
        }
        (0..self.large).try_for_each(|number| self.write_large(number, number + files))
    }

    fn write_large(&self, number: usize, seed: usize) -> Outcome {
        Ok(std::fs::write(self.at("volumes").join(VOLUME).join(format!("large-{number}")), noise(seed as u64, LARGE))?)
    }

    /// The large files that change.
    fn changing(&self) -> impl Iterator<Item = usize> + use<> {
        (0..self.large).step_by(CHANGED)
    }

    async fn round(&self, number: usize) -> Outcome<Round> {
        let plain = Side { course: self, name: format!("restic-{number}") };
        let ours = Side { course: self, name: format!("ours-{number}") };
        plain.restic(&["init"]).await?;
        ours.program("volumes", &["prepare"]).await?;
        let source = self.at("volumes").join(VOLUME);
        let (volume, copy) = (source.to_string_lossy().into_owned(), self.at("copy").to_string_lossy().into_owned());
        let by_restic = ["backup", "--quiet", "--no-scan", &volume];
        let from_root = format!("latest:{volume}");
        let restores = ["restore", &from_root, "--quiet", "--verify", "--target", &copy];
        let is_first = number.is_multiple_of(2);
        let (mut backup, mut restore) = ([0.0; 2], [0.0; 2]);
        let mut stored = Value::Null;
        for at in if is_first { [0, 1] } else { [1, 0] } {
            if at == 0 {
                backup[0] = plain.restic(&by_restic).await?;
            } else {
                (backup[1], stored) = ours.program("volumes", &FILES).await?;
            }
        }
        let snapshot = snapshot(&stored)?;
        let into = ["restore", "--snapshot", snapshot, "--volume", VOLUME];
        for at in if is_first { [0, 1] } else { [1, 0] } {
            std::fs::create_dir_all(self.at("copy").join(VOLUME))?;
            restore[at] = if at == 0 { plain.restic(&restores).await? } else { ours.program("copy", &into).await?.0 };
            std::fs::remove_dir_all(self.at("copy"))?;
        }
        let without: Vec<&str> = restores.into_iter().filter(|word| *word != "--verify").collect();
        let unverified = plain.restic(&without).await?;
        std::fs::remove_dir_all(self.at("copy"))?;
        let second = self.second_passes(&ours, snapshot, number).await?;
        std::fs::remove_dir_all(self.at("server"))?;
        std::fs::create_dir(self.at("server"))?;
        Ok(Round { backup, restore, unverified, second })
    }

    /// As a run of a backup has them: a first pass, by the former backup, then, while it is quiet, a second one by the
    /// first.
    async fn second_passes(&self, ours: &Side<'_>, former: &str, number: usize) -> Outcome<Second> {
        let by = |words: [&'static str; 5], parent: &str| -> Vec<String> {
            words.into_iter().chain(["--parent", parent]).map(str::to_owned).collect()
        };
        let first = ours.program(NEXT_TO_NOTHING, &FIRST).await?.1;
        let least = ours.program(NEXT_TO_NOTHING, &by(FILES, snapshot(&first)?)).await?.0;
        let first = ours.program("volumes", &by(FIRST, former)).await?.1;
        let again = by(FILES, snapshot(&first)?);
        let unchanged = ours.program("volumes", &again).await?.0;
        for large in self.changing() {
            self.write_large(large, (number + 2) * 1_000_000 + large)?;
        }
        Ok(Second { least, unchanged, changed: ours.program("volumes", &again).await?.0 })
    }
}

/// The id of what a pass stored.
fn snapshot(report: &Value) -> Outcome<&str> {
    let snapshot = report.pointer("/outcome/Stored/parts/0/snapshot").and_then(Value::as_str);
    snapshot.ok_or_else(|| Failure::new(format!("no snapshot: {report}")))
}

impl Side<'_> {
    /// Runs plain restic; the seconds that it took.
    async fn restic(&self, words: &[&str]) -> Outcome<f64> {
        self.timed(&self.course.restic, words).await
    }

    /// Runs the Jobs' program over the volumes in this folder: the seconds that it took, and its report.
    async fn program<W: AsRef<str>>(&self, volumes: &str, words: &[W]) -> Outcome<(f64, Value)> {
        let volumes = self.course.at(volumes).to_string_lossy().into_owned();
        let words: Vec<&str> = ["--volumes", &volumes].into_iter().chain(words.iter().map(AsRef::as_ref)).collect();
        let seconds = self.timed(&self.course.program, &words).await?;
        Ok((seconds, serde_json::from_str(&std::fs::read_to_string(self.course.at("report"))?)?))
    }

    async fn timed(&self, program: &Path, words: &[&str]) -> Outcome<f64> {
        let course = self.course;
        let repository = format!("rest:http://{}/{}", course.address, self.name);
        let [key, cache, report] = ["key", &format!("cache-{}", self.name), "report"]
            .map(|name| course.at(name).to_string_lossy().into_owned());
        let environment = [
            ("PATH", course.path.as_str()),
            ("RESTIC_REPOSITORY", &repository),
            ("RESTIC_PASSWORD_FILE", &key),
            ("RESTIC_CACHE_DIR", &cache),
            ("COMMONSCLOUD_REPORT", &report),
        ];
        // What was written before is not paid for here.
        command::run::<&str>(Path::new("sync"), &[], &[], None, LIMIT).await?.succeeded("sync")?;
        let begun = Instant::now();
        let ended = command::run(program, words, &environment, None, LIMIT).await?;
        let seconds = begun.elapsed().as_secs_f64();
        ensure!(ended.success, "{} {words:?}: {}{}", program.display(), ended.stdout, ended.stderr);
        Ok(seconds)
    }
}
