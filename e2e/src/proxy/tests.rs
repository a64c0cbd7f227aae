//! The proxy before a tiny server: what the server hears, and what the client does.

use std::sync::atomic::{AtomicUsize, Ordering};

use http_body_util::Empty;
use hyper::client::conn::http1::{SendRequest, handshake};
use kube::Config;
use tokio::net::TcpStream;

use super::*;

/// Three events, and how many requests came.
struct Server {
    client: Client,
    heard: Arc<AtomicUsize>,
}

const EVENTS: &str = "one\ntwo\nthree\n";

async fn server() -> Server {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let heard = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let count = Arc::clone(&count);
            let service = service_fn(move |_: Request<Incoming>| {
                count.fetch_add(1, Ordering::SeqCst);
                async { Ok::<_, std::convert::Infallible>(Response::new(Full::new(Bytes::from(EVENTS)))) }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    let mut config = Config::new(format!("http://{address}").parse().unwrap());
    config.default_retry = false;
    Server { client: Client::try_from(config).unwrap(), heard }
}

struct Always(Verdict);

impl Judge for Always {
    fn judge(&self, _: &Call) -> Verdict {
        self.0.clone()
    }
}

async fn client(proxy: &Proxy) -> SendRequest<Empty<Bytes>> {
    let stream = TcpStream::connect(proxy.address).await.unwrap();
    let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// What a client gets with every request judged alike: status, Retry-After and body, or an error; and
/// what the server heard.
async fn asked(verdict: Verdict) -> (Result<(u16, String, String), String>, usize) {
    let server = server().await;
    let proxy = Proxy::open(server.client.clone(), Arc::new(Always(verdict))).await.unwrap();
    let request = Request::get("/api/v1/namespaces/a/secrets?watch=true").header("host", "x").body(Empty::new());
    let answer = match client(&proxy).await.send_request(request.unwrap()).await {
        Ok(answer) => {
            let code = answer.status().as_u16();
            let after = answer.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            Ok((code, after.unwrap_or_default(), String::from_utf8(body.to_vec()).unwrap()))
        }
        Err(error) => Err(error.to_string()),
    };
    (answer, server.heard.load(Ordering::SeqCst))
}

async fn events(disturbance: Disturbance) -> String {
    asked(Verdict::Disturb(disturbance)).await.0.unwrap().2
}

#[tokio::test]
async fn what_passes_comes_back_as_it_is() {
    assert_eq!(asked(Verdict::Pass).await, (Ok((200, String::new(), EVENTS.to_owned())), 1));
}

#[tokio::test]
async fn a_refusal_is_a_status_that_the_server_never_heard_of() {
    let refusal = Refusal { code: 429, reason: "TooManyRequests", retry_after: Some(1) };
    let (answer, heard) = asked(Verdict::Refuse(refusal)).await;
    let (code, after, body) = answer.unwrap();
    assert_eq!((code, after.as_str(), heard), (429, "1", 0));
    let status: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&status["kind"], &status["reason"]), (&json!("Status"), &json!("TooManyRequests")));
}

#[tokio::test]
async fn a_connection_is_cut_before_or_after_the_server_acted() {
    let (before, heard_before) = asked(Verdict::CutBefore).await;
    let (after, heard_after) = asked(Verdict::CutAfter).await;
    assert!(before.is_err() && after.is_err(), "{before:?} {after:?}");
    assert_eq!((heard_before, heard_after), (0, 1));
}

#[tokio::test]
async fn silence_lasts_until_the_client_gives_up() {
    let given_up = tokio::time::timeout(Duration::from_millis(200), asked(Verdict::Silence)).await;
    assert!(given_up.is_err(), "{given_up:?}");
}

#[tokio::test]
async fn a_watch_lags() {
    let begun = Instant::now();
    assert_eq!(events(Disturbance::Lag(Duration::from_millis(300))).await, EVENTS);
    let lasted = begun.elapsed();
    assert!((Duration::from_millis(300)..Duration::from_millis(800)).contains(&lasted), "not once each: {lasted:?}");
}

#[tokio::test]
async fn a_watch_ends_with_410() {
    let seen = events(Disturbance::Gone(1)).await;
    let (first, error) = seen.split_once('\n').unwrap();
    let error: serde_json::Value = serde_json::from_str(error).unwrap();
    assert_eq!((first, &error["type"], &error["object"]["code"]), ("one", &json!("ERROR"), &json!(410)));
}

#[tokio::test]
async fn a_watch_repeats_older_events() {
    let seen = events(Disturbance::Repeat).await;
    assert_eq!(
        seen.split_whitespace().collect::<Vec<_>>(),
        ["one", "one", "two", "one", "two", "three", "two", "three"]
    );
}

#[tokio::test]
async fn each_request_is_kept_with_whether_it_passed() {
    let server = server().await;
    let proxy = Proxy::open(server.client, Arc::new(Always(Verdict::CutBefore))).await.unwrap();
    let request = Request::get("/api/v1/namespaces/a/secrets?watch=true").header("host", "x").body(Empty::new());
    let _ = client(&proxy).await.send_request(request.unwrap()).await;
    let made: Vec<(String, bool)> =
        proxy.made(|_| true).iter().map(|made| (made.call.shown(), made.passed_on)).collect();
    assert_eq!(made, [("watch secrets a/".to_owned(), false)]);
}

#[tokio::test]
async fn an_object_is_edited_alone_in_a_list_and_in_a_watch() {
    let edit = Edit::new(|object| object["spec"] = json!("edited"));
    let edited = |text: &str| String::from_utf8(edit.object_text(text.as_bytes())).unwrap();
    assert_eq!(edited(r#"{"kind":"Pod"}"#), r#"{"kind":"Pod","spec":"edited"}"#);
    assert_eq!(edited(r#"{"items":[{"kind":"Pod"}]}"#), r#"{"items":[{"kind":"Pod","spec":"edited"}]}"#);
    assert_eq!(edited("no object"), "no object");
    let event = edit.event_text(br#"{"object":{"kind":"Pod"},"type":"ADDED"}"#);
    assert_eq!(
        String::from_utf8(event).unwrap(),
        "{\"type\":\"ADDED\",\"object\":{\"kind\":\"Pod\",\"spec\":\"edited\"}}\n"
    );
    // What is no event passes as it is.
    assert_eq!(asked(Verdict::Edit(edit)).await.0.unwrap().2, EVENTS);
}

#[test]
fn a_call_is_read_from_any_path() {
    let call = |method, path, body: &'static str| Call::new(method, path, false, &Bytes::from(body)).shown();
    let secret = r#"{"metadata": {"name": "s"}}"#;
    assert_eq!(call("GET", "/api/v1/namespaces", ""), "list namespaces /");
    assert_eq!(call("POST", "/api/v1/namespaces", r#"{"metadata": {"name": "a"}}"#), "create namespaces /a");
    assert_eq!(call("PATCH", "/api/v1/namespaces/a", ""), "patch namespaces /a");
    assert_eq!(call("POST", "/api/v1/namespaces/a/secrets", secret), "create secrets a/s");
    assert_eq!(call("PATCH", "/apis/apps/v1/namespaces/a/deployments/d", ""), "patch deployments a/d");
    assert_eq!(call("DELETE", "/apis/coordination.k8s.io/v1/namespaces/a/leases", ""), "deletecollection leases a/");
    let status = "/apis/commonscloud.coop/v1alpha1/entities/e/status";
    assert_eq!(call("PATCH", status, ""), "patch entities/status /e");
    assert_eq!(call("GET", "/version", ""), "list  /");
}

#[test]
fn only_what_concerns_a_name_does() {
    let call = |method, path, body: &'static str| Call::new(method, path, false, &Bytes::from(body));
    assert!(call("POST", "/api/v1/namespaces/a/secrets", r#"{"metadata": {"name": "s"}}"#).concerns("a"));
    assert!(call("PATCH", "/apis/commonscloud.coop/v1alpha1/entities/a/status", "").concerns("a"));
    assert!(call("POST", "/api/v1/namespaces", r#"{"metadata": {"name": "a"}}"#).concerns("a"));
    assert!(call("PATCH", "/apis/commonscloud.coop/v1alpha1/servicetemplaterevisions/a-1f", "").concerns("a"));
    assert!(!call("PATCH", "/api/v1/namespaces/ab/secrets/a-b", r#"{"metadata": {"name": "a-b"}}"#).concerns("a"));
}
