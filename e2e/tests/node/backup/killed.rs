//! A backup whose operator, Job or database is killed at any moment: it ends by itself, people can write again, and
//! what is left is a whole snapshot or none. An export that is killed goes on. The moments come of a seed, which is
//! printed; `COMMONSCLOUD_SEED` repeats them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::backup::content::{Application, Content};
use commonscloud_e2e::backup::outside::Outside;
use commonscloud_e2e::backup::runs::{Runs, phase, snapshot, taken_at};
use commonscloud_e2e::backup::servers;
use commonscloud_e2e::backup::wiki::Wiki;
use commonscloud_e2e::backup::writer::{Moment, during};
use commonscloud_e2e::seed::{Seed, VARIABLE};
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::eventually;
use commonscloud_e2e::{Outcome, chart, command, ensure, ensure_eq};
use commonscloud_operator::api::{BackupPhase, ServiceBackupStatus};

use super::wiki::{SERVICE, begin, sign_in};
use super::{DONE, at_work, calendars, can_be_written, has_all, is_ready, nothing_is_left};
use crate::tier::Node;

pub fn scenarios() -> Vec<Scenario<Node>> {
    vec![
        Scenario::new(
            "a backup whose Job or database is killed at any moment ends by itself, and maintenance is off",
            |node| killed(node, vec![Victim::Job, Victim::Database]),
        )
        .sampled(),
        // Everybody else's operator, too.
        Scenario::new(
            "a backup whose operator is killed at any moment ends by itself, and maintenance is off",
            |node| async move {
                killed(Arc::clone(&node), vec![Victim::Operator]).await?;
                node.discard(NAME).await
            },
        )
        .alone(),
        Scenario::new("twenty backups killed at any moment end by themselves, and the last one can be restored", many)
            .alone()
            .slow(),
        Scenario::new("an export killed at any moment goes on with the same words, and is whole", exported).slow(),
    ]
}

/// The Entity that the scenarios share, but for the many.
const NAME: &str = "copia-morta";
const OF_MANY: &str = "vint-copies-mortes";
const OF_EXPORT: &str = "sortida-morta";
const EXPORTED: [&str; 2] = ["site", "segona"];
/// An export of two calendars takes about as long, and so many of them are killed.
const EXPORT_MILLISECONDS: u32 = 4_000;
const EXPORTS: usize = 20;
const PACKED: Duration = Duration::from_mins(3);
/// A run of a small wiki takes about as long: it is killed within it, and now and then when it has ended.
const RUN_MILLISECONDS: u32 = 25_000;
/// So many rounds of each victim, where nobody waits.
const MANY: usize = 7;

/// Who is killed.
#[derive(Clone, Copy, Debug)]
enum Victim {
    Operator,
    Job,
    Database,
}

async fn killed(node: Arc<Node>, victims: Vec<Victim>) -> Outcome {
    let mut rounds = Rounds::begin(&node, NAME).await?;
    for victim in victims {
        rounds.play(victim).await?;
    }
    // What the dead left behind, a lock too, is in nobody's way.
    rounds.runs.backed_up(&rounds.name("sencera"), SERVICE, servers::REST).await.map(drop)
}

async fn many(node: Arc<Node>) -> Outcome {
    let mut rounds = Rounds::begin(&node, OF_MANY).await?;
    for _ in 0..MANY {
        for victim in [Victim::Operator, Victim::Job, Victim::Database] {
            rounds.play(victim).await?;
        }
    }
    let before = rounds.wiki.content().await?;
    let last = rounds.name("darrera");
    let (written, run) = during(&rounds.wiki, "Darrera", rounds.runs.backed_up(&last, SERVICE, servers::REST)).await;
    let run = run?;
    rounds.runs.restored(&rounds.name("enrere"), SERVICE, snapshot(&run)?).await?;
    is_ready(&node, OF_MANY).await?;
    let content = sign_in(&node, OF_MANY).await?.content().await?;
    written.is_in(&content, &before, Moment::Exact(taken_at(&run)?))?;
    node.discard(OF_MANY).await
}

async fn exported(node: Arc<Node>) -> Outcome {
    servers::ready(&node.cluster, servers::REST).await?;
    calendars(&node, OF_EXPORT, &EXPORTED).await?;
    let runs = Runs::of(&node.cluster, OF_EXPORT).await?;
    for service in EXPORTED {
        runs.backed_up(&format!("abans-{service}"), service, servers::REST).await?;
    }
    let mut seed = Seed::of_this_run()?;
    let told = format!("moments of exports killed: {VARIABLE}={}", seed.first);
    eprintln!("{told}");
    let outside = Outside::open(&node.cluster).await?;
    let package = outside.folder().join("package");
    let to = package.to_string_lossy().into_owned();
    let words = [&["export", OF_EXPORT][..], &EXPORTED, &["--output", &to]].concat();
    let mut killed = 0;
    for _ in 0..EXPORTS {
        let after = Duration::from_millis(seed.below(EXPORT_MILLISECONDS).into());
        // What is killed is gone on with; what ended before is whole, and the next one begins anew.
        match outside.run(&words, &[], after).await {
            Err(_) => killed += 1,
            Ok(ended) => {
                let ended = ended.succeeded("export").map_err(|failure| failure.during(&told))?;
                ensure!(ended.contains("is whole: "), "{told}: {ended}");
                std::fs::remove_dir_all(&package)?;
            }
        }
    }
    ensure!(killed > 0, "{told}: none of {EXPORTS} was killed before its end");
    let last = outside.run(&words, &[], PACKED).await?.succeeded("export").map_err(|failure| failure.during(&told))?;
    ensure!(last.contains("is whole: "), "{told}: {last}");
    let commonscloud = &node.cluster.programs.commonscloud;
    let verified = command::run(commonscloud, &["export", "verify", &to], &[], None, PACKED).await?;
    let verified = verified.succeeded("export verify").map_err(|failure| failure.during(&told))?;
    ensure!(verified.contains("is whole: "), "{told}: {verified}");
    let left = std::fs::read_dir(&package)?.filter_map(Result::ok);
    let half: Vec<_> = left.map(|file| file.file_name()).filter(|name| is_half(&name.to_string_lossy())).collect();
    ensure!(half.is_empty(), "{told}: half files {half:?}");
    node.discard(OF_EXPORT).await
}

