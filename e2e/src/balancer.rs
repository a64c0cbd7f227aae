//! A load balancer that speaks PROXY protocol: before it passes a connection on, it says whose that is.

use std::net::{IpAddr, SocketAddr};

use tokio::io::{AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use crate::failure::Outcome;

/// A balancer on this machine, until it is dropped.
pub struct Balancer {
    address: SocketAddr,
    task: AbortHandle,
}

impl Balancer {
    /// Passes connections on to `ingress`, each as one of `client`.
    ///
    /// # Errors
    /// When it cannot listen.
    pub async fn before(ingress: SocketAddr, client: IpAddr) -> Outcome<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let family = if client.is_ipv4() { "TCP4" } else { "TCP6" };
        let header = format!("PROXY {family} {client} {} 40000 443\r\n", ingress.ip());
        let serving = async move {
            while let Ok((stream, _)) = listener.accept().await {
                let header = header.clone();
                tokio::spawn(async move {
                    // What breaks off here is seen by who asked.
                    let _ = pass(stream, ingress, &header).await;
                });
            }
        };
        Ok(Self { address, task: tokio::spawn(serving).abort_handle() })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(mut client: TcpStream, ingress: SocketAddr, header: &str) -> std::io::Result<()> {
    let mut ingress = TcpStream::connect(ingress).await?;
    ingress.write_all(header.as_bytes()).await?;
    copy_bidirectional(&mut client, &mut ingress).await.map(drop)
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    #[tokio::test]
    async fn what_arrives_begins_with_whose_it_is() {
        let ingress = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = ingress.local_addr().unwrap();
        let balancer = Balancer::before(at, "203.0.113.7".parse().unwrap()).await.unwrap();
        let mut client = TcpStream::connect(balancer.address()).await.unwrap();
        client.write_all(b"hello").await.unwrap();
        client.shutdown().await.unwrap();
        let (mut arrived, _) = ingress.accept().await.unwrap();
        let mut text = String::new();
        arrived.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "PROXY TCP4 203.0.113.7 127.0.0.1 40000 443\r\nhello");
    }
}
