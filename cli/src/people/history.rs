//! `commonscloud people history`: who gave or took what, and when.

use commonscloud_cluster::command::Failure;
use commonscloud_operator::api::{AccessHistory, HistoryEntry};
use k8s_openapi::jiff::Timestamp;
use kube::api::ListParams;
use kube::{Api, Client};

use super::ask::refusal;
use super::cells::{Form, Listed, shown};
use super::words;
use crate::asked;
use crate::data::said;

/// List who gave or took what of belonging and access in an Entity, the oldest first.
///
/// Needs the verb list on accesshistories.commonscloud.coop, as the collective's managers have it.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Whose.
    entity: String,
    /// From when on: a day (UTC), or a time such as 2027-01-31T12:00:00Z. Absent: all that is kept.
    #[arg(long, value_name = "DATE", value_parser = words::since)]
    since: Option<Timestamp>,
    /// Form of the list.
    #[arg(long, value_enum, default_value_t)]
    output: Form,
}

pub(super) async fn run(client: &Client, arguments: &Arguments) -> Result<(), Failure> {
    let api: Api<AccessHistory> = Api::namespaced(client.clone(), &arguments.entity);
    let months = api.list(&ListParams::default()).await.map_err(refusal)?.items;
    said(shown(&entries(months, arguments.since), arguments.output)?)
}

impl Listed for HistoryEntry {
    const COLUMNS: &'static [&'static str] = &["at", "change", "name", "service", "by", "person"];
    const IN_TABLE: usize = 6;

    fn cells(&self) -> Vec<String> {
        vec![
            asked::shown(self.at.0),
            format!("{:?}", self.change),
            self.display_name.clone(),
            self.service.clone().unwrap_or_default(),
            self.by.clone(),
            self.person.clone(),
        ]
    }
}

/// The changes of all months from a time on, by when they were.
fn entries(months: Vec<AccessHistory>, since: Option<Timestamp>) -> Vec<HistoryEntry> {
    let all = months.into_iter().flat_map(|month| month.spec.entries.into_values());
    let mut entries: Vec<HistoryEntry> = all.filter(|entry| since.is_none_or(|since| entry.at.0 >= since)).collect();
    entries.sort_by_key(|entry| entry.at.0);
    entries
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn month(name: &str, entries: &Value) -> AccessHistory {
        serde_json::from_value(json!({
            "apiVersion": "commonscloud.coop/v1alpha1", "kind": "AccessHistory", "metadata": {"name": name},
            "spec": {"entries": entries},
        }))
        .unwrap()
    }

    #[test]
    fn the_months_are_one_list_from_a_day_on() {
        let entry = |at: &str, change: &str| {
            json!({
                "at": at, "by": "person:s-1", "change": change, "person": "bbbbbbbb1", "displayName": "Pau",
                "service": "office",
            })
        };
        let december = json!({
            "b": entry("2026-12-02T00:00:00Z", "Dismissed"),
            "a": entry("2026-12-01T00:00:00Z", "Appointed"),
        });
        let november = json!({"c": entry("2026-11-30T23:59:59Z", "Admitted")});
        let months = || vec![month("2026-12", &december), month("2026-11", &november)];
        let changes =
            |since| entries(months(), since).iter().map(|entry| format!("{:?}", entry.change)).collect::<Vec<_>>();
        assert_eq!(changes(None), ["Admitted", "Appointed", "Dismissed"]);
        assert_eq!(changes(Some(words::since("2026-12-01").unwrap())), ["Appointed", "Dismissed"]);
        let text = shown(&entries(months(), None), Form::Csv).unwrap();
        assert!(text.contains("\r\n2026-12-01 00:00 UTC,Appointed,Pau,office,person:s-1,bbbbbbbb1\r\n"), "{text}");
    }
}
