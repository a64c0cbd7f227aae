//! What the provider has.

use std::collections::{BTreeMap, BTreeSet};

use super::name::{folded, is_made};
use super::wanted::{ClientSecret, Role};

/// What a realm has, of what is ours and of what stands in its way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The organizations by their ids.
    pub organizations: BTreeMap<String, OrganizationSeen>,
    /// The clients by client id, those of others too.
    pub clients: BTreeMap<String, ClientSeen>,
    /// Everybody's accounts by subject; those of programs are not among them.
    pub users: BTreeMap<String, UserSeen>,
    /// The browser flows by their names.
    pub flows: BTreeMap<String, FlowSeen>,
}

/// An organization.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrganizationSeen {
    /// Its name.
    pub name: String,
    /// The name that it has in addresses.
    pub alias: String,
    /// The uid of the Entity that it was made for; none: it is not ours.
    pub uid: Option<String>,
    /// The name of that Entity.
    pub entity: Option<String>,
    /// Whether anybody can accept an invitation to it.
    pub enabled: bool,
    /// Its members by subject. Of one that is not ours they are not looked at.
    pub members: BTreeMap<String, Membership>,
    /// Its invitations by their ids, likewise.
    pub invitations: BTreeMap<String, InvitationSeen>,
}

/// How somebody is a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Membership {
    /// The account is there without the organization.
    Free,
    /// The account would be deleted with the membership: it is never ended.
    Tied,
}

/// An invitation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvitationSeen {
    /// Where it went to.
    pub mail: String,
    /// Whether it can be accepted no more.
    pub expired: bool,
}

/// A client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientSeen {
    /// What the provider calls it by.
    pub uuid: String,
    /// The Entity that it was made for; none: it is not ours.
    pub entity: Option<String>,
    /// Whether anybody can sign in by it.
    pub enabled: bool,
    /// Where it may send people back to.
    pub redirect_uris: BTreeSet<String>,
    /// What it signs in with.
    pub secret: Option<ClientSecret>,
    /// The id of the browser flow that is bound to it.
    pub flow: Option<String>,
    /// Whether everything else about it is as we make it: which flows it has, which claims.
    pub as_made: bool,
    /// Its roles that are ours. Of a client that is not ours they are not looked at.
    pub roles: BTreeMap<Role, RoleSeen>,
}

/// A role of a client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleSeen {
    /// What the provider calls it by.
    pub id: String,
    /// Who has it, by subject.
    pub users: BTreeSet<String>,
}

/// An account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserSeen {
    /// The name that it signs in with. It tells nothing about who it is.
    pub username: String,
    /// The mail address, in small letters as the provider keeps it.
    pub mail: Option<String>,
    /// Whether the address is known to be theirs.
    pub mail_verified: bool,
    /// Whether it can sign in.
    pub enabled: bool,
    /// Whether it is known to have been used, though it is called as an invitation called it.
    pub used: bool,
}

/// A browser flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowSeen {
    /// What the provider calls it by.
    pub id: String,
    /// Whether it is as we make it, to the end.
    pub complete: bool,
}

/// Who still has something of an Entity at the provider.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Present {
    /// Subjects with a role of one of its clients, or with a membership that can be ended.
    pub subjects: BTreeSet<String>,
    /// Where invitations went to that can still be accepted, in small letters.
    pub mails: BTreeSet<String>,
}

impl Present {
    /// Whether somebody of whom this is known is still there.
    pub fn has(&self, subject: Option<&str>, mail: Option<&str>) -> bool {
        subject.is_some_and(|subject| self.subjects.contains(subject))
            || mail.is_some_and(|mail| self.mails.contains(&folded(mail)))
    }
}

impl Seen {
    /// Who still has something of an Entity of this name and uid.
    pub fn present(&self, entity: &str, uid: &str) -> Present {
        let mut present = Present::default();
        for client in self.clients.values().filter(|client| client.entity.as_deref() == Some(entity)) {
            present.subjects.extend(client.roles.values().flat_map(|role| role.users.iter().cloned()));
        }
        if let Some((_, organization)) = self.organization(uid) {
            let free = organization.members.iter().filter(|(_, membership)| **membership == Membership::Free);
            present.subjects.extend(free.map(|(subject, _)| subject.clone()));
            let open = organization.invitations.values().filter(|invitation| !invitation.expired);
            present.mails.extend(open.map(|invitation| folded(&invitation.mail)));
        }
        present
    }

    /// Takes over which accounts are known to be used: that does not change.
    pub fn keep_used(&mut self, before: &Self) {
        for (subject, user) in &mut self.users {
            user.used |= before.users.get(subject).is_some_and(|before| before.used);
        }
    }

    /// Takes an account out of everything.
    pub(super) fn forget_user(&mut self, subject: &str) {
        self.users.remove(subject);
        for organization in self.organizations.values_mut() {
            organization.members.remove(subject);
        }
        for role in self.clients.values_mut().flat_map(|client| client.roles.values_mut()) {
            role.users.remove(subject);
        }
    }

    /// The organization that was made for the Entity of this uid. Of two, which a killed request can leave, the first.
    pub(super) fn organization(&self, uid: &str) -> Option<(&str, &OrganizationSeen)> {
        let mut all = self.organizations.iter();
        all.find(|(_, one)| one.uid.as_deref() == Some(uid)).map(|(id, one)| (id.as_str(), one))
    }

    /// The accounts of a mail address in small letters.
    pub(super) fn accounts_of(&self, mail: &str) -> Vec<(&str, &UserSeen)> {
        let accounts = self.users.iter().filter(|(_, user)| user.mail.as_deref() == Some(mail));
        accounts.map(|(subject, user)| (subject.as_str(), user)).collect()
    }

    /// The accounts that an invitation made and that nobody is known to have used.
    pub(super) fn unused(&self) -> impl Iterator<Item = (&str, &UserSeen)> {
        let unused =
            |user: &UserSeen| !user.used && user.mail.as_deref().is_some_and(|mail| is_made(&user.username, mail));
        self.users.iter().filter(move |(_, user)| unused(user)).map(|(subject, user)| (subject.as_str(), user))
    }
}
