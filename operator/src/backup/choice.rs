//! Where the backups of a service go and when they run: what it chooses itself, else its Entity, else the Platform.

use crate::api::{BackupChoice, BackupTarget, PlatformBackup, Reason};
use crate::core::schedule::Schedule;
use crate::report::Problem;

/// What was chosen, where it can be done.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice<'p> {
    /// Where runs go. There is no other one in the place of one that is not there: what was sent elsewhere cannot
    /// be taken back.
    pub target: Result<&'p BackupTarget, Problem>,
    /// When runs begin: as chosen, or as the Platform says where that is none, or not within its bounds.
    pub schedule: Result<Schedule, Problem>,
    /// Why the schedule is not the chosen one.
    pub not_taken: Option<Problem>,
}

/// Where the backups of a service go and when they run. `edited_at`: where its spec is edited, for example `spec`.
pub fn choice<'p>(
    platform: &'p PlatformBackup,
    entity: Option<&BackupChoice>,
    service: Option<&BackupChoice>,
    edited_at: &str,
) -> Choice<'p> {
    let mut choices = Vec::from_iter(service.map(|service| (format!("{edited_at}.backup"), service)));
    choices.extend(entity.map(|entity| ("spec.backup of the Entity".to_owned(), entity)));
    let (schedule, not_taken) = schedule(platform, &choices);
    Choice { target: target(platform, &choices), schedule, not_taken }
}

fn target<'p>(platform: &'p PlatformBackup, choices: &[(String, &BackupChoice)]) -> Result<&'p BackupTarget, Problem> {
    let chosen = choices.iter().find_map(|(place, choice)| Some((place.as_str(), choice.target.as_deref()?)));
    let (place, name) = chosen.map_or(("spec.backup.targets", None), |(place, name)| (place, Some(name)));
    platform.target(name).ok_or_else(|| {
        let there: Vec<&str> = platform.targets.iter().map(|target| target.name.as_str()).collect();
        let message = format!(
            "{place}: the Platform has no target {:?}; there are: {}. Nothing is backed up before",
            name.unwrap_or_default(),
            there.join(", ")
        );
        Problem::new(Reason::TargetNotFound, message)
    })
}

fn schedule(
    platform: &PlatformBackup,
    choices: &[(String, &BackupChoice)],
) -> (Result<Schedule, Problem>, Option<Problem>) {
    let own = &platform.schedule;
    let chosen = choices.iter().find_map(|(place, choice)| Some((place, choice, choice.cron.as_deref()?)));
    let not_taken = match chosen {
        None => None,
        Some((place, choice, cron)) => {
            let zone = choice.time_zone.as_deref().unwrap_or(&own.time_zone);
            let allowed = Schedule::new(cron, zone).and_then(|schedule| schedule.within(own.bounds).map(|()| schedule));
            match allowed {
                Ok(schedule) => return (Ok(schedule), None),
                Err(error) => Some(Problem::new(
                    Reason::BackupScheduleInvalid,
                    format!("{place}.{error}; backups run as the Platform says, {} {}", own.cron, own.time_zone),
                )),
            }
        }
    };
    let schedule = Schedule::new(&own.cron, &own.time_zone).map_err(|error| {
        Problem::new(Reason::BackupScheduleInvalid, format!("spec.backup.schedule.{error} (Platform default)"))
    });
    (schedule, not_taken)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn platform() -> PlatformBackup {
        let s3 = |name: &str| json!({"name": name, "s3": {"endpoint": "https://s3.example.org", "bucket": "cloud", "secretName": name}});
        serde_json::from_value(json!({
            "targets": [s3("near"), s3("far")], "recipients": ["age1"],
            "schedule": {"cron": "0 1 * * *", "timeZone": "Europe/Madrid"},
        }))
        .unwrap()
    }

    fn said(choice: serde_json::Value) -> BackupChoice {
        serde_json::from_value(choice).unwrap()
    }

    fn own() -> Schedule {
        Schedule::new("0 1 * * *", "Europe/Madrid").unwrap()
    }

    #[test]
    fn a_service_goes_before_its_entity_and_that_before_the_platform() {
        let platform = platform();
        let (far, near) = (said(json!({"target": "far"})), said(json!({"target": "near"})));
        let name = |entity, service| choice(&platform, entity, service, "spec").target.unwrap().name.as_str();
        assert_eq!(name(None, None), "near", "the first one");
        assert_eq!(name(Some(&far), None), "far");
        assert_eq!(name(Some(&far), Some(&near)), "near");
        assert_eq!(name(Some(&far), Some(&said(json!({"cron": "0 3 * * *"})))), "far", "each field by itself");
    }

    #[test]
    fn hours_without_a_zone_are_in_the_platforms() {
        let platform = platform();
        let (entity, service) =
            (said(json!({"cron": "0 3 * * *", "timeZone": "Etc/UTC"})), said(json!({"cron": "0 4 * * *"})));
        let schedule = |entity, service| choice(&platform, entity, service, "spec").schedule.unwrap();
        assert_eq!(schedule(None, None), own());
        assert_eq!(schedule(Some(&entity), None), Schedule::new("0 3 * * *", "Etc/UTC").unwrap());
        assert_eq!(schedule(Some(&entity), Some(&service)), Schedule::new("0 4 * * *", "Europe/Madrid").unwrap());
    }

    #[test]
    fn a_schedule_outside_the_bounds_is_told_where_it_is_edited_and_the_platforms_is_used() {
        let platform = platform();
        for (cron, words) in [
            ("0 1 * * 0", "up to 168 hours between two runs"),
            ("*/5 * * * *", "5 minutes between two runs"),
            ("0 1 30 2 *", "names a day that no year has"),
        ] {
            let chosen = said(json!({"cron": cron}));
            let found = choice(&platform, None, Some(&chosen), "spec.services.office");
            let problem = found.not_taken.unwrap();
            assert!(problem.is(Reason::BackupScheduleInvalid));
            assert!(problem.message.starts_with("spec.services.office.backup.cron: "), "{}", problem.message);
            assert!(problem.message.contains(words), "{}", problem.message);
            assert_eq!((found.schedule, found.target.unwrap().name.as_str()), (Ok(own()), "near"));
        }
        let zone = said(json!({"cron": "0 3 * * *", "timeZone": "Europe/Lleida"}));
        let problem = choice(&platform, Some(&zone), None, "spec").not_taken.unwrap();
        assert!(problem.message.starts_with("spec.backup of the Entity.timeZone: "), "{}", problem.message);
    }

    #[test]
    fn a_target_that_is_not_there_has_no_other_in_its_place() {
        let platform = platform();
        let found = choice(&platform, Some(&said(json!({"target": "gone"}))), None, "spec");
        let problem = found.target.unwrap_err();
        assert!(problem.is(Reason::TargetNotFound));
        assert_eq!(
            problem.message,
            "spec.backup of the Entity: the Platform has no target \"gone\"; there are: near, far. Nothing is backed up before"
        );
        assert_eq!(found.schedule, Ok(own()));
    }

    #[test]
    fn the_platforms_own_schedule_may_be_none() {
        let mut platform = platform();
        platform.schedule.cron = "0 1 31 6 *".to_owned();
        let problem = choice(&platform, None, None, "spec").schedule.unwrap_err();
        assert!(problem.message.starts_with("spec.backup.schedule.cron: "), "{}", problem.message);
    }
}
