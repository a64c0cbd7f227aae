//! What records need at a target before they go there: its Secret, the platform's key, and its escrow.

use std::time::Duration;

use jiff::Timestamp;

use super::{Known, ROUND, SOON, by};
use crate::apply::{WriteError, apply};
use crate::backup::escrow::{RECIPIENTS, escrow_name, is_escrowed, make_key, next, recipients_digest};
use crate::backup::{JobState, Place, key_name};
use crate::compare::Change;
use crate::controller::backup::{first_escrow, home_job};
use crate::controller::context::Context;

/// What has to be there before records are stored: the target's Secret, the key, and the key at the target encrypted
/// to the recipients. None: all of it is; else when to look again.
pub(super) async fn before(
    context: &Context,
    place: &Place<'_>,
    known: &mut Known,
    now: Timestamp,
) -> Result<Option<Duration>, WriteError> {
    let caches = context.caches();
    let home = context.server.home();
    if let Some(missing) = place.target.secret().filter(|name| caches.platform_secret(name).is_none()) {
        known.failed = Some(format!("Secret {missing} is not in namespace {home}"));
        return Ok(Some(ROUND));
    }
    if caches.platform_secret(&key_name(place.folder)).is_none() {
        write(context, &[make_key(home, place.folder)]).await?;
        return Ok(Some(SOON));
    }
    let recipients = &place.backup.recipients;
    let wanted = recipients_digest(recipients);
    if known.escrowed.as_ref() == Some(&wanted) {
        return Ok(None);
    }
    let found = home_job(context, &escrow_name(&place.target.name, place.folder)).await?;
    let seen = found.as_ref().map(|found| found.seen(now));
    let state = seen.as_ref().map_or(JobState::Runs, |seen| seen.state.clone());
    if is_escrowed(&state, found.as_ref().and_then(|found| found.annotation(RECIPIENTS)), recipients) {
        known.escrowed = Some(wanted);
        return Ok(None);
    }
    let _alone = if seen.is_none() { Some(context.escrows.lock().await) } else { None };
    if seen.is_none() && first_escrow(context, place.target).await?.is_some() {
        return Ok(Some(SOON));
    }
    let (changes, problem, again) = next(place, seen.as_ref(), now);
    if matches!(state, JobState::Failed(_)) {
        known.failed = Some(problem.message);
    }
    write(context, &changes).await?;
    Ok(Some(again))
}

async fn write(context: &Context, changes: &[Change]) -> Result<(), WriteError> {
    let applied = apply(&context.server, &context.known, &by(), changes).await;
    applied.worst().map_or(Ok(()), |worst| Err(worst.clone()))
}
