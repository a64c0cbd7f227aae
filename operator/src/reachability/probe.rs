//! One question to one service.

use std::time::Duration;

use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, CONNECTION, HOST, USER_AGENT};
use hyper::{Request, StatusCode};
use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::ServerName;

use super::{Place, Target};
use crate::https::{ConnectionError, authorities, public_authorities, send};

/// How long a service may take, from the connection to the head of its answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How the operator calls itself towards services.
const AGENT: &str = concat!("commonscloud-operator/", env!("CARGO_PKG_VERSION"));

/// What was asked, and why the answer is not the one that was hoped for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("GET {url} at {address}: {problem}")]
pub(super) struct Failure {
    url: String,
    address: Place,
    problem: Problem,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Problem {
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    #[error("{0} leads to no address")]
    Unresolved(String),
    #[error("answered {answered}, expected {}", listed(.expected))]
    Status { answered: StatusCode, expected: Vec<u16> },
    #[error("no answer within {} seconds", PATIENCE.as_secs())]
    Slow,
    #[error("this is no address of a page")]
    Malformed,
}

fn listed(statuses: &[u16]) -> String {
    statuses.iter().map(u16::to_string).collect::<Vec<_>>().join(" or ")
}

/// Asks once.
pub(super) async fn ask(target: &Target, port: u16) -> Result<(), Failure> {
    let url = format!("https://{}{}", target.url_host, target.path);
    let failed = |problem| Failure { url: url.clone(), address: target.address.clone(), problem };
    let status = timeout(PATIENCE, status(target, port)).await.map_err(|_| failed(Problem::Slow))?.map_err(failed)?;
    if target.statuses.contains(&status.as_u16()) {
        return Ok(());
    }
    Err(failed(Problem::Status { answered: status, expected: target.statuses.clone() }))
}

async fn status(target: &Target, port: u16) -> Result<StatusCode, Problem> {
    let found = target.address.resolve(port).await;
    let address = found.ok_or_else(|| Problem::Unresolved(target.address.to_string()))?;
    let host = target.url_host.as_str();
    let roots = match &target.ca_bundle {
        Some(pem) => authorities(pem)?,
        None => public_authorities(),
    };
    let name = ServerName::try_from(host.to_owned()).map_err(|_| Problem::Malformed)?;
    let request = Request::get(target.path.as_str())
        .header(HOST, host)
        .header(USER_AGENT, AGENT)
        .header(ACCEPT, "*/*")
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|_| Problem::Malformed)?;
    Ok(send(address, name, roots, request).await?.response.status())
}

#[cfg(test)]
mod tests {
    use test_case::test_case;
    use tokio::net::TcpListener;

    use super::super::loopback::{Authority, Behaviour, Server};
    use super::*;

    const HOST_NAME: &str = "office.example.org";

    fn target(authority: &Authority) -> Target {
        Target {
            url_host: HOST_NAME.parse().unwrap(),
            address: "127.0.0.1".into(),
            path: "/status.php?full=1".to_owned(),
            statuses: vec![200, 401],
            ca_bundle: Some(authority.pem()),
        }
    }

    async fn reason(target: &Target, port: u16) -> String {
        let text = ask(target, port).await.unwrap_err().to_string();
        let front = format!("GET https://{HOST_NAME}/status.php?full=1 at 127.0.0.1: ");
        text.strip_prefix(&front).unwrap_or_else(|| panic!("{text}")).to_owned()
    }

    #[tokio::test]
    async fn a_service_that_works_is_asked_by_its_host_name_and_path() {
        let authority = Authority::new();
        let server = Server::start(&authority, &[HOST_NAME], Behaviour::status(200)).await;
        ask(&target(&authority), server.port()).await.unwrap();
        let seen = server.requests();
        assert_eq!(seen.len(), 1, "{seen:?}");
        assert_eq!((seen[0].server_name.as_deref(), seen[0].host.as_str()), (Some(HOST_NAME), HOST_NAME));
        assert_eq!(seen[0].path, "/status.php?full=1");
    }

