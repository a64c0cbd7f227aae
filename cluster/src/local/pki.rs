//! Certificates of a cluster: made at its start, thrown away with it.

use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};

/// A certificate could not be made or written.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// The library refused.
    #[error("making certificate {name}: {source}")]
    Make {
        /// Which certificate.
        name: String,
        /// Why.
        source: rcgen::Error,
    },
    /// A file could not be written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// A certificate and its private key, as PEM files.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

/// Who a certificate is for: what Kubernetes reads as user and group.
pub(super) struct Subject<'a> {
    pub(super) user: &'a str,
    pub(super) group: Option<&'a str>,
}

impl<'a> Subject<'a> {
    pub(super) fn user(user: &'a str) -> Self {
        Self { user, group: None }
    }

    pub(super) fn member(user: &'a str, group: &'a str) -> Self {
        Self { user, group: Some(group) }
    }
}

/// An authority that signs the certificates of one purpose.
pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: PathBuf,
    pub(super) files: Pair,
}

impl Authority {
    /// Makes a new authority and writes `NAME.crt` and `NAME.key` into `folder`.
    pub(super) fn create(folder: &Path, name: &str) -> Result<Self, PkiError> {
        let failed = failed(name);
        let key = KeyPair::generate().map_err(&failed)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = distinguished(&Subject::user(name));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        let issuer = CertifiedIssuer::self_signed(params, key).map_err(&failed)?;
        let files = write(folder, name, &issuer.pem(), &issuer.key().serialize_pem())?;
        Ok(Self { issuer, folder: folder.to_path_buf(), files })
    }

    /// Issues a certificate for `subject`, valid for `names` (DNS names and addresses), for servers
    /// and clients alike.
    pub(super) fn issue(&self, name: &str, subject: &Subject<'_>, names: &[String]) -> Result<Pair, PkiError> {
        let failed = failed(name);
        let key = KeyPair::generate().map_err(&failed)?;
        let mut params = CertificateParams::new(names).map_err(&failed)?;
        params.distinguished_name = distinguished(subject);
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &self.issuer).map_err(&failed)?;
        write(&self.folder, name, &certificate.pem(), &key.serialize_pem())
    }
}

/// Makes a key pair without a certificate: `NAME.pub` and `NAME.key`.
pub(super) fn key_pair(folder: &Path, name: &str) -> Result<Pair, PkiError> {
    let key = KeyPair::generate().map_err(failed(name))?;
    let files = Pair { certificate: folder.join(format!("{name}.pub")), key: folder.join(format!("{name}.key")) };
    write_private(&files.certificate, &key.public_key_pem())?;
    write_private(&files.key, &key.serialize_pem())?;
    Ok(files)
}

fn failed(name: &str) -> impl Fn(rcgen::Error) -> PkiError + use<> {
    let name = name.to_owned();
    move |source| PkiError::Make { name: name.clone(), source }
}

fn distinguished(subject: &Subject<'_>) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    if let Some(group) = subject.group {
        name.push(DnType::OrganizationName, group);
    }
    name.push(DnType::CommonName, subject.user);
    name
}

fn write(folder: &Path, name: &str, certificate: &str, key: &str) -> Result<Pair, PkiError> {
    let files = Pair { certificate: folder.join(format!("{name}.crt")), key: folder.join(format!("{name}.key")) };
    write_private(&files.certificate, certificate)?;
    write_private(&files.key, key)?;
    Ok(files)
}

/// Writes a file that only its owner can read.
pub(super) fn write_private(path: &Path, text: &str) -> Result<(), PkiError> {
    let failed = |source| PkiError::File { path: path.to_path_buf(), source };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path).map_err(failed)?;
    io::Write::write_all(&mut file, text.as_bytes()).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn keys_are_readable_by_their_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::create(folder.path(), "ca").unwrap();
        let pair = authority.issue("admin", &Subject::member("admin", "system:masters"), &[]).unwrap();
        for path in [&authority.files.key, &pair.key] {
            assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o077, 0, "{path:?}");
        }
    }
}
