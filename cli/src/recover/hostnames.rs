//! Host names that services of several Entities ask for. Who had one keeps it, as with an operator that goes on: the
//! others come back once it is theirs again. Which of them an operator meets first is chance.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use commonscloud_backup::records::Records;
use commonscloud_cluster::command::Failure;
use commonscloud_operator::api::{Entity, InstanceSpec, PlatformSpec};
use commonscloud_operator::entity;
use commonscloud_operator::resolve::{may_have, wanted_hostname};
use kube::api::DynamicObject;

use super::records::{PlannedEntity, object};
use super::restores::Awaited;
use super::steps::{GLANCE, Recovery};
use crate::asked;
use crate::data::said;

/// A host name that another Entity's service had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) hostname: String,
    pub(crate) entity: String,
    pub(crate) service: String,
}

/// Who comes back after whom, because of host names.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Order {
    /// By Entity what it waits for.
    pub(crate) after: BTreeMap<String, Vec<Held>>,
    /// What is asked for by several, a line each.
    pub(crate) told: Vec<String>,
}

/// Entity and service.
type Service = (String, String);

/// The order in which these Entities come back.
pub(crate) fn order(records: &Records, entities: &BTreeSet<&str>) -> Order {
    let holders = holders(records);
    let mut order = Order::default();
    for (hostname, asking) in asking(records, entities) {
        let all_entities: BTreeSet<&String> = asking.iter().map(|(entity, _)| entity).collect();
        if all_entities.len() < 2 {
            continue;
        }
        let all = asking.iter().map(|(entity, service)| format!("{entity}/{service}")).collect::<Vec<_>>().join(", ");
        let line = format!("host name {hostname} is asked for by {all}");
        let Some((entity, service)) = holders.get(&hostname).filter(|holder| asking.contains(holder)) else {
            order.told.push(format!(
                "{line}, and the records do not say who had it: the others will say HostnameTaken, choose another for them"
            ));
            continue;
        };
        order.told.push(format!("{line}; {entity}/{service} had it, and comes back first"));
        for other in all_entities.into_iter().filter(|other| *other != entity) {
            // Two that wait for each other would never come back.
            if order.after.contains_key(entity) {
                order.told.push(format!(
                    "{other} does not wait for {entity}, which waits as well: {hostname} may go to either"
                ));
                continue;
            }
            let held = Held { hostname: hostname.clone(), entity: entity.clone(), service: service.clone() };
            order.after.entry(other.clone()).or_default().push(held);
        }
    }
    order
}

/// Those that wait for none of the others, and the others. [`order`] lets nobody wait for themselves in a circle.
pub(crate) fn next<'p, 'r>(
    waiting: Vec<&'p PlannedEntity<'r>>,
) -> (Vec<&'p PlannedEntity<'r>>, Vec<&'p PlannedEntity<'r>>) {
    let names: BTreeSet<&str> = waiting.iter().map(|planned| planned.name).collect();
    waiting.into_iter().partition(|planned| !planned.after.iter().any(|held| names.contains(held.entity.as_str())))
}

/// Who had which host name.
fn holders(records: &Records) -> BTreeMap<String, Service> {
    let all = records.records.iter().chain(&records.services);
    let held = all.filter_map(|of| {
        let hostname = of.status.get("hostname")?.as_str()?;
        Some((hostname.to_owned(), (of.metadata.namespace.clone()?, of.metadata.name.clone())))
    });
    held.collect()
}

/// Which services of these Entities ask for which host name, of those that may have it.
fn asking(records: &Records, entities: &BTreeSet<&str>) -> BTreeMap<String, Vec<Service>> {
    let mut asking: BTreeMap<String, Vec<Service>> = BTreeMap::new();
    let Ok(platform) = serde_json::from_value::<PlatformSpec>(records.platform.spec.clone()) else { return asking };
    for recorded in records.entities.iter().filter(|of| entities.contains(of.metadata.name.as_str())) {
        let Ok(entity) = serde_json::from_value::<Entity>(object(recorded)) else { continue };
        let name = recorded.metadata.name.as_str();
        let own = records.services.iter().filter(|of| of.metadata.namespace.as_deref() == Some(name));
        let by_hand = own.filter_map(|of| {
            let spec: InstanceSpec = serde_json::from_value(of.spec.clone()).ok()?;
            Some((of.metadata.name.clone(), spec))
        });
        let asked = entity::asked(&entity).into_iter().map(|of| (of.name.to_owned(), of.instance.clone()));
        for (service, spec) in asked.chain(by_hand) {
            let Ok(wanted) = wanted_hostname(&platform, name, &service, &spec) else { continue };
            if may_have(&platform, name, &entity.spec, &service, &wanted) {
                asking.entry(wanted.to_string()).or_default().push((name.to_owned(), service));
            }
        }
    }
    asking
}

