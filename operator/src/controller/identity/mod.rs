//! Brings the identity provider that the Platform names to who belongs and who may enter, and binds the accounts of those
//! who accepted. Our own objects are the truth. In rounds while the operator leads: woken when one of them changed, and
//! else to ask the provider whether anybody changed something there.
//!
//! | module | what lives there |
//! |---|---|
//! | `realm` | what the provider is to have, and what is to be done (pure) |
//! | `whose`, `kept` | whose a step is; what stays as it is because it cannot be read (pure) |
//! | `held` | what the provider has, for the Collectives that wait for it (pure) |
//! | `carry` | steps, carried out one after the other |
//! | `bind` | accounts, bound |
//! | `door` | the way to the provider; Secrets, read by request |
//! | `told` | what the Platform says of it; who has it looked at |
//!
//! Nobody is told gone whom the provider still has: what it has, and what it is about to get, stands in the caches before
//! anything is given there, and whether somebody is to be let in is asked once more after that.

mod bind;
mod carry;
mod door;
mod held;
mod kept;
mod realm;
mod told;
mod whose;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::backup_schedule::by;
use super::context::Context;
use super::workers::contained;
use crate::api::{Collective, PlatformIdentity, PlatformSpec, Reason};
use crate::cache::{Held, Key, Kind};
use crate::gather::{self, ObservedIdentity, ProviderPlace};
use crate::identity::{Cursor, Keycloak, PersonKey, Provider, ProviderError, RealmWanted, Seen, Step, accepted};
use crate::metrics::Metrics;
use crate::report::Problem;
use carry::{Carried, carry_out, late_last};
use door::ClientSecrets;
use held::{Known, held};
use realm::{is_wanted, people, realm, todo, waiting};
pub use told::IdentityTold;
use told::Told;
pub(super) use told::condition;
use whose::Whose;

/// So often all of it is looked at, whatever it says: events can be switched off, or be lost.
const LOOK: Duration = Duration::from_hours(1);
/// Between two questions whether anybody changed something at the provider.
const POLL: Duration = Duration::from_secs(15);
/// After a failure nothing is asked for so long, whoever wants it ...
const LEAST: Duration = Duration::from_secs(5);
/// ... and the wait for the next try doubles up to this.
const MOST: Duration = Duration::from_mins(2);
/// For so long steps are carried out before it is looked at what was changed meanwhile: whoever is removed goes before
/// many are invited.
const SLICE: Duration = Duration::from_secs(5);
/// So often that is done in one round.
const SLICES: u32 = 1000;

/// What is known from one round to the next.
#[derive(Default)]
struct State {
    door: Option<(ProviderPlace, Arc<Keycloak>)>,
    secrets: ClientSecrets,
    /// What the provider had when it was looked at last, and what was done since.
    seen: Option<Seen>,
    /// Up to where changes are known; none: all of it is looked at before anything is done.
    cursor: Option<Cursor>,
    /// When all of it was looked at last.
    looked: Option<Instant>,
    /// What failed, and may have been done all the same.
    doubtful: Vec<Step>,
    /// What failed and is still to be done: what did not fail comes before it.
    late: Vec<Step>,
    /// Why accounts are not bound.
    refused: BTreeMap<PersonKey, String>,
    /// Whether something of ours may have changed since all was done.
    has_news: bool,
    /// What was told last.
    told: Option<Told>,
    /// Why the last round failed, if it did, and how many did in a row.
    problem: Option<Problem>,
    failures: u32,
}

/// Drives the provider for ever. Only a process that leads may call it.
pub async fn run(context: &Context, metrics: &Metrics) {
    let mut state = State { has_news: true, ..State::default() };
    loop {
        let done = Box::pin(contained(round(context, metrics, &mut state))).await;
        let (least, most) = done.unwrap_or_else(|words| {
            tracing::error!(panic = words, "the identity provider is not driven; this is a fault of the operator");
            state = State { has_news: true, failures: state.failures.saturating_add(1), ..State::default() };
            pause(state.failures)
        });
        context.identity.news(least, most).await;
    }
}

