//! The generated messages, servers and clients of the two protocols in `cluster/proto`.
//!
//! Public because a test that speaks to the driver needs the clients.

/// The Container Storage Interface, version 1: what the sidecars and kubelet speak.
#[allow(missing_docs, clippy::pedantic, clippy::all)]
pub mod v1 {
    tonic::include_proto!("csi.v1");
}

/// Kubelet's plugin registration, version 1.
#[allow(missing_docs, clippy::pedantic, clippy::all)]
pub mod registration {
    tonic::include_proto!("pluginregistration");
}
