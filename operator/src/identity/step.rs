//! What can be done at the provider. Each step is one request, or a few that can be made again from the beginning.

use std::collections::BTreeSet;

use super::seen::{FlowSeen, InvitationSeen, Membership, OrganizationSeen, RoleSeen, Seen, UserSeen};
use super::wanted::{ClientWanted, OrganizationWanted, Role};

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
    /// Removes a client of a service that is gone, and then its flow.
    RemoveClient {
        /// The client id.
        client: String,
    },
    /// Removes a flow that belongs to no client.
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
        /// What it is to be.
        wanted: OrganizationWanted,
    },
    /// Sets the name of an organization, and that people can join it.
    SetOrganization {
        /// Its id.
        organization: String,
        /// The Entity.
        entity: String,
        /// What it is to be.
        wanted: OrganizationWanted,
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
    /// Makes the flow of a client, in place of a half-made one.
    MakeFlow {
        /// The client id.
        client: String,
    },
    /// Sets a client right, binds its flow, and lets people sign in by it.
    SetClient {
        /// The client id.
        client: String,
        /// What it is to be.
        wanted: ClientWanted,
    },
    /// Makes somebody who accepted once a member again.
    Join {
        /// The organization's Entity.
        entity: String,
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
        /// The organization's Entity.
        entity: String,
        /// The person's id in it.
        id: String,
        /// Where the invitation goes to.
        mail: String,
        /// The name that others see.
        display_name: String,
    },
}

impl Step {
    /// Whether it takes something away. These come first.
    pub const fn removes(&self) -> bool {
        matches!(
            self,
            Self::TakeRoles { .. }
                | Self::EndSessions { .. }
                | Self::Leave { .. }
                | Self::Withdraw { .. }
                | Self::RemoveAccount { .. }
                | Self::RemoveClient { .. }
                | Self::RemoveFlow { .. }
                | Self::RemoveOrganization { .. }
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
    /// It was left: the account was used, or the organization is not empty.
    Left,
    /// What it is about is gone; the next look tells more.
    Gone,
    /// An organization.
    Organization(String, OrganizationSeen),
    /// A client, by its uuid.
    Client(String),
    /// Roles, with their ids.
    Roles(Vec<(Role, String)>),
    /// A flow by its name.
    Flow(String, FlowSeen),
    /// A client as it now is but for its roles.
    Set(super::seen::ClientSeen),
    /// An invitation, and the account that it went to.
    Invited(String, UserSeen),
}
