//! What is done, in a ConfigMap of the operator's namespace: whoever goes on after a stop goes on with the same records.

use std::collections::BTreeMap;

use commonscloud_cluster::command::Failure;
use commonscloud_operator::api::marks;
use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;

use crate::data::said;

/// Its name.
pub(crate) const NAME: &str = "commonscloud-recovery";
/// How much of what was done it keeps: a ConfigMap has a megabyte.
const MOST: usize = 256 << 10;

/// `data` of the ConfigMap.
mod key {
    /// The id of the snapshot with the records.
    pub(super) const RECORDS: &str = "records";
    /// The target, without credentials.
    pub(super) const TARGET: &str = "target";
    /// When it began, RFC 3339.
    pub(super) const BEGUN: &str = "begun";
    /// When all was back. Absent: it is not yet.
    pub(super) const ENDED: &str = "ended";
    /// What was done, a line each, with its time.
    pub(super) const DONE: &str = "done";
}

/// The journal of a recovery.
pub(crate) struct Journal {
    maps: Api<ConfigMap>,
    known: BTreeMap<String, String>,
}

impl Journal {
    /// The journal as it is; nothing is written.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) async fn read(client: &Client, home: &str) -> Result<Self, Failure> {
        let maps: Api<ConfigMap> = Api::namespaced(client.clone(), home);
        let known = maps.get_opt(NAME).await?.and_then(|map| map.data).unwrap_or_default();
        Ok(Self { maps, known })
    }

    /// The records that an earlier call began with, where it has not ended.
    pub(crate) fn records(&self) -> Option<&str> {
        let is_over = self.known.contains_key(key::ENDED);
        self.known.get(key::RECORDS).map(String::as_str).filter(|_| !is_over)
    }

    /// When the recovery began.
    pub(crate) fn begun(&self) -> Option<Timestamp> {
        self.known.get(key::BEGUN)?.parse().ok()
    }

    /// Begins, or goes on, with these records.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) async fn begin(&mut self, records: &str, target: &str, now: Timestamp) -> Result<(), Failure> {
        if self.records() == Some(records) {
            return Ok(());
        }
        let data =
            [(key::RECORDS, records.to_owned()), (key::TARGET, target.to_owned()), (key::BEGUN, now.to_string())];
        self.known = data.map(|(key, value)| (key.to_owned(), value)).into();
        let map = json!({
            "metadata": {"name": NAME, "labels": {marks::MANAGED_BY: marks::OPERATOR}}, "data": self.known,
        });
        match self.maps.create(&PostParams::default(), &serde_json::from_value(map)?).await {
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            made => return Ok(made.map(drop)?),
        }
        self.write(json!({key::ENDED: null, key::DONE: null})).await
    }

    /// Notes what was done, and says it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) async fn done(&mut self, line: &str) -> Result<(), Failure> {
        said(line.to_owned())?;
        let all = self.known.entry(key::DONE.to_owned()).or_default();
        append(all, &format!("{} {line}", Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ")));
        self.write(json!({})).await
    }

    /// All is back.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) async fn end(&mut self, now: Timestamp) -> Result<(), Failure> {
        self.known.insert(key::ENDED.to_owned(), now.to_string());
        self.write(json!({})).await
    }

    async fn write(&self, mut data: serde_json::Value) -> Result<(), Failure> {
        for (key, value) in &self.known {
            data[key] = json!(value);
        }
        let patch = Patch::Merge(json!({"data": data}));
        Ok(self.maps.patch(NAME, &PatchParams::default(), &patch).await.map(drop)?)
    }
}

/// Of a journal that is too long the beginning goes.
fn append(all: &mut String, line: &str) {
    all.push_str(line);
    all.push('\n');
    while all.len() > MOST {
        let end = all.find('\n').map_or(all.len(), |end| end + 1);
        all.drain(..end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_journal_loses_its_beginning_line_by_line() {
        let (mut all, line) = (String::new(), "x".repeat(MOST / 4));
        for number in 0..6 {
            append(&mut all, &format!("{number} {line}"));
        }
        assert!(all.len() <= MOST && all.starts_with("3 ") && all.ends_with('\n'), "{}", all.len());
    }
}
