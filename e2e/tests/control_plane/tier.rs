//! The tier, and what its scenarios share.

pub use commonscloud_e2e::control_plane::{ControlPlane, Purpose, READY, SMTP, WILDCARD, platform, platform_secrets};
