use crate::container::{Container, Pod, until};
use crate::http::{Answer, Request};
use crate::{can_run, image};

fn ask(pod: &Pod, path: &str) -> Option<Answer> {
    pod.inside(|| Request { method: "GET", path, host: "editor.test", login: None, body: b"" }.send(9980))
}

#[test]
fn collabora_answers_the_hosts_of_its_alias_groups_and_nobody_else() {
    if !can_run() {
        return;
    }
    let pod = Pod::new();
    let editor = Container::new(&pod, image("collabora"), "1001:1001")
        .with("aliasgroup1", "https://office.test:443")
        .with("aliasgroup2", "https://a-[a-z]+.test,https://other.test")
        .with("extra_params", "--o:ssl.enable=false --o:ssl.termination=true")
        .volume("/tmp", "5m")
        .read_only();
    let _server = editor.start(&["/start-collabora-online.sh"]);
    until("the editor answers", || ask(&pod, "/").is_some_and(|answer| answer.text() == "OK"));
    let discovery = ask(&pod, "/hosting/discovery").unwrap().text();
    assert!(discovery.contains("urlsrc=\"https://editor.test/browser/"), "{discovery}");
    assert!(ask(&pod, "/hosting/capabilities").unwrap().json()["productName"].as_str().unwrap().contains("Stand-in"));
    for (host, status) in
        [("office.test", 200), ("a-b.test", 200), ("other.test:443", 200), ("a-1.test", 403), ("xoffice.test", 403)]
    {
        let path = format!("/cool/file/ws?WOPISrc=https%3A%2F%2F{host}%2Fwopi%2F1");
        assert_eq!(ask(&pod, &path).unwrap().status, status, "{host}");
    }
    // Open to whoever reaches the port, up to the password: a wall in front has to close these.
    for path in ["/cool/adminws", "/cool/getMetrics", "/browser/dist/admin/admin.html"] {
        assert_eq!(ask(&pod, path).unwrap().status, 401, "{path}");
    }
}

#[test]
fn collabora_refuses_to_start_where_it_would_need_a_certificate() {
    if !can_run() {
        return;
    }
    let pod = Pod::new();
    let editor = Container::new(&pod, image("collabora"), "1001:1001");
    let (code, printed) = editor.run(&["/start-collabora-online.sh"]);
    assert!(code == 1 && printed.contains("--o:ssl.enable=false"), "{printed}");
}