/// How long it is until the next round, at least and at most.
fn pause(failures: u32) -> (Duration, Duration) {
    if failures == 0 {
        return (Duration::ZERO, POLL);
    }
    let doubled = POLL.saturating_mul(1_u32.checked_shl(failures - 1).unwrap_or(u32::MAX));
    (LEAST, doubled.min(MOST))
}

/// One round; says how long it is until the next one.
async fn round(context: &Context, metrics: &Metrics, state: &mut State) -> (Duration, Duration) {
    let Some(platform) = context.caches().platform() else { return pause(0) };
    let Some(identity) = platform.spec.identity.as_ref().filter(|identity| identity.keycloak.is_some()) else {
        if state.told.is_some() {
            *state = State { has_news: true, ..State::default() };
            publish(context, "", None, None);
        }
        tell(context, None);
        return pause(0);
    };
    state.has_news |= context.identity.take_news();
    let done = work(context, metrics, state, &platform.spec, identity).await;
    let told = match done {
        Ok(told) => {
            (state.problem, state.failures) = (None, 0);
            told
        }
        Err(problem) => {
            (state.problem, state.failures) = (Some(problem.clone()), state.failures.saturating_add(1));
            tracing::warn!(problem = problem.message, "the identity provider is not as it is to be yet; trying again");
            // What waits for it says so.
            show(context, state, identity);
            Told::Problem(problem)
        }
    };
    metrics.identity_round(state.failures > 0);
    state.told = Some(told.clone());
    tell(context, Some(told));
    pause(state.failures)
}

fn tell(context: &Context, told: Option<Told>) {
    if context.identity.tell(told) {
        context.known.again(&by());
    }
}

fn failing(words: impl ToString) -> Problem {
    Problem::new(Reason::IdentityProviderFailing, words.to_string())
}

/// Looks at the provider, and brings it to what is wanted where one of both changed.
///
/// # Errors
/// Why it is not all there.
async fn work(
    context: &Context,
    metrics: &Metrics,
    state: &mut State,
    spec: &PlatformSpec,
    identity: &PlatformIdentity,
) -> Result<Told, Problem> {
    if state.door.as_ref().is_some_and(|(known, _)| !is_at(known, identity)) {
        // What one realm has says nothing of another, be that there already or not.
        *state = State { has_news: true, failures: state.failures, ..State::default() };
    }
    let place = gather::provider_place(context.caches(), identity, &spec.exposure);
    let place = place.map_err(|words| Problem::new(Reason::IdentityProviderNotFound, words))?;
    let provider = door(context, state, place, identity).await.map_err(failing)?;
    let has_changed = look(provider.as_ref(), state).await.map_err(failing)?;
    if let Some(told) = &state.told
        && !has_changed
        && !state.has_news
        && state.failures == 0
    {
        return Ok(told.clone());
    }
    bring(context, metrics, state, provider.as_ref(), identity).await
}

/// Whether a place is that of the realm that is named.
fn is_at(place: &ProviderPlace, identity: &PlatformIdentity) -> bool {
    identity.realm().is_some_and(|(host, realm)| place.host.as_str().eq_ignore_ascii_case(host) && place.realm == realm)
}

/// The way to the provider: made once for each place and Secret.
async fn door(
    context: &Context,
    state: &mut State,
    place: ProviderPlace,
    identity: &PlatformIdentity,
) -> Result<Arc<Keycloak>, String> {
    if let Some((known, keycloak)) = &state.door
        && *known == place
    {
        return Ok(Arc::clone(keycloak));
    }
    let entity = identity.keycloak.as_ref().map(|keycloak| keycloak.entity.as_str()).unwrap_or_default();
    let keycloak = Arc::new(door::open(context, &place, entity).await?);
    state.cursor = None;
    state.door = Some((place, Arc::clone(&keycloak)));
    Ok(keycloak)
}

