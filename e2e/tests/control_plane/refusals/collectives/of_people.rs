//! What is refused of the people of an Access.

use serde_json::{Value, json};

use super::ask::{Row, of_access, person};
use super::{ANNA, BERTA, CARLA, SINCE, account};

pub fn entries_of_people() -> Vec<Row> {
    let operators = "since and removed.at are written by the operator";
    let guest = |by: &str| {
        let guest = json!({"displayName": "New", "mail": "new@example.org"});
        json!({"role": "User", "until": "2027-06-01T00:00:00Z", "guest": guest, "by": by})
    };
    let null = json!([{"op": "add", "path": "/spec/people/hannahann",
        "value": {"role": "User", "by": BERTA, "until": null}}]);
    vec![
        of_access(
            "entry deleted",
            BERTA,
            person("carlacarl", Value::Null),
            "spec.people.carlacarl: an entry is not deleted; write removed: {by: person:berta}",
        ),
        of_access("null", BERTA, null, "spec.people.hannahann: null is no value here"),
        of_access("short id", BERTA, person("gast", guest(BERTA)), "spec.people.gast: an id has 8 to 26"),
        of_access(
            "removal taken back",
            BERTA,
            person("dinadinad", json!({"removed": null})),
            "spec.people.dinadinad: is being removed, which nobody takes back",
        ),
        of_access("since", BERTA, person("carlacarl", json!({"since": "2020-01-01T00:00:00Z"})), operators),
        of_access(
            "time of a removal",
            BERTA,
            person("carlacarl", json!({"removed": {"by": BERTA, "at": SINCE}})),
            operators,
        ),
        of_access(
            "removal in another's name",
            BERTA,
            person("carlacarl", json!({"removed": {"by": ANNA}})),
            "spec.people.carlacarl.removed.by: is who removes; write person:berta",
        ),
        of_access(
            "entry in another's name",
            BERTA,
            person("hannahann", json!({"role": "User", "by": ANNA})),
            "spec.people.hannahann.by: is who writes this entry; write person:berta",
        ),
        of_access(
            "change in another's name",
            BERTA,
            person("carlacarl", json!({"until": "2028-01-01T00:00:00Z"})),
            "spec.people.carlacarl.by: is who writes this entry",
        ),
        of_access(
            "account of a guest",
            BERTA,
            person("guestguest", json!({"guest": {"account": account("guest")}})),
            "spec.people.guestguest.guest.account: is written by the operator, once",
        ),
        of_access(
            "name of a guest who accepted",
            BERTA,
            person("knownknow", json!({"guest": {"displayName": "X"}, "by": BERTA})),
            "spec.people.knownknow: has an account since",
        ),
        of_access(
            "guest under a member's id",
            BERTA,
            person("hannahann", guest(BERTA)),
            "spec.people.hannahann.guest: this id is that of a member",
        ),
    ]
}

pub fn who_enters() -> Vec<Row> {
    let foreign = "does not belong to the collective, or is leaving it; have a manager of the collective invite them";
    let oneself = "is yourself; nobody lets themselves in";
    let managing = "who manages site is said by the managers of the collective";
    let entering = "who enters site is said by its own managers";
    let user = |by: &str| json!({"role": "User", "by": by});
    let manager = |by: &str| json!({"role": "Manager", "by": by});
    let until = |until: Value, by: &str| json!({"until": until, "by": by});
    let removed = |by: &str| json!({"removed": {"by": by}});
    vec![
        of_access("no member", BERTA, person("nobodynobody", user(BERTA)), foreign),
        of_access("member who leaves", BERTA, person("eliseelis", user(BERTA)), foreign),
        of_access(
            "former member longer",
            BERTA,
            person("lapsedlap", until(json!("2028-01-01T00:00:00Z"), BERTA)),
            foreign,
        ),
        of_access("oneself, as the collective's manager", ANNA, person("annaanna", manager(ANNA)), oneself),
        // Carla has the rights of all managers here, though the list says that she is none.
        of_access("oneself longer", CARLA, person("carlacarl", until(json!("2028-01-01T00:00:00Z"), CARLA)), oneself),
        of_access("oneself for ever", CARLA, person("carlacarl", until(Value::Null, CARLA)), oneself),
        of_access("oneself as manager", CARLA, person("carlacarl", manager(CARLA)), oneself),
        of_access(
            "last manager leaves",
            BERTA,
            person("bertabert", removed(BERTA)),
            "spec.people.bertabert: is the last manager of site; ask a manager of the collective",
        ),
        of_access("manager by a manager", BERTA, person("hannahann", manager(BERTA)), managing),
        of_access("user made manager by a manager", BERTA, person("carlacarl", manager(BERTA)), managing),
        of_access("manager made user by themselves", BERTA, person("bertabert", user(BERTA)), managing),
        of_access("user by the collective's manager", ANNA, person("hannahann", user(ANNA)), entering),
        of_access("removal of a user by the collective's manager", ANNA, person("carlacarl", removed(ANNA)), entering),
    ]
}
