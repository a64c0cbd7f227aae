//! Fetches a page through the ingress over TLS, as a browser that trusts the demo's authority.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use commonscloud_operator::https;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Bytes;
use hyper::{Request, Response};
use tokio_rustls::rustls::RootCertStore;
use tokio_rustls::rustls::pki_types::ServerName;

const PATIENCE: Duration = Duration::from_secs(30);
/// The most redirections that are followed.
const REDIRECTIONS: usize = 5;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A page that was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Page {
    /// The HTTP status.
    pub(super) status: u16,
    /// What stands in its `<title>`.
    pub(super) title: String,
}

/// That authority, and no other.
pub(super) fn trust(authority: &Path) -> Result<RootCertStore, Failure> {
    Ok(https::authorities(&std::fs::read_to_string(authority)?)?)
}

/// Fetches `url` from the ingress at `address`, whatever DNS says, following redirections on the
/// same host.
pub(super) async fn fetch(roots: &RootCertStore, address: IpAddr, url: &str) -> Result<Page, Failure> {
    let rest = url.strip_prefix("https://").ok_or_else(|| format!("{url}: not an https address"))?;
    let (host, path) =
        rest.split_once('/').map_or((rest, String::from("/")), |(host, path)| (host, format!("/{path}")));
    tokio::time::timeout(PATIENCE, follow(roots, address, host, path)).await.map_err(|_| format!("{url}: no answer"))?
}

async fn follow(roots: &RootCertStore, address: IpAddr, host: &str, mut path: String) -> Result<Page, Failure> {
    for _ in 0..REDIRECTIONS {
        let response = get(roots, address, host, &path).await?;
        let status = response.status();
        let location = response.headers().get("location").and_then(|value| value.to_str().ok()).map(str::to_owned);
        if let (true, Some(location)) = (status.is_redirection(), location) {
            path = path_on(host, &path, &location).ok_or_else(|| format!("redirected to {location}, another host"))?;
            continue;
        }
        let body = response.into_body();
        return Ok(Page { status: status.as_u16(), title: title(&String::from_utf8_lossy(&body)) });
    }
    Err(format!("{host}: more than {REDIRECTIONS} redirections").into())
}

async fn get(roots: &RootCertStore, address: IpAddr, host: &str, path: &str) -> Result<Response<Bytes>, Failure> {
    let request = Request::get(path).header("host", host).header("connection", "close").body(Empty::<Bytes>::new())?;
    let name = ServerName::try_from(host.to_owned())?;
    let mut exchange = https::send((address, 443).into(), name, roots.clone(), request).await?;
    let body = exchange.response.body_mut().collect().await?.to_bytes();
    Ok(exchange.response.map(|_| body))
}

/// Where a `Location` leads, if it stays on the host.
fn path_on(host: &str, from: &str, location: &str) -> Option<String> {
    let location = location.strip_prefix(&format!("https://{host}")).unwrap_or(location);
    if location.contains("://") {
        return None;
    }
    if location.is_empty() {
        return Some("/".to_owned());
    }
    if location.starts_with('/') {
        return Some(location.to_owned());
    }
    let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
    Some(format!("{folder}/{location}"))
}

fn title(page: &str) -> String {
    let start = page.find("<title").and_then(|tag| page[tag..].find('>').map(|end| tag + end + 1));
    let inner = start.and_then(|start| page[start..].split("</title").next());
    inner.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirection_is_followed_on_the_same_host_only() {
        assert_eq!(path_on("a.test", "/", "/.web"), Some("/.web".to_owned()));
        assert_eq!(path_on("a.test", "/x/y", "z"), Some("/x/z".to_owned()));
        assert_eq!(path_on("a.test", "/", "https://a.test/login"), Some("/login".to_owned()));
        assert_eq!(path_on("a.test", "/", "https://b.test/"), None);
    }

    #[test]
    fn the_title_is_what_people_would_read() {
        assert_eq!(title("<html><title lang=\"ca\">\n  Una   oficina </title>"), "Una oficina");
        assert_eq!(title("no page"), "");
    }
}
