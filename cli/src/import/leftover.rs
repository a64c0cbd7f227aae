//! What imports leave at the target: snapshots that no run names, so that only an import takes them away.

use std::collections::BTreeMap;

use commonscloud_backup::restic::{Call, Restic, Snapshot};
use commonscloud_cluster::command::Failure;
use commonscloud_operator::api::{RestorePhase, ServiceRestore};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::Api;
use kube::api::ListParams;

use super::send;
use crate::target::ANSWER;

/// What is younger may be of an import that is at work elsewhere: a snapshot is as old as its beginning, and one part
/// takes up to [`send::LONGEST`]. The day more is for clocks.
const YOUNG: SignedDuration = SignedDuration::from_hours(8 * 24);
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
             once it has moved in; another import into {} takes it away eight days later",
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
        let found = imports(&snapshots(self.restic).await?);
        if found.is_empty() {
            return Ok(Vec::new());
        }
        // Behind the snapshots: what was asked for meanwhile is seen.
        let restores = self.restores.list(&ListParams::default()).await?.items;
        let own = send::run_of(self.fingerprint);
        Ok(unneeded(found, &own, &restores, Timestamp::now()))
    }
}

/// The snapshots of the own run, and of those that were given up; none that a restore is still to read.
fn unneeded(imports: BTreeMap<String, Left>, own: &str, restores: &[ServiceRestore], now: Timestamp) -> Vec<String> {
    let reads = |left: &Left| restores.iter().any(|restore| is_at_work(restore) && names_one_of(restore, &left.ids));
    let is_wanted = |(run, left): &(String, Left)| (run == own || is_abandoned(left, now)) && !reads(left);
    imports.into_iter().filter(is_wanted).flat_map(|(_, left)| left.ids).collect()
}

fn is_at_work(restore: &ServiceRestore) -> bool {
    let phase = restore.status.as_ref().and_then(|status| status.phase);
    !matches!(phase, Some(RestorePhase::Failed | RestorePhase::Succeeded))
}

/// Whoever wrote it by hand may have named the beginning of an id alone.
fn names_one_of(restore: &ServiceRestore, ids: &[String]) -> bool {
    restore.spec.from.snapshot.as_ref().is_some_and(|named| ids.iter().any(|id| id.starts_with(named.as_str())))
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

/// The run of an import, as [`send::run_of`] calls it.
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
    fn an_import_is_abandoned_eight_days_after_its_last_snapshot_and_a_run_never() {
        let (a, b, c) = ("import-aaaaaaaaaaaaaaaa", "import-bbbbbbbbbbbbbbbb", "import-cccccccccccccccc");
        let of = |id: &str, time: &str, run: &str| snapshot(id, time, &format!("run:{run}"));
        let found = [
            of("1", "2026-11-20T00:00:00Z", a),
            of("2", "2026-11-23T12:00:00Z", a),
            of("3", "2026-11-20T00:00:00Z", b),
            of("4", "2026-11-20T00:00:00Z", "0a1b2c3d"),
            of("5", "never", c),
            of("6", "2026-11-20T00:00:00Z", "import-../../../../x"),
        ];
        let imports = imports(&found);
        assert_eq!(imports.keys().collect::<Vec<_>>(), [a, b, c]);
        assert_eq!(imports[a].ids, ["1", "2"]);
        let now = "2026-11-30T00:00:00Z".parse().unwrap();
        let abandoned = imports.iter().filter(|(_, left)| is_abandoned(left, now)).map(|(run, _)| run);
        assert!(YOUNG.unsigned_abs() > send::LONGEST);
        assert_eq!(abandoned.collect::<Vec<_>>(), [b], "a may be at work, c does not say since when it is there");
    }

    #[test]
    fn what_a_restore_still_reads_stays() {
        let restore = |snapshot: &str, phase: Option<&str>| -> ServiceRestore {
            let status = phase.map(|phase| json!({"phase": phase}));
            let spec = json!({"from": {"service": "wiki", "snapshot": snapshot}, "requestedBy": "anna"});
            serde_json::from_value(json!({"apiVersion": "commonscloud.coop/v1alpha1", "kind": "ServiceRestore",
                "metadata": {"name": "by-hand"}, "spec": spec, "status": status}))
            .unwrap()
        };
        let (own, other) = ("import-aaaaaaaaaaaaaaaa", "import-bbbbbbbbbbbbbbbb");
        let at = |id: &str, run: &str| snapshot(id, "2026-11-20T00:00:00Z", &format!("run:{run}"));
        let found = || imports(&[at("a1", own), at("b1", other), at("b2", other)]);
        let now = "2026-11-30T00:00:00Z".parse().unwrap();
        let left = |restores: &[ServiceRestore]| unneeded(found(), own, restores, now);
        assert_eq!(left(&[]), ["a1", "b1", "b2"]);
        assert_eq!(left(&[restore("b2", Some("Failed")), restore("a1", Some("Succeeded"))]), ["a1", "b1", "b2"]);
        assert_eq!(left(&[restore("b2", Some("Waiting"))]), ["a1"], "whatever the restore is called");
        assert_eq!(left(&[restore("a", None)]), ["b1", "b2"], "not even of the own run");
    }
}
