//! What a person, or a machine, sees while something takes its time.

use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde::Serialize;

/// One thing that was done, and how long it took.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Timing {
    /// What was done, in a few words.
    pub phase: String,
    /// Wall-clock seconds.
    pub seconds: f64,
}

/// Shows phases as they run: spinners on a terminal, a line per finished phase elsewhere.
///
/// Everything goes to standard error, so that standard output stays for the result. Clones share
/// the one display and the one list of timings.
#[derive(Clone)]
pub struct Progress {
    display: Display,
    timings: Arc<Mutex<Vec<Timing>>>,
}

#[derive(Clone)]
enum Display {
    Spinners(MultiProgress),
    Lines,
    Silent,
}

/// A phase under way. Dropped without [`Phase::done`] it counts as given up, and is not timed.
pub struct Phase {
    progress: Progress,
    name: String,
    began: Instant,
    spinner: Option<ProgressBar>,
}

impl Progress {
    /// Spinners when standard error is a terminal, else plain lines.
    pub fn shown() -> Self {
        if std::io::stderr().is_terminal() {
            Self::with(Display::Spinners(MultiProgress::new()))
        } else {
            Self::with(Display::Lines)
        }
    }

    /// Shows nothing, and still keeps the timings.
    pub fn silent() -> Self {
        Self::with(Display::Silent)
    }

    fn with(display: Display) -> Self {
        Self { display, timings: Arc::default() }
    }

    /// Begins a phase.
    pub fn phase(&self, name: impl Into<String>) -> Phase {
        let name = name.into();
        let spinner = match &self.display {
            Display::Spinners(all) => {
                let spinner = all.add(ProgressBar::new_spinner());
                if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} {elapsed} {msg:.dim}") {
                    spinner.set_style(style);
                }
                spinner.set_prefix(name.clone());
                spinner.enable_steady_tick(Duration::from_millis(120));
                Some(spinner)
            }
            Display::Lines | Display::Silent => None,
        };
        Phase { progress: self.clone(), name, began: Instant::now(), spinner }
    }

    /// Says one line, above the spinners.
    pub fn say(&self, line: &str) {
        match &self.display {
            Display::Spinners(all) => drop(all.println(line)),
            Display::Lines => eprintln!("{line}"),
            Display::Silent => {}
        }
    }

    /// The phases that are done, in the order in which they ended.
    pub fn timings(&self) -> Vec<Timing> {
        self.timings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Phase {
    /// Says what the phase is at just now; shown on terminals only.
    pub fn at(&self, step: &str) {
        if let Some(spinner) = &self.spinner {
            spinner.set_message(step.to_owned());
        }
    }

    /// Ends the phase: its time is shown and kept.
    pub fn done(mut self) {
        let seconds = self.began.elapsed().as_secs_f64();
        if let Some(spinner) = self.spinner.take() {
            spinner.finish_and_clear();
        }
        self.progress.say(&format!("{:>7.1} s  {}", seconds, self.name));
        let timing = Timing { phase: std::mem::take(&mut self.name), seconds };
        self.progress.timings.lock().unwrap_or_else(PoisonError::into_inner).push(timing);
    }
}

impl Drop for Phase {
    fn drop(&mut self) {
        if let Some(spinner) = &self.spinner {
            spinner.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_phases_that_ended_are_timed() {
        let progress = Progress::silent();
        progress.phase("etcd").done();
        drop(progress.phase("given up"));
        let phases: Vec<String> = progress.timings().into_iter().map(|timing| timing.phase).collect();
        assert_eq!(phases, ["etcd"]);
    }
}
