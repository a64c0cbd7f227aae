//! Carries steps out, one after the other. What fails stops what its own Entity would gain, and of nobody else. Nobody
//! stays since somebody else cannot be taken out, and what failed before comes after what did not.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use crate::identity::{Cursor, Provider, ProviderError, Seen, Step};

/// What came of some steps.
#[derive(Debug, Default)]
pub(super) struct Carried {
    /// How many were done.
    pub(super) done: usize,
    /// What failed, in words.
    pub(super) failures: Vec<String>,
    /// What failed and may have been done all the same.
    pub(super) doubtful: Vec<Step>,
    /// Whether the provider did not answer at all.
    pub(super) is_away: bool,
    /// Whether some are left for which there was no time.
    pub(super) is_cut: bool,
}

/// Carries steps out for so long at most, and keeps what is seen up to date. `entities`: whose a step is. `may`: whether
/// it may be done still, asked just before it is.
pub(super) async fn carry_out<P: Provider>(
    provider: &P,
    (seen, cursor): (&mut Seen, &Cursor),
    steps: &[Step],
    entities: impl Fn(&Step, &Seen) -> BTreeSet<String>,
    may: impl Fn(&Step) -> bool,
    time: Duration,
) -> Carried {
    let (began, mut carried, mut stopped) = (Instant::now(), Carried::default(), BTreeSet::new());
    for step in steps {
        if began.elapsed() >= time {
            carried.is_cut = true;
            break;
        }
        let of = entities(step, seen);
        let is_stopped = !step.dismisses() && of.iter().any(|entity| stopped.contains(entity));
        if is_stopped || (!step.removes() && !may(step)) {
            continue;
        }
        match provider.carry_out(step, seen).await {
            Ok(made) => {
                seen.after(step, made);
                carried.done += 1;
            }
            Err(error) => {
                carried.failures.push(words(&error, &of));
                carried.doubtful.push(step.clone());
                if !step.stands_alone() {
                    stopped.extend(of);
                }
                // Whether it is this step that fails, or every one.
                if let Err(error) = provider.changes(cursor).await {
                    carried.failures = vec![error.to_string()];
                    carried.is_away = true;
                    break;
                }
            }
        }
    }
    carried
}

/// The same steps in an order in which those that failed before keep nobody waiting: they come after others of their kind,
/// which need nothing of each other.
pub(super) fn late_last(mut steps: Vec<Step>, failed: &[Step]) -> Vec<Step> {
    let is_late = |step: &Step| failed.contains(step);
    let dismissals = steps.iter().take_while(|step| step.dismisses()).count();
    let mut rest = steps.split_off(dismissals);
    steps.sort_by_key(is_late);
    let invitations = rest.iter().rev().take_while(|step| matches!(step, Step::Invite { .. })).count();
    let mut last = rest.split_off(rest.len() - invitations);
    last.sort_by_key(is_late);
    steps.into_iter().chain(rest).chain(last).collect()
}

