//! A browser flow as we make it: first who somebody is, by the session that they have or by the form, and then whether
//! they have the role `access` of the client; who has not is refused.

use serde_json::{Value, json};

use super::Keycloak;
use super::request::Ask;
use super::wire::{Execution, ExecutionConfig, Named};
use crate::identity::ProviderError;
use crate::identity::seen::{FlowSeen, Seen};
use crate::identity::wanted::Role;

/// A part of a flow. Those of a part that has parts follow it, one level deeper.
struct Part {
    level: usize,
    what: What,
    requirement: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    /// Parts of its own, by the end of its name.
    Parts(&'static str),
    /// Something that Keycloak does.
    Does(&'static str),
}

const fn part(level: usize, what: What, requirement: &'static str) -> Part {
    Part { level, what, requirement }
}

/// The condition that tells who is refused.
const CONDITION: &str = "conditional-user-role";

const PARTS: [Part; 12] = [
    part(0, What::Parts("who"), "REQUIRED"),
    part(1, What::Does("auth-cookie"), "ALTERNATIVE"),
    part(1, What::Parts("form"), "ALTERNATIVE"),
    part(2, What::Does("auth-username-password-form"), "REQUIRED"),
    // Whoever set up a second factor is asked for it.
    part(2, What::Parts("second factor"), "CONDITIONAL"),
    part(3, What::Does("conditional-user-configured"), "REQUIRED"),
    part(3, What::Does("auth-otp-form"), "ALTERNATIVE"),
    part(3, What::Does("webauthn-authenticator"), "ALTERNATIVE"),
    part(3, What::Does("auth-recovery-authn-code-form"), "ALTERNATIVE"),
    part(0, What::Parts("access"), "CONDITIONAL"),
    part(1, What::Does(CONDITION), "REQUIRED"),
    part(1, What::Does("deny-access-authenticator"), "REQUIRED"),
];

/// The configuration of the condition: whoever has not the role.
fn condition(client: &str) -> [(&'static str, String); 2] {
    [("condUserRole", format!("{client}.{}", Role::Access.name())), ("negate", "true".to_owned())]
}

/// The name of a part with parts. Those of all flows of a realm are told apart by it.
fn name_of(flow: &str, end: &str) -> String {
    format!("{flow} {end}")
}

fn is_part(flow: &str, part: &Part, there: &Execution) -> bool {
    let is_it = match part.what {
        What::Parts(end) => {
            there.authentication_flow == Some(true) && there.display_name.as_deref() == Some(&name_of(flow, end))
        }
        What::Does(provider) => there.provider_id.as_deref() == Some(provider),
    };
    is_it && there.level == part.level
}

impl Keycloak {
    /// What there is of a client's flow.
    pub(super) async fn flow_seen(&self, client: &str, flow: &str, id: String) -> Result<FlowSeen, ProviderError> {
        let executions = self.executions(flow).await?;
        let is_as_made = executions.len() == PARTS.len()
            && PARTS
                .iter()
                .zip(&executions)
                .all(|(part, there)| is_part(flow, part, there) && there.requirement == part.requirement);
        let condition = executions.iter().find(|there| there.provider_id.as_deref() == Some(CONDITION));
        let complete = match condition.and_then(|there| there.authentication_config.as_ref()) {
            Some(config) if is_as_made => self.is_condition(client, config).await?,
            _ => false,
        };
        Ok(FlowSeen { id, complete })
    }

    /// The parts that there are; none of a flow with one that Keycloak does not know.
    async fn executions(&self, flow: &str) -> Result<Vec<Execution>, ProviderError> {
        let ask = Ask::get(&self.at(&["authentication", "flows", flow, "executions"]));
        Ok(self.find(&ask).await?.unwrap_or_default())
    }

    async fn is_condition(&self, client: &str, config: &str) -> Result<bool, ProviderError> {
        let ask = Ask::get(&self.at(&["authentication", "config", config]));
        let Some(there) = self.find::<ExecutionConfig>(&ask).await? else { return Ok(false) };
        let has = |(name, value): &(&str, String)| there.config.get(*name).and_then(Option::as_ref) == Some(value);
        Ok(condition(client).iter().all(has))
    }

    /// Makes a flow from the beginning: one of this name that is there was not finished, and is nobody's.
    pub(super) async fn make_flow(&self, client: &str, flow: &str, seen: &Seen) -> Result<FlowSeen, ProviderError> {
        if let Some(there) = seen.flows.get(flow) {
            self.remove_flow(&there.id).await?;
        }
        let body = json!({
            "alias": flow,
            "description": format!("Who has the role {} of {client}", Role::Access.name()),
            "providerId": "basic-flow",
            "topLevel": true,
            "builtIn": false,
        });
        let id = self.made(&Ask::post(&self.at(&["authentication", "flows"])).json(&body)).await?;
        self.add_parts(flow, &id).await?;
        for (part, there) in PARTS.iter().zip(self.executions(flow).await?) {
            if is_part(flow, part, &there) {
                self.set_part(client, flow, part, &there).await?;
            }
        }
        let made = self.flow_seen(client, flow, id).await?;
        if made.complete {
            return Ok(made);
        }
        let ask = Ask::get(&self.at(&["authentication", "flows", flow, "executions"]));
        Err(ask
            .failed("a flow that was made is not as it was asked for; this Keycloak may be another version than 26.7"))
    }

    /// Adds all parts, one after the other, each with the requirement that a new one has.
    async fn add_parts(&self, flow: &str, id: &str) -> Result<(), ProviderError> {
        // The flow that parts of a level go to, by its name and id.
        let mut parents = vec![(flow.to_owned(), id.to_owned())];
        for (position, part) in PARTS.iter().enumerate() {
            parents.truncate(part.level + 1);
            let Some((parent, parent_id)) = parents.last() else { continue };
            match part.what {
                What::Parts(end) => {
                    let name = name_of(flow, end);
                    let at = self.at(&["authentication", "flows", parent, "executions", "flow"]);
                    let body = json!({"alias": name, "type": "basic-flow", "description": "", "priority": position});
                    let id = self.made(&Ask::post(&at).json(&body)).await?;
                    parents.push((name, id));
                }
                What::Does(provider) => {
                    let body = json!({
                        "parentFlow": parent_id,
                        "authenticator": provider,
                        "authenticatorFlow": false,
                        "requirement": part.requirement,
                        "priority": position,
                    });
                    self.done(&Ask::post(&self.at(&["authentication", "executions"])).json(&body)).await?;
                }
            }
        }
        Ok(())
    }

    async fn set_part(&self, client: &str, flow: &str, part: &Part, there: &Execution) -> Result<(), ProviderError> {
        if there.requirement != part.requirement {
            let at = self.at(&["authentication", "flows", flow, "executions"]);
            let body = json!({"id": there.id, "requirement": part.requirement, "priority": there.priority});
            self.done(&Ask::put(&at).json(&body)).await?;
        }
        if part.what == What::Does(CONDITION) {
            let config: Value =
                condition(client).into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
            let body = json!({"alias": name_of(flow, "role"), "config": config});
            let at = self.at(&["authentication", "executions", &there.id, "config"]);
            self.done(&Ask::post(&at).json(&body)).await?;
        }
        Ok(())
    }

    /// Removes a flow with all its parts. One that is bound is refused.
    pub(super) async fn remove_flow(&self, id: &str) -> Result<(), ProviderError> {
        let ask = Ask::delete(&self.at(&["authentication", "flows", id]));
        self.done_or(&ask, &[hyper::StatusCode::NOT_FOUND]).await.map(drop)
    }

    /// The flows that there are.
    pub(super) async fn flows(&self) -> Result<Vec<Named>, ProviderError> {
        self.read(&Ask::get(&self.at(&["authentication", "flows"]))).await
    }
}
