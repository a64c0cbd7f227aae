//! What can be done at the provider. Each step is one request, or a few that can be made again from the beginning.

use std::collections::BTreeSet;

use super::name::{client_of_flow, folded};
use super::seen::{ClientSeen, FlowSeen, InvitationSeen, Membership, OrganizationSeen, RoleSeen, Seen, UserSeen};
use super::wanted::{ClientWanted, Role};

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Takes roles of a client from somebody.
    TakeRoles {
        /// The client id.
        client: String,
        /// From whom.
        subject: String,
        /// Which.
        roles: BTreeSet<Role>,
    },
    /// Ends what somebody could renew at one client without signing in.
    EndSessions {
        /// The client id.
        client: String,
        /// Whose.
        subject: String,
    },
    /// Ends a membership. The account stays.
    Leave {
        /// The organization's id.
        organization: String,
        /// Whose.
        subject: String,
    },
    /// Takes an invitation back.
    Withdraw {
        /// The organization's id.
        organization: String,
        /// The invitation's id.
        invitation: String,
    },
    /// Deletes an account that was made for an invitation, if nobody ever used it.
    RemoveAccount {
        /// Whose.
        subject: String,
    },
    /// Removes a client of a service that is gone, and then its flows.
    RemoveClient {
        /// The client id.
        client: String,
    },
    /// Removes a flow that is bound to no client.
    RemoveFlow {
        /// Its name.
        flow: String,
    },
    /// Removes the organization of an Entity that is gone, if nobody is in it.
    RemoveOrganization {
        /// Its id.
        organization: String,
    },
    /// Makes the organization of an Entity.
    MakeOrganization {
        /// The Entity.
        entity: String,
        /// Its uid.
        uid: String,
        /// The name that invitations say.
        name: String,
    },
    /// Sets the name of an organization, and that people can join it.
    SetOrganization {
        /// Its id.
        organization: String,
        /// The Entity.
        entity: String,
        /// Its uid.
        uid: String,
        /// The name that invitations say.
        name: String,
    },
    /// Makes a client, by which nobody can sign in yet.
    MakeClient {
        /// The client id.
        client: String,
        /// What it is to be.
        wanted: ClientWanted,
    },
    /// Makes the roles of a client that it lacks.
    MakeRoles {
        /// The client id.
        client: String,
        /// Which.
        roles: BTreeSet<Role>,
    },
    /// Makes a flow for a client, in place of a half-made one of this name.
    MakeFlow {
        /// The client id.
        client: String,
        /// The flow's name.
        flow: String,
    },
    /// Sets a client right, binds its flow, and lets people sign in by it.
    SetClient {
        /// The client id.
        client: String,
        /// The flow's name.
        flow: String,
        /// What it is to be.
        wanted: ClientWanted,
    },
    /// Makes somebody who accepted once a member again.
    Join {
        /// The Entity's uid, which tells the organization.
        uid: String,
        /// Whom.
        subject: String,
    },
    /// Gives roles of a client to somebody.
    GiveRoles {
        /// The client id.
        client: String,
        /// To whom.
        subject: String,
        /// Which.
        roles: BTreeSet<Role>,
    },
    /// Invites somebody by mail; who has no account gets one that they alone can enter.
    Invite {
        /// The Entity's uid, which tells the organization.
        uid: String,
        /// Where the invitation goes to.
        mail: String,
        /// The name that others see.
        display_name: String,
    },
}

impl Step {
    /// Whether it takes something away. These come first.
    pub const fn removes(&self) -> bool {
        self.dismisses() || matches!(self, Self::RemoveFlow { .. } | Self::RemoveOrganization { .. })
    }

    /// Whether it takes something from somebody, which is done whatever else fails.
    pub const fn dismisses(&self) -> bool {
        matches!(
            self,
            Self::TakeRoles { .. }
                | Self::EndSessions { .. }
                | Self::Leave { .. }
                | Self::Withdraw { .. }
                | Self::RemoveAccount { .. }
                | Self::RemoveClient { .. }
        )
    }

    /// Whether what comes after it can be done without it.
    pub const fn stands_alone(&self) -> bool {
        matches!(self, Self::Invite { .. } | Self::RemoveAccount { .. } | Self::EndSessions { .. })
    }
}

