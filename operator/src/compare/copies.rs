//! Copies of the platform's Secrets in an Entity's namespace: made when an object refers to them,
//! and kept like their source.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::change::{Action, Change};
use super::data::KnownData;
use super::difference::{Difference, Fault};
use crate::api::marks;
use crate::cache::Sealed;
use crate::kinds;
use crate::plan::Plan;

/// Why there is no copy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CopyFault {
    /// There is nothing to copy yet.
    #[error(
        "Secret {secret} does not exist (yet) in the operator's namespace; create it there, or name another in the Platform"
    )]
    SourceMissing {
        /// The Secret that the Platform names.
        secret: String,
    },
    /// A Secret of an instance has the name.
    #[error(
        "Secret {secret}, which the Platform names, has the name of one that {holder} generated; call it otherwise"
    )]
    Taken {
        /// The Secret that the Platform names.
        secret: String,
        /// The instance.
        holder: String,
    },
}

/// The copies to be made or brought up to date of the platform's Secrets that the objects refer to.
/// They belong to the Entity and to no instance: its instances share them. A copy whose source is
/// gone stays as it is.
///
/// # Errors
/// When a copy cannot be made; what builds on it must wait.
pub fn compare_copies(plan: &Plan, wanted: &BTreeSet<String>, known: &KnownData) -> Result<Vec<Change>, CopyFault> {
    let mut changes = Vec::new();
    for name in wanted {
        let secret = name.clone();
        match (known.sources.get(name), known.secrets.get(name)) {
            (_, Some(copy)) if copy.labels.contains_key(marks::INSTANCE) => {
                return Err(CopyFault::Taken { secret, holder: copy.labels[marks::INSTANCE].clone() });
            }
            (Some(source), Some(copy)) => changes.extend(repair(plan, name, source, copy)),
            (Some(_), None) => changes.push(copied(plan, name, None, Vec::new())),
            (None, Some(_)) => {}
            (None, None) => return Err(CopyFault::SourceMissing { secret }),
        }
    }
    Ok(changes)
}

/// Written over the version that was seen, if that is not what it should be.
fn repair(plan: &Plan, name: &str, source: &Sealed, copy: &Sealed) -> Option<Change> {
    let mut because = Vec::new();
    let version = Value::from(copy.resource_version.as_str());
    let mut note = |path: String| because.push(Difference::new(path, Fault::Changed, Some(&version)));
    for (key, wanted) in labels(plan) {
        if copy.labels.get(key).map(String::as_str) != Some(wanted) {
            note(format!("/metadata/labels/{}", key.replace('/', "~1")));
        }
    }
    if copy.digest != source.digest {
        note("/data".to_owned());
    } else if copy.source.is_none() {
        note(format!("/metadata/annotations/{}", marks::SOURCE.replace('/', "~1")));
    }
    (!because.is_empty()).then(|| copied(plan, name, Some(copy), because))
}