/// What an export calls what it has not finished.
fn is_half(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "part") || name == ".unfinished.json"
}

struct Rounds<'n> {
    node: &'n Node,
    entity: &'static str,
    runs: Runs<'n>,
    wiki: Wiki,
    content: Content,
    seed: Seed,
    played: usize,
}

impl<'n> Rounds<'n> {
    async fn begin(node: &'n Node, entity: &'static str) -> Outcome<Self> {
        servers::ready(&node.cluster, servers::REST).await?;
        let (wiki, content) = begin(node, entity).await?;
        let seed = Seed::of_this_run()?;
        eprintln!("moments of backups killed: {VARIABLE}={}", seed.first);
        let runs = Runs::of(&node.cluster, entity).await?;
        Ok(Self { node, entity, runs, wiki, content, seed, played: 0 })
    }

    /// A name that no scenario before this one took.
    fn name(&self, of: &str) -> String {
        format!("{of}-{}-{}", self.seed.first % 1_000_000, self.played)
    }

    async fn play(&mut self, victim: Victim) -> Outcome {
        self.played += 1;
        let run = self.name(&format!("{victim:?}").to_lowercase());
        let after = Duration::from_millis(self.seed.below(RUN_MILLISECONDS).into());
        let ended = self.round(victim, &run, after).await;
        let told =
            format!("{VARIABLE}={}: {victim:?} killed after {} ms, run {run}", self.seed.first, after.as_millis());
        ended.map_err(|failure| failure.during(&told))
    }

    async fn round(&mut self, victim: Victim, run: &str, after: Duration) -> Outcome {
        self.runs.begin(run, SERVICE, servers::REST).await?;
        tokio::time::sleep(after).await;
        self.kill(victim, run).await?;
        let ended = self.runs.ended(run).await?;
        nothing_is_left(self.node, self.entity, run).await?;
        is_whole_or_none(phase(&ended), &ended.status.unwrap_or_default())?;
        is_ready(self.node, self.entity).await?;
        self.wiki = eventually("one can sign in", DONE, async || sign_in(self.node, self.entity).await).await?;
        can_be_written(&self.wiki, &format!("Després-{run}")).await?;
        let content = self.wiki.content().await?;
        let lost: Vec<&str> =
            self.content.iter().filter(|(name, hash)| content.get(name) != Some(*hash)).map(|(name, _)| name).collect();
        ensure_eq!(lost, Vec::<&str>::new(), "pages and files that are not as they were");
        self.content = content;
        Ok(())
    }

    /// With SIGKILL, as a machine does that runs out of memory.
    async fn kill(&self, victim: Victim, run: &str) -> Outcome {
        let kubectl = &self.node.cluster.kubectl;
        let now = ["--grace-period=0", "--force", "--wait=false"];
        match victim {
            Victim::Operator => {
                let words =
                    ["delete", "pods", "-n", chart::NAMESPACE, "-l", "app.kubernetes.io/name=commonscloud-operator"];
                kubectl.ok(&[&words[..], &now].concat()).await.map(drop)
            }
            Victim::Database => {
                let pod = self.node.pod(self.entity, SERVICE, "db").await?;
                kubectl.ok(&[&["delete", "pod", "-n", self.entity, &pod][..], &now].concat()).await.map(drop)
            }
            Victim::Job => match self.a_job(run).await? {
                Some(pod) => kubectl.ok(&[&["delete", "-n", self.entity, &pod][..], &now].concat()).await.map(drop),
                None => Ok(()),
            },
        }
    }

    /// The next pod that is at work for the run, as `pod/NAME`; none where the run has ended before.
    async fn a_job(&self, run: &str) -> Outcome<Option<String>> {
        eventually("a Job is at work, or the run has ended", DONE, async || {
            let pods = self.node.cluster.kubectl.ok(&at_work(self.entity)).await?;
            if let Some(pod) = pods.lines().next() {
                return Ok(Some(pod.trim().to_owned()));
            }
            let at = phase(&self.runs.backup(run).await?);
            ensure!(at.is_some_and(|at| at >= BackupPhase::Succeeded), "{at:?}");
            Ok(None)
        })
        .await
    }
}

fn is_whole_or_none(at: Option<BackupPhase>, status: &ServiceBackupStatus) -> Outcome {
    if at == Some(BackupPhase::Succeeded) {
        snapshot(status)?;
        return has_all(status, &["data"], true);
    }
    ensure_eq!(
        (at, &status.snapshot),
        (Some(BackupPhase::Failed), &None),
        "a run that did not succeed has no snapshot"
    );
    let quiet = status.conditions.iter().find(|condition| condition.type_ == "StillQuiet");
    ensure!(quiet.is_none(), "{quiet:?}");
    Ok(())
}