fn words(error: &ProviderError, entities: &BTreeSet<String>) -> String {
    if entities.is_empty() {
        return error.to_string();
    }
    let names: Vec<&str> = entities.iter().map(String::as_str).collect();
    format!("of {}: {error}", names.join(" and "))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::identity::{Changes, Made, Role};

    /// A provider that fails for some subjects, or altogether from a step on.
    #[derive(Default)]
    struct Fake {
        done: Mutex<Vec<String>>,
        fails_for: &'static str,
        away_after: Option<usize>,
    }

    impl Fake {
        fn done(&self) -> Vec<String> {
            self.done.lock().unwrap().clone()
        }

        fn is_away(&self) -> bool {
            self.away_after.is_some_and(|after| self.done().len() >= after)
        }
    }

    fn failed() -> ProviderError {
        ProviderError::new("GET /x", "no answer")
    }

    impl Provider for Fake {
        async fn look(&self) -> Result<(Seen, Cursor), ProviderError> {
            Ok((Seen::default(), Cursor::default()))
        }

        async fn carry_out(&self, step: &Step, _: &Seen) -> Result<Made, ProviderError> {
            let (word, client, subject) = told(step);
            tokio::time::sleep(Duration::from_secs(1)).await;
            if self.is_away() || subject == self.fails_for {
                return Err(failed());
            }
            self.done.lock().unwrap().push(format!("{word} {subject} {client}"));
            Ok(Made::Done)
        }

        async fn changes(&self, since: &Cursor) -> Result<Changes, ProviderError> {
            if self.is_away() { Err(failed()) } else { Ok(Changes { cursor: since.clone(), ..Changes::default() }) }
        }

        async fn look_again(&self, seen: &Seen, _: &Changes) -> Result<Seen, ProviderError> {
            Ok(seen.clone())
        }
    }

    fn told(step: &Step) -> (&'static str, &str, &str) {
        match step {
            Step::TakeRoles { client, subject, .. } => ("take", client, subject),
            Step::EndSessions { client, subject } => ("end", client, subject),
            Step::GiveRoles { client, subject, .. } => ("give", client, subject),
            other => panic!("{other:?}"),
        }
    }

    fn steps() -> Vec<Step> {
        let roles = || BTreeSet::from([Role::Access]);
        let take = |client: &str, subject: &str| Step::TakeRoles {
            client: client.to_owned(),
            subject: subject.to_owned(),
            roles: roles(),
        };
        let give = |client: &str, subject: &str| Step::GiveRoles {
            client: client.to_owned(),
            subject: subject.to_owned(),
            roles: roles(),
        };
        let end = Step::EndSessions { client: "a".to_owned(), subject: "eva".to_owned() };
        vec![take("a", "anna"), end, take("b", "bernd"), give("a", "carla"), give("b", "doris")]
    }

    async fn carried(fake: &Fake, may: impl Fn(&Step) -> bool, time: u64) -> Carried {
        let (mut seen, cursor) = (Seen::default(), Cursor::default());
        let entities = |step: &Step, _: &Seen| BTreeSet::from([told(step).1.to_owned()]);
        carry_out(fake, (&mut seen, &cursor), &steps(), entities, may, Duration::from_secs(time)).await
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_loses_something_does_so_before_anybody_gains_anything() {
        let fake = Fake::default();
        let carried = carried(&fake, |_| true, 60).await;
        assert_eq!(carried.done, 5);
        assert_eq!(fake.done(), ["take anna a", "end eva a", "take bernd b", "give carla a", "give doris b"]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_stops_what_its_own_entity_would_gain_and_no_other() {
        let fake = Fake { fails_for: "anna", ..Fake::default() };
        let carried = carried(&fake, |_| true, 60).await;
        assert_eq!(fake.done(), ["end eva a", "take bernd b", "give doris b"]);
        assert_eq!(carried.failures, ["of a: GET /x: no answer"]);
        assert_eq!((carried.doubtful.len(), carried.is_away), (1, false));
        let fake = Fake { fails_for: "eva", ..Fake::default() };
        assert_eq!(carried_names(&fake).await.len(), 4, "what stands alone stops nothing");
    }

    async fn carried_names(fake: &Fake) -> Vec<String> {
        carried(fake, |_| true, 60).await;
        fake.done()
    }

    #[tokio::test(start_paused = true)]
    async fn a_provider_that_is_away_is_asked_for_nothing_more() {
        let fake = Fake { away_after: Some(2), ..Fake::default() };
        let carried = carried(&fake, |_| true, 60).await;
        assert_eq!((carried.done, carried.is_away), (2, true));
        assert_eq!(carried.failures, ["GET /x: no answer"]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_may_no_more_by_then_is_not_let_in_and_a_removal_asks_nobody() {
        let fake = Fake::default();
        carried(&fake, |_| false, 60).await;
        assert_eq!(fake.done(), ["take anna a", "end eva a", "take bernd b"]);
    }

    #[tokio::test(start_paused = true)]
    async fn many_steps_leave_time_to_look_at_what_was_changed_meanwhile() {
        let fake = Fake::default();
        let carried = carried(&fake, |_| true, 2).await;
        assert_eq!((carried.done, carried.is_cut), (2, true));
    }

    #[test]
    fn what_failed_before_keeps_nobody_waiting_who_is_to_go_or_to_be_invited() {
        let invite =
            |mail: &str| Step::Invite { uid: "e".to_owned(), mail: mail.to_owned(), display_name: "Anna".to_owned() };
        let mut all = steps();
        all.extend([invite("a@x.org"), invite("b@x.org")]);
        assert_eq!(late_last(all.clone(), &[]), all);
        let failed = [all[0].clone(), all[3].clone(), all[5].clone()];
        let order = [1, 2, 0, 3, 4, 6, 5].map(|at: usize| all[at].clone());
        assert_eq!(late_last(all.clone(), &failed), order);
    }
}
