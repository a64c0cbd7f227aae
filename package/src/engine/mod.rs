//! The engine: manifests become text, text becomes documents, documents become objects.
//!
//! | module | what lives there |
//! |---|---|
//! | `environment`, `tags` | Tera, set up so that a value can never be more than a value |
//! | `context`, `labels`, `network` | what manifests know |
//! | `documents`, `typed`, `shape` | rendered text, read as strictly as the API server does |
//! | `secret_keys` | which Secret holds the key that a pod refers to |
//! | `object`, `lookup`, `place` | rendered objects, what stands in them, and in which line of the manifest |

pub(crate) mod context;
pub(crate) mod documents;
pub(crate) mod environment;
pub(crate) mod labels;
pub(crate) mod lookup;
pub(crate) mod network;
pub(crate) mod object;
pub(crate) mod place;
pub(crate) mod secret_keys;
pub(crate) mod shape;
pub(crate) mod tags;
pub(crate) mod typed;