/// Brings what is seen up to date; whether it is another than before.
async fn look<P: Provider>(provider: &P, state: &mut State) -> Result<bool, ProviderError> {
    let is_fresh = state.looked.is_some_and(|at| at.elapsed() < LOOK);
    // Whoever does not answer may come back from a backup of yesterday: then all of it is looked at.
    let cursor = state.cursor.take().filter(|_| is_fresh);
    if let (Some(seen), Some(cursor)) = (&state.seen, cursor) {
        let changes = provider.changes(&cursor).await?;
        if changes.is_empty() {
            state.cursor = Some(changes.cursor);
            return Ok(false);
        }
        if !changes.everything {
            state.seen = Some(provider.look_again(seen, &changes).await?);
            state.cursor = Some(changes.cursor);
            // Should the round end here, what was seen is still to be acted upon.
            state.has_news = true;
            return Ok(true);
        }
    }
    let (mut seen, cursor) = provider.look().await?;
    if let Some(before) = &state.seen {
        seen.keep_used(before);
    }
    state.seen = Some(seen);
    state.cursor = Some(cursor);
    state.looked = Some(Instant::now());
    state.doubtful.clear();
    state.has_news = true;
    Ok(true)
}

fn observe(context: &Context, identity: &PlatformIdentity) -> ObservedIdentity {
    gather::observe_identity(context.caches(), &context.packages, &context.account, identity, context.now())
}

/// Takes away what is too much, then gives what is missing, then binds who accepted, until nothing is left.
async fn bring<P: Provider>(
    context: &Context,
    metrics: &Metrics,
    state: &mut State,
    provider: &P,
    identity: &PlatformIdentity,
) -> Result<Told, Problem> {
    let mut last = Vec::new();
    for _ in 0..SLICES {
        // First: what becomes news from here on is looked at in the next round at the latest.
        context.identity.take_news();
        state.has_news = false;
        match slice(context, metrics, state, provider, identity, &last).await {
            Ok(Slice::Done(told)) => return Ok(told),
            Ok(Slice::More(steps)) => last = steps,
            Err(problem) => {
                state.has_news = true;
                return Err(problem);
            }
        }
    }
    state.has_news = true;
    Err(failing("it takes very long until all of it is there; it goes on"))
}

/// What came of a slice.
enum Slice {
    /// Nothing is left to do.
    Done(Told),
    /// Something may be: these steps were done.
    More(Vec<Step>),
}

async fn slice<P: Provider>(
    context: &Context,
    metrics: &Metrics,
    state: &mut State,
    provider: &P,
    identity: &PlatformIdentity,
    last: &[Step],
) -> Result<Slice, Problem> {
    let observed = observe(context, identity);
    let unread = state.secrets.read(context, &observed).await;
    let (Some(mut seen), Some(cursor)) = (state.seen.take(), state.cursor.clone()) else {
        return Err(failing("it was not looked at"));
    };
    let wanted = realm(&observed, &identity.issuer, &state.secrets);
    metrics.identity_waiting(waiting(&wanted));
    let steps = todo(&observed, &wanted, &seen);
    state.late.retain(|late| steps.contains(late));
    let steps = late_last(steps, &state.late);
    let is_repeated = !steps.is_empty() && steps == last;
    let about_to = held(&known(&observed, &wanted, &seen, &steps, &state.refused));
    publish(context, &identity.issuer, Some(about_to), state.problem.clone());
    let next: &[Step] = if is_repeated { &[] } else { &steps };
    let entities = |step: &Step, seen: &Seen| -> BTreeSet<String> {
        Whose::new(&observed, &wanted, seen).of(step).into_iter().map(|(entity, _)| entity).collect()
    };
    let may = |step: &Step| may(context, identity, &observed, &wanted, step);
    let carried = carry_out(provider, (&mut seen, &cursor), next, entities, may, SLICE).await;
    let has_failed = !carried.failures.is_empty();
    // Whoever accepted is bound though something else fails, once nobody is to lose anything any more.
    let bindings = if carried.is_cut || carried.is_away { Vec::new() } else { accepted(&wanted, &seen) };
    state.seen = Some(seen);
    let bound = bind::bind(context, &bindings, &mut state.refused).await;
    if has_failed {
        return Err(failed(state, carried));
    }
    if is_repeated {
        state.cursor = None;
        return Err(failing("what it said was done is not there, or was undone at once; it is looked at anew"));
    }
    if !steps.is_empty() || bound > 0 {
        return Ok(Slice::More(if carried.is_cut { Vec::new() } else { steps }));
    }
    if !unread.is_empty() {
        return Err(failing(unread.join("; ")));
    }
    let Some(seen) = &state.seen else { return Err(failing("it was not looked at")) };
    let there = held(&known(&observed, &wanted, seen, &[], &state.refused));
    publish(context, &identity.issuer, Some(there), None);
    Ok(Slice::Done(Told::of(&observed, &wanted, seen)))
}

