//! What the provider is to have: of all Entities of the platform together, since a person can be in more than one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::api::{AccessRole, PlatformIdentity};
use crate::collective;

/// A person of an Entity: the Entity's name, and the id in its Collective or in an Access.
pub type PersonKey = (String, String);

/// What a realm is to have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RealmWanted {
    /// One for each Entity, by its name.
    pub organizations: BTreeMap<String, OrganizationWanted>,
    /// One for each service that signs in, by client id.
    pub clients: BTreeMap<String, ClientWanted>,
    /// Everybody who belongs or is a guest.
    pub people: BTreeMap<PersonKey, PersonWanted>,
}

/// The organization of an Entity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrganizationWanted {
    /// The Entity's uid: another Entity under the name is another organization.
    pub uid: String,
    /// The name that invitations say.
    pub display_name: String,
}

/// The client of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientWanted {
    /// The Entity.
    pub entity: String,
    /// The service.
    pub service: String,
    /// Where it is, without a path: `https://wiki.example.org`.
    pub url: String,
    /// What it signs in with. None: it was not read, and stays as it is; without one no client is made.
    pub secret: Option<ClientSecret>,
}

/// A client's secret. Its text is for requests alone.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientSecret(String);

impl ClientSecret {
    /// Of its text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// What somebody may do in a service: a role of its client, and a value of the claim `groups`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Enter.
    Access,
    /// Decide who else does.
    Manage,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Access, Self::Manage];

    /// Its name at the provider.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Manage => "manage",
        }
    }

    /// The roles of somebody with this access: whoever manages enters too.
    pub fn of(access: AccessRole) -> BTreeSet<Self> {
        match access {
            AccessRole::User => BTreeSet::from([Self::Access]),
            AccessRole::Manager => BTreeSet::from(Self::ALL),
        }
    }
}

/// A person, as they are to be at the provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PersonWanted {
    /// The name that others see.
    pub display_name: String,
    /// Where the invitation goes to; none once there is an account.
    pub mail: Option<String>,
    /// Their account at this issuer, once they accepted.
    pub subject: Option<String>,
    /// Whether they belong to the Collective; else they are a guest.
    pub belongs: bool,
    /// Whether their account is at another issuer: nothing can be done for them here.
    pub elsewhere: bool,
    /// The services whose Access has them as a guest.
    pub guest_of: BTreeSet<String>,
    /// Their roles by client id.
    pub roles: BTreeMap<String, BTreeSet<Role>>,
}

impl ClientWanted {
    /// Where it may send people back to: to every page of itself.
    pub(super) fn redirect_uris(&self) -> BTreeSet<String> {
        BTreeSet::from([format!("{}/*", self.url.trim_end_matches('/'))])
    }
}

impl RealmWanted {
    /// Takes in an Entity with its people; who has an account at another issuer than this one is marked.
    pub fn add_entity(&mut self, issuer: &str, entity: &str, wanted: OrganizationWanted, people: &collective::Wanted) {
        self.organizations.insert(entity.to_owned(), wanted);
        for (id, person) in &people.people {
            let account = person.account.as_ref();
            let here = account.filter(|account| account.issuer == issuer);
            let client = |service: &str| PlatformIdentity::client_id(entity, service);
            let roles = person.services.iter().map(|(service, role)| (client(service), Role::of(*role)));
            let guest_of = if person.belongs { BTreeSet::new() } else { person.services.keys().cloned().collect() };
            let wanted = PersonWanted {
                display_name: person.display_name.clone(),
                mail: person.mail.clone().filter(|_| account.is_none()),
                subject: here.map(|account| account.subject.clone()),
                belongs: person.belongs,
                elsewhere: account.is_some() && here.is_none(),
                guest_of,
                roles: roles.collect(),
            };
            self.people.insert((entity.to_owned(), id.clone()), wanted);
        }
    }

    /// Takes in a service that signs in.
    pub fn add_client(&mut self, client: ClientWanted) {
        self.clients.insert(PlatformIdentity::client_id(&client.entity, &client.service), client);
    }

    /// The subjects that are to have a role of a client.
    pub(super) fn roles_of<'a>(&'a self, client: &'a str) -> BTreeMap<&'a str, BTreeSet<Role>> {
        let mut subjects: BTreeMap<&str, BTreeSet<Role>> = BTreeMap::new();
        let Some(of) = self.clients.get(client) else { return subjects };
        for (_, person) in self.of(&of.entity) {
            if let (Some(subject), Some(roles)) = (&person.subject, person.roles.get(client)) {
                subjects.entry(subject).or_default().extend(roles);
            }
        }
        subjects
    }

    /// The people of an Entity.
    pub(super) fn of<'a>(&'a self, entity: &'a str) -> impl Iterator<Item = (&'a str, &'a PersonWanted)> {
        let people = self.people.range((entity.to_owned(), String::new())..);
        people.take_while(move |((of, _), _)| of == entity).map(|((_, id), person)| (id.as_str(), person))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Account;
    use crate::collective::WantedPerson;

    const ISSUER: &str = "https://id.example.org/realms/commons";

    fn person(issuer: Option<&str>, belongs: bool, services: &[(&str, AccessRole)]) -> WantedPerson {
        let account =
            |issuer: &str| Account { issuer: issuer.to_owned(), subject: "s1".to_owned(), user: "oidc:s1".to_owned() };
        WantedPerson {
            account: issuer.map(account),
            mail: Some("a@example.org".to_owned()),
            belongs,
            services: services.iter().map(|(service, role)| ((*service).to_owned(), *role)).collect(),
            ..WantedPerson::default()
        }
    }

    fn taken_in(person: WantedPerson) -> PersonWanted {
        let mut wanted = RealmWanted::default();
        let people = collective::Wanted { people: [("id".to_owned(), person)].into() };
        wanted.add_entity(ISSUER, "coop", OrganizationWanted::default(), &people);
        wanted.people.remove(&("coop".to_owned(), "id".to_owned())).unwrap()
    }

    #[test]
    fn whoever_manages_a_service_enters_it_too() {
        let member = taken_in(person(Some(ISSUER), true, &[("wiki", AccessRole::Manager), ("web", AccessRole::User)]));
        assert_eq!(member.roles["coop.wiki"], Role::ALL.into());
        assert_eq!(member.roles["coop.web"], [Role::Access].into());
        assert_eq!((member.subject.as_deref(), member.mail, member.guest_of), (Some("s1"), None, BTreeSet::new()));
    }

    #[test]
    fn a_guest_is_known_by_the_services_that_have_them() {
        let guest = taken_in(person(None, false, &[("wiki", AccessRole::User)]));
        assert_eq!(guest.guest_of, ["wiki".to_owned()].into());
        assert!(guest.mail.is_some() && guest.subject.is_none() && !guest.elsewhere);
    }

    #[test]
    fn an_account_at_another_issuer_is_no_account_here() {
        let member = taken_in(person(Some("https://other.example.org"), true, &[]));
        assert!(member.elsewhere && member.subject.is_none() && member.mail.is_none());
    }

    #[test]
    fn a_secret_is_not_shown() {
        let client = ClientWanted {
            entity: "coop".to_owned(),
            service: "wiki".to_owned(),
            url: "https://wiki.example.org/".to_owned(),
            secret: Some(ClientSecret::new("s3cret")),
        };
        assert!(!format!("{client:?}").contains("s3cret"));
        assert_eq!(client.redirect_uris(), ["https://wiki.example.org/*".to_owned()].into());
    }
}
