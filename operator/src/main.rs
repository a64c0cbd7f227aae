//! The operator, as it runs in the cluster.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use commonscloud_operator::entity::ServiceAccount;
use commonscloud_operator::redact::Redacting;
use commonscloud_operator::release::{self, ReleaseError};
use commonscloud_operator::run::{Options, run};
use commonscloud_operator::{api, rbac};
use kube::Client;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Runs dedicated services for the entities of a cooperative cloud.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the operator.
    Run(RunArguments),
    /// Write the custom resource definitions, one file each.
    Crds {
        /// The folder to write to.
        folder: PathBuf,
    },
    /// Print the roles that the operator needs.
    Rbac,
    /// Apply the Platform and the Tariffs of a release, as soon as their kinds are served.
    Apply {
        /// A JSON list of them.
        file: PathBuf,
    },
    /// Print what stays when the release is uninstalled.
    Left,
    /// Tell whether an operator leads and the Platform is Ready.
    Check {
        /// The operator's own namespace.
        #[arg(long, env = "POD_NAMESPACE", default_value = "commonscloud-system")]
        namespace: String,
    },
}

#[derive(Args)]
struct RunArguments {
    /// The operator's own namespace: its Lease and the platform's Secrets are there.
    #[arg(long, env = "POD_NAMESPACE", default_value = "commonscloud-system")]
    namespace: String,
    /// The service account that it runs as; it is bound in each Entity's namespace.
    #[arg(long, env = "SERVICE_ACCOUNT", default_value = "commonscloud-operator")]
    service_account: String,
    /// A name that no other operator of this cluster has.
    #[arg(long, env = "POD_NAME")]
    identity: Option<String>,
    /// How the log is written.
    #[arg(long, value_enum, default_value = "json")]
    log_format: LogFormat,
    /// Where /healthz, /readyz and /metrics are served.
    #[arg(long, default_value = "0.0.0.0:8080")]
    listen: SocketAddr,
    /// The image of `commonscloud-backup`, for the Jobs of backups and restores.
    #[arg(long, env = "COMMONSCLOUD_BACKUP_IMAGE", default_value = concat!("docker.io/local/backup:", env!("CARGO_PKG_VERSION")))]
    backup_image: String,
    /// The image of rest-server, for targets of backups that are volumes of the cluster.
    #[arg(long, env = "COMMONSCLOUD_BACKUP_SERVER_IMAGE", default_value = "docker.io/restic/rest-server:0.14.0")]
    backup_server_image: String,
    /// How many resources are worked on at the same time.
    #[arg(long, default_value_t = 8)]
    concurrency: usize,
    /// Do not ask services for their page (on nodes where nothing really runs).
    #[arg(long)]
    no_reachability: bool,
    /// Do not ask kubelets how full volumes are (on nodes that are only simulated).
    #[arg(long)]
    no_usage: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogFormat {
    /// One JSON object per line.
    Json,
    /// Lines for people.
    Human,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Run(arguments) => start(arguments),
        Command::Crds { folder } => write_crds(&folder),
        Command::Rbac => print_roles(),
        Command::Apply { file } => apply(&file),
        // An uninstallation is never held up by what cannot be counted.
        Command::Left => with_client(async |client| {
            Ok(release::left(&client).await.unwrap_or_else(|error| format!("not counted: {error}")))
        }),
        Command::Check { namespace } => with_client(async |client| release::check(&client, &namespace).await),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            let _ = writeln!(std::io::stderr(), "error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn start(arguments: RunArguments) -> Result<(), String> {
    log(arguments.log_format);
    let identity = arguments.identity.unwrap_or_else(|| format!("{}-{}", hostname(), std::process::id()));
    let options = Options {
        account: ServiceAccount { namespace: arguments.namespace, name: arguments.service_account },
        identity,
        listen: arguments.listen,
        concurrency: arguments.concurrency,
        backup_image: arguments.backup_image,
        backup_server_image: arguments.backup_server_image,
        reachability: !arguments.no_reachability,
        usage: !arguments.no_usage,
    };
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    let stop = async {
        let (Ok(mut term), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
        else {
            return std::future::pending().await;
        };
        tokio::select! { _ = term.recv() => {}, _ = interrupt.recv() => {} }
        tracing::info!("asked to stop");
    };
    runtime.block_on(run(options, stop)).map_err(|error| error.to_string())
}

fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "operator".to_owned(), |name| name.trim().to_owned())
}

fn log(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,kube=warn"));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_writer(|| Redacting(std::io::stderr()));
    match format {
        LogFormat::Json => subscriber.json().init(),
        LogFormat::Human => subscriber.init(),
    }
}

fn write_crds(folder: &Path) -> Result<(), String> {
    std::fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    for file in api::crd_files().map_err(|error| error.to_string())? {
        let path = folder.join(&file.name);
        std::fs::write(&path, &file.text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

fn print_roles() -> Result<(), String> {
    print(&serde_yaml::to_string_multiple(&rbac::roles()).map_err(|error| error.to_string())?)
}

fn apply(file: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    with_client(async |client| release::apply(&client, &text).await)
}

/// Runs a hook of the chart, and prints what it says.
fn with_client(hook: impl AsyncFnOnce(Client) -> Result<String, ReleaseError>) -> Result<(), String> {
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    let said = runtime.block_on(async { hook(Client::try_default().await?).await });
    let said = said.map_err(|error| error.to_string())?;
    print(&format!("{said}\n"))
}

fn print(text: &str) -> Result<(), String> {
    std::io::stdout().lock().write_all(text.as_bytes()).map_err(|error| error.to_string())
}
