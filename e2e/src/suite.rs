//! Running a tier's scenarios on one cluster: brought up at the first need, taken down at the end,
//! whatever happened in between.

use std::future::Future;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Completion, Conclusion, Failed, Trial};
use tokio::runtime::{Handle, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{OnceCell, RwLock, Semaphore};

use crate::failure::{Failure, Outcome};
use crate::programs::Programs;
use crate::seed::Seed;
use crate::turns::{self, Turns};

/// A cluster with the operator installed.
pub trait Tier: Send + Sync + Sized + 'static {
    /// What it is called when it cannot be run.
    const NAME: &'static str;
    /// How many scenarios run at a time, unless told otherwise: they wait more than they compute.
    const SIDE_BY_SIDE: usize = 6;

    /// Why this machine cannot run it, if it cannot.
    fn impossible() -> Option<String>;

    /// Brings everything up.
    fn bring_up() -> impl Future<Output = Outcome<Self>>;

    /// Takes everything down that `bring_up` made or half made.
    fn take_down() -> impl Future<Output = Outcome> + Send;

    /// What helps to understand a failure: logs of the operator, say.
    fn hints(&self) -> impl Future<Output = String> {
        async { String::new() }
    }
}

/// What a scenario does, on one thread from begin to end.
type Run<T> = Box<dyn Fn(Arc<T>) -> Pin<Box<dyn Future<Output = Outcome>>> + Send>;

/// One thing to be proven.
pub struct Scenario<T> {
    name: &'static str,
    turn: Turn,
    slow: bool,
    sampled: bool,
    run: Run<T>,
}

/// When a scenario runs; in this order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    /// On a cluster of its own, whatever runs on the tier's.
    Apart,
    /// Alone, before the others.
    First,
    /// With others side by side.
    Together,
    /// Alone, after the others.
    Alone,
}

impl<T> Scenario<T> {
    /// A scenario that keeps to objects of its own, so that others may run meanwhile.
    pub fn new<F, R>(name: &'static str, run: F) -> Self
    where
        F: Fn(Arc<T>) -> R + Send + 'static,
        R: Future<Output = Outcome> + 'static,
    {
        Self { name, turn: Turn::Together, slow: false, sampled: false, run: Box::new(move |tier| Box::pin(run(tier))) }
    }

    /// The same, run while no other runs, after those that may run side by side.
    #[must_use]
    pub fn alone(self) -> Self {
        Self { turn: Turn::Alone, ..self }
    }

    /// The same, begun at once and run beside all others, those too that run alone: on a cluster of
    /// its own.
    #[must_use]
    pub fn apart(self) -> Self {
        Self { turn: Turn::Apart, ..self }
    }

    /// The same, run by `make slow` and not by `make test`: it takes many minutes, or much of a disk.
    #[must_use]
    pub fn slow(self) -> Self {
        Self { slow: true, ..self }
    }

    /// The same, one of a group whose members take turns: `make test` runs a few of them, chosen by the seed, a filter
    /// and `make slow` all.
    #[must_use]
    pub fn sampled(self) -> Self {
        Self { sampled: true, ..self }
    }

    /// The same, run while no other runs, before them, as long as the cluster is empty.
    #[must_use]
    pub fn first(self) -> Self {
        Self { turn: Turn::First, ..self }
    }
}

/// So many scenarios work side by side on the tier's own cluster.
const PLACES: usize = 6;
/// So many of the slowest scenarios are told.
const TOLD: usize = 10;
/// No scenario takes longer; one that does is told as failed, and the next begins.
const LIMIT: Duration = Duration::from_mins(15);
/// The same of those that only `make slow` runs.
const SLOW: Duration = Duration::from_mins(75);

/// Runs the scenarios that the command line asks for, and says how they ended as libtest does.
pub fn run<T: Tier>(mut scenarios: Vec<Scenario<T>>) -> ExitCode {
    let arguments = Arguments::from_args();
    scenarios.retain(|scenario| !scenario.slow || arguments.ignored);
    let turns = if arguments.filter.is_none() && !arguments.ignored {
        match Seed::of_this_run().and_then(|seed| Ok((seed, Turns::of_this_run()?))) {
            Ok((seed, turns)) => {
                scenarios = turns::sample(T::NAME, scenarios, |scenario| scenario.sampled, seed);
                turns
            }
            Err(failure) => {
                eprintln!("{}: {failure}", T::NAME);
                return ExitCode::FAILURE;
            }
        }
    } else {
        Turns::ALWAYS
    };
    scenarios.sort_by_key(|scenario| scenario.turn);
    if let Some(reason) = T::impossible() {
        return not_here(T::NAME, &reason, &arguments, scenarios);
    }
    let Ok(runtime) = Runtime::new() else {
        eprintln!("{}: no threads to run on", T::NAME);
        return ExitCode::FAILURE;
    };
    let stage: Arc<Stage<T>> = Arc::new(Stage {
        tier: OnceCell::new(),
        turns,
        floor: RwLock::new(()),
        places: Semaphore::new(PLACES),
        times: Mutex::default(),
    });
    runtime.spawn(end_on_signal::<T>());
    let of_slow = |scenario: &Scenario<T>| scenario.slow || (scenario.sampled && arguments.ignored);
    let trial = |scenario: Scenario<T>| {
        let ignored = of_slow(&scenario);
        stage.trial(scenario, runtime.handle().clone()).with_ignored_flag(ignored)
    };
    let trials = scenarios.into_iter().map(trial).collect();
    let conclusion = libtest_mimic::run(&side_by_side::<T>(arguments), trials);
    if stage.tier.initialized() {
        runtime.block_on(stage.clear());
    }
    stage.tell_the_slowest();
    conclusion.exit_code()
}

fn side_by_side<T: Tier>(mut arguments: Arguments) -> Arguments {
    arguments.test_threads.get_or_insert(T::SIDE_BY_SIDE);
    arguments
}

/// Names the tier that this machine cannot run; under CI that is a failure.
fn not_here<T: Tier>(name: &str, reason: &str, arguments: &Arguments, scenarios: Vec<Scenario<T>>) -> ExitCode {
    if !arguments.list {
        eprintln!("{name}: cannot run on this machine: {reason}");
    }
    let skip = |scenario: Scenario<T>| Trial::test(scenario.name, || Ok(())).with_ignored_flag(true);
    let trials = scenarios.into_iter().map(skip).collect();
    let mut arguments = arguments.clone();
    // Not even `--include-ignored` may count as passed what did not run.
    (arguments.ignored, arguments.include_ignored) = (false, false);
    let conclusion: Conclusion = libtest_mimic::run(&arguments, trials);
    let required = std::env::var("CI").is_ok_and(|ci| ci == "true");
    if required && !arguments.list {
        eprintln!("{name}: CI=true, so a tier that cannot run is a failure");
        return ExitCode::FAILURE;
    }
    conclusion.exit_code()
}

/// What all scenarios share.
struct Stage<T> {
    /// The tier, or why it did not come up.
    tier: OnceCell<Result<Arc<T>, String>>,
    turns: Turns,
    /// Held for reading by scenarios side by side, for writing by one alone.
    floor: RwLock<()>,
    /// How many of those side by side are at work: waiting for a cluster apart is none.
    places: Semaphore,
    /// How long each scenario took that ended.
    times: Mutex<Vec<(Duration, &'static str)>>,
}

impl<T: Tier> Stage<T> {
    fn trial(self: &Arc<Self>, scenario: Scenario<T>, handle: Handle) -> Trial {
        let stage = Arc::clone(self);
        Trial::ignorable_test(scenario.name, move || handle.block_on(stage.play(scenario)))
    }

