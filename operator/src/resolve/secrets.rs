//! Which Secret holds which key: a generated Secret is never changed, so that a key which a later
//! revision adds comes in a further one.

use super::facts::Facts;
use crate::api::DataSecret;
use crate::plan::{PlannedFurther, PlannedSecret};
use crate::template::Package;

pub(super) fn secrets(package: &Package, instance: &str, facts: &Facts) -> Vec<PlannedSecret> {
    let recorded = facts.record.as_deref().map(|record| record.spec.secrets.as_slice()).unwrap_or_default();
    let planned = package.secrets().iter().map(|secret| {
        let name = format!("{instance}-{}", secret.name);
        let wanted: Vec<&str> = secret.keys.iter().map(|key| key.name.as_str()).collect();
        let known = recorded.iter().find(|known| known.name == secret.name);
        let further = further(&name, &wanted, known, facts.secret_keys.get(&name));
        PlannedSecret { name: secret.name.clone(), secret: name, further }
    });
    planned.collect()
}

/// The further Secrets whose keys are wanted: those that are recorded, and one more for the keys that
/// none of them holds. `live`: the keys of the first Secret as it is.
fn further(
    name: &str,
    wanted: &[&str],
    recorded: Option<&DataSecret>,
    live: Option<&Vec<String>>,
) -> Vec<PlannedFurther> {
    let recorded_keys = recorded.map(|known| &known.keys).filter(|keys| !keys.is_empty());
    // Before the first one is made it is to hold all keys.
    let Some(first) = recorded_keys.or(live) else { return Vec::new() };
    let known = recorded.map(|known| known.further.as_slice()).unwrap_or_default();
    let holds = |keys: &[String], key: &str| keys.iter().any(|held| held == key);
    let used = known.iter().filter(|further| wanted.iter().any(|key| holds(&further.keys, key)));
    let mut planned: Vec<PlannedFurther> =
        used.map(|further| PlannedFurther { secret: further.secret.clone(), keys: further.keys.clone() }).collect();
    let new = wanted.iter().filter(|key| !holds(first, key) && !known.iter().any(|f| holds(&f.keys, key)));
    let new: Vec<String> = new.map(|key| (*key).to_owned()).collect();
    if !new.is_empty() {
        planned.push(PlannedFurther { secret: format!("{name}-{}", known.len() + 2), keys: new });
    }
    planned
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::FurtherSecret;

    fn recorded(keys: &[&str], further: &[(&str, &[&str])]) -> DataSecret {
        let owned = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect();
        let further = further.iter().map(|(secret, keys)| FurtherSecret {
            secret: (*secret).to_owned(),
            keys: owned(keys),
            ..FurtherSecret::default()
        });
        DataSecret { keys: owned(keys), further: further.collect(), ..DataSecret::default() }
    }

    fn planned(wanted: &[&str], recorded: Option<&DataSecret>, live: Option<&Vec<String>>) -> Vec<String> {
        let planned = further("office-admin", wanted, recorded, live);
        planned.iter().map(|further| format!("{}: {}", further.secret, further.keys.join(" "))).collect()
    }

    #[test]
    fn a_key_that_a_revision_adds_comes_in_a_further_secret_whose_name_stays() {
        let first = recorded(&["password", "username"], &[]);
        assert_eq!(planned(&["username", "password"], Some(&first), None), [""; 0]);
        assert_eq!(planned(&["username", "password", "token"], Some(&first), None), ["office-admin-2: token"]);
        let second = recorded(&["password", "username"], &[("office-admin-2", &["token"])]);
        assert_eq!(planned(&["username", "password", "token"], Some(&second), None), ["office-admin-2: token"]);
        let more = ["username", "password", "token", "salt"];
        assert_eq!(planned(&more, Some(&second), None), ["office-admin-2: token", "office-admin-3: salt"]);
        assert_eq!(planned(&["username", "salt"], Some(&second), None), ["office-admin-3: salt"], "token is not used");
    }

    #[test]
    fn before_the_first_secret_is_made_it_is_to_hold_all_keys() {
        let named = recorded(&[], &[]);
        assert_eq!(planned(&["username", "token"], None, None), [""; 0]);
        assert_eq!(planned(&["username", "token"], Some(&named), None), [""; 0]);
        let live = vec!["username".to_owned()];
        assert_eq!(
            planned(&["username", "token"], Some(&named), Some(&live)),
            ["office-admin-2: token"],
            "made, not recorded yet"
        );
    }
}
