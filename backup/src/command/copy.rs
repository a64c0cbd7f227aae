//! Copies the snapshots of one backup out of another repository, and writes its manifest anew: the ids are others there.
//! Both repositories are at one target; the environment names the other one as restic reads it (`RESTIC_FROM_…`).

use std::path::PathBuf;

use super::document::told;
use super::{Setting, files, prepare, record, snapshot_id};
use commonscloud_backup::manifest::Manifest;
use commonscloud_backup::report::{Failure, FailureReason, Outcome};
use commonscloud_backup::restic::{self, Call, Snapshot};

#[derive(Debug, clap::Args)]
pub struct Copy {
    /// The snapshot with the manifest, in the repository that `RESTIC_FROM_REPOSITORY` names.
    #[arg(long, value_name = "ID", value_parser = snapshot_id)]
    from: String,
    #[command(flatten)]
    prepare: prepare::Prepare,
}

/// What is there already is not copied again, so a second try goes on where the first one ended.
pub async fn copy(setting: &Setting, wanted: Copy) -> Result<Outcome, Failure> {
    let source = Setting { restic: setting.restic.clone().source(), ..setting.clone() };
    let manifest = restic::manifest(&source.restic, &wanted.from, source.left()).await?;
    let named: Vec<String> = manifest.parts.iter().map(|part| part.snapshot.clone()).collect();
    let parts = files::snapshots(&source, &named).await?;
    is_whole(&named, &parts)?;
    // Chunked as the other one: what both have is stored once.
    let make = Call::new("init").arg("--copy-chunker-params");
    prepare::prepare_with(setting, wanted.prepare, make).await?;
    setting.run(Call::new("copy").args(&named)).await?;
    let there: Vec<Snapshot> = setting.run(Call::reading("snapshots")).await?.document()?;
    let manifest = renamed(manifest, &parts, &there)?;
    let Outcome::Recorded { snapshot } = record::record(setting, &written(&manifest)?).await? else {
        return Err(Failure::other("the manifest was written anew, and nobody knows its id"));
    };
    Ok(Outcome::Copied { snapshot })
}

/// restic copies those that it finds, and says nothing of the others.
fn is_whole(named: &[String], found: &[Snapshot]) -> Result<(), Failure> {
    match named.iter().find(|id| !found.iter().any(|snapshot| snapshot.id == **id)) {
        None => Ok(()),
        Some(missing) => {
            let message = format!("snapshot {missing} is not in the repository that is copied from: it is not whole");
            Err(Failure::new(FailureReason::Damaged, message))
        }
    }
}

/// The manifest with the ids that its parts have here. `parts`: as the other repository has them; `there`: all of this
/// one. A copy says what it is a copy of, and has the same tree.
fn renamed(mut manifest: Manifest, parts: &[Snapshot], there: &[Snapshot]) -> Result<Manifest, Failure> {
    for part in &mut manifest.parts {
        let of = parts.iter().find(|snapshot| snapshot.id == part.snapshot);
        let copy = of.and_then(|of| there.iter().find(|copy| is_copy(copy, of))).ok_or_else(|| {
            let message =
                format!("restic ended well, and no copy of snapshot {} ({}) is there", part.snapshot, part.name);
            Failure::new(FailureReason::Damaged, message)
        })?;
        part.snapshot.clone_from(&copy.id);
    }
    Ok(manifest)
}

/// Of a copy of a copy restic keeps the first id.
fn is_copy(copy: &Snapshot, of: &Snapshot) -> bool {
    let first = of.original.as_ref().unwrap_or(&of.id);
    !of.tree.is_empty() && copy.tree == of.tree && (copy.original.as_ref() == Some(first) || copy.id == *first)
}

/// The manifest as a file, where restic may write.
fn written(manifest: &Manifest) -> Result<PathBuf, Failure> {
    let scratch = std::env::var_os("RESTIC_CACHE_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    let file = scratch.join("copied-manifest.json");
    let text = serde_json::to_string(manifest).map_err(|error| Failure::other(format!("the manifest: {error}")))?;
    std::fs::write(&file, text).map_err(|error| told(&file, &error))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use commonscloud_api::{BackupVersions, SnapshotPartKind};
    use commonscloud_backup::manifest::{ManifestEntity, ManifestInstance};
    use commonscloud_backup::report::StoredPart;
    use serde_json::json;

    use super::*;

    fn id(digit: char) -> String {
        digit.to_string().repeat(64)
    }

    fn snapshot(own: char, original: Option<char>, tree: &str) -> Snapshot {
        serde_json::from_value(json!({"id": id(own), "original": original.map(id), "tree": tree})).unwrap()
    }

    fn manifest(parts: &[char]) -> Manifest {
        let part = |digit: &char| StoredPart {
            name: format!("v{digit}"),
            kind: SnapshotPartKind::Files,
            snapshot: id(*digit),
            bytes: 1,
            added: 1,
            files: 1,
        };
        Manifest {
            version: 1,
            run: "r-1".to_owned(),
            taken_at: "2026-11-30T01:00:00Z".parse().unwrap(),
            entity: ManifestEntity::default(),
            instance: ManifestInstance::default(),
            versions: BackupVersions::default(),
            parts: parts.iter().map(part).collect(),
            imported: false,
            volumes: BTreeMap::new(),
        }
    }

    #[test]
    fn each_part_gets_the_id_of_its_copy_and_nothing_else_changes() {
        let parts = [snapshot('1', None, "t1"), snapshot('2', Some('9'), "t2")];
        let there = [snapshot('a', Some('1'), "t1"), snapshot('b', Some('9'), "t2"), snapshot('c', None, "t3")];
        let renamed = renamed(manifest(&['1', '2']), &parts, &there).unwrap();
        assert_eq!(renamed.parts.iter().map(|part| part.snapshot.clone()).collect::<Vec<_>>(), [id('a'), id('b')]);
        let same = Manifest { parts: manifest(&['1', '2']).parts, ..renamed };
        assert_eq!(same, manifest(&['1', '2']));
    }

    #[test]
    fn what_comes_back_to_where_it_was_copied_from_is_there_under_its_own_id() {
        let back = renamed(manifest(&['2']), &[snapshot('2', Some('1'), "t1")], &[snapshot('1', None, "t1")]);
        assert_eq!(back.unwrap().parts[0].snapshot, id('1'));
    }

    #[test]
    fn a_snapshot_that_only_says_to_be_a_copy_is_none() {
        let parts = [snapshot('1', None, "t1")];
        for there in [vec![snapshot('a', Some('1'), "t2")], vec![snapshot('a', Some('2'), "t1")], Vec::new()] {
            let failure = renamed(manifest(&['1']), &parts, &there).unwrap_err();
            assert!(failure.reason == FailureReason::Damaged && failure.message.contains(&id('1')), "{failure}");
        }
        assert!(renamed(manifest(&['1']), &[], &parts).is_err());
    }

    #[test]
    fn a_backup_that_is_not_whole_is_not_copied() {
        let named = [id('1'), id('2')];
        assert!(is_whole(&named, &[snapshot('1', None, "t"), snapshot('2', None, "t")]).is_ok());
        assert!(is_whole(&named, &[snapshot('1', None, "t")]).unwrap_err().message.contains(&id('2')));
    }
}
