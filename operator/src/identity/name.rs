//! Texts that the provider takes: names of accounts, of people and of organizations, and mail addresses compared.

use sha2::{Digest as _, Sha256};

use super::seen::{Membership, OrganizationSeen, Seen};
use super::wanted::{OrganizationWanted, RealmWanted};
use crate::template::hexadecimal;

/// The longest readable part of an account's name.
const LONGEST: usize = 30;
/// What the provider's check of people's names refuses.
const REFUSED: &str = "<>&\"$%!#?§;*~/\\|^=[]{}()";

/// A mail address as it is compared: the provider keeps them in small letters.
pub(super) fn folded(mail: &str) -> String {
    mail.trim().to_lowercase()
}

/// The name of an account that is made for an invitation: readable, and the same for the same person each time. The
/// mail address is not part of it, since applications show it.
pub(super) fn account_name(display_name: &str, mail: &str) -> String {
    let mut name = String::new();
    for letter in display_name.chars().filter_map(plain) {
        if letter != '-' || !(name.is_empty() || name.ends_with('-')) {
            name.push(letter);
        }
    }
    name.truncate(LONGEST);
    let name = name.trim_matches('-');
    format!("{}{}", if name.is_empty() { "person" } else { name }, mark(mail))
}

/// Whether an account is called as one that was made for an invitation to this mail address.
pub(super) fn is_made(username: &str, mail: &str) -> bool {
    username.ends_with(&mark(mail))
}

fn mark(mail: &str) -> String {
    let digest: [u8; 32] = Sha256::digest(folded(mail)).into();
    format!("-{}", hexadecimal(&digest[..4]))
}

/// A letter as account names have it: small letters of the Latin alphabet without marks, digits, and `-`. None for what
/// joins its neighbours, as the dot of "col·lectiu" and the apostrophe of "d'Arc" do.
fn plain(letter: char) -> Option<char> {
    let small = letter.to_lowercase().next().unwrap_or('-');
    Some(match small {
        'a'..='z' | '0'..='9' => small,
        'à' | 'á' | 'â' | 'ã' | 'ä' | 'å' => 'a',
        'ç' | 'ć' | 'č' => 'c',
        'è' | 'é' | 'ê' | 'ë' | 'ę' => 'e',
        'ì' | 'í' | 'î' | 'ï' | 'ı' => 'i',
        'ñ' | 'ń' => 'n',
        'ò' | 'ó' | 'ô' | 'õ' | 'ö' | 'ø' => 'o',
        'š' | 'ś' | 'ş' => 's',
        'ù' | 'ú' | 'û' | 'ü' => 'u',
        'ý' | 'ÿ' => 'y',
        'ž' | 'ź' | 'ż' => 'z',
        '·' | '\'' | '’' => return None,
        _ => '-',
    })
}

/// A display name as the provider takes a person's name; none where nothing of it is left.
pub(super) fn person_name(display_name: &str) -> Option<String> {
    let kept: String =
        display_name.chars().map(|c| if c.is_control() || REFUSED.contains(c) { ' ' } else { c }).collect();
    let name = kept.split_whitespace().collect::<Vec<_>>().join(" ");
    Some(name).filter(|name| !name.is_empty())
}

/// The name of an Entity's organization. Two cannot be called the same at the provider: where Entities are, or
/// something else there is, the Entity's name is added.
pub(super) fn organization_name(
    entity: &str,
    organization: &OrganizationWanted,
    wanted: &RealmWanted,
    seen: &Seen,
) -> String {
    let name = organization.display_name.as_str();
    let another = |one: &OrganizationWanted| one.display_name == name && one.uid != organization.uid;
    let other = |one: &OrganizationSeen| {
        one.name == name && one.uid.as_deref() != Some(&organization.uid) && !goes(one, wanted)
    };
    let is_taken = wanted.organizations.values().any(another) || seen.organizations.values().any(other);
    if is_taken || name.trim().is_empty() { format!("{name} ({entity})").trim().to_owned() } else { name.to_owned() }
}

/// Whether an organization will be gone before any is made: that of an Entity whose name another has now, without anybody
/// who is tied to it. One of an Entity that is not wanted has its name as long as it is there: it may only be unknown.
fn goes(one: &OrganizationSeen, wanted: &RealmWanted) -> bool {
    let Some((uid, entity)) = one.uid.as_ref().zip(one.entity.as_ref()) else { return false };
    let is_wanted = wanted.organizations.values().any(|organization| organization.uid == *uid);
    !is_wanted
        && wanted.organizations.contains_key(entity)
        && one.members.values().all(|membership| *membership == Membership::Free)
}

