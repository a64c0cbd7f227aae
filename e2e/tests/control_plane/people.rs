//! `commonscloud people`, as a manager runs it: who belongs, who may enter, and what is told of it afterwards.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use commonscloud_e2e::manifests::entity_with_office;
use commonscloud_e2e::people::{People, named};
use commonscloud_e2e::suite::Scenario;
use commonscloud_e2e::wait::eventually;
use commonscloud_e2e::{Outcome, ensure, ensure_eq};
use serde_json::json;

use crate::tier::{ControlPlane, platform};

pub fn scenarios() -> Vec<Scenario<ControlPlane>> {
    vec![
        Scenario::new(
            "a manager invites from a table, lets in, removes and reads who did what, by the tool",
            by_the_tool,
        )
        .apart(),
    ]
}

const ENTITY: &str = "people";
const MANAGER: &str = "manager-of-people";
/// Who manages the office and nothing else.
const OF_OFFICE: &str = "manager-of-office";
const MAIL: &str = "pau@example.org";
const OTHER_MAIL: &str = "nuria@example.org";
/// What the operator has to do follows from a watch event.
const DONE: Duration = Duration::from_secs(20);

async fn by_the_tool(tier: Arc<ControlPlane>) -> Outcome {
    let tier = tier.aside().await?;
    let mut with_identity = platform();
    with_identity["spec"]["identity"] = json!({"issuer": "https://id.example.org"});
    tier.cluster.applied(&[with_identity]).await?;
    let ended = as_manager(&tier).await;
    // Others go on here on a Platform as theirs is.
    tier.cluster.applied(&[platform()]).await?;
    ended
}

async fn as_manager(tier: &ControlPlane) -> Outcome {
    let manager = |name: &str, user: &str| {
        let mail = format!("{name}@example.org");
        json!({"name": name, "mail": mail, "subject": {"kind": "User", "name": user}})
    };
    let mut entity = entity_with_office(ENTITY);
    entity["spec"]["managers"] = json!([manager("maria", MANAGER)]);
    entity["spec"]["services"]["office"]["managers"] = json!([manager("quim", OF_OFFICE)]);
    tier.running(&entity).await?;
    let (tool, of_office) = (People::of(&tier.cluster, MANAGER)?, People::of(&tier.cluster, OF_OFFICE)?);
    eventually("the collective is there, with those whom the Entity names", DONE, async || {
        let people = tool.listed(&["list", ENTITY]).await?;
        ensure!(people.iter().any(|one| one["manager"] == true), "{people:?}");
        tool.listed(&["list", ENTITY, "--service", "office"]).await.map(drop)
    })
    .await?;
    invites(&tool, tier).await?;
    lets_in(&tool, &of_office).await?;
    takes_away(&tool, &of_office).await?;
    tells(&tool).await
}

fn table(path: &Path, lines: &str) -> Outcome<String> {
    std::fs::write(path, format!("\u{feff}Nom;Correu\r\n{lines}"))?;
    Ok(path.to_string_lossy().into_owned())
}

async fn invites(tool: &People, tier: &ControlPlane) -> Outcome {
    let wrong = table(&tier.file("wrong.csv"), &format!("Pau;{MAIL}\r\nNúria;nuria\r\n"))?;
    let refused = tool.refused(&["invite", ENTITY, "--from", &wrong]).await?;
    ensure!(refused.contains("line 3, column mail") && refused.contains("nothing was written"), "{refused}");

    let two =
        table(&tier.file("two.csv"), &format!("Pau;{MAIL}\r\n\"Núria; \"\"la\"\" <b>Vila</b>\";{OTHER_MAIL}\r\n"))?;
    let before = tool.listed(&["list", ENTITY]).await?;
    let preview = tool.ok(&["invite", ENTITY, "--from", &two, "--dry-run"]).await?;
    ensure!(preview.contains("2 new of 2 lines") && preview.contains("nothing is written"), "{preview}");
    ensure_eq!(tool.listed(&["list", ENTITY]).await?.len(), before.len(), "members after a dry run");

    tool.ok(&["invite", ENTITY, "--from", &two]).await?;
    let people = tool.listed(&["list", ENTITY]).await?;
    let pau = named(&people, "Pau")?;
    ensure!(pau["mail"] == MAIL && pau["services"] == json!([]), "belonging gives no access: {pau}");
    named(&people, NURIA)?;
    let again = tool.ok(&["invite", ENTITY, "--from", &two]).await?;
    ensure!(again.contains("0 new of 2 lines") && again.contains("there already"), "{again}");
    ensure_eq!(tool.listed(&["list", ENTITY]).await?.len(), people.len(), "members after the same table again");
    Ok(())
}

