//! What a store keeps of an object, and where it has it from.

use std::sync::Arc;

use super::undecodable::Undecodable;

/// What is kept of an object.
#[derive(Debug)]
pub enum Kept<T> {
    /// What its kind's watch keeps of it.
    Object(Arc<T>),
    /// It is there, and does not decode.
    Undecodable(Arc<Undecodable>),
}

impl<T> Kept<T> {
    /// The object, if it decodes.
    pub const fn object(&self) -> Option<&Arc<T>> {
        match self {
            Self::Object(object) => Some(object),
            Self::Undecodable(_) => None,
        }
    }

    /// What is known of it, if it does not decode.
    pub const fn undecodable(&self) -> Option<&Arc<Undecodable>> {
        match self {
            Self::Object(_) => None,
            Self::Undecodable(undecodable) => Some(undecodable),
        }
    }
}

impl<T> Clone for Kept<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Object(object) => Self::Object(Arc::clone(object)),
            Self::Undecodable(undecodable) => Self::Undecodable(Arc::clone(undecodable)),
        }
    }
}

impl<T: PartialEq> PartialEq for Kept<T> {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Object(one), Self::Object(other)) => one == other,
            (Self::Undecodable(one), Self::Undecodable(other)) => one == other,
            _ => false,
        }
    }
}

/// Where a version of an object comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The answer to a write of ours.
    Answer,
    /// A list of all objects: what it says holds, whatever was known.
    List,
    /// A watch.
    Watch,
}

/// What a version that arrived did to the store.
#[derive(Debug)]
pub enum Outcome<T> {
    /// It was known already, or older than what is known.
    Known,
    /// It replaced this, or nothing.
    Changed(Option<Kept<T>>),
}
