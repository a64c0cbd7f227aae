//! What is refused of a Collective's members and managers.

use serde_json::json;

use super::ask::{Row, managers, members, of_collective};
use super::{ADMINISTRATOR, ANNA, BERTA, SINCE, account};

/// What holds for members and managers alike.
pub fn entries_of_members() -> Vec<Row> {
    let operators = "since and removed.at are written by the operator";
    let new = |by: &str| json!({"displayName": "New", "mail": "new@example.org", "by": by});
    let mut known = new(ANNA);
    known["since"] = json!(SINCE);
    vec![
        of_collective(
            "member deleted",
            ANNA,
            members(json!({"dinadinad": null})),
            "spec.members.dinadinad: an entry is not deleted; write removed: {by: person:anna}",
        ),
        of_collective(
            "manager deleted",
            ANNA,
            managers(json!({"carlacarl": null})),
            "spec.managers.carlacarl: an entry is not deleted",
        ),
        of_collective(
            "removal taken back",
            ANNA,
            members(json!({"eliseelis": {"removed": null}})),
            "spec.members.eliseelis: is being removed, which nobody takes back",
        ),
        of_collective(
            "removal of a manager taken back",
            ANNA,
            managers(json!({"carlacarl": {"removed": null}})),
            "spec.managers.carlacarl: is being removed, which nobody takes back",
        ),
        of_collective("since", ANNA, members(json!({"annaanna": {"since": "2020-01-01T00:00:00Z"}})), operators),
        of_collective("since of a new one", ANNA, members(json!({"francesca": known})), operators),
        of_collective(
            "time of a removal",
            ANNA,
            members(json!({"dinadinad": {"removed": {"by": ANNA, "at": SINCE}}})),
            operators,
        ),
        of_collective(
            "removal in another's name",
            ANNA,
            members(json!({"dinadinad": {"removed": {"by": BERTA}}})),
            "spec.members.dinadinad.removed.by: is who removes; write person:anna",
        ),
        of_collective(
            "invitation in another's name",
            ANNA,
            members(json!({"francesca": new(BERTA)})),
            "spec.members.francesca.by: is who writes this entry; write person:anna",
        ),
        of_collective(
            "invitation in another's name, by an administrator",
            ADMINISTRATOR,
            members(json!({"francesca": new(BERTA)})),
            "spec.members.francesca.by: is who writes this entry; write an-administrator",
        ),
        of_collective(
            "change in another's name",
            ANNA,
            members(json!({"dinadinad": {"mail": "other@example.org"}})),
            "spec.members.dinadinad.by: is who writes this entry",
        ),
        of_collective(
            "manager in another's name",
            ANNA,
            managers(json!({"bertabert": {"by": BERTA}})),
            "spec.managers.bertabert.by: is who writes this entry",
        ),
    ]
}

pub fn members_alone() -> Vec<Row> {
    let accepted = "spec.members.carlacarl: has an account since";
    let short = json!({"dina": {"displayName": "New", "mail": "new@example.org", "by": ANNA}});
    vec![
        of_collective("short id", ANNA, members(short), "spec.members.dina: an id has 8 to 26 of a-z and 0-9"),
        of_collective(
            "account",
            ANNA,
            members(json!({"dinadinad": {"account": account("dina")}})),
            "spec.members.dinadinad.account: is written by the operator, once",
        ),
        of_collective(
            "account of another member, by an administrator",
            ADMINISTRATOR,
            members(json!({"dinadinad": {"account": account("carla")}})),
            "spec.members.dinadinad.account: is that of another member already",
        ),
        of_collective(
            "name of who accepted",
            ANNA,
            members(json!({"carlacarl": {"displayName": "X", "by": ANNA}})),
            accepted,
        ),
        of_collective(
            "mail of who accepted",
            ANNA,
            members(json!({"carlacarl": {"mail": "x@example.org", "by": ANNA}})),
            accepted,
        ),
    ]
}

pub fn managers_alone() -> Vec<Row> {
    let last = "spec.managers: the last manager of a collective stays; name another one first";
    vec![
        of_collective(
            "manager who is no member",
            ANNA,
            managers(json!({"nobodynobody": {"by": ANNA}})),
            "spec.managers.nobodynobody: does not belong to the collective",
        ),
        of_collective(
            "manager who leaves",
            ANNA,
            managers(json!({"eliseelis": {"by": ANNA}})),
            "spec.managers.eliseelis: does not belong to the collective, or is leaving it",
        ),
        // Berta has the right by a list of the Entity's, say.
        of_collective(
            "manager by themselves",
            BERTA,
            managers(json!({"bertabert": {"by": BERTA}})),
            "spec.managers.bertabert: is yourself; ask another manager",
        ),
        of_collective("last manager", ANNA, managers(json!({"annaanna": {"removed": {"by": ANNA}}})), last),
        of_collective("last manager as a member", ANNA, members(json!({"annaanna": {"removed": {"by": ANNA}}})), last),
        of_collective(
            "last manager, by an administrator",
            ADMINISTRATOR,
            members(json!({"annaanna": {"removed": {"by": ADMINISTRATOR}}})),
            last,
        ),
    ]
}
