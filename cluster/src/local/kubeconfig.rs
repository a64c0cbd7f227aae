//! Kubeconfig files: one per component, each with a certificate of its own.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::pki::{self, Authority, Pair, PkiError, Subject};

/// Issues a certificate for `subject` and writes a kubeconfig `NAME.kubeconfig` that uses it.
pub(super) fn issue(
    authority: &Authority,
    folder: &Path,
    server: &str,
    name: &str,
    subject: &Subject<'_>,
) -> Result<PathBuf, PkiError> {
    let pair = authority.issue(name, subject, &[])?;
    let path = folder.join(format!("{name}.kubeconfig"));
    write(&path, name, server, &authority.files.certificate, &pair)?;
    Ok(path)
}

/// Writes a kubeconfig with one context, called `context`. JSON is YAML.
pub(super) fn write(path: &Path, context: &str, server: &str, authority: &Path, pair: &Pair) -> Result<(), PkiError> {
    let config = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": context, "cluster": {"server": server, "certificate-authority": authority}}],
        "users": [{"name": context, "user": {"client-certificate": pair.certificate, "client-key": pair.key}}],
        "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
        "current-context": context,
    });
    pki::write_private(path, &format!("{config:#}\n"))
}
