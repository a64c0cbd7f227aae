//! What a store makes of lists, watches and answers that come in any order.

use std::sync::Arc;

use super::*;

fn identity(version: u64) -> Identity {
    Identity { namespace: "n".into(), name: "a".into(), uid: "u".into(), version }
}

#[test]
fn a_lagging_watch_does_not_take_back_our_own_write() {
    let store = Store::default();
    assert!(matches!(store.put(&identity(7), "written"), Outcome::Changed(None)));
    assert!(matches!(store.put(&identity(5), "older"), Outcome::Known));
    assert!(matches!(store.put(&identity(7), "echo"), Outcome::Known));
    assert_eq!(*store.get("n", "a").unwrap(), "written");
}

#[test]
fn an_object_made_anew_replaces_the_old_one_whatever_its_version() {
    let store = Store::default();
    store.put(&identity(7), "old");
    let again = Identity { uid: "v".into(), version: 3, ..identity(0) };
    assert!(matches!(store.put(&again, "new"), Outcome::Changed(Some(_))));
    assert!(store.remove(&identity(9)).is_none(), "the old one's late deletion");
    assert_eq!(*store.get("n", "a").unwrap(), "new");
}

#[test]
fn a_late_answer_does_not_bring_back_what_was_deleted() {
    let store = Store::default();
    store.put(&identity(7), "there");
    store.remove(&identity(9));
    assert!(matches!(store.put(&identity(8), "late answer"), Outcome::Known));
    assert!(store.is_empty());
}

#[test]
fn an_object_that_got_its_label_back_is_there_again() {
    let store = Store::default();
    store.put(&identity(7), "labelled");
    store.remove(&identity(9));
    assert!(matches!(store.put(&identity(10), "labelled again"), Outcome::Changed(None)));
    assert_eq!(store.len(), 1);
}

#[test]
fn what_is_listed_after_a_restore_of_etcd_replaces_what_was_known_of_the_future() {
    let store = Store::default();
    store.put(&identity(900), "of the future");
    store.begin_list();
    let listed = |version, value| store.take(&identity(version), Kept::Object(Arc::new(value)), Origin::List);
    assert!(matches!(listed(500, "restored"), Outcome::Changed(Some(_))));
    store.finish_list();
    assert_eq!(*store.get("n", "a").unwrap(), "restored");
    store.remove(&identity(950));
    store.begin_list();
    assert!(matches!(listed(600, "restored again"), Outcome::Changed(None)), "though it was deleted in the future");
}

#[test]
fn a_list_does_not_take_back_what_was_written_since_it_began() {
    let store = Store::default();
    store.put(&identity(5), "before");
    store.begin_list();
    store.put(&identity(9), "written meanwhile");
    let listed = store.take(&identity(5), Kept::Object(Arc::new("before")), Origin::List);
    assert!(matches!(listed, Outcome::Known));
    store.finish_list();
    assert_eq!(*store.get("n", "a").unwrap(), "written meanwhile");
}

#[test]
fn a_late_answer_does_not_bring_back_what_a_list_had_no_more() {
    let store = Store::default();
    store.put(&identity(5), "there");
    store.begin_list();
    store.finish_list();
    assert!(matches!(store.put(&identity(7), "late answer"), Outcome::Known));
    let watched = store.take(&identity(8), Kept::Object(Arc::new("labelled again")), Origin::Watch);
    assert!(matches!(watched, Outcome::Changed(None)));
}

#[test]
fn an_undecodable_object_is_counted_while_it_is_there() {
    let store: Store<&str> = Store::default();
    let poison = || Kept::Undecodable(Arc::new(Undecodable { name: "a".into(), ..Undecodable::default() }));
    store.take(&identity(1), Kept::Object(Arc::new("healthy")), Origin::Watch);
    store.take(&identity(2), poison(), Origin::Watch);
    assert!(store.get("n", "a").is_none());
    assert!(store.undecodable("n", "a").is_some());
    assert_eq!((store.all().len(), store.undecodable_all().len(), store.len()), (0, 1, 1));
    store.take(&identity(3), Kept::Object(Arc::new("mended")), Origin::Watch);
    assert_eq!((store.all().len(), store.undecodable_in("n").len()), (1, 0));
    store.take(&identity(4), poison(), Origin::Watch);
    store.begin_list();
    assert_eq!(store.finish_list().len(), 1);
    assert!(store.undecodable_all().is_empty());
}

#[test]
fn an_index_follows_what_comes_changes_and_goes() {
    let store: Store<&str> = Store::indexed_by(|text| text.split(' ').map(str::to_owned).collect());
    store.put(&identity(1), "red round");
    store.put(&identity(2), "green round");
    let found = |key: &str| store.found_by(key).len();
    assert_eq!((found("red"), found("green"), found("round")), (0, 1, 1));
    store.remove(&identity(3));
    assert_eq!((found("green"), found("round")), (0, 0));
    store.put(&Identity { uid: "v".into(), ..identity(4) }, "blue");
    store.begin_list();
    store.finish_list();
    assert_eq!(found("blue"), 0, "gone with a list");
}

#[test]
fn a_relist_drops_what_is_gone_and_keeps_what_was_written_meanwhile() {
    let store = Store::default();
    store.put(&identity(1), "gone");
    store.begin_list();
    store.put(&Identity { name: "b".into(), version: 9, ..identity(0) }, "written meanwhile");
    assert_eq!(store.finish_list().len(), 1);
    assert!(store.is_complete());
    assert_eq!(store.all().len(), 1);
}