    #[test_case(401, None)]
    #[test_case(503, Some("answered 503 Service Unavailable, expected 200 or 401"))]
    #[test_case(404, Some("answered 404 Not Found, expected 200 or 401"))]
    #[test_case(302, Some("answered 302 Found, expected 200 or 401"))]
    #[tokio::test]
    async fn only_the_statuses_that_were_named_are_good(status: u16, problem: Option<&str>) {
        let authority = Authority::new();
        let server = Server::start(&authority, &[HOST_NAME], Behaviour::status(status)).await;
        match problem {
            None => ask(&target(&authority), server.port()).await.unwrap(),
            Some(problem) => assert_eq!(reason(&target(&authority), server.port()).await, problem),
        }
        assert_eq!(server.requests().len(), 1, "a redirect is not followed");
    }

    #[tokio::test]
    async fn a_certificate_for_another_name_is_refused_with_its_name() {
        let authority = Authority::new();
        let server = Server::start(&authority, &["other.example.org"], Behaviour::status(200)).await;
        let reason = reason(&target(&authority), server.port()).await;
        assert!(
            reason.starts_with("the certificate is for another name") && reason.contains("other.example.org"),
            "{reason}"
        );
        assert!(server.requests().is_empty());
    }

    #[test_case(true; "another private one")]
    #[test_case(false; "the public ones")]
    #[tokio::test]
    async fn a_certificate_of_an_authority_that_is_not_trusted_is_refused(private: bool) {
        let server = Server::start(&Authority::new(), &[HOST_NAME], Behaviour::status(200)).await;
        let mut target = target(&Authority::new());
        if !private {
            target.ca_bundle = None;
        }
        assert_eq!(
            reason(&target, server.port()).await,
            "the certificate is signed by an authority that is not trusted"
        );
    }

    #[tokio::test]
    async fn an_expired_certificate_is_refused_in_words_that_do_not_change() {
        let authority = Authority::new();
        let server = Server::start_expired(&authority, &[HOST_NAME]).await;
        assert_eq!(reason(&target(&authority), server.port()).await, "the certificate has expired");
    }

    #[tokio::test]
    async fn a_closed_port_is_a_reason() {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        assert_eq!(reason(&target(&Authority::new()), free).await, "no connection: connection refused");
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_never_answers_is_given_up_after_five_seconds() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let began = tokio::time::Instant::now();
        let port = listener.local_addr().unwrap().port();
        assert_eq!(reason(&target(&Authority::new()), port).await, "no answer within 5 seconds");
        assert_eq!(began.elapsed().as_secs(), PATIENCE.as_secs());
    }

    #[tokio::test]
    async fn a_slow_server_is_given_up_after_five_seconds() {
        let authority = Authority::new();
        let server = Server::start(&authority, &[HOST_NAME], Behaviour::never()).await;
        let target = target(&authority);
        let asked = tokio::time::timeout(Duration::from_secs(20), reason(&target, server.port())).await;
        assert_eq!(asked.unwrap(), "no answer within 5 seconds");
        assert_eq!(server.requests().len(), 1);
    }

    #[tokio::test]
    async fn a_server_that_hangs_up_or_does_not_speak_tls_is_a_reason() {
        let authority = Authority::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let plain = tokio::spawn(async move {
            for words in [&b""[..], b"HTTP/1.1 400 Bad Request\r\n\r\n"] {
                let (mut stream, _) = listener.accept().await.unwrap();
                tokio::io::AsyncWriteExt::write_all(&mut stream, words).await.unwrap();
                // What was sent is read before the end, or the end would be a reset.
                tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 4096]).await.unwrap();
            }
        });
        let target = target(&authority);
        assert!(reason(&target, port).await.starts_with("the TLS handshake broke off"));
        assert_eq!(reason(&target, port).await, "what answers does not speak TLS");
        plain.await.unwrap();
    }

    #[test_case("", "the authority's PEM text holds no certificate")]
    #[test_case(
        "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n",
        "the authority's PEM text holds a damaged certificate"
    )]
    #[tokio::test]
    async fn a_bundle_without_a_certificate_is_a_reason(pem: &str, problem: &str) {
        let target = Target { ca_bundle: Some(pem.to_owned()), ..target(&Authority::new()) };
        assert_eq!(reason(&target, 1).await, problem);
    }
}
