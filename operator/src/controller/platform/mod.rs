//! The controller of the Platform: tells what in it does not fit the cluster, and what Entities can name.
//!
//! | module | what lives there |
//! |---|---|
//! | `network` | network peers: who they are, and at which ports they listen |
//! | `exposure`, `issuer` | the IngressClass; the issuer of certificates |
//! | `storage` | storage classes |
//! | `images` | image overrides that nothing uses |

mod exposure;
mod images;
mod issuer;
mod network;
mod storage;

use std::collections::BTreeSet;

use kube::ResourceExt as _;

use super::context::Context;
use super::queue::Next;
use super::{backup_care, backup_records, backup_server, identity, listed};
use crate::api::values::AddressBlock;
use crate::api::{ConditionType, Platform, PlatformSpec, PlatformStatus, Reason};
use crate::apply::WriteError;
use crate::backup::serving;
use crate::cache::{Caches, Key};
use crate::core::Hostname;
use crate::core::schedule::Schedule;
use crate::report::{ConditionUpdate, Problem, Verdict, conditions};

pub use issuer::Issuers;

/// One pass over the Platform.
///
/// # Errors
/// When its status is not taken.
pub async fn reconcile(context: &Context, key: &Key) -> Result<Next, WriteError> {
    let Some(platform) = context.caches().platforms.get("", &key.name) else {
        context.peers.watch(&BTreeSet::new());
        return Ok(Next::Wait);
    };
    let (caches, spec) = (context.caches(), &platform.spec);
    context.peers.watch(&network::selectors(&spec.network));
    let before = platform.status.clone().unwrap_or_default();
    let generation = platform.metadata.generation.unwrap_or_default();
    let (issuer, next) = issuer::asked(context, spec, generation).await;
    let verdict = verdict(caches, &platform, context.server.home());
    let mut shown = verdict.shown();
    shown.extend(watching(caches));
    shown.extend(network::condition(caches, spec));
    shown.extend(exposure::condition(caches, spec.exposure.ingress_class.as_deref()));
    shown.extend(issuer);
    shown.extend(images::condition(caches, &spec.images));
    shown.extend(backup_records::condition(&context.records, &before.conditions));
    shown.extend(backup_care::condition(caches, context.server.home(), &before.conditions));
    shown.extend(backup_server::conditions(&context.servers, &before.conditions));
    shown.extend(serving::off_site(&platform));
    shown.extend(identity::condition(&context.identity, spec.identity.as_ref(), &before.conditions));
    context.identity.looked_at("", (platform.uid(), generation));
    let status = PlatformStatus {
        observed_generation: Some(generation),
        conditions: conditions(&before.conditions, shown, generation, context.now()),
        tariffs: listed::tariffs(caches),
        templates: listed::templates(caches),
    };
    context.report(key, &platform.uid().unwrap_or_default(), platform.status.as_ref(), &status).await?;
    Ok(next)
}

fn verdict(caches: &Caches, platform: &Platform, home: &str) -> Verdict {
    let spec = &platform.spec;
    if let Some(problem) = fault(spec) {
        return Verdict::Stalled(problem);
    }
    if let Some(problem) = storage::missing(caches, spec) {
        return Verdict::Reconciling(problem);
    }
    match spec.secrets().find(|(_, secret)| caches.platform_secret(secret).is_none()) {
        Some((field, secret)) => Verdict::Reconciling(Problem::new(
            Reason::SecretNotFound,
            format!("{field}: Secret {secret} does not exist (yet) in namespace {home}; copies of it stay as they are"),
        )),
        None => Verdict::Ready(format!("host names below {}", spec.base_domain)),
    }
}

/// What there is, in order, for messages: `there are: a, b`; a few of many.
fn there_are(names: impl IntoIterator<Item = String>) -> String {
    const SHOWN: usize = 12;
    let mut names: Vec<String> = names.into_iter().collect();
    names.sort();
    names.dedup();
    match names.len() {
        0 => "there are none".to_owned(),
        many if many > SHOWN => format!("there are: {}, and {} more", names[..SHOWN].join(", "), many - SHOWN),
        _ => format!("there are: {}", names.join(", ")),
    }
}

