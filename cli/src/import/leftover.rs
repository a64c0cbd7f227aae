//! What imports leave at the target: snapshots that no run names, so that only an import takes them away.

use std::collections::BTreeMap;

use commonscloud_backup::restic::{Call, Restic, Snapshot};
use commonscloud_cluster::command::Failure;
use commonscloud_operator::api::{RestorePhase, ServiceRestore};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::Api;

use super::{restore_name, send};
use crate::target::ANSWER;

/// What is younger may be of an import that is at work elsewhere.
const YOUNG: SignedDuration = SignedDuration::from_hours(24);
/// How the tag of a snapshot begins that an import made.
const TAG: &str = "run:import-";

/// Where an import looks for what others left, and itself.
pub(super) struct Leftover<'i> {
    pub(super) restic: &'i Restic,
    pub(super) restores: &'i Api<ServiceRestore>,
    /// Name of the service.
    pub(super) service: &'i str,
    pub(super) fingerprint: &'i str,
}

/// The snapshots of one import.
#[derive(Debug, Default, PartialEq)]
struct Left {
    ids: Vec<String>,
    /// When the newest was made. None: one does not say it.
    newest: Option<Timestamp>,
}

impl Leftover<'_> {
    /// What is told of snapshots that stay.
    pub(super) fn stays(&self) -> String {
        format!(
            "what was sent by then stays at the target, tagged run:{}: the same command goes on with it, and takes it away \
             once it has moved in; another import into {} takes it away a day later",
            send::run_of(self.fingerprint),
            self.service
        )
    }

    /// A failure, and what stays.
    pub(super) fn failed(&self, why: &Failure) -> Failure {
        format!("{why}\n{}", self.stays()).into()
    }

    /// Forgets what moved in, where the credentials may: the service's own backups have it from now on; and what
    /// earlier imports left.
    pub(super) async fn forget(&self) {
        let forget = async || -> Result<usize, Failure> {
            let ids = self.ids().await?;
            if ids.is_empty() {
                return Ok(0);
            }
            self.restic.run(Call::new("forget").args(&ids), ANSWER).await?;
            // A server that only lets add says that it forgot.
            let there = snapshots(self.restic).await?;
            Ok(there.iter().filter(|snapshot| ids.contains(&snapshot.id)).count())
        };
        match forget().await {
            Ok(0) => {}
            Ok(left) => eprintln!(
                "{left} snapshots tagged {TAG}... stay at the target: whoever may remove there can forget them"
            ),
            Err(failure) => eprintln!("snapshots tagged {TAG}... may stay at the target: {failure}"),
        }
    }

    /// Those that nobody needs.
    async fn ids(&self) -> Result<Vec<String>, Failure> {
        let mut ids = Vec::new();
        for (run, left) in imports(&snapshots(self.restic).await?) {
            let is_own = run == send::run_of(self.fingerprint);
            if is_own || (is_abandoned(&left, Timestamp::now()) && !self.is_at_work(&run).await?) {
                ids.extend(left.ids);
            }
        }
        Ok(ids)
    }

    /// Whether a restore of what this import brought has not ended.
    async fn is_at_work(&self, run: &str) -> Result<bool, Failure> {
        let fingerprint = run.strip_prefix("import-").unwrap_or(run);
        for number in 0.. {
            let name = restore_name(self.service, fingerprint, number);
            let Some(restore) = self.restores.get_opt(&name).await? else { break };
            let phase = restore.status.as_ref().and_then(|status| status.phase);
            if !matches!(phase, Some(RestorePhase::Failed | RestorePhase::Succeeded)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

async fn snapshots(restic: &Restic) -> Result<Vec<Snapshot>, Failure> {
    Ok(restic.run(Call::reading("snapshots"), ANSWER).await?.document()?)
}

/// The snapshots of imports, by the run that they are tagged with.
fn imports(found: &[Snapshot]) -> BTreeMap<String, Left> {
    let mut imports: BTreeMap<String, Left> = BTreeMap::new();
    for snapshot in found {
        let Some(run) = snapshot.tags.iter().find_map(|tag| run(tag)) else { continue };
        let time = snapshot.time.parse::<Timestamp>().ok();
        let left = imports.entry(run.to_owned()).or_insert_with(|| Left { ids: Vec::new(), newest: time });
        left.ids.push(snapshot.id.clone());
        left.newest = left.newest.zip(time).map(|(newest, time)| newest.max(time));
    }
    imports
}

/// The run of an import, as [`send::run_of`] calls it: it becomes part of a restore's name.
fn run(tag: &str) -> Option<&str> {
    let fingerprint = tag.strip_prefix(TAG)?;
    let is_one = fingerprint.len() == 16 && fingerprint.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    tag.strip_prefix("run:").filter(|_| is_one)
}

fn is_abandoned(left: &Left, now: Timestamp) -> bool {
    left.newest.is_some_and(|newest| now.duration_since(newest) > YOUNG)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn snapshot(id: &str, time: &str, tag: &str) -> Snapshot {
        serde_json::from_value(json!({"id": id, "time": time, "tags": ["files", tag, "part:data"]})).unwrap()
    }

    #[test]
    fn an_import_is_abandoned_a_day_after_its_last_snapshot_and_a_run_never() {
        let (a, b, c) = ("import-aaaaaaaaaaaaaaaa", "import-bbbbbbbbbbbbbbbb", "import-cccccccccccccccc");
        let of = |id: &str, time: &str, run: &str| snapshot(id, time, &format!("run:{run}"));
        let found = [
            of("1", "2026-11-28T00:00:00Z", a),
            of("2", "2026-11-29T12:00:00Z", a),
            of("3", "2026-11-28T00:00:00Z", b),
            of("4", "2026-11-28T00:00:00Z", "0a1b2c3d"),
            of("5", "never", c),
            of("6", "2026-11-28T00:00:00Z", "import-../../../../x"),
        ];
        let imports = imports(&found);
        assert_eq!(imports.keys().collect::<Vec<_>>(), [a, b, c]);
        assert_eq!(imports[a].ids, ["1", "2"]);
        let now = "2026-11-30T00:00:00Z".parse().unwrap();
        let abandoned = imports.iter().filter(|(_, left)| is_abandoned(left, now)).map(|(run, _)| run);
        assert_eq!(abandoned.collect::<Vec<_>>(), [b], "a may be at work, c does not say since when it is there");
    }
}
