//! What a request is about.

/// Which object a request is about.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// Its kind, one that the operator writes.
    pub kind: &'a str,
    /// Its namespace; empty for cluster-scoped kinds.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
}

/// Kind, namespace and name.
pub(super) type ObjectKey = (String, String, String);

impl Target<'_> {
    pub(super) fn key(self) -> ObjectKey {
        (self.kind.to_owned(), self.namespace.to_owned(), self.name.to_owned())
    }

    /// As messages name it.
    pub(super) fn shown(self) -> String {
        format!("{}/{}", self.kind, self.name)
    }
}
