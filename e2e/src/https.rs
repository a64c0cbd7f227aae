//! HTTPS through the ingress, as a browser does it, with the cluster's own authority.

use std::convert::Infallible;
use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use commonscloud_operator::https;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Bytes, Frame};
use hyper::header::{HeaderMap, SET_COOKIE};
use hyper::{Request, StatusCode};
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::failure::{Failure, Outcome};

/// The way into the cluster from outside.
#[derive(Clone)]
pub struct Ingress {
    address: SocketAddr,
    roots: RootCertStore,
}

/// What a service answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: StatusCode,
    /// The whole body.
    pub body: Vec<u8>,
    /// The cookies that it set, each as `NAME=VALUE`.
    pub cookies: Vec<String>,
    /// Its head.
    pub headers: HeaderMap,
}

/// Who signs in.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The user's name.
    pub username: String,
    /// The password.
    pub password: String,
}

impl Credentials {
    fn basic(&self) -> String {
        format!("Basic {}", STANDARD.encode(format!("{}:{}", self.username, self.password)))
    }
}

/// A page that takes longer has failed.
const LIMIT: Duration = Duration::from_mins(1);

impl Ingress {
    /// The ingress at an address, trusted by the authority in a PEM file and no other.
    ///
    /// # Errors
    /// When the file holds no certificate.
    pub fn new(address: IpAddr, authority: &Path) -> Outcome<Self> {
        Ok(Self { address: (address, 443).into(), roots: https::authorities(&std::fs::read_to_string(authority)?)? })
    }

    /// The same services by another way in.
    #[must_use]
    pub fn at(&self, address: SocketAddr) -> Self {
        Self { address, roots: self.roots.clone() }
    }

    /// One request to `https://HOST/PATH`; redirections are not followed.
    ///
    /// # Errors
    /// When there is no connection, no valid certificate for `host`, or no answer within a minute.
    pub async fn send(
        &self,
        method: &str,
        host: &str,
        path: &str,
        credentials: Option<&Credentials>,
        body: Vec<u8>,
    ) -> Outcome<Answer> {
        let basic = credentials.map(Credentials::basic);
        let headers: Vec<(&str, &str)> = basic.iter().map(|value| ("authorization", value.as_str())).collect();
        self.send_with(method, host, path, &headers, body).await
    }

    /// One request with these headers besides `Host`.
    ///
    /// # Errors
    /// As [`Ingress::send`].
    pub async fn send_with(
        &self,
        method: &str,
        host: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Outcome<Answer> {
        let exchange = self.exchange(method, host, path, headers, Full::new(Bytes::from(body)));
        let ended = tokio::time::timeout(LIMIT, exchange).await;
        ended
            .unwrap_or_else(|_| Err(Failure::new("no answer within a minute")))
            .map_err(|failure| failure.during(&format!("{method} https://{host}{path}")))
    }

    /// A form that is to be taken, and what is answered.
    ///
    /// # Errors
    /// Any other answer than 2xx, with the begin of its body.
    pub async fn post_form(&self, host: &str, path: &str, fields: &[(&str, &str)]) -> Outcome<Vec<u8>> {
        let answer = self.send_with("POST", host, path, &[FORM], form(fields)).await?;
        answer.successful(&format!("POST https://{host}{path}"))
    }

    /// A PUT of so many zeros; it may take as long as it takes.
    ///
    /// # Errors
    /// When the connection breaks, or there is no answer.
    pub async fn upload(&self, host: &str, path: &str, credentials: &Credentials, zeros: Zeros) -> Outcome<Answer> {
        let (basic, length) = (credentials.basic(), zeros.left.to_string());
        let headers = [("authorization", basic.as_str()), ("content-length", length.as_str())];
        let ended = self.exchange("PUT", host, path, &headers, zeros).await;
        ended.map_err(|failure| failure.during(&format!("PUT https://{host}{path}")))
    }

    async fn exchange<B>(
        &self,
        method: &str,
        host: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: B,
    ) -> Outcome<Answer>
    where
        B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
    {
        let mut request = Request::builder().method(method).uri(path).header("host", host);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body)?;
        let name = ServerName::try_from(host.to_owned())?;
        let mut exchange = https::send(self.address, name, self.roots.clone(), request).await?;
        let status = exchange.response.status();
        let headers = exchange.response.headers().clone();
        let body = exchange.response.body_mut().collect().await?.to_bytes().to_vec();
        Ok(Answer { status, body, cookies: cookies(&headers), headers })
    }

    /// A page that is to be there.
    ///
    /// # Errors
    /// Any other answer than 2xx, with the begin of its body.
    pub async fn get(&self, host: &str, path: &str, credentials: Option<&Credentials>) -> Outcome<Vec<u8>> {
        self.send("GET", host, path, credentials, Vec::new()).await?.successful(&format!("GET https://{host}{path}"))
    }

    /// An upload that is to be taken.
    ///
    /// # Errors
    /// Any other answer than 2xx, with the begin of its body.
    pub async fn put(&self, host: &str, path: &str, credentials: &Credentials, body: Vec<u8>) -> Outcome {
        let answer = self.send("PUT", host, path, Some(credentials), body).await?;
        answer.successful(&format!("PUT https://{host}{path}")).map(drop)
    }
}

/// A body of zeros, as fast as the connection takes it or as a slow line gives it.
pub struct Zeros {
    left: u64,
    piece: usize,
    pace: Option<tokio::time::Interval>,
}

impl Zeros {
    /// So many bytes at once.
    pub fn fast(bytes: u64) -> Self {
        Self { left: bytes, piece: 1 << 20, pace: None }
    }

    /// So many bytes, at so many a second: a tenth of these each tenth of a second.
    pub fn slow(bytes: u64, per_second: usize) -> Self {
        let mut pace = tokio::time::interval(Duration::from_millis(100));
        pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        Self { left: bytes, piece: per_second / 10, pace: Some(pace) }
    }
}

impl Body for Zeros {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        static ZEROS: [u8; 1 << 20] = [0; 1 << 20];
        if self.left == 0 {
            return Poll::Ready(None);
        }
        if let Some(pace) = &mut self.pace
            && pace.poll_tick(context).is_pending()
        {
            return Poll::Pending;
        }
        let length = usize::try_from(self.left).map_or(self.piece, |left| left.min(self.piece));
        let piece = Bytes::from_static(ZEROS.get(..length).unwrap_or(&ZEROS));
        self.left -= piece.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }
}

/// The header of a [`form`].
pub const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// Fields as a browser sends them.
pub fn form(fields: &[(&str, &str)]) -> Vec<u8> {
    let pair = |(name, value): &(&str, &str)| format!("{}={}", percent_encoded(name), percent_encoded(value));
    fields.iter().map(pair).collect::<Vec<_>>().join("&").into_bytes()
}

/// What is set, without what a browser is told about it.
fn cookies(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
    values.filter_map(|value| value.split(';').next()).map(|pair| pair.trim().to_owned()).collect()
}

/// All but letters and digits as `%XX`.
fn percent_encoded(text: &str) -> String {
    let encoded = text.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    });
    encoded.collect()
}

impl Answer {
    /// Its body.
    ///
    /// # Errors
    /// Any other answer than 2xx, with the begin of its body.
    pub fn successful(self, what: &str) -> Outcome<Vec<u8>> {
        if self.status.is_success() {
            return Ok(self.body);
        }
        let text = String::from_utf8_lossy(&self.body).chars().take(300).collect::<String>();
        Err(Failure::new(format!("{what}: {} {text}", self.status)))
    }
}