/// After a failure all is looked at before anything else is done; until then what failed may have been done.
fn failed(state: &mut State, carried: Carried) -> Problem {
    state.cursor = None;
    let new: Vec<Step> = carried.doubtful.iter().filter(|step| !state.late.contains(step)).cloned().collect();
    state.late.extend(new);
    state.doubtful.extend(carried.doubtful);
    failing(carried.failures.join("; "))
}

fn known<'a>(
    observed: &'a ObservedIdentity,
    wanted: &'a RealmWanted,
    seen: &'a Seen,
    steps: &'a [Step],
    refused: &'a BTreeMap<PersonKey, String>,
) -> Known<'a> {
    Known { observed, wanted, seen, steps, refused }
}

/// Whether a step may be done still, by what the caches have now.
fn may(
    context: &Context,
    identity: &PlatformIdentity,
    observed: &ObservedIdentity,
    wanted: &RealmWanted,
    step: &Step,
) -> bool {
    let entity = match step {
        Step::GiveRoles { client, .. } => wanted.clients.get(client).map(|client| client.entity.as_str()),
        Step::Join { uid, .. } | Step::Invite { uid, .. } => {
            let mut all = observed.entities.iter();
            all.find(|(_, people)| people.uid == *uid).map(|(name, _)| name.as_str())
        }
        _ => return true,
    };
    let Some(entity) = entity else { return false };
    let now = gather::wanted_now(context.caches(), &context.account, identity, entity, context.now());
    now.is_some_and(|now| is_wanted(step, &people(&identity.issuer, entity, &now)))
}

/// Shows what is known while something is wrong, so that what waits says why.
fn show(context: &Context, state: &State, identity: &PlatformIdentity) {
    let held = state.seen.as_ref().map(|seen| {
        let observed = observe(context, identity);
        let wanted = realm(&observed, &identity.issuer, &state.secrets);
        let mut steps = todo(&observed, &wanted, seen);
        steps.extend(state.doubtful.iter().cloned());
        held(&known(&observed, &wanted, seen, &steps, &state.refused))
    });
    publish(context, &identity.issuer, held, state.problem.clone());
}

/// Puts what is known into the caches, and has those look at it for whom it is another.
fn publish(context: &Context, issuer: &str, held: Option<BTreeMap<String, Held>>, problem: Option<Problem>) {
    let caches = context.caches();
    let changed = caches.providers.put(issuer, held, problem).unwrap_or_else(|| {
        caches.collectives.all().iter().filter_map(|collective| collective.metadata.namespace.clone()).collect()
    });
    for entity in changed {
        if caches.collectives.holds(&entity, Collective::NAME) {
            context.known.again(&Key::new(Kind::Collective, &entity, Collective::NAME));
        }
    }
}

#[cfg(test)]
#[path = "mod_tests.rs"]
mod tests;
