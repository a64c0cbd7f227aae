//! Who cannot be asked, so that it is said once and not in each round.

use std::collections::HashMap;

/// What is worth a line in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It fails, or in another way than before.
    Fails,
    /// It works again.
    Works,
}

/// The last failure of each node that fails.
#[derive(Default)]
pub(super) struct Troubles {
    known: HashMap<String, String>,
}

impl Troubles {
    /// Takes in how it went this time.
    pub(super) fn note(&mut self, node: &str, failure: Option<&str>) -> Option<Turn> {
        match failure {
            None => self.known.remove(node).map(|_| Turn::Works),
            Some(failure) if self.known.get(node).is_some_and(|known| known == failure) => None,
            Some(failure) => {
                self.known.insert(node.to_owned(), failure.to_owned());
                Some(Turn::Fails)
            }
        }
    }

    /// Forgets nodes that are gone.
    pub(super) fn keep(&mut self, exists: impl Fn(&str) -> bool) {
        self.known.retain(|node, _| exists(node));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_once_per_change() {
        let mut troubles = Troubles::default();
        let told =
            [None, Some("a"), Some("a"), Some("b"), None, None, Some("b")].map(|failure| troubles.note("n", failure));
        assert_eq!(
            told,
            [None, Some(Turn::Fails), None, Some(Turn::Fails), Some(Turn::Works), None, Some(Turn::Fails)]
        );
        troubles.keep(|node| node != "n");
        assert!(troubles.known.is_empty());
    }
}