/// A name that is written to tables, terminals and CSV.
const NURIA: &str = "Núria; \"la\" <b>Vila</b>";
const UNTIL: [&str; 2] = ["--until", "2099-01-31"];

async fn lets_in(tool: &People, of_office: &People) -> Outcome {
    let refused = tool.refused(&["allow", ENTITY, "office", MAIL]).await?;
    ensure!(refused.contains("the API server:") && refused.contains("its own managers"), "{refused}");

    // Who manages the office alone knows its people by name, and no member's mail address.
    let refused = of_office.refused(&["list", ENTITY]).await?;
    ensure!(refused.contains("the API server:") && refused.contains("orbidden"), "{refused}");
    let whom = ["list", ENTITY, "--service", "office", "--all", "--output", "csv"];
    eventually("the office's manager sees whom to let in", DONE, async || {
        let seen = of_office.ok(&whom).await?;
        ensure!(seen.contains("Pau") && seen.contains("Vila") && !seen.contains(MAIL), "{seen}");
        Ok(())
    })
    .await?;
    of_office.ok(&[&["allow", ENTITY, "office", "Pau", NURIA][..], &UNTIL].concat()).await?;
    // Since when is written once the operator has seen it, and with that the history.
    let pau = eventually("the operator has seen that Pau may enter", DONE, async || {
        let entering = tool.listed(&["list", ENTITY, "--service", "office"]).await?;
        let pau = named(&entering, "Pau")?;
        ensure!(pau["since"].is_string(), "{pau}");
        Ok(pau.clone())
    })
    .await?;
    ensure!(pau["role"] == "User" && pau["by"] == OF_OFFICE && pau["until"] == "2099-01-31T23:59:59Z", "{pau}");
    ensure!(pau["mail"] == MAIL, "to who reads the Collective: {pau}");

    let raised = [&["allow", ENTITY, "office", "Pau", "--manager"][..], &UNTIL].concat();
    let refused = of_office.refused(&raised).await?;
    ensure!(refused.contains("managers of the collective"), "{refused}");
    tool.ok(&raised).await?;
    tool.ok(&["deny", ENTITY, "office", "Pau", "--manager"]).await?;
    let guest = ["allow", ENTITY, "office", "--guest", "--name", "Rosa", "--mail", "rosa@example.org"];
    of_office.ok(&[&guest[..], &UNTIL].concat()).await?;
    let entering = of_office.listed(&["list", ENTITY, "--service", "office"]).await?;
    ensure!(named(&entering, "Rosa")?["guest"] == true, "{entering:?}");
    Ok(())
}

async fn takes_away(tool: &People, of_office: &People) -> Outcome {
    of_office.ok(&["deny", ENTITY, "office", "Pau"]).await?;
    eventually("the operator takes the entry away", DONE, async || {
        let entering = tool.listed(&["list", ENTITY, "--service", "office"]).await?;
        ensure!(named(&entering, "Pau").is_err(), "{entering:?}");
        Ok(())
    })
    .await?;
    let asked = tool.run(&["remove", ENTITY, OTHER_MAIL]).await?;
    ensure!(asked.stdout.contains("office until 2099-01-31"), "what that takes away: {}", asked.stdout);
    let unanswered = asked.refused("a removal without a yes")?;
    ensure!(unanswered.contains("nothing was changed"), "{unanswered}");
    tool.ok(&["remove", ENTITY, OTHER_MAIL, "--yes"]).await?;
    eventually("the member is gone, with all access", DONE, async || {
        for list in [&["list", ENTITY][..], &["list", ENTITY, "--service", "office"]] {
            let people = tool.listed(list).await?;
            ensure!(named(&people, NURIA).is_err(), "{people:?}");
        }
        Ok(())
    })
    .await?;
    let refused = tool.refused(&["manager", ENTITY, "maria", "--no-more"]).await?;
    ensure!(refused.contains("the last manager"), "{refused}");
    Ok(())
}

async fn tells(tool: &People) -> Outcome {
    eventually("the history says who did what", DONE, async || {
        let history = tool.listed(&["history", ENTITY, "--since", "2020-01-01"]).await?;
        let of = |change: &str, name: &str, by: &str| {
            history.iter().any(|one| one["change"] == change && one["displayName"] == name && one["by"] == by)
        };
        for (change, name, by) in [
            ("Invited", "Pau", MANAGER),
            ("Admitted", "Pau", OF_OFFICE),
            ("Dismissed", "Pau", OF_OFFICE),
            ("Invited", NURIA, MANAGER),
            ("Removed", NURIA, MANAGER),
        ] {
            ensure!(of(change, name, by), "{change} of {name} by {by}: {history:?}");
        }
        ensure!(history.iter().all(|one| !one.to_string().contains(OTHER_MAIL)), "a mail address is kept: {history:?}");
        Ok(())
    })
    .await
}
