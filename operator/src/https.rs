//! One HTTPS request on a connection of its own, with failures in words that do not vary.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{AlertDescription, CertificateError, ClientConfig, Error as TlsError, RootCertStore};

/// The most that an answer's head may take, in bytes.
const LARGEST_HEAD: usize = 64 * 1024;

/// Why there was no answer. The texts hold nothing that changes from one try to the next.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionError {
    /// No connection to the address.
    #[error("no connection: {0}")]
    Connect(io::ErrorKind),
    /// No agreement on TLS, or a certificate that is not right.
    #[error("{0}")]
    Tls(String),
    /// Something else than HTTP came back, or the connection ended before the answer.
    #[error("no HTTP answer: {0}")]
    Http(String),
    /// PEM text without a usable certificate.
    #[error("the authority's PEM text holds {0}")]
    Authority(&'static str),
}

/// An answer's head; its body can be read for as long as this lives.
pub struct Exchange {
    /// The answer.
    pub response: Response<Incoming>,
    /// Ends with this.
    _connection: JoinSet<()>,
}

/// The authorities in a PEM text.
///
/// # Errors
/// When there is none, or one cannot be used.
pub fn authorities(pem: &str) -> Result<RootCertStore, ConnectionError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|_| ConnectionError::Authority("a damaged certificate"))?;
        roots
            .add(certificate)
            .map_err(|_| ConnectionError::Authority("a certificate that cannot be trusted as it is"))?;
    }
    if roots.is_empty() { Err(ConnectionError::Authority("no certificate")) } else { Ok(roots) }
}

/// The public authorities, as browsers know them.
pub fn public_authorities() -> RootCertStore {
    RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }
}

/// Connects, checks the certificate for `name`, sends the request.
///
/// # Errors
/// Why there was no answer.
pub async fn send<B>(
    address: SocketAddr,
    name: ServerName<'static>,
    roots: RootCertStore,
    request: Request<B>,
) -> Result<Exchange, ConnectionError>
where
    B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    let stream = connect(address, name, roots).await?;
    let handshake = http1::Builder::new().max_buf_size(LARGEST_HEAD).handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = handshake.map_err(|error| http(&error))?;
    let mut task = JoinSet::new();
    // Its error is the request's or the body's as well.
    task.spawn(async move { connection.await.unwrap_or_default() });
    let response = sender.send_request(request).await.map_err(|error| http(&error))?;
    Ok(Exchange { response, _connection: task })
}

async fn connect(
    address: SocketAddr,
    name: ServerName<'static>,
    roots: RootCertStore,
) -> Result<TlsStream<TcpStream>, ConnectionError> {
    let versions =
        ClientConfig::builder_with_provider(Arc::new(ring::default_provider())).with_safe_default_protocol_versions();
    let mut config = versions.map_err(|error| tls(&error))?.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let stream = TcpStream::connect(address).await.map_err(|error| ConnectionError::Connect(error.kind()))?;
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|error| handshake_failed(&error))
}

fn handshake_failed(error: &io::Error) -> ConnectionError {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>()) {
        Some(error) => tls(error),
        None => ConnectionError::Tls(format!("the TLS handshake broke off: {}", error.kind())),
    }
}

fn tls(error: &TlsError) -> ConnectionError {
    ConnectionError::Tls(match error {
        TlsError::InvalidCertificate(problem) => certificate(problem),
        TlsError::AlertReceived(AlertDescription::UnrecognisedName) => {
            "nothing there has a certificate for this name".to_owned()
        }
        TlsError::InvalidMessage(_) => "what answers does not speak TLS".to_owned(),
        other => format!("the TLS handshake failed: {other}"),
    })
}

/// Without the times and numbers of the library's texts, which change at each try.
fn certificate(problem: &CertificateError) -> String {
    match problem {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "the certificate has expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the certificate is not valid yet".to_owned()
        }
        // A new authority of an old name is not trusted either: its signature does not fit.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "the certificate is signed by an authority that is not trusted".to_owned()
        }
        CertificateError::NotValidForName => "the certificate is for another name".to_owned(),
        CertificateError::NotValidForNameContext { presented, .. } => other_names(presented),
        other => format!("the certificate is not valid: {other}"),
    }
}

fn other_names(presented: &[String]) -> String {
    let names: Vec<&str> = presented.iter().take(3).map(String::as_str).collect();
    match names.as_slice() {
        [] => "the certificate is for no name at all".to_owned(),
        names => format!("the certificate is for another name: {}", names.join(", ")),
    }
}

fn http(error: &hyper::Error) -> ConnectionError {
    ConnectionError::Http(if error.is_parse() {
        "it is not HTTP".to_owned()
    } else if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
        "the connection ended".to_owned()
    } else {
        error.to_string()
    })
}
