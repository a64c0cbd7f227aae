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