    async fn play(&self, scenario: Scenario<T>) -> Result<Completion, Failed> {
        let (_shared, _alone);
        match scenario.turn {
            Turn::Apart => {}
            Turn::Together => {
                _shared = (self.floor.read().await, self.places.acquire().await);
            }
            Turn::First | Turn::Alone => _alone = self.floor.write().await,
        }
        if let Some(reason) = self.turns.over().filter(|_| scenario.sampled) {
            return Ok(Completion::ignored_with(reason));
        }
        let tier =
            self.tier.get_or_init(|| async { T::bring_up().await.map(Arc::new).map_err(|e| e.to_string()) }).await;
        let tier = tier.as_ref().map_err(|reason| Failed::from(format!("the tier did not come up: {reason}")))?;
        let begun = Instant::now();
        // Those apart wait for each other within their time, and slow ones may be slow.
        let limit = if scenario.slow {
            SLOW
        } else if scenario.turn == Turn::Apart {
            2 * LIMIT
        } else {
            LIMIT
        };
        let ended = match tokio::time::timeout(limit, (scenario.run)(Arc::clone(tier))).await {
            Ok(ended) => ended,
            Err(_) => Err(Failure::new(format!("did not end within {} s", limit.as_secs()))),
        };
        self.times.lock().unwrap_or_else(PoisonError::into_inner).push((begun.elapsed(), scenario.name));
        match ended {
            Ok(()) => Ok(Completion::Completed),
            Err(failure) => Err(Failed::from(format!("{failure}\n{}", tier.hints().await))),
        }
    }

    fn tell_the_slowest(&self) {
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        times.sort_by(|a, b| b.cmp(a));
        if times.len() > TOLD {
            eprintln!("{}: the {TOLD} slowest scenarios", T::NAME);
            for (time, name) in times.iter().take(TOLD) {
                eprintln!("{:>7.1} s  {name}", time.as_secs_f64());
            }
        }
    }

    async fn clear(&self) {
        if keep() {
            eprintln!("{}: kept, as COMMONSCLOUD_KEEP=1 says", T::NAME);
        } else {
            end::<T>().await;
        }
    }
}

/// Takes the tier down, and the programs of this run with it.
async fn end<T: Tier>() {
    match T::take_down().await {
        Ok(()) => Programs::forget(),
        Err(failure) => eprintln!("{}: {failure}", T::NAME),
    }
}

fn keep() -> bool {
    std::env::var("COMMONSCLOUD_KEEP").is_ok_and(|keep| keep == "1")
}

/// Takes the tier down before this process obeys SIGTERM, SIGINT or SIGHUP.
async fn end_on_signal<T: Tier>() {
    let (Ok(mut term), Ok(mut interrupt), Ok(mut hangup)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::hangup()))
    else {
        return;
    };
    let number = tokio::select! {
        _ = term.recv() => 15,
        _ = interrupt.recv() => 2,
        _ = hangup.recv() => 1,
    };
    if !keep()
        && let Err(failure) = T::take_down().await
    {
        eprintln!("{}: {failure}", T::NAME);
    }
    std::process::exit(128 + number);
}
