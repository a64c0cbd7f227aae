//! Whose a step at the provider is.

use std::collections::BTreeMap;

use crate::api::PlatformIdentity;
use crate::gather::ObservedIdentity;
use crate::identity::{RealmWanted, Seen, Step, client_of_flow};

/// An Entity, and the service of it that a step is about, if it is about one.
pub(super) type Owner = (String, Option<String>);

/// Tells whose a step is.
pub(super) struct Whose<'a> {
    entities: BTreeMap<&'a str, &'a str>,
    wanted: &'a RealmWanted,
    seen: &'a Seen,
}

impl<'a> Whose<'a> {
    /// By what is to be there, and by what is.
    pub(super) fn new(observed: &'a ObservedIdentity, wanted: &'a RealmWanted, seen: &'a Seen) -> Self {
        let entities = observed.entities.iter().map(|(name, entity)| (entity.uid.as_str(), name.as_str()));
        Self { entities: entities.collect(), wanted, seen }
    }

    /// The Entities that a step is about: none where it is about what is nobody's any more, two where somebody wrote
    /// another to a client at the provider.
    pub(super) fn of(&self, step: &Step) -> Vec<Owner> {
        match step {
            Step::TakeRoles { client, .. }
            | Step::EndSessions { client, .. }
            | Step::RemoveClient { client, .. }
            | Step::MakeClient { client, .. }
            | Step::SetClient { client, .. }
            | Step::MakeRoles { client, .. }
            | Step::MakeFlow { client, .. }
            | Step::GiveRoles { client, .. } => self.of_client(client),
            Step::Leave { organization, .. }
            | Step::Withdraw { organization, .. }
            | Step::RemoveOrganization { organization, .. } => {
                let seen = self.seen.organizations.get(organization);
                seen.and_then(|seen| seen.entity.clone()).map(|entity| (entity, None)).into_iter().collect()
            }
            Step::MakeOrganization { entity, .. } | Step::SetOrganization { entity, .. } => {
                vec![(entity.clone(), None)]
            }
            Step::Join { uid, .. } | Step::Invite { uid, .. } => {
                self.entities.get(uid.as_str()).map(|entity| ((*entity).to_owned(), None)).into_iter().collect()
            }
            Step::RemoveFlow { flow } => client_of_flow(flow).map(|client| self.of_client(client)).unwrap_or_default(),
            Step::RemoveAccount { .. } => Vec::new(),
        }
    }

    fn of_client(&self, client: &str) -> Vec<Owner> {
        let seen = self.seen.clients.get(client).and_then(|seen| seen.entity.as_deref());
        let seen = seen.map(|entity| (entity, PlatformIdentity::service_of(entity, client)));
        let wanted = self.wanted.clients.get(client);
        let wanted = wanted.map(|wanted| (wanted.entity.as_str(), Some(wanted.service.as_str())));
        let mut owners: Vec<Owner> = Vec::new();
        for (entity, service) in seen.into_iter().chain(wanted) {
            let owner = (entity.to_owned(), service.map(str::to_owned));
            if !owners.contains(&owner) {
                owners.push(owner);
            }
        }
        owners
    }
}
