use crate::container::{Container, Pod, until};
use crate::http::Request;
use crate::{can_run, image};

pub(crate) const CONFIG: &str = "\
[server]
hosts = 0.0.0.0:5232
[auth]
type = htpasswd
htpasswd_filename = /tmp/users
htpasswd_encryption = bcrypt
[storage]
filesystem_folder = /var/lib/radicale/collections
";

pub(crate) const EVENT: &[u8] = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:test\r\nBEGIN:VEVENT\r\nUID:1\r\n\
DTSTAMP:20260101T000000Z\r\nDTSTART:20260101T000000Z\r\nSUMMARY:assemblea\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

#[test]
fn radicale_keeps_an_event_of_a_person_whose_password_has_an_apostrophe() {
    if !can_run() {
        return;
    }
    let pod = Pod::new();
    let radicale = Container::new(&pod, image("radicale"), "999:999");
    radicale.write("/etc/radicale/config", CONFIG);
    let (code, printed) = radicale.run(&["htpasswd", "-cbB", "/tmp/users", "anna", "o'clock"]);
    assert_eq!(code, 0, "{printed}");
    let server = radicale.start(&["radicale", "--config", "/etc/radicale/config"]);
    let send =
        |method, path, login, body| pod.inside(|| Request { method, path, host: "localhost", login, body }.send(5232));
    until("Radicale answers", || send("GET", "/.web/", None, b"").is_some_and(|answer| answer.status == 200));
    let login = Some("anna:o'clock");
    assert_eq!(send("PUT", "/anna/work/1.ics", None, EVENT).unwrap().status, 401);
    assert_eq!(send("MKCALENDAR", "/anna/work/", login, b"").unwrap().status, 201);
    assert_eq!(send("PUT", "/anna/work/1.ics", login, EVENT).unwrap().status, 201);
    server.kill();

    let _again = radicale.start(&["radicale", "--config", "/etc/radicale/config"]);
    until("Radicale answers again", || send("GET", "/.web/", None, b"").is_some());
    let event = send("GET", "/anna/work/1.ics", login, b"").unwrap();
    assert!(event.status == 200 && event.text().contains("SUMMARY:assemblea"), "{event:?}");
}
