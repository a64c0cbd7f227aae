//! One request to one kubelet.

use std::collections::HashMap;
use std::time::Duration;

use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONNECTION, HOST};
use hyper::{Request, StatusCode};
use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::ServerName;

use super::account::{Account, SERVICE_ACCOUNT};
use super::exposition::Reader;
use super::{Claim, Usage};
use crate::cache::Kubelet;
use crate::https::{ConnectionError, send};

/// How long a kubelet may take, to the end of its answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer that is read, in bytes.
const LONGEST: usize = 64 << 20;

/// Why a kubelet told nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum KubeletError {
    #[error("{0}; kubelets' certificates are signed by the cluster's authority with serverTLSBootstrap")]
    Certificate(ConnectionError),
    #[error(transparent)]
    Connection(ConnectionError),
    #[error("it refuses ({0}): service account {SERVICE_ACCOUNT} needs get on nodes/metrics")]
    Refused(StatusCode),
    #[error("it answers {0}")]
    Status(StatusCode),
    #[error("its answer broke off")]
    BrokenOff,
    #[error("its answer is longer than {} MiB", LONGEST >> 20)]
    TooLong,
    #[error("no answer within {} seconds", PATIENCE.as_secs())]
    Slow,
}

/// Asks a kubelet for its volumes.
pub(super) async fn ask(kubelet: &Kubelet, account: &Account) -> Result<HashMap<Claim, Usage>, KubeletError> {
    timeout(PATIENCE, read(kubelet, account)).await.map_err(|_| KubeletError::Slow)?
}

async fn read(kubelet: &Kubelet, account: &Account) -> Result<HashMap<Claim, Usage>, KubeletError> {
    let request = Request::get("/metrics")
        .header(HOST, kubelet.address.to_string())
        .header(AUTHORIZATION, &account.bearer)
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|error| KubeletError::Connection(ConnectionError::Http(error.to_string())))?;
    let name = ServerName::from(kubelet.address.ip());
    let mut exchange =
        send(kubelet.address, name, account.roots.clone(), request).await.map_err(|error| match error {
            ConnectionError::Tls(_) => KubeletError::Certificate(error),
            error => KubeletError::Connection(error),
        })?;
    match exchange.response.status() {
        StatusCode::OK => {}
        status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => return Err(KubeletError::Refused(status)),
        status => return Err(KubeletError::Status(status)),
    }
    let (mut reader, mut length) = (Reader::default(), 0);
    while let Some(frame) = exchange.response.body_mut().frame().await {
        let Ok(piece) = frame.map_err(|_| KubeletError::BrokenOff)?.into_data() else { continue };
        length += piece.len();
        if length > LONGEST {
            return Err(KubeletError::TooLong);
        }
        reader.read(&piece);
    }
    Ok(reader.finish())
}
