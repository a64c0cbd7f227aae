//! Binds the accounts of those who accepted: a patch of their entry in the version that was seen.

use std::collections::BTreeMap;

use super::super::context::Context;
use crate::api::Collective;
use crate::apply::apply;
use crate::cache::{Key, Kind};
use crate::collective::{Accepted, bound};
use crate::gather;
use crate::identity::{Binding, PersonKey};

/// Binds; says how many entries were written, and puts into `refused` why others are not.
pub(super) async fn bind(context: &Context, bindings: &[Binding], refused: &mut BTreeMap<PersonKey, String>) -> usize {
    let mut written = 0;
    refused.clear();
    for Binding { entity, id, service, subject } in bindings {
        let observed = gather::observe_collective(context.caches(), &context.account, entity, context.now());
        // Nothing of it may be changed just now.
        let Some(facts) = observed else { continue };
        let person = (entity.clone(), id.clone());
        let changes = match bound(&facts, &Accepted { id, service: service.as_deref(), subject }) {
            Ok(changes) if changes.is_empty() => continue,
            Ok(changes) => changes,
            Err(words) => {
                refused.insert(person, words);
                continue;
            }
        };
        let key = Key::new(Kind::Collective, entity, Collective::NAME);
        let applied = apply(&context.server, &context.known, &key, &changes).await;
        written += applied.writes;
        context.known.again(&key);
        match applied.worst() {
            None => tracing::info!(namespace = entity, person = id, "an invitation was accepted: the account is bound"),
            // Somebody changed it meanwhile, say: what became of it wakes the next round.
            Some(error) if error.kind.is_transient() => context.identity.poke(),
            Some(error) => {
                refused.insert(person, format!("the account is not bound: {error}"));
            }
        }
    }
    written
}
