//! Which Secret holds which key: a generated Secret is never changed, so that a key which a later
//! revision adds comes in a further one. And which Secrets parameters may name.

use std::collections::BTreeSet;

use super::facts::{Facts, SecretFacts};
use super::refusal::Refusal;
use crate::api::DataSecret;
use crate::plan::{InstanceReference, Plan, PlannedFurther, PlannedSecret};
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

/// Whether parameters may name these Secrets: whoever writes parameters does not choose whose they are.
/// `is_used`: whether an object of the instance refers to one already, from before there was a label.
///
/// # Errors
/// When one was not made for this service.
pub fn may_name(
    plan: &Plan,
    named: &BTreeSet<String>,
    facts: &Facts,
    is_used: impl Fn(&str) -> bool,
) -> Result<(), Refusal> {
    let InstanceReference { namespace, name: service, .. } = &plan.instance;
    named.iter().try_for_each(|secret| {
        let secret = secret.clone();
        let whose = match facts.secrets.get(&secret) {
            Some(SecretFacts::MadeFor(whom)) if whom == service => return Ok(()),
            Some(SecretFacts::MadeFor(whom)) => format!("labelled for service {whom:?}"),
            Some(SecretFacts::Generated(whom)) => format!("generated for service {whom}"),
            Some(SecretFacts::Copied) => "a copy of one that the Platform names".to_owned(),
            None if is_used(&secret) => return Ok(()),
            None => {
                let (namespace, service) = (namespace.clone(), service.clone());
                return Err(Refusal::SecretNotForService { secret, namespace, service });
            }
        };
        Err(Refusal::SecretOfAnother { secret, whose })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::FurtherSecret;
    use crate::resolve::{fixtures, resolve};

    fn refused(whose: Option<SecretFacts>) -> Option<String> {
        refused_while(whose, false)
    }

    fn refused_while(whose: Option<SecretFacts>, is_used: bool) -> Option<String> {
        let mut facts = fixtures::facts();
        let plan = resolve(&fixtures::instance("tier: 1gb"), &facts).unwrap().plan;
        facts.secrets.extend(whose.map(|whose| ("client".to_owned(), whose)));
        may_name(&plan, &["client".to_owned()].into(), &facts, |_| is_used).err().map(|refusal| refusal.to_string())
    }

    #[test]
    fn a_parameter_names_a_secret_that_was_made_for_its_service_and_no_other() {
        assert_eq!(refused(Some(SecretFacts::MadeFor("calendar".to_owned()))), None);
        for (whose, said) in [
            (SecretFacts::MadeFor("wiki".to_owned()), "Secret client is labelled for service \"wiki\""),
            (SecretFacts::Generated("wiki".to_owned()), "Secret client is generated for service wiki"),
            (SecretFacts::Generated("calendar".to_owned()), "Secret client is generated for service calendar"),
            (SecretFacts::Copied, "Secret client is a copy of one that the Platform names"),
        ] {
            let message = refused(Some(whose)).unwrap();
            assert!(message.contains(said), "{message}");
        }
        let message = refused(None).unwrap();
        let command = "kubectl label secret client --namespace coop commonscloud.coop/for=calendar";
        assert!(message.contains(command), "{message}");
    }

    #[test]
    fn a_secret_that_was_named_before_there_was_a_label_goes_on_being_used() {
        assert_eq!(refused_while(None, true), None);
        let taken = refused_while(Some(SecretFacts::Generated("wiki".to_owned())), true);
        assert!(taken.unwrap().contains("generated for service wiki"), "whoever refers to it");
    }

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
