//! A real, unmodified application from Debian: Radicale.

use std::sync::Arc;

use commonscloud_e2e::manifests::entity_with;
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::{Outcome, ensure, ensure_eq};

use crate::tier::Node;

pub fn scenarios() -> Vec<Scenario<Node>> {
    vec![Scenario::new("an event put into Radicale through the ingress comes back", event_comes_back)]
}

const EVENT: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//commonscloud//e2e//EN\r\nBEGIN:VEVENT\r\nUID:assemblea@commonscloud\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260601T170000Z\r\nDTEND:20260601T190000Z\r\nSUMMARY:Assemblea general\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

async fn event_comes_back(node: Arc<Node>) -> Outcome {
    let name = "agenda";
    node.running(&entity_with(name, "radicale")).await?;
    let host = node.host(name, "site");
    let admin = node.administrator(name, "site").await?;
    let calendar = format!("/{}/cal/", admin.username);
    let made = node.ingress.send("MKCALENDAR", &host, &calendar, Some(&admin), Vec::new()).await?;
    ensure_eq!(made.status.as_u16(), 201, "MKCALENDAR");
    let path = format!("{calendar}assemblea.ics");
    node.ingress.put(&host, &path, &admin, EVENT.into()).await?;
    let pod = node.pod(name, "site", "app").await?;
    node.cluster.kubectl.ok(&["delete", "pod", "-n", name, &pod]).await?;
    let event = commonscloud_e2e::wait::eventually("Radicale serves the event again", crate::tier::READY, async || {
        node.ingress.get(&host, &path, Some(&admin)).await
    });
    let event = String::from_utf8(event.await?)?;
    ensure!(event.contains("SUMMARY:Assemblea general"), "{event}");
    let refused = node.ingress.send("GET", &host, &path, None, Vec::new()).await?;
    ensure_eq!(refused.status.as_u16(), 401, "without a password");
    Ok(())
}
