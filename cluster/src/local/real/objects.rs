//! The objects that a real node brings along: rights, storage, ingress.

use std::net::IpAddr;
use std::path::Path;

use kube::api::DynamicObject;
use serde_json::json;

use crate::apply::{self, ApplyError};
use crate::local::pki::Pair;
use crate::tools::Tool;

const NODE: &str = include_str!("../manifests/node.yaml");
const TRAEFIK: &str = include_str!("../manifests/traefik.yaml");

/// Definitions that Cilium waits for, then rights and storage.
///
/// # Errors
/// When Cilium's definitions cannot be read.
pub(in crate::local) fn node(cilium: &Tool) -> Result<Vec<DynamicObject>, ApplyError> {
    let mut objects = apply::read(&cilium.share("crds"))?;
    objects.extend(apply::parse(Path::new("node.yaml"), NODE)?);
    Ok(objects)
}

/// Traefik, with `certificate` for every name that brings none of its own.
///
/// # Errors
/// When the certificate cannot be read.
pub(in crate::local) fn ingress(address: IpAddr, certificate: &Pair) -> Result<Vec<DynamicObject>, ApplyError> {
    let read = |path: &Path| {
        std::fs::read_to_string(path).map_err(|source| ApplyError::File { path: path.to_path_buf(), source })
    };
    let secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "wildcard", "namespace": "traefik"},
        "type": "kubernetes.io/tls",
        "stringData": {"tls.crt": read(&certificate.certificate)?, "tls.key": read(&certificate.key)?},
    });
    let text = TRAEFIK.replace("@NODE_IP@", &address.to_string());
    let mut objects = apply::parse(Path::new("secret"), &secret.to_string())?;
    objects.extend(apply::parse(Path::new("traefik.yaml"), &text)?);
    Ok(objects)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::pki::{Authority, Subject};

    #[test]
    fn every_placeholder_of_the_ingress_is_filled() {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::create(folder.path(), "ca").unwrap();
        let pair = authority.issue("wildcard", &Subject::user("x"), &["*.x.test".to_owned()]).unwrap();
        let objects = ingress(IpAddr::from([10, 89, 0, 2]), &pair).unwrap();
        assert!(!serde_json::to_string(&objects).unwrap().contains('@'));
    }
}
