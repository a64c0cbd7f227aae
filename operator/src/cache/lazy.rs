//! A value that is kept as text, and read when somebody looks.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

/// Part of an object's JSON, read from it at the first look. A tree of its fields takes ten times
/// the memory of their text.
pub struct Lazy<T> {
    text: Arc<str>,
    read: fn(&str) -> T,
    value: OnceLock<Box<T>>,
}

impl<T> Lazy<T> {
    /// What `read` finds in `text`.
    pub(super) const fn new(text: Arc<str>, read: fn(&str) -> T) -> Self {
        Self { text, read, value: OnceLock::new() }
    }

    #[cfg(test)]
    pub(super) fn is_read(&self) -> bool {
        self.value.get().is_some()
    }
}

impl<T> Deref for Lazy<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.get_or_init(|| Box::new((self.read)(&self.text)))
    }
}

/// A copy is not read yet: what is read goes with who looked.
impl<T> Clone for Lazy<T> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.text), self.read)
    }
}

impl<T> PartialEq for Lazy<T> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl<T> fmt::Debug for Lazy<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
