//! The JSON patch that takes additions away.

use std::cmp::{Ordering, Reverse};

use serde_json::{Value, json};

/// One addition, and how it is taken away.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Removal<'d> {
    /// JSON pointer into the live object: the addition, or the list that is put back.
    pub(super) path: String,
    /// What the whole list is to be instead; none: the addition is removed.
    pub(super) put_back: Option<&'d [Value]>,
}

/// The patch of the object that was seen at this resourceVersion.
///
/// From the last path to the first, list items by their index: an operation shifts only what comes
/// after it in the same list, which has been dealt with by then.
pub(super) fn patch(removals: &[Removal<'_>], resource_version: &str) -> Value {
    let mut ordered: Vec<&Removal<'_>> = removals.iter().collect();
    ordered.sort_by(|a, b| by_place(&b.path, &a.path));
    let operation = |removal: &Removal<'_>| match removal.put_back {
        Some(list) => json!({"op": "replace", "path": removal.path, "value": list}),
        None => json!({"op": "remove", "path": removal.path}),
    };
    let test = json!({"op": "test", "path": "/metadata/resourceVersion", "value": resource_version});
    std::iter::once(test).chain(ordered.into_iter().map(operation)).collect()
}

/// Part by part; indices by their number, and what is inside an item after the item itself.
fn by_place(a: &str, b: &str) -> Ordering {
    let place = |part: &str| (Reverse(part.parse::<usize>().is_ok()), part.parse::<usize>().ok(), part.to_owned());
    a.split('/').map(place).cmp(b.split('/').map(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_later_in_a_list_or_lies_inside_an_item_is_removed_first() {
        let paths = ["/c/2/env/10", "/c/0", "/c/10", "/c/2/env/9", "/c/1/env/0"];
        let removals = paths.map(|path| Removal { path: path.to_owned(), put_back: None });
        let patch = patch(&removals, "7");
        let ordered: Vec<&str> = patch.as_array().unwrap()[1..].iter().map(|o| o["path"].as_str().unwrap()).collect();
        assert_eq!(ordered, ["/c/10", "/c/2/env/10", "/c/2/env/9", "/c/1/env/0", "/c/0"]);
    }
}