/// Whether who had a host name has it again, or asks for another one by now.
///
/// # Errors
/// What is awaited, in words for people.
fn has_again(service: Option<&DynamicObject>, held: &Held) -> Result<(), String> {
    let Held { hostname, entity, service: name } = held;
    let of = |part: &str| service.and_then(|service| service.data[part]["hostname"].as_str());
    if of("status") == Some(hostname.as_str()) || of("spec").is_some_and(|own| own != hostname) {
        return Ok(());
    }
    Err(format!(
        "it asks for host name {hostname}, which {entity}/{name} had and does not have again; once that serves, or asks for another, the same command goes on"
    ))
}

impl Recovery {
    /// Those that come back after others, once these have their host names again. Any other is told and left.
    pub(crate) async fn after_others<'r>(
        &mut self,
        entities: &[&PlannedEntity<'r>],
    ) -> Result<Vec<Awaited<'r>>, Failure> {
        let mut free = Vec::new();
        for &planned in entities {
            match self.awaited_of(planned.name, &planned.after).await? {
                None => free.push(planned),
                Some(why) => self.missing.push(format!("{} is not brought back yet: {why}", planned.name)),
            }
        }
        Ok(self.entities(&free).await)
    }

    /// What an Entity waits for after a while.
    async fn awaited_of(&self, name: &str, after: &[Held]) -> Result<Option<String>, Failure> {
        let (begun, mut told) = (Instant::now(), false);
        loop {
            let mut why = None;
            for held in after {
                let service = self.service(&held.entity, &held.service).await?;
                why = why.or(has_again(service.as_ref(), held).err());
            }
            let Some(why) = why else { return Ok(None) };
            if begun.elapsed() > asked::PATIENCE {
                return Ok(Some(why));
            }
            if !told {
                said(format!("{name} waits: {why}"))?;
                told = true;
            }
            tokio::time::sleep(GLANCE).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use commonscloud_backup::records::{RecordedMetadata, RecordedObject};
    use serde_json::{Value, json};

    use super::*;

    fn recorded(kind: &str, namespace: Option<&str>, name: &str, spec: Value, status: Value) -> RecordedObject {
        let metadata = RecordedMetadata {
            name: name.to_owned(),
            namespace: namespace.map(str::to_owned),
            uid: format!("old-{name}"),
            ..RecordedMetadata::default()
        };
        RecordedObject {
            api_version: "commonscloud.coop/v1alpha1".to_owned(),
            kind: kind.to_owned(),
            metadata,
            spec,
            status,
        }
    }

    /// Entities that ask for these host names, each with its one service.
    fn records(asked: &[(&str, &str)], had: &[(&str, &str)]) -> Records {
        let entity = |(name, hostname): &(&str, &str)| {
            let site = json!({"name": "site", "template": "radicale", "tier": "1gb", "hostname": hostname});
            let spec = json!({
                "displayName": name, "tariff": "t", "domains": ["coop.example"], "services": {"others": [site]},
            });
            recorded("Entity", None, name, spec, Value::Null)
        };
        let data = |(name, hostname): &(&str, &str)| {
            recorded("ServiceData", Some(name), "site", Value::Null, json!({"hostname": hostname}))
        };
        Records {
            platform: recorded("Platform", None, "default", json!({"baseDomain": "example.org"}), Value::Null),
            entities: asked.iter().map(entity).collect(),
            records: had.iter().map(data).collect(),
            ..Records::default()
        }
    }

    fn ordered(records: &Records) -> Order {
        order(records, &records.entities.iter().map(|of| of.metadata.name.as_str()).collect())
    }

    const NAME: &str = "www.coop.example";

    #[test]
    fn who_had_a_host_name_comes_back_before_who_asks_for_it_as_well() {
        let asked = [("ateneu", NAME), ("hort", NAME), ("xarxa", "other.coop.example")];
        let found = ordered(&records(&asked, &[("hort", NAME)]));
        let held = Held { hostname: NAME.to_owned(), entity: "hort".to_owned(), service: "site".to_owned() };
        assert_eq!(found.after, [("ateneu".to_owned(), vec![held])].into());
        assert_eq!(found.told.len(), 1);
        assert!(found.told[0].contains("ateneu/site, hort/site; hort/site had it"), "{:?}", found.told);
        let alone = records(&asked, &[("hort", NAME)]);
        assert_eq!(order(&alone, &["ateneu"].into()), Order::default(), "the other one does not come back");
    }

    #[test]
    fn of_whom_nobody_knows_who_had_it_it_is_said_in_words() {
        let asked = [("ateneu", NAME), ("hort", NAME)];
        for had in [&[][..], &[("xarxa", NAME)][..]] {
            let found = ordered(&records(&asked, had));
            assert!(found.after.is_empty() && found.told[0].contains("do not say who had it"), "{found:?}");
        }
    }

    #[test]
    fn a_host_name_that_an_entity_may_not_have_is_nobodys_to_wait_for() {
        let mut records = records(&[("ateneu", NAME), ("hort", NAME)], &[("hort", NAME)]);
        records.entities[0].spec["domains"] = json!([]);
        assert_eq!(ordered(&records), Order::default());
    }

    #[test]
    fn two_that_had_each_others_do_not_wait_for_each_other() {
        let second = "files.coop.example";
        let mut records = records(&[("ateneu", NAME), ("hort", NAME)], &[("hort", NAME), ("ateneu", second)]);
        let by_hand = |entity: &str| {
            let spec = json!({"template": "radicale", "tier": "1gb", "hostname": second});
            recorded("DedicatedService", Some(entity), "files", spec, Value::Null)
        };
        records.services = vec![by_hand("ateneu"), by_hand("hort")];
        records.records[1].metadata.name = "files".to_owned();
        let found = ordered(&records);
        assert_eq!(found.after.keys().collect::<Vec<_>>(), ["hort"], "the first host name by the alphabet");
        assert!(found.told.iter().any(|line| line.contains("may go to either")), "{:?}", found.told);
    }

    #[test]
    fn who_waits_for_one_that_waits_comes_after_it() {
        let after = |name: &'static str, holder: &str| PlannedEntity {
            name,
            entity: None,
            folder: None,
            people: Vec::new(),
            data: Vec::new(),
            by_hand: Vec::new(),
            services: BTreeSet::new(),
            revisions: BTreeSet::new(),
            backups: Vec::new(),
            after: vec![Held { hostname: NAME.to_owned(), entity: holder.to_owned(), service: "site".to_owned() }],
        };
        let planned = [after("ateneu", "hort"), after("hort", "xarxa"), after("casal", "xarxa")];
        let names = |planned: &[&PlannedEntity<'_>]| planned.iter().map(|of| of.name.to_owned()).collect::<Vec<_>>();
        let (free, rest) = next(planned.iter().collect());
        assert_eq!(
            (names(&free), names(&rest)),
            (vec!["hort".to_owned(), "casal".to_owned()], vec!["ateneu".to_owned()])
        );
        let (free, rest) = next(rest);
        assert_eq!((names(&free), rest.len()), (vec!["ateneu".to_owned()], 0));
    }

    #[test]
    fn it_is_awaited_until_who_had_it_has_it_again_or_asks_for_another() {
        let held = Held { hostname: NAME.to_owned(), entity: "hort".to_owned(), service: "site".to_owned() };
        let service = |spec: Value, status: Value| -> DynamicObject {
            serde_json::from_value(json!({"metadata": {"name": "site"}, "spec": spec, "status": status})).unwrap()
        };
        let asks = json!({"hostname": NAME});
        assert!(has_again(None, &held).is_err());
        assert!(has_again(Some(&service(asks.clone(), json!({}))), &held).is_err());
        assert!(has_again(Some(&service(json!({}), Value::Null)), &held).is_err());
        assert_eq!(has_again(Some(&service(asks.clone(), asks)), &held), Ok(()));
        assert_eq!(has_again(Some(&service(json!({"hostname": "other.coop.example"}), json!({}))), &held), Ok(()));
    }
}
