//! A volume's id: the name the provisioner chose, checked so that it can be a file name.

use std::fmt;

use super::fault::Fault;

/// Longest id taken, in bytes: kubelet and the standard allow 128.
const LONGEST: usize = 128;

/// An id made of `a-z`, `A-Z`, `0-9`, `-`, `_` and `.`, beginning with a letter or digit.
///
/// Such an id is one path component, never `..` and never hidden, so `<id>.img` stays in the images' directory.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct VolumeId(String);

impl VolumeId {
    /// Checks an id (or, for `CreateVolume`, the volume's name) that came over the wire.
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let refused = if text.is_empty() {
            Some("it is empty".to_owned())
        } else if text.len() > LONGEST {
            Some(format!("it is longer than {LONGEST} bytes"))
        } else if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) || !text.chars().all(letters) {
            Some("only letters, digits, '-', '_' and '.' are allowed, and a letter or digit comes first".to_owned())
        } else {
            None
        };
        match refused {
            Some(reason) => Err(Fault::Invalid(format!("volume id {text:?} cannot be used: {reason}"))),
            None => Ok(Self(text.to_owned())),
        }
    }
}

impl fmt::Display for VolumeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::VolumeId;

    #[test]
    fn the_provisioners_names_are_taken() {
        let id = VolumeId::parse("pvc-0a1b2c3d-0000-4000-8000-0123456789ab").unwrap();
        assert_eq!(id.to_string(), "pvc-0a1b2c3d-0000-4000-8000-0123456789ab");
    }

    #[test]
    fn nothing_that_could_leave_the_directory_is_taken() {
        for text in ["", ".", "..", "../x", "a/b", "/etc/passwd", ".hidden", "-flag", "a\0b", "a b", "é"] {
            assert!(VolumeId::parse(text).is_err(), "{text:?}");
        }
        assert!(VolumeId::parse(&"a".repeat(129)).is_err());
        assert!(VolumeId::parse(&"a".repeat(128)).is_ok());
    }
}
