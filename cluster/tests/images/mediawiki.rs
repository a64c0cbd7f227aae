use crate::container::{Container, Pod, until};
use crate::http::{Answer, Request};
use crate::mariadb::{mariadb, until_it_answers};
use crate::{can_run, image};

const MAINTENANCE: &str = "/usr/share/mediawiki/maintenance";

fn get(pod: &Pod, path: &str) -> Option<Answer> {
    pod.inside(|| Request { method: "GET", path, host: "wiki.test", login: None, body: b"" }.send(8080))
}

#[test]
fn mediawiki_installs_into_mariadb_and_serves_a_page_from_a_read_only_root() {
    if !can_run() {
        return;
    }
    let pod = Pod::new();
    let database = mariadb(&pod);
    let _engine = database.start(&["docker-entrypoint.sh", "mariadbd"]);
    until_it_answers(&database);
    let wiki = Container::new(&pod, image("mediawiki"), "33:33");
    let password = std::fs::read_to_string(database.path("/secrets/password")).unwrap();
    wiki.write("/secrets/database", &password);
    wiki.write("/secrets/admin", "a long password 1");
    let install = format!(
        "php {MAINTENANCE}/install.php --confpath=/tmp --dbserver=10.89.250.1 --dbname=acme_wiki --dbuser=acme \
         --dbpassfile=/secrets/database --passfile=/secrets/admin --server=http://wiki.test --scriptpath= L\\'Hort Anna"
    );
    let (code, printed) = wiki.run(&["sh", "-c", &install]);
    assert_eq!(code, 0, "{printed}");
    let settings = std::fs::read_to_string(wiki.path("/tmp/LocalSettings.php")).unwrap();
    wiki.write("/etc/mediawiki/LocalSettings.php", &settings);
    let volumes = ["/tmp", "/run/apache2", "/var/cache/mediawiki", "/var/lib/mediawiki/images"];
    let wiki = volumes.iter().fold(wiki, |wiki, path| wiki.volume(path, "20m")).read_only();
    let (code, printed) = wiki.run(&["sh", "-c", &format!("echo assemblea | php {MAINTENANCE}/edit.php -u Anna Acta")]);
    assert_eq!(code, 0, "{printed}");

    let _server = wiki.start(&["apache2-foreground"]);
    let site = "/api.php?action=query&meta=siteinfo&format=json";
    until("the wiki answers", || get(&pod, site).is_some_and(|answer| answer.status == 200));
    assert_eq!(get(&pod, site).unwrap().json()["query"]["general"]["sitename"], "L'Hort");
    assert_eq!(get(&pod, "/index.php?title=Acta&action=raw").unwrap().text().trim(), "assemblea");
    assert_eq!(get(&pod, "/maintenance/install.php").unwrap().status, 403);
    // Nobody signs in by anybody else until a package says so.
    let openid =
        "test -e /usr/lib/apache2/modules/mod_auth_openidc.so && test ! -e /etc/apache2/mods-enabled/auth_openidc.load";
    let (code, printed) = wiki.run(&["sh", "-c", openid]);
    assert_eq!(code, 0, "mod_auth_openidc is there, and not loaded: {printed}");
    let (code, printed) = wiki.run(&["php", &format!("{MAINTENANCE}/update.php"), "--quick"]);
    assert_eq!(code, 0, "{printed}");
}
