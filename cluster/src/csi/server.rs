//! The driver's two sockets, from the first call to a clean end.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, Stream};
use tokio::net::{UnixListener, UnixStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tonic::transport::Server;

use super::Error;
use super::controller::ControllerService;
use super::driver::Driver;
use super::identity::IdentityService;
use super::node::NodeService;
use super::proto::registration::registration_server::RegistrationServer;
use super::proto::v1::controller_server::ControllerServer;
use super::proto::v1::identity_server::IdentityServer;
use super::proto::v1::node_server::NodeServer;
use super::registration::RegistrationService;

/// The longest path that the kernel takes as a socket's address, in bytes.
const LONGEST_PATH: usize = 107;
/// How long calls under way may go on after the signal to stop.
const GRACE: Duration = Duration::from_secs(20);

/// A socket that listens, and whose file goes with it.
#[derive(Debug)]
pub(crate) struct Socket {
    listener: UnixListener,
    file: SocketFile,
}

/// Removes the file when dropped, whatever ends the server.
#[derive(Debug)]
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::debug!(socket = %self.0.display(), %error, "the socket's file was gone already");
        }
    }
}

impl Socket {
    /// Listens on `path`: makes its directory, and replaces the socket that a killed driver left.
    pub(crate) async fn bind(path: &Path) -> Result<Self, Error> {
        let failed = |source: io::Error| Error::Socket { path: path.to_owned(), source };
        if path.as_os_str().len() > LONGEST_PATH {
            return Err(Error::SocketPath { path: path.to_owned(), longest: LONGEST_PATH });
        }
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory).map_err(failed)?;
        }
        remove_stale(path).await?;
        let listener = UnixListener::bind(path).map_err(failed)?;
        let file = SocketFile(path.to_owned());
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(failed)?;
        Ok(Self { listener, file })
    }

    /// The connections, and the file, which must live as long as they do.
    fn split(self) -> (impl Stream<Item = io::Result<UnixStream>>, SocketFile) {
        let connections = stream::unfold(self.listener, |listener| async {
            let connection = listener.accept().await.map(|(connection, _)| connection);
            Some((connection, listener))
        });
        (connections, self.file)
    }
}

async fn remove_stale(path: &Path) -> Result<(), Error> {
    let failed = |source: io::Error| Error::Socket { path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed(error)),
        Ok(file) if !file.file_type().is_socket() => Err(Error::NoSocket { path: path.to_owned() }),
        Ok(_) if UnixStream::connect(path).await.is_ok() => Err(Error::AlreadyServed { path: path.to_owned() }),
        Ok(_) => fs::remove_file(path).map_err(failed),
    }
}

/// Serves both sockets until SIGTERM or SIGINT, then ends the calls under way.
pub(crate) async fn serve(driver: Arc<Driver>, csi: Socket, registration: Socket) -> Result<(), Error> {
    let (stop, stopped) = watch::channel(false);
    let name = RegistrationService { name: driver.name.clone(), endpoint: csi.file.0.clone() };
    let (connections, _csi_file) = csi.split();
    let services = Server::builder()
        .add_service(IdentityServer::new(IdentityService(Arc::clone(&driver))))
        .add_service(ControllerServer::new(ControllerService(Arc::clone(&driver))))
        .add_service(NodeServer::new(NodeService(driver)))
        .serve_with_incoming_shutdown(connections, told(stopped.clone()));
    let (connections, registration_file) = registration.split();
    let registering = Server::builder()
        .add_service(RegistrationServer::new(name))
        .serve_with_incoming_shutdown(connections, told(stopped.clone()));
    let both = async { tokio::try_join!(services, registering).map(drop).map_err(Error::from) };
    let stopping = async {
        let asked = wait_for_signal().await;
        // Kubelet looks at the file: without it, it stops asking.
        drop(registration_file);
        let _ = stop.send(true);
        asked?;
        tokio::time::sleep(GRACE).await;
        Err(Error::StillBusy { seconds: GRACE.as_secs() })
    };
    tokio::select! {
        ended = both => ended,
        late = stopping => late,
    }
}

async fn told(mut stopped: watch::Receiver<bool>) {
    // A sender that is gone means the end as well.
    let _ = stopped.wait_for(|stop| *stop).await;
}

async fn wait_for_signal() -> Result<(), Error> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Signal)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Signal)?;
    tokio::select! {
        _ = terminate.recv() => tracing::info!("SIGTERM: ending the calls under way"),
        _ = interrupt.recv() => tracing::info!("SIGINT: ending the calls under way"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Socket;
    use crate::csi::Error;

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deep/csi.sock");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        // A plain listener leaves its file behind, as a killed driver does.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let live = Socket::bind(&path).await.unwrap();
        assert!(matches!(Socket::bind(&path).await, Err(Error::AlreadyServed { .. })));
        drop(live);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn what_is_no_socket_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        std::fs::write(&path, "precious").unwrap();
        assert!(matches!(Socket::bind(&path).await, Err(Error::NoSocket { .. })));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    }

    #[tokio::test]
    async fn a_path_too_long_for_the_kernel_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x".repeat(120));
        assert!(matches!(Socket::bind(&path).await, Err(Error::SocketPath { longest: 107, .. })));
    }
}