/// What the operator does not see: feeds that fail, and objects that have no status to say so.
fn watching(caches: &Caches) -> Option<ConditionUpdate> {
    let feeds: Vec<String> = caches.feeds.failing().iter().map(ToString::to_string).collect();
    let not_seen =
        |reason, message: String| Some(ConditionUpdate::new(ConditionType::Watching, false, reason, message));
    if !feeds.is_empty() {
        return not_seen(Reason::FeedFailing, feeds.join("; "));
    }
    let mut objects: Vec<String> =
        caches.undecodable_all().iter().filter(|object| object.key().is_none()).map(ToString::to_string).collect();
    objects.sort();
    let message = match objects.as_slice() {
        [] => return None,
        [first] => first.clone(),
        [first, rest @ ..] => format!("{first}; and {} more", rest.len()),
    };
    not_seen(Reason::Undecodable, message)
}

/// What is wrong in the Platform by itself.
fn fault(spec: &PlatformSpec) -> Option<Problem> {
    if let Err(error) = spec.base_domain.parse::<Hostname>() {
        return Some(Problem::new(Reason::BaseDomainInvalid, format!("spec.baseDomain: {error}")));
    }
    if let Some(address) = &spec.exposure.address
        && address.parse::<std::net::IpAddr>().is_err()
    {
        return Some(Problem::new(
            Reason::AddressInvalid,
            format!("spec.exposure.address: {address:?} is not an IP address"),
        ));
    }
    for (field, blocks) in [
        ("spec.exposure.trustedProxies", &spec.exposure.trusted_proxies),
        ("spec.network.clusterRanges", &spec.network.cluster_ranges),
    ] {
        if let Some(error) = blocks.iter().find_map(|block| block.parse::<AddressBlock>().err()) {
            return Some(Problem::new(Reason::AddressBlockInvalid, format!("{field}: {error}")));
        }
    }
    if let Some(bundle) = &spec.exposure.ca_bundle
        && let Err(error) = crate::https::authorities(bundle)
    {
        return Some(Problem::new(Reason::CaBundleInvalid, format!("spec.exposure.caBundle: {error}")));
    }
    let own = &spec.backup.as_ref()?.schedule;
    let error = Schedule::new(&own.cron, &own.time_zone).err()?;
    Some(Problem::new(Reason::BackupScheduleInvalid, format!("spec.backup.schedule.{error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_of_many_are_shown() {
        let names = |count: usize| there_are((0..count).map(|number| format!("n{number:02}")));
        assert_eq!(names(0), "there are none");
        assert_eq!(names(2), "there are: n00, n01");
        assert!(names(20).ends_with("n11, and 8 more"), "{}", names(20));
    }

    #[test]
    fn a_platform_that_cannot_work_says_which_field() {
        let spec = |text: &str| serde_yaml::from_str::<PlatformSpec>(text).unwrap();
        assert_eq!(fault(&spec("baseDomain: example.org")), None);
        assert_eq!(
            fault(&spec("baseDomain: example.org\nexposure: {address: ingress}")).unwrap().reason,
            "AddressInvalid"
        );
        assert_eq!(
            fault(&spec("baseDomain: example.org\nexposure: {caBundle: nothing}")).unwrap().reason,
            "CaBundleInvalid"
        );
        assert_eq!(fault(&spec("baseDomain: example")).unwrap().reason, "BaseDomainInvalid");
        let of_block = fault(&spec("baseDomain: example.org\nnetwork: {clusterRanges: [10.42.0.0/16, pods]}")).unwrap();
        assert_eq!(of_block.reason, "AddressBlockInvalid");
        assert!(of_block.message.starts_with("spec.network.clusterRanges: \"pods\""), "{}", of_block.message);
        let of_proxy = fault(&spec("baseDomain: example.org\nexposure: {trustedProxies: [10.0.0.0/33]}")).unwrap();
        assert!(of_proxy.message.starts_with("spec.exposure.trustedProxies: "), "{}", of_proxy.message);
        let backup = |schedule: &str| {
            fault(&spec(&format!(
                "baseDomain: example.org\nbackup: {{targets: [], recipients: [], schedule: {{{schedule}}}}}"
            )))
        };
        assert_eq!(backup("cron: 0 3 * * *, timeZone: Europe/Madrid"), None);
        for (schedule, words) in [
            ("cron: 0 3 30 2 *", "spec.backup.schedule.cron: "),
            ("timeZone: Lleida", "spec.backup.schedule.timeZone: "),
        ] {
            let problem = backup(schedule).unwrap();
            assert_eq!(problem.reason, "BackupScheduleInvalid");
            assert!(problem.message.starts_with(words), "{}", problem.message);
        }
    }
}
