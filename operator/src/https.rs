//! One GET over TLS to an address of choice, with the right name in the handshake.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::body::Bytes;
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// The longest request.
const REQUEST: Duration = Duration::from_secs(10);
/// The largest body that is read.
const BODY: usize = 32 << 20;

/// A GET request.
#[derive(Clone, Debug)]
pub struct Get<'a> {
    /// Where to connect.
    pub address: SocketAddr,
    /// The name that the certificate must hold and that is asked for.
    pub host: &'a str,
    /// Path and query.
    pub path: &'a str,
    /// A bearer token.
    pub token: Option<&'a str>,
    /// Whether the body is wanted.
    pub with_body: bool,
}

/// The answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body; empty unless asked for.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum GetError {
    /// No connection.
    #[error("no connection to {0}: {1}")]
    Connect(SocketAddr, std::io::Error),
    /// The certificate is not right, or there is no TLS.
    #[error("TLS: {0}")]
    Tls(std::io::Error),
    /// The HTTP exchange broke off.
    #[error("{0}")]
    Http(String),
    /// The name is none.
    #[error("{0:?} is no host name")]
    Name(String),
    /// It took too long.
    #[error("no answer within {} s", REQUEST.as_secs())]
    Late,
}

/// The certificates in a PEM text.
///
/// # Errors
/// When there is none, or one that cannot be read.
pub fn certificates(pem: &str) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|error| format!("no PEM certificate: {error}"))?;
        store.add(certificate).map_err(|error| format!("no certificate of an authority: {error}"))?;
    }
    if store.is_empty() { Err("holds no PEM certificate".to_owned()) } else { Ok(store) }
}

/// The public authorities.
pub fn public_authorities() -> RootCertStore {
    RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }
}

/// A connector that trusts these authorities.
///
/// # Errors
/// When the TLS library cannot be set up.
pub fn connector(authorities: RootCertStore) -> Result<TlsConnector, String> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(|error| error.to_string())?;
    Ok(TlsConnector::from(Arc::new(builder.with_root_certificates(authorities).with_no_client_auth())))
}

/// Sends one request and reads the answer.
///
/// # Errors
/// Typed by how far it came.
pub async fn get(connector: &TlsConnector, request: &Get<'_>) -> Result<Answer, GetError> {
    tokio::time::timeout(REQUEST, exchange(connector, request)).await.map_err(|_| GetError::Late)?
}

async fn exchange(connector: &TlsConnector, get: &Get<'_>) -> Result<Answer, GetError> {
    let name = ServerName::try_from(get.host.to_owned()).map_err(|_| GetError::Name(get.host.to_owned()))?;
    let stream = TcpStream::connect(get.address).await.map_err(|error| GetError::Connect(get.address, error))?;
    let stream = connector.connect(name, stream).await.map_err(GetError::Tls)?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    // Ends by itself once the sender is dropped.
    let connection = tokio::spawn(connection);
    let mut request = Request::get(get.path).header(header::HOST, get.host).header(header::USER_AGENT, "commonscloud-operator");
    if let Some(token) = get.token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let request = request.body(Empty::<Bytes>::new()).map_err(|error| GetError::Http(error.to_string()))?;
    let response = sender.send_request(request).await.map_err(broken)?;
    let status = response.status().as_u16();
    let body = if get.with_body {
        let body = Limited::new(response.into_body(), BODY).collect().await.map_err(|error| GetError::Http(error.to_string()))?;
        body.to_bytes().to_vec()
    } else {
        Vec::new()
    };
    connection.abort();
    Ok(Answer { status, body })
}

fn broken(error: hyper::Error) -> GetError {
    GetError::Http(error.to_string())
}
