//! Of a run that ends in a package to leave with: for whom it may be, and until it is there. What it is made of is an
//! ordinary backup, which is recorded before.

use commonscloud_backup::report::Outcome;
use commonscloud_backup::restic::PACKAGES;

use super::failure::of_job;
use super::step::{Found, Pass, reports};
use super::{JobState, SeenJob, Standing, Step};
use crate::api::{BackupFormat, BackupPhase, ExitPackage, Reason};
use crate::report::Problem;

/// The characters of a public key of age behind its beginning.
const OF_KEY: &str = "023456789acdefghjklmnpqrstuvwxyz";

impl Pass<'_> {
    /// Why no package is made for whom it is asked. What was written is never shown: it may be a private key.
    pub(super) fn refused_recipient(&self) -> Option<Problem> {
        let spec = &self.observed.run.spec;
        if spec.format != BackupFormat::Exit {
            return None;
        }
        let refused = |message: &str| Some(Problem::new(Reason::RecipientRefused, message));
        let Some(recipient) = &spec.recipient else {
            return refused(
                "spec.recipient: name the Entity's public key of age (age1...): only its owner opens an Exit",
            );
        };
        if !is_public_key(recipient) {
            return refused(
                "spec.recipient: it is no public key of age; give the one that age-keygen shows (age1...), and if it was \
                 the private one, make a new pair: who reads this object has it now",
            );
        }
        let recipients = self.subject().map(|subject| &subject.backup.recipients);
        if recipients.is_some_and(|recipients| recipients.contains(recipient)) {
            return refused(
                "spec.recipient: it is one of backup.recipients of the Platform; give a key of the Entity's own, or whoever \
                 leaves cannot open what it leaves with",
            );
        }
        None
    }

    /// Until the package is at the target. Nobody is kept from anything meanwhile.
    pub(super) fn packing(&self) -> Step {
        match self.find(&self.name("exit")) {
            Found::Theirs(job) => self.another(job),
            Found::Missing if self.status.package.is_some() => self.go(BackupPhase::Succeeded),
            Found::Missing => self.pack(),
            Found::Ours(job) => match &job.state {
                JobState::Runs => self.stay(),
                JobState::Succeeded if packed(job).is_some() => self.go(BackupPhase::Succeeded),
                JobState::Failed(_) | JobState::Succeeded => self.fail(of_job(job, self.subject())),
            },
        }
    }

    fn pack(&self) -> Step {
        if self.is_deleted() {
            return Step { again: None, ..self.stay() };
        }
        if let Some(first) = &self.observed.goes_first {
            return self.wait(Problem::new(Reason::WaitsForTurn, format!("{first} comes first")));
        }
        let (Some(snapshot), Some(recipient)) = (&self.status.snapshot, &self.observed.run.spec.recipient) else {
            let message = "there is no recorded backup to make a package of, or nobody to seal it to";
            return self.fail(Problem::new(Reason::BackupFailed, message));
        };
        match (self.jobs(), self.observed.service) {
            (Some(jobs), _) => self.write(jobs.exit(snapshot, recipient).start()),
            (None, Standing::There) => self.wait_for_subject(),
            (None, _) => {
                let gone = || Problem::new(Reason::Deleting, "the service is gone, and no package was made of it yet");
                self.fail(self.interrupted().unwrap_or_else(gone))
            }
        }
    }

    /// The package, as its Job told of it.
    pub(super) fn package(&self) -> Option<ExitPackage> {
        let Found::Ours(job) = self.find(&self.name("exit")) else { return None };
        let (snapshot, bytes, sha256) = packed(job).filter(|_| job.state == JobState::Succeeded)?;
        let path = self.status.repository.as_ref()?.path.clone() + PACKAGES;
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        Some(ExitPackage { path, snapshot: snapshot.to_owned(), bytes, sha256: sha256.to_owned() })
    }
}

fn packed(job: &SeenJob) -> Option<(&str, u64, &str)> {
    reports(job).find_map(|report| match &report.outcome {
        Outcome::Packed { snapshot, bytes, sha256 } => Some((snapshot.as_str(), *bytes, sha256.as_str())),
        _ => None,
    })
}

/// Whether it looks like one; its last characters are looked at by the Job that tries the target.
fn is_public_key(text: &str) -> bool {
    let key = text.strip_prefix("age1").filter(|key| key.len() == 58);
    key.is_some_and(|key| key.chars().all(|sign| OF_KEY.contains(sign)))
}

/// What whoever asked for it does next. `name`: that of the run; by the snapshot's id it is found where others are called
/// the same.
pub(super) fn to_do(package: &ExitPackage, name: &str) -> String {
    let ExitPackage { path, snapshot, bytes, sha256 } = package;
    format!(
        "the package has {bytes} bytes; who reads the target brings it: commonscloud export fetch {path}/{name} --target \
         URL --output {name}.tar.age --snapshot {snapshot} --sha256 {sha256}; the recipient opens it: commonscloud \
         export open {name}.tar.age --identity KEY --output DIR"
    )
}
