//! The objects of the operator's namespace by which records get to a target: the document in pieces, the Jobs, and
//! what is known of each target.

use std::io::Write as _;

use commonscloud_backup::records::{RECORDS_FOLDER, Records};
use flate2::Compression;
use flate2::write::GzEncoder;
use k8s_openapi::ByteString;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::DynamicObject;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Attempt, KeptRecords};
use crate::api::{BackupRepository, marks};
use crate::backup::companion::Command;
use crate::backup::home_job::HomeJob;
use crate::backup::target::{Purpose, repository};
use crate::backup::{Place, label};
use crate::template::hexadecimal;

/// Label of a ConfigMap with a piece of records: which document it is of.
const PIECE_OF: &str = "commonscloud.coop/records";
/// Annotation of the Job that stores: its [`Attempt`].
pub const STORES: &str = "commonscloud.coop/stores";
/// Annotation of the Job that forgets: the ids of the snapshots, with commas between them.
pub const FORGETS: &str = "commonscloud.coop/forgets";
/// Annotation of the ConfigMap of a target: its name.
const TARGET: &str = "commonscloud.coop/backup-target";
/// The key of a piece in its ConfigMap.
pub const PIECE: &str = "piece";
/// The key of what is known of a target.
const KEPT: &str = "kept.json";
/// The largest piece: a ConfigMap holds 1 MiB with all its keys.
const PIECE_BYTES: usize = 768 << 10;
/// The most pieces: what a pod mounts of, and 48 MiB gzipped.
pub const MOST_PIECES: usize = 64;
/// How long a Job takes at most, in seconds.
const SECONDS: u32 = 900;
/// How many digits of a digest are in a name.
const DIGITS: usize = 16;

/// A document, gzipped, in ConfigMaps that never change.
#[derive(Clone, Debug, PartialEq)]
pub struct Pieces {
    /// By which its pieces are told from another's: the value of their label.
    pub label: String,
    /// The ConfigMaps, each with its name.
    pub objects: Vec<(String, Value)>,
}

impl Pieces {
    /// Records in pieces.
    ///
    /// # Errors
    /// When they are too large, in words for people.
    pub fn of(records: &Records, namespace: &str) -> Result<Self, String> {
        let packed = packed(records).map_err(|error| format!("the records cannot be packed: {error}"))?;
        let label = short(&packed);
        let chunks: Vec<&[u8]> = packed.chunks(PIECE_BYTES).collect();
        if chunks.len() > MOST_PIECES {
            let most = MOST_PIECES * PIECE_BYTES;
            return Err(format!("the records have {} bytes gzipped, allowed: at most {most}", packed.len()));
        }
        let object = |(at, piece): (usize, &&[u8])| {
            let name = format!("records-{label}-{at}");
            let object = json!({
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {
                    "name": name, "namespace": namespace,
                    "labels": {marks::MANAGED_BY: marks::OPERATOR, PIECE_OF: label},
                },
                "immutable": true,
                "binaryData": {PIECE: ByteString(piece.to_vec())},
            });
            (name, object)
        };
        Ok(Self { objects: chunks.iter().enumerate().map(object).collect(), label })
    }
}

/// The document that a piece is of; none: it is another ConfigMap.
pub fn is_piece(metadata: &ObjectMeta) -> Option<&str> {
    metadata.labels.as_ref()?.get(PIECE_OF).map(String::as_str)
}

/// The same bytes whenever it is done.
fn packed(records: &Records) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&serde_json::to_vec(records)?)?;
    encoder.finish()
}

fn short(of: impl AsRef<[u8]>) -> String {
    let mut digits = hexadecimal(&Sha256::digest(of));
    digits.truncate(DIGITS);
    digits
}

/// The name of the Job that stores records at a target.
pub fn store_name(target: &str) -> String {
    format!("records-{}", short(target))
}

/// The Job that stores these pieces. `expected`: the repository's id, where it was made. `unlock`: all locks are taken
/// away first.
pub fn store_job(place: &Place<'_>, pieces: &Pieces, attempt: &Attempt, expected: Option<&str>, unlock: bool) -> Value {
    let access = place.access(Purpose::Run);
    let repository = repository(&place.own.namespace, place.target, RECORDS_FOLDER, "", Purpose::Run);
    let names: Vec<&str> = pieces.objects.iter().map(|(name, _)| name.as_str()).collect();
    let command = Command::records(&names, expected, unlock).within(SECONDS);
    let job = HomeJob {
        namespace: &place.own.namespace,
        name: store_name(&place.target.name),
        labels: &[],
        annotation: (STORES, serde_json::to_string(attempt).unwrap_or_default()),
        seconds: SECONDS,
        image_pull_secrets: place.image_pull_secrets,
        made: place.restic(&repository, &access).companion(&[], &[command]),
    };
    job.object()
}

/// What a Job stores, by its annotation [`STORES`].
pub fn stores(annotation: Option<&str>) -> Option<Attempt> {
    serde_json::from_str(annotation?).ok()
}

/// The name of the Job that forgets records at a target.
pub fn forget_name(target: &str) -> String {
    let at = BackupRepository { target: target.to_owned(), path: RECORDS_FOLDER.to_owned(), id: String::new() };
    format!("forget-{}", label(&at))
}

/// The Job that forgets these snapshots.
pub fn forget_job(place: &Place<'_>, snapshots: &[String]) -> Value {
    let access = place.access(Purpose::Care);
    let repository = repository(&place.own.namespace, place.target, RECORDS_FOLDER, "", Purpose::Care);
    let ids: Vec<&str> = snapshots.iter().map(String::as_str).collect();
    let job = HomeJob {
        namespace: &place.own.namespace,
        name: forget_name(&place.target.name),
        labels: &[],
        annotation: (FORGETS, snapshots.join(",")),
        seconds: SECONDS,
        image_pull_secrets: place.image_pull_secrets,
        made: place.restic(&repository, &access).companion(&[], &[Command::forget(&ids, &[]).within(SECONDS)]),
    };
    job.object()
}

/// The snapshots that a Job forgets, by its annotation [`FORGETS`].
pub fn forgets(annotation: Option<&str>) -> Vec<String> {
    annotation.map(|named| named.split(',').map(str::to_owned).collect()).unwrap_or_default()
}

/// The name of the ConfigMap that knows what is at a target.
pub fn kept_name(target: &str) -> String {
    format!("records-at-{}", short(target))
}

/// The ConfigMap.
pub fn kept_object(namespace: &str, target: &str, kept: &KeptRecords) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": kept_name(target), "namespace": namespace,
            "labels": {marks::MANAGED_BY: marks::OPERATOR}, "annotations": {TARGET: target},
        },
        "data": {KEPT: serde_json::to_string(kept).unwrap_or_default()},
    })
}

/// What a ConfigMap says.
///
/// # Errors
/// When nobody can tell, in words for people.
pub fn read_kept(object: &DynamicObject) -> Result<KeptRecords, String> {
    let name = object.metadata.name.as_deref().unwrap_or_default();
    let told = |error: String| {
        format!("ConfigMap {name}, key {KEPT}: {error}; delete it: the next snapshot is then as the first one")
    };
    let text = object.data.get("data").and_then(|data| data.get(KEPT)).and_then(Value::as_str);
    let text = text.ok_or_else(|| told("it is not there".to_owned()))?;
    serde_json::from_str(text).map_err(|error| told(error.to_string()))
}