/// What the provider said of a step that is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Made {
    /// Nothing beyond that it is done.
    Done,
    /// It was left: the account is used.
    Left,
    /// An organization, by its id.
    Organization(String, OrganizationSeen),
    /// A client, with its roles and whatever else is there of it.
    Client(ClientSeen),
    /// Roles, with their ids.
    Roles(Vec<(Role, String)>),
    /// A flow.
    Flow(FlowSeen),
    /// An invitation by its id, and the account that it went to.
    Invited {
        /// The invitation's id.
        invitation: String,
        /// The account's subject.
        subject: String,
        /// The account.
        user: UserSeen,
    },
}

impl Seen {
    /// What is there once a step is done.
    pub fn after(&mut self, step: &Step, made: Made) {
        match step {
            Step::TakeRoles { client, subject, roles } => {
                self.each_role(client, roles, |role| {
                    role.users.remove(subject);
                });
            }
            Step::GiveRoles { client, subject, roles } => {
                self.each_role(client, roles, |role| {
                    role.users.insert(subject.clone());
                });
            }
            Step::EndSessions { .. } => {}
            Step::Leave { organization, subject } => self.in_organization(organization, |one| {
                one.members.remove(subject);
            }),
            Step::Withdraw { organization, invitation } => self.in_organization(organization, |one| {
                one.invitations.remove(invitation);
            }),
            Step::RemoveAccount { subject } => self.after_removal_of_account(subject, &made),
            Step::RemoveClient { client } => {
                self.clients.remove(client);
                self.flows.retain(|flow, _| client_of_flow(flow) != Some(client));
            }
            Step::RemoveFlow { flow } => drop(self.flows.remove(flow)),
            Step::RemoveOrganization { organization } => drop(self.organizations.remove(organization)),
            Step::Join { uid, subject } => self.of_entity(uid, |one| {
                one.members.entry(subject.clone()).or_insert(Membership::Free);
            }),
            Step::Invite { uid, mail, .. } => self.after_invitation(uid, mail, made),
            Step::MakeOrganization { .. }
            | Step::SetOrganization { .. }
            | Step::MakeClient { .. }
            | Step::SetClient { .. }
            | Step::MakeRoles { .. }
            | Step::MakeFlow { .. } => self.after_making(step, made),
        }
    }

    fn after_making(&mut self, step: &Step, made: Made) {
        match (step, made) {
            (_, Made::Organization(id, organization)) => drop(self.organizations.insert(id, organization)),
            (Step::MakeClient { client, .. } | Step::SetClient { client, .. }, Made::Client(seen)) => {
                self.clients.insert(client.clone(), seen);
            }
            (Step::MakeRoles { client, .. }, Made::Roles(roles)) => {
                let Some(seen) = self.clients.get_mut(client) else { return };
                for (role, id) in roles {
                    seen.roles.entry(role).or_insert_with(|| RoleSeen { id, users: BTreeSet::new() });
                }
            }
            (Step::MakeFlow { flow, .. }, Made::Flow(seen)) => drop(self.flows.insert(flow.clone(), seen)),
            _ => {}
        }
    }

    fn after_removal_of_account(&mut self, subject: &str, made: &Made) {
        if *made == Made::Done {
            self.users.remove(subject);
        } else if let Some(user) = self.users.get_mut(subject) {
            user.used = true;
        }
    }

    fn after_invitation(&mut self, uid: &str, mail: &str, made: Made) {
        let Made::Invited { invitation, subject, user } = made else { return };
        self.users.insert(subject, user);
        self.of_entity(uid, |one| {
            one.invitations.insert(invitation, InvitationSeen { mail: folded(mail), expired: false });
        });
    }

    fn each_role(&mut self, client: &str, roles: &BTreeSet<Role>, change: impl Fn(&mut RoleSeen)) {
        let Some(client) = self.clients.get_mut(client) else { return };
        client.roles.iter_mut().filter(|(role, _)| roles.contains(role)).for_each(|(_, role)| change(role));
    }

    fn in_organization(&mut self, id: &str, change: impl FnOnce(&mut OrganizationSeen)) {
        if let Some(organization) = self.organizations.get_mut(id) {
            change(organization);
        }
    }

    fn of_entity(&mut self, uid: &str, change: impl FnOnce(&mut OrganizationSeen)) {
        let Some(id) = self.organization(uid).map(|(id, _)| id.to_owned()) else { return };
        self.in_organization(&id, change);
    }
}
