//! Starts the processes of a plan in order, starts again what ends, and reports.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpStream, UnixStream};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::plan::{self, Plan, Process, ProcessReport, Ready, Report};
use super::state::{self, StateError};

/// Pause before a process that ended is started again; doubled each time up to the second figure.
const PAUSE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// How often readiness is asked for.
const ASK: Duration = Duration::from_millis(50);
/// How long one question may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// The shared report, written to disk at every change.
#[derive(Clone)]
struct Reporter {
    report: Arc<Mutex<Report>>,
    path: PathBuf,
}

impl Reporter {
    fn update(&self, name: &str, change: impl FnOnce(&mut ProcessReport)) {
        let mut report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(process) = report.processes.iter_mut().find(|process| process.name == name) {
            change(process);
        }
        if let Err(error) = state::write_whole(&self.path, &*report) {
            tracing::warn!(%error, "the report cannot be written");
        }
    }
}

/// Where the report of the cluster in `folder` is.
pub(super) fn report_path(folder: &Path) -> PathBuf {
    folder.join("report.json")
}

/// Carries out the plan; comes to no end by itself.
///
/// # Errors
/// When the folder of the logs or the report cannot be written.
pub(super) async fn run(plan: Plan) -> Result<(), StateError> {
    let logs = plan.folder.join("logs");
    std::fs::create_dir_all(&logs).map_err(StateError::file(&logs))?;
    let processes = plan.processes.iter();
    let report = Report {
        processes: processes
            .map(|process| ProcessReport { name: process.name.clone(), ..Default::default() })
            .collect(),
    };
    let path = report_path(&plan.folder);
    state::write_whole(&path, &report)?;
    let reporter = Reporter { report: Arc::new(Mutex::new(report)), path };
    let (ready, _) = watch::channel(Vec::<String>::new());
    let lives = plan
        .processes
        .into_iter()
        .map(|process| live(process, plan.folder.clone(), plan.node.is_none(), ready.clone(), reporter.clone()));
    futures::future::join_all(lives).await;
    Ok(())
}

async fn live(process: Process, folder: PathBuf, tie: bool, ready: watch::Sender<Vec<String>>, reporter: Reporter) {
    let mut others = ready.subscribe();
    let awaited = |list: &Vec<String>| process.after.iter().all(|name| list.contains(name));
    if others.wait_for(awaited).await.is_err() {
        return;
    }
    let mut pause = PAUSE.0;
    loop {
        let began = std::time::Instant::now();
        let ended = match start(&process, &folder, tie) {
            Ok(mut child) => {
                reporter.update(&process.name, |report| report.pid = child.id());
                until_exit(&process, &mut child, &ready, &reporter).await
            }
            Err(error) => format!("{}: {error}", process.program.display()),
        };
        tracing::warn!(process = process.name, ended, "ended");
        reporter.update(&process.name, |report| {
            report.pid = None;
            report.ready = false;
            report.restarts += 1;
            report.last_exit = Some(ended);
        });
        pause = if began.elapsed() > PAUSE.1 * 4 { PAUSE.0 } else { (pause * 2).min(PAUSE.1) };
        tokio::time::sleep(pause).await;
    }
}

/// Waits for the process to end, and on the way tells the others when it becomes ready.
async fn until_exit(
    process: &Process,
    child: &mut Child,
    ready: &watch::Sender<Vec<String>>,
    reporter: &Reporter,
) -> String {
    let announce = async {
        while !is_ready(&process.ready).await {
            tokio::time::sleep(ASK).await;
        }
        reporter.update(&process.name, |report| report.ready = true);
        ready.send_modify(|list| {
            if !list.contains(&process.name) {
                list.push(process.name.clone());
            }
        });
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = announce => String::new(),
        status = child.wait() => status.map_or_else(|error| error.to_string(), |status| status.to_string()),
    }
}

fn start(process: &Process, folder: &Path, tie: bool) -> std::io::Result<Child> {
    let path = plan::log(folder, &process.name);
    let log = File::options().create(true).append(true).open(path)?;
    let mut command = if tie {
        // Without a pid namespace, a child must not outlive a supervisor that was killed.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(&process.program);
        command
    } else {
        Command::new(&process.program)
    };
    command
        .args(&process.arguments)
        .envs(process.environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
}

async fn is_ready(check: &Ready) -> bool {
    let asked = async {
        match check {
            Ready::Started => true,
            Ready::Port(address) => TcpStream::connect(address).await.is_ok(),
            Ready::Socket(path) => UnixStream::connect(path).await.is_ok(),
            Ready::ApiServer(kubeconfig) => api_server_is_ready(kubeconfig).await,
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.unwrap_or(false)
}

async fn api_server_is_ready(kubeconfig: &Path) -> bool {
    let Ok(client) = super::client(kubeconfig).await else { return false };
    super::is_live(&client).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(name: &str, script: &str) -> Process {
        Process::new(name, "/bin/sh").argument("-c").argument(script)
    }

    async fn report_until(folder: &Path, met: impl Fn(&Report) -> bool) -> Report {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        loop {
            let text = std::fs::read(report_path(folder)).unwrap_or_default();
            if let Some(report) = serde_json::from_slice::<Report>(&text).ok().filter(&met) {
                return report;
            }
            assert!(tokio::time::Instant::now() < deadline, "{}", String::from_utf8_lossy(&text));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    #[tokio::test]
    async fn a_process_waits_for_the_one_it_needs_and_is_started_again_when_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let mark = path.join("first.sock");
        // The second process fails unless the first one's socket is there.
        let first = shell("first", "sleep 600").ready(Ready::Socket(mark.clone()));
        let second = shell("second", &format!("test -S {}; echo seen $?; exit 7", mark.display())).after("first");
        let plan = Plan { folder: path.to_path_buf(), node: None, processes: vec![first, second] };
        let run = tokio::spawn(run(plan));
        let before = report_until(path, |report| report.processes[0].pid.is_some()).await;
        assert_eq!(before.processes[1], ProcessReport { name: "second".to_owned(), ..Default::default() });
        let _listener = tokio::net::UnixListener::bind(&mark).unwrap();
        let after = report_until(path, |report| report.processes[1].restarts >= 2).await;
        assert!(after.processes[1].last_exit.as_deref().unwrap().contains('7'));
        let log = std::fs::read_to_string(plan::log(path, "second")).unwrap();
        assert!(log.starts_with("seen 0\nseen 0\n"), "{log}");
        run.abort();
    }
}
