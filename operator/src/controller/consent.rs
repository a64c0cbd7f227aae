//! The controller of RestoreConsents: it says how each is, and looks again when it runs out.

use std::time::Duration;

use k8s_openapi::jiff::SignedDuration;
use kube::ResourceExt as _;

use super::context::Context;
use super::queue::Next;
use crate::apply::WriteError;
use crate::cache::Key;
use crate::gather;
use crate::restore::consent_status;

/// The longest wait: clocks may be set.
const LONGEST: SignedDuration = SignedDuration::from_hours(1);

/// One pass over a consent.
///
/// # Errors
/// When its status is not taken.
pub async fn reconcile(context: &Context, key: &Key) -> Result<Next, WriteError> {
    let Some(seen) = gather::seen_consent(context.caches(), context.now(), key) else { return Ok(Next::Wait) };
    let consent = &seen.consent;
    if consent.metadata.deletion_timestamp.is_some() {
        return Ok(Next::Wait);
    }
    let status = consent_status(&seen);
    context.report(key, &consent.uid().unwrap_or_default(), consent.status.as_ref(), &status).await?;
    let left = consent.spec.until.0.duration_since(seen.now);
    if left.is_negative() {
        return Ok(Next::Wait);
    }
    let again = left.saturating_add(SignedDuration::from_secs(1)).min(LONGEST);
    Ok(Next::After(Duration::try_from(again).unwrap_or_default()))
}
