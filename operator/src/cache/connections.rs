//! Connections for many watches: over HTTP/2, a hundred of them share one.

use std::sync::{Arc, Mutex, PoisonError};

use kube::{Client, Config};

use crate::client::{Protocol, client};

/// How many watches share a connection. API servers allow a hundred streams, and a list needs one.
const WATCHES: usize = 80;

/// A client, and as many of these as watches use it.
type Shared = (Client, Arc<()>);

/// Connections for many watches. Cloning shares them.
#[derive(Clone)]
pub struct Connections {
    config: Option<Config>,
    client: Client,
    open: Arc<Mutex<Vec<Shared>>>,
}

impl Connections {
    /// Every watch by this client.
    pub fn of(client: Client) -> Self {
        Self { config: None, client, open: Arc::default() }
    }

    /// Watches by clients over HTTP/2, made when they are needed.
    pub fn over_http2(config: Config, client: Client) -> Self {
        Self { config: Some(config), client, open: Arc::default() }
    }

    /// The client for everything but many watches.
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// A client for one watch, which keeps what comes with it as long as it lasts.
    pub(super) fn next(&self) -> Shared {
        let Some(config) = &self.config else { return (self.client.clone(), Arc::default()) };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((client, users)) = open.iter().find(|(_, users)| Arc::strong_count(users) <= WATCHES) {
            return (client.clone(), Arc::clone(users));
        }
        match client(config, Protocol::Http2) {
            Ok(client) => {
                let users = Arc::new(());
                open.push((client.clone(), Arc::clone(&users)));
                (client, users)
            }
            Err(error) => {
                tracing::warn!(%error, "no client over HTTP/2; watching by the usual one");
                (self.client.clone(), Arc::default())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn many_watches_share_few_connections() {
        let config = Config::new("https://127.0.0.1:1".parse().unwrap());
        let client = client(&config, Protocol::Http1).unwrap();
        let connections = Connections::over_http2(config, client);
        let open = || connections.open.lock().unwrap().len();
        let watches: Vec<_> = (0..1000).map(|_| connections.next()).collect();
        assert_eq!(open(), 13);
        drop(watches);
        let again: Vec<_> = (0..1000).map(|_| connections.next()).collect();
        assert_eq!((again.len(), open()), (1000, 13), "those of watches that ended are used again");
    }
}