fn labels(plan: &Plan) -> [(&'static str, &str); 2] {
    [(marks::MANAGED_BY, marks::OPERATOR), (marks::ENTITY, &plan.instance.namespace)]
}

fn copied(plan: &Plan, name: &str, over: Option<&Sealed>, because: Vec<Difference>) -> Change {
    let labels: serde_json::Map<String, Value> =
        labels(plan).into_iter().map(|(key, value)| (key.to_owned(), Value::from(value))).collect();
    let mut metadata = json!({"namespace": plan.instance.namespace, "name": name, "labels": labels});
    if let Some(copy) = over {
        metadata["uid"] = Value::from(copy.uid.as_str());
        metadata["resourceVersion"] = Value::from(copy.resource_version.as_str());
    }
    let secret = json!({"apiVersion": "v1", "kind": kinds::SECRET.kind, "metadata": metadata});
    Change {
        kind: kinds::SECRET.kind.to_owned(),
        namespace: plan.instance.namespace.clone(),
        name: name.to_owned(),
        action: Action::Copy { from: None, secret, because },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::resolve::fixtures::{facts, instance};
    use crate::resolve::resolve;

    fn sealed(digest: &str) -> Sealed {
        Sealed { name: "smtp".into(), uid: "s1".into(), digest: digest.into(), ..Sealed::default() }
    }

    fn copy_of(source: &Sealed) -> Sealed {
        let labels = [(marks::MANAGED_BY, marks::OPERATOR), (marks::ENTITY, "coop")];
        Sealed {
            uid: "c1".into(),
            resource_version: "7".into(),
            labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            source: Some(source.revision()),
            ..source.clone()
        }
    }

    fn compared(source: Option<Sealed>, copy: Option<Sealed>) -> Result<Vec<Change>, CopyFault> {
        let plan = resolve(&instance("tier: 1gb"), &facts()).unwrap().plan;
        let named = |secret: Option<Sealed>| secret.into_iter().map(|s| ("smtp".to_owned(), Arc::new(s))).collect();
        let known = KnownData { sources: named(source), secrets: named(copy), ..KnownData::default() };
        compare_copies(&plan, &["smtp".to_owned()].into(), &known)
    }

    fn shown(source: Option<Sealed>, copy: Option<Sealed>) -> Vec<String> {
        compared(source, copy).unwrap().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_copy_follows_its_source_and_nothing_is_written_while_it_does() {
        let (old, new) = (sealed("old"), sealed("new"));
        assert_eq!(shown(Some(new.clone()), None), ["copy Secret/smtp"]);
        assert_eq!(shown(Some(new.clone()), Some(copy_of(&new))), [""; 0]);
        assert_eq!(shown(Some(new.clone()), Some(copy_of(&old))), ["copy Secret/smtp: /data changed"]);
        let remade = Sealed { uid: "s2".into(), ..new.clone() };
        assert_eq!(shown(Some(remade), Some(copy_of(&new))), [""; 0], "in the namespace of another release, say");
        let unmarked = Sealed { source: None, ..copy_of(&new) };
        let noted = ["copy Secret/smtp: /metadata/annotations/commonscloud.coop~1source changed"];
        assert_eq!(shown(Some(new), Some(unmarked)), noted);
    }

    #[test]
    fn a_copy_is_written_over_the_version_that_was_seen() {
        let changes = compared(Some(sealed("new")), Some(copy_of(&sealed("old")))).unwrap();
        let Action::Copy { secret, .. } = &changes[0].action else { panic!("{changes:?}") };
        assert_eq!((&secret["metadata"]["uid"], &secret["metadata"]["resourceVersion"]), (&json!("c1"), &json!("7")));
        assert!(secret.get("data").is_none(), "what it holds comes with the write alone");
    }

    #[test]
    fn a_copy_that_was_edited_or_lost_a_label_is_set_right() {
        let source = sealed("a");
        let edited = Sealed { digest: "b".into(), ..copy_of(&source) };
        assert_eq!(shown(Some(source.clone()), Some(edited)), ["copy Secret/smtp: /data changed"]);
        let mut unlabelled = copy_of(&source);
        unlabelled.labels.remove(marks::ENTITY);
        let because = ["copy Secret/smtp: /metadata/labels/commonscloud.coop~1entity changed"];
        assert_eq!(shown(Some(source), Some(unlabelled)), because);
    }

    #[test]
    fn without_a_source_what_is_there_stays_and_what_is_not_waits() {
        assert_eq!(shown(None, Some(copy_of(&sealed("a")))), [""; 0]);
        assert_eq!(
            compared(None, None).unwrap_err().to_string(),
            "Secret smtp does not exist (yet) in the operator's namespace; create it there, or name another in the Platform"
        );
    }

    #[test]
    fn a_generated_secret_is_never_written_over() {
        let mut generated = copy_of(&sealed("a"));
        generated.labels.insert(marks::INSTANCE.to_owned(), "office".to_owned());
        let taken = compared(Some(sealed("b")), Some(generated)).unwrap_err();
        assert!(matches!(taken, CopyFault::Taken { holder, .. } if holder == "office"));
    }
}
