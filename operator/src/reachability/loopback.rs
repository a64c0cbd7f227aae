//! An HTTPS server on loopback, with an authority of its own.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, HOST, LOCATION};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

/// Signs certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Its certificate.
    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    fn acceptor(&self, params: &CertificateParams) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivatePkcs8KeyDer::from(key.serialize_der()).into())
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}

/// What a server answers.
#[derive(Clone, Default)]
pub(crate) struct Behaviour {
    /// The status; none: it never answers.
    pub(crate) status: Option<u16>,
    /// The body.
    pub(crate) body: String,
    /// The bearer token that it wants; another one is answered with 401.
    pub(crate) token: Option<String>,
    /// What it answers, with which status, to a request whose method and path begin so. Of several that fit, the first
    /// is given once.
    pub(crate) answers: Vec<(String, u16, String)>,
}

impl Behaviour {
    pub(crate) fn status(status: u16) -> Self {
        Self { status: Some(status), ..Self::default() }
    }

    pub(crate) fn never() -> Self {
        Self::default()
    }

    fn answer_to(&mut self, asked: &str) -> Option<(u16, String)> {
        let fitting = self.answers.iter().enumerate().filter(|(_, (front, ..))| asked.starts_with(front));
        let fitting: Vec<usize> = fitting.map(|(index, _)| index).collect();
        let (_, status, body) = match fitting.as_slice() {
            [] => return None,
            [last] => self.answers[*last].clone(),
            [first, ..] => self.answers.remove(*first),
        };
        Some((status, body))
    }
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) server_name: Option<String>,
    pub(crate) host: String,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) body: String,
}

/// A server; it ends with this.
pub(crate) struct Server {
    address: SocketAddr,
    seen: Notes,
    behaviour: Arc<Mutex<Behaviour>>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Serves with a certificate for these names or addresses.
    pub(crate) async fn start(authority: &Authority, names: &[&str], behaviour: Behaviour) -> Self {
        Self::serve(Some(authority.acceptor(&params(names))), behaviour).await
    }

    /// Serves with a certificate that has expired.
    pub(crate) async fn start_expired(authority: &Authority, names: &[&str]) -> Self {
        let mut params = params(names);
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
        Self::serve(Some(authority.acceptor(&params)), Behaviour::status(200)).await
    }

    /// Serves without TLS.
    pub(crate) async fn start_plain(behaviour: Behaviour) -> Self {
        Self::serve(None, behaviour).await
    }

    async fn serve(acceptor: Option<TlsAcceptor>, behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, behaviour) = (Notes::default(), Arc::new(Mutex::new(behaviour)));
        let (notes, rule) = (seen.clone(), behaviour.clone());
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(handle(stream, acceptor.clone(), notes.clone(), rule.clone()));
            }
        });
        Self { address, seen, behaviour, task }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn requests(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn now_answers(&self, behaviour: Behaviour) {
        *self.behaviour.lock().unwrap() = behaviour;
    }
}

fn params(names: &[&str]) -> CertificateParams {
    CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap()
}

type Notes = Arc<Mutex<Vec<Seen>>>;

async fn handle(stream: TcpStream, acceptor: Option<TlsAcceptor>, notes: Notes, rule: Arc<Mutex<Behaviour>>) {
    let Some(acceptor) = acceptor else {
        let service = service_fn(|request| answer(request, None, notes.clone(), rule.clone()));
        let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        return;
    };
    // A client that refuses the certificate ends here.
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let name = stream.get_ref().1.server_name().map(str::to_owned);
    let service = service_fn(|request| answer(request, name.clone(), notes.clone(), rule.clone()));
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(
    request: Request<Incoming>,
    server_name: Option<String>,
    notes: Notes,
    rule: Arc<Mutex<Behaviour>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let header = |name| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let (host, authorization) = (header(HOST).unwrap_or_default(), header(AUTHORIZATION));
    let (method, path) = (request.method().to_string(), request.uri().to_string());
    let asked = format!("{method} {path}");
    let body = String::from_utf8(request.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap();
    notes.lock().unwrap().push(Seen { server_name, host, method, path, body });
    let (behaviour, answer) = {
        let mut rule = rule.lock().unwrap();
        let answer = rule.answer_to(&asked);
        (rule.clone(), answer)
    };
    let Some(mut status) = behaviour.status else { return std::future::pending().await };
    let mut body = behaviour.body;
    if let Some((scripted, text)) = answer {
        (status, body) = (scripted, text);
    }
    if behaviour.token.is_some_and(|token| authorization != Some(format!("Bearer {token}"))) {
        status = 401;
    }
    let response =
        Response::builder().status(status).header(LOCATION, "/elsewhere").header("content-type", "application/json");
    Ok(response.body(Full::new(Bytes::from(body))).unwrap())
}