/// The name of an Entity's organization in addresses, which cannot be changed later: the Entity's, or with something of
/// its uid while another has that one.
pub(super) fn organization_alias(entity: &str, uid: &str, seen: &Seen) -> String {
    let is_taken = seen.organizations.values().any(|one| one.alias == entity);
    if !is_taken {
        return entity.to_owned();
    }
    let front: String = uid.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
    format!("{entity}-{front}")
}

/// The name of a client's browser flow. One that is bound cannot be taken away: the one in its place is the next.
pub(super) fn flow_name(client: &str, number: usize) -> String {
    format!("{FLOW} {client} {number}")
}

/// The client of a browser flow that is ours.
pub fn client_of_flow(flow: &str) -> Option<&str> {
    let (front, number) = flow.rsplit_once(' ')?;
    let client = front.strip_prefix(FLOW)?.strip_prefix(' ')?;
    number.parse::<usize>().is_ok().then_some(client)
}

const FLOW: &str = "commonscloud";

#[cfg(test)]
mod tests {
    use test_case::test_case;

    use super::*;

    #[test_case("Anna Maria", "anna-maria"; "two words")]
    #[test_case("Núria Güell i Ços", "nuria-guell-i-cos"; "with marks")]
    #[test_case("Joan d'Arc", "joan-darc"; "with an apostrophe")]
    #[test_case("Col·lectiu", "collectiu"; "with a raised dot")]
    #[test_case("  <b>\"x\"</b> ", "b-x-b"; "with what is no letter")]
    #[test_case("Ольга", "person"; "in other letters")]
    #[test_case("admin", "admin"; "called like an administrator")]
    #[test_case("Anna-Maria-Josefa-Antonia-Eulalia", "anna-maria-josefa-antonia-eula"; "long")]
    fn accounts_are_called_like_people(display_name: &str, front: &str) {
        let name = account_name(display_name, "anna@example.org");
        assert_eq!(name.rsplit_once('-').unwrap().0, front);
        assert!(is_made(&name, "Anna@Example.org") && !is_made(&name, "other@example.org"));
        assert_eq!(name, account_name(display_name, " ANNA@example.org"), "however the address is written");
        assert!(!name.contains("example"));
    }

    #[test_case("Anna (Coop)", Some("Anna Coop"))]
    #[test_case("L'Anna \"la\" Gran", Some("L'Anna la Gran"))]
    #[test_case("Ольга", Some("Ольга"); "letters of another alphabet")]
    #[test_case("???", None)]
    fn names_of_people_are_without_what_is_refused(display_name: &str, name: Option<&str>) {
        assert_eq!(person_name(display_name).as_deref(), name);
    }

    #[test]
    fn organizations_of_one_name_are_told_apart() {
        let one = |uid: &str| OrganizationWanted { uid: uid.to_owned(), display_name: "La Llum".to_owned() };
        let mut wanted = RealmWanted::default();
        wanted.organizations.insert("llum".to_owned(), one("u1"));
        let mut seen = Seen::default();
        assert_eq!(organization_name("llum", &one("u1"), &wanted, &seen), "La Llum");
        assert_eq!(organization_alias("llum", "u1", &seen), "llum");
        let taken =
            OrganizationSeen { name: "La Llum".to_owned(), alias: "llum".to_owned(), ..OrganizationSeen::default() };
        seen.organizations.insert("o9".to_owned(), taken);
        assert_eq!(organization_name("llum", &one("u1"), &wanted, &seen), "La Llum (llum)", "somebody else's");
        assert_eq!(organization_alias("llum", "0a-1b", &seen), "llum-0a1b");
        wanted.organizations.insert("other".to_owned(), one("u2"));
        assert_eq!(organization_name("other", &one("u2"), &wanted, &Seen::default()), "La Llum (other)");
    }

    #[test]
    fn the_flow_of_a_client_tells_which() {
        assert_eq!(client_of_flow(&flow_name("coop.wiki", 1)), Some("coop.wiki"));
        for other in ["browser", "commonscloud coop.wiki 1 who", "commonscloud coop.wiki", "copy of commonscloud a 1"] {
            assert_eq!(client_of_flow(other), None, "{other}");
        }
    }
}
