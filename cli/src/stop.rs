//! The end of a command that somebody asks to end: what is at work takes away first what it began.

use std::io::{self, Read};
use std::time::Duration;

use commonscloud_cluster::command::Failure;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{oneshot, watch};

/// How long what is at work has to end: restic takes its lock away.
const TO_END: Duration = Duration::from_secs(10);

/// Whether somebody asked this command to end.
#[derive(Clone, Debug)]
pub(crate) struct Stop(watch::Receiver<bool>);

impl Stop {
    /// The same as restic reads it.
    pub(crate) fn asked(&self) -> watch::Receiver<bool> {
        self.0.clone()
    }

    /// Turns ready when somebody asks.
    async fn comes(&self) {
        if self.asked().wait_for(|asked| *asked).await.is_err() {
            // Nobody can ask any more.
            std::future::pending::<()>().await;
        }
    }

    /// Waits for something that may be left where it is.
    ///
    /// # Errors
    /// Its own, or that somebody asked to end.
    pub(crate) async fn or<T>(&self, waited: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        tokio::select! {
            ended = waited => ended,
            () = self.comes() => Err("asked to end".into()),
        }
    }

    /// What is read until somebody asks.
    pub(crate) fn until<R>(&self, from: R) -> Until<R> {
        Until { stop: self.clone(), from }
    }
}

/// What is read until somebody asks to end.
pub(crate) struct Until<R> {
    stop: Stop,
    from: R,
}

impl<R: Read> Read for Until<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        if *self.stop.0.borrow() {
            return Err(io::Error::other("asked to end"));
        }
        self.from.read(bytes)
    }
}

/// Runs what only reads, and is left behind where nobody waits for it any more: the end of this program ends it.
///
/// # Errors
/// When there is no thread for it, or it panicked.
pub(crate) async fn in_thread<T: Send + 'static>(read: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    let (done, ended) = oneshot::channel();
    std::thread::Builder::new().name("reading".to_owned()).spawn(move || drop(done.send(read())))?;
    ended.await.map_err(|_| "reading was broken off".into())
}

/// Runs what writes in a thread that this program waits for, whoever else does: it reads by [`Stop::until`].
///
/// # Errors
/// When it panicked.
pub(crate) async fn to_its_end<T: Send + 'static>(write: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    Ok(tokio::task::spawn_blocking(write).await?)
}

/// Runs a command. Once somebody asks it to end (SIGINT, SIGTERM, or SIGHUP of a terminal that is closed), it has a while
/// to do so; asked again, it has not.
///
/// # Errors
/// Its own; what is `told`, when it was asked to end before it did.
pub(crate) async fn in_order(work: impl AsyncFnOnce(Stop) -> Result<(), Failure>, told: &str) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    ended_by(async || signals.next().await, work, told).await
}

/// Runs a command that may be left where it is, which it is once somebody asks: what it began goes with it.
///
/// # Errors
/// Its own; what is `told`, when it was asked to end before it did.
pub(crate) async fn at_once(work: impl Future<Output = Result<(), Failure>>, told: &str) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    tokio::select! {
        ended = work => ended,
        () = signals.next() => Err(told.into()),
    }
}

/// By which a command is asked to end. None of them ends it by itself.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// None below `nohup`: who asks for that wants it to go on.
    hangup: Option<Signal>,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        let is_ignored = std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores_hangup(&status));
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: if is_ignored { None } else { Some(signal(SignalKind::hangup())?) },
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            () = hung_up(&mut self.hangup) => {}
        }
    }
}

async fn hung_up(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            let _ = signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Whether a process ignores SIGHUP, by its `/proc/PID/status`.
fn ignores_hangup(status: &str) -> bool {
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

async fn ended_by(
    mut asks: impl AsyncFnMut(),
    work: impl AsyncFnOnce(Stop) -> Result<(), Failure>,
    told: &str,
) -> Result<(), Failure> {
    let (ask, asked) = watch::channel(false);
    let mut work = Box::pin(work(Stop(asked)));
    tokio::select! {
        ended = &mut work => return ended,
        () = asks() => {}
    }
    ask.send_replace(true);
    tokio::select! {
        ended = tokio::time::timeout(TO_END, &mut work) => match ended {
            Ok(Ok(())) => Ok(()),
            _ => Err(told.into()),
        },
        () = asks() => Err(told.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test]
    async fn what_reads_keeps_no_command_from_its_end() {
        let (ask, asked) = watch::channel(false);
        let stop = Stop(asked);
        let (held, never) = std::sync::mpsc::channel::<()>();
        let reading = stop.or(in_thread(move || never.recv().is_ok()));
        let (ended, _) = tokio::join!(reading, async { ask.send_replace(true) });
        assert!(ended.unwrap_err().to_string().contains("asked to end"));
        drop(held);
    }

    #[tokio::test]
    async fn what_writes_ends_where_it_reads() {
        let (ask, asked) = watch::channel(false);
        let mut from = Stop(asked).until(io::repeat(0));
        let writing = tokio::spawn(to_its_end(move || io::copy(&mut from, &mut io::sink()).is_err()));
        ask.send_replace(true);
        assert!(writing.await.unwrap().unwrap());
    }

    #[tokio::test]
    async fn what_was_begun_is_taken_away_before_the_end() {
        let is_gone = Cell::new(false);
        let work = async |stop: Stop| {
            stop.comes().await;
            tokio::task::yield_now().await;
            is_gone.set(true);
            Err::<(), Failure>("in its own words".into())
        };
        let mut times = 0;
        let asks = async || {
            times += 1;
            if times > 1 {
                std::future::pending::<()>().await;
            }
        };
        assert_eq!(ended_by(asks, work, "stopped").await.unwrap_err().to_string(), "stopped");
        assert!(is_gone.get());
    }

    /// Its handler stays for the whole process: no other test here raises the signal.
    #[tokio::test]
    async fn a_closed_terminal_asks_as_well() {
        let mut signals = Signals::listen().unwrap();
        if signals.hangup.is_none() {
            return;
        }
        let raised = std::process::Command::new("kill").args(["-HUP", &std::process::id().to_string()]).status();
        assert!(raised.unwrap().success());
        tokio::time::timeout(Duration::from_secs(10), signals.next()).await.unwrap();
    }

    #[test]
    fn what_was_told_to_ignore_a_closed_terminal_goes_on() {
        assert!(ignores_hangup("Name:\tcommonscloud\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000000002\n"));
        assert!(!ignores_hangup("SigIgn:\t0000000000001000\n") && !ignores_hangup(""));
    }

    #[tokio::test]
    async fn asked_twice_it_ends_at_once() {
        let work = async |_: Stop| std::future::pending::<Result<(), Failure>>().await;
        assert!(ended_by(async || {}, work, "stopped").await.is_err());
    }
}
