//! The cookies that services set, each sent back to whoever set it.

use super::address::Address;

/// The year to which servers set the end of a cookie that they take back.
const TAKEN_BACK: &str = "1970";

/// All cookies of a person.
#[derive(Debug, Default)]
pub struct Cookies {
    kept: Vec<Cookie>,
}

#[derive(Debug)]
struct Cookie {
    host: String,
    path: String,
    name: String,
    value: String,
}

impl Cookies {
    /// Keeps what a header `Set-Cookie` of an answer from there says. A `Domain` is not heeded: a cookie goes to the host
    /// that set it and to no other.
    pub fn keep(&mut self, from: &Address, header: &str) {
        let mut parts = header.split(';').map(str::trim);
        let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { return };
        let (mut path, mut age, mut expires) = (default_path(from), None, None);
        for (attribute, told) in parts.filter_map(|part| part.split_once('=')) {
            match attribute.trim().to_ascii_lowercase().as_str() {
                "path" if told.starts_with('/') => told.clone_into(&mut path),
                "max-age" => age = told.trim().parse::<i64>().ok(),
                "expires" => expires = Some(told),
                _ => {}
            }
        }
        self.kept.retain(|known| !(known.host == from.host && known.path == path && known.name == name));
        let is_taken_back = match (age, expires) {
            (Some(seconds), _) => seconds <= 0,
            (None, expires) => expires.is_some_and(|day| day.contains(TAKEN_BACK)),
        };
        if !is_taken_back {
            self.kept.push(Cookie { host: from.host.clone(), path, name: name.to_owned(), value: value.to_owned() });
        }
    }

    /// The header `Cookie` of a request to there, if there is one.
    pub fn header(&self, to: &Address) -> Option<String> {
        let mut sent: Vec<&Cookie> = self.kept.iter().filter(|cookie| cookie.goes_to(to)).collect();
        // The longest path first, as browsers do it.
        sent.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let pairs: Vec<String> = sent.iter().map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }
}

impl Cookie {
    fn goes_to(&self, to: &Address) -> bool {
        let below = to.file().strip_prefix(&self.path);
        self.host == to.host
            && below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || self.path.ends_with('/'))
    }
}

/// The folder of the page that set it, without its last slash.
fn default_path(from: &Address) -> String {
    let file = from.file();
    let folder = file.rfind('/').and_then(|slash| file.get(..slash)).unwrap_or_default();
    if folder.is_empty() { "/".to_owned() } else { folder.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(url: &str) -> Address {
        Address::read(url).unwrap()
    }

    #[test]
    fn a_cookie_goes_back_to_its_host_and_path_until_it_is_taken_back() {
        let mut cookies = Cookies::default();
        let login = at("https://id.example.org/realms/commons/login?a=1");
        cookies.keep(&login, "SESSION=a=b; Path=/realms/commons/; Secure; HttpOnly");
        cookies.keep(&login, "hint=1; Max-Age=60");
        cookies.keep(&login, "all=2; path=/; expires=Wed, 01 Dec 2027 00:00:00 GMT");
        assert_eq!(cookies.header(&login).unwrap(), "SESSION=a=b; hint=1; all=2");
        assert_eq!(cookies.header(&at("https://id.example.org/realms/commonsense/x")).unwrap(), "all=2");
        assert_eq!(cookies.header(&at("https://wiki.example.org/realms/commons/")), None);

        cookies.keep(&login, "SESSION=new; Path=/realms/commons/");
        cookies.keep(&login, "SESSION=; Path=/realms/commons; Max-Age=0");
        cookies.keep(&login, "hint=; Max-Age=0");
        cookies.keep(&login, "all=; path=/; expires=Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(cookies.header(&login).unwrap(), "SESSION=new");
    }
}
