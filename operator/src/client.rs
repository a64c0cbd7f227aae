//! Clients of the API server.

use std::time::Duration;

use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Builder;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::client::ConfigExt as _;
use kube::client::retry::RetryPolicy;
use kube::{Client, Config};
use tower::retry::RetryLayer;
use tower::{BoxError, ServiceBuilder};

/// How long a connection may take to be made.
const CONNECTING: Duration = Duration::from_secs(10);
/// How often a silent connection of many requests is asked whether it lives.
const PING: Duration = Duration::from_secs(30);

/// What connections speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1: one request at a time.
    Http1,
    /// HTTP/2, where the API server has it: a hundred requests share a connection.
    Http2,
}

/// A client as the library makes it, but for two things: what it speaks, and that a request is sent
/// as soon as it is written. Otherwise its body waits until the API server has acknowledged its head,
/// which takes 40 ms (RFC 9293, 3.7.4; delayed acknowledgements).
///
/// # Errors
/// When the configuration names certificates or credentials that cannot be read.
pub fn client(config: &Config, protocol: Protocol) -> Result<Client, kube::Error> {
    // The library's own connector knows both, and a cluster's own pods have neither.
    if config.proxy_url.is_some() || config.tls_server_name.is_some() {
        return Client::try_from(config.clone());
    }
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECTING));
    let tls = HttpsConnectorBuilder::new().with_tls_config(config.rustls_client_config()?).https_or_http();
    let tls = match protocol {
        Protocol::Http1 => tls.enable_http1().wrap_connector(tcp),
        Protocol::Http2 => tls.enable_all_versions().wrap_connector(tcp),
    };
    let mut transport = Builder::new(TokioExecutor::new());
    transport.timer(TokioTimer::new()).pool_timer(TokioTimer::new());
    transport.http2_keep_alive_interval(PING).http2_keep_alive_while_idle(true);
    // Watches, of which many share a connection, have a pace of their own.
    let retries = config.default_retry && protocol == Protocol::Http1;
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(retries.then(|| RetryLayer::new(RetryPolicy::server_retry())))
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(transport.build(tls));
    Ok(Client::new(service, config.default_namespace.clone()))
}
