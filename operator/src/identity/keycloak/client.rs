//! A client as we make it.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{ENTITY, MANAGED, SERVICE};
use crate::identity::seen::ClientSeen;
use crate::identity::wanted::{ClientSecret, ClientWanted};

/// The claim that says what somebody may do.
const CLAIM: &str = "groups";

/// How it signs people in: by the code flow, as a program that keeps a secret, and for nobody but people.
const SETTINGS: [(&str, bool); 8] = [
    ("standardFlowEnabled", true),
    ("publicClient", false),
    ("bearerOnly", false),
    ("consentRequired", false),
    ("implicitFlowEnabled", false),
    ("directAccessGrantsEnabled", false),
    ("serviceAccountsEnabled", false),
    // Its tokens tell nothing of what somebody may do elsewhere.
    ("fullScopeAllowed", false),
];

/// Ways in that would go past its browser flow, and where people may be sent after they signed out.
const ATTRIBUTES: [(&str, &str); 4] = [
    ("oauth2.device.authorization.grant.enabled", "false"),
    ("oidc.ciba.grant.enabled", "false"),
    ("standard.token.exchange.enabled", "false"),
    ("post.logout.redirect.uris", "+"),
];

/// What Keycloak is to have of a client. Without a flow nobody can sign in by it.
pub(super) fn representation(id: &str, client: &ClientWanted, flow: Option<&str>) -> Value {
    let url = client.url.trim_end_matches('/');
    let mut attributes: Map<String, Value> =
        ATTRIBUTES.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    attributes.insert(MANAGED.to_owned(), json!("true"));
    attributes.insert(ENTITY.to_owned(), json!(client.entity));
    attributes.insert(SERVICE.to_owned(), json!(client.service));
    let mut representation = json!({
        "clientId": id,
        "name": format!("{} ({})", client.service, client.entity),
        "protocol": "openid-connect",
        "enabled": flow.is_some(),
        "baseUrl": url,
        "redirectUris": client.redirect_uris(),
        "webOrigins": [url],
        "attributes": attributes,
        "protocolMappers": [mapper(id)],
    });
    for (name, value) in SETTINGS {
        representation[name] = json!(value);
    }
    if let Some(secret) = &client.secret {
        representation["secret"] = json!(secret.expose());
    }
    if let Some(flow) = flow {
        representation["authenticationFlowBindingOverrides"] = json!({"browser": flow});
    }
    representation
}

fn mapper(id: &str) -> Value {
    json!({
        "name": CLAIM,
        "protocol": "openid-connect",
        "protocolMapper": "oidc-usermodel-client-role-mapper",
        "consentRequired": false,
        "config": {
            "claim.name": CLAIM,
            "jsonType.label": "String",
            "multivalued": "true",
            "usermodel.clientRoleMapping.clientId": id,
            "id.token.claim": "true",
            "access.token.claim": "true",
            "userinfo.token.claim": "true",
            "introspection.token.claim": "true",
        },
    })
}

/// The client id, and what there is of the client but for its roles.
pub(super) fn seen(there: &Value) -> Option<(String, ClientSeen)> {
    let text = |at: &str| there.pointer(at).and_then(Value::as_str);
    let id = text("/clientId")?;
    let attributes = there.get("attributes");
    let attribute = |name: &str| attributes?.get(name)?.as_str();
    // An administrator's copy of a client of ours, under a name of their own, has its attributes too.
    let is_ours = attribute(MANAGED) == Some("true") && is_name_of_ours(id);
    let uris = there.get("redirectUris").and_then(Value::as_array).into_iter().flatten();
    let seen = ClientSeen {
        uuid: text("/id")?.to_owned(),
        entity: attribute(ENTITY).filter(|_| is_ours).map(str::to_owned),
        enabled: there.get("enabled").and_then(Value::as_bool).unwrap_or_default(),
        redirect_uris: uris.filter_map(Value::as_str).map(str::to_owned).collect::<BTreeSet<_>>(),
        secret: text("/secret").map(ClientSecret::new),
        flow: text("/authenticationFlowBindingOverrides/browser").map(str::to_owned),
        as_made: is_as_made(id, there),
        ..ClientSeen::default()
    };
    Some((id.to_owned(), seen))
}

/// Whether a client is called as ours are: by two names with a dot in between.
fn is_name_of_ours(id: &str) -> bool {
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    id.split_once('.').is_some_and(|(entity, service)| is_name(entity) && is_name(service))
}

fn is_as_made(id: &str, there: &Value) -> bool {
    let is_set = |(name, value): &(&str, bool)| there.get(*name).and_then(Value::as_bool) == Some(*value);
    let has = |(name, value): &(&str, &str)| there["attributes"][*name].as_str() == Some(*value);
    let mappers = there.get("protocolMappers").and_then(Value::as_array).map(Vec::as_slice);
    let is_mapped = matches!(mappers, Some([one]) if contains(one, &mapper(id)));
    SETTINGS.iter().all(is_set) && ATTRIBUTES.iter().all(has) && is_mapped
}

/// Whether everything that is wanted is there, whatever else is.
fn contains(there: &Value, wanted: &Value) -> bool {
    match wanted {
        Value::Object(fields) => {
            fields.iter().all(|(name, value)| there.get(name).is_some_and(|there| contains(there, value)))
        }
        other => there == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client() -> ClientWanted {
        ClientWanted {
            entity: "coop".to_owned(),
            service: "wiki".to_owned(),
            url: "https://wiki.example.org/".to_owned(),
            secret: Some(ClientSecret::new("s3cret")),
        }
    }

    /// As Keycloak gives it back.
    fn given_back(flow: Option<&str>) -> Value {
        let mut there = representation("coop.wiki", &client(), flow);
        there["id"] = json!("c1");
        there["protocolMappers"][0]["id"] = json!("m1");
        there["attributes"]["realm_client"] = json!("false");
        there
    }

    #[test]
    fn a_client_that_was_made_is_known_as_it_was_made() {
        let (id, made) = seen(&given_back(None)).unwrap();
        assert_eq!((id.as_str(), made.enabled, made.flow.clone()), ("coop.wiki", false, None));
        assert!(made.as_made && made.entity.as_deref() == Some("coop"));
        let (_, bound) = seen(&given_back(Some("f1"))).unwrap();
        assert!(bound.enabled && bound.flow.as_deref() == Some("f1"));
        assert_eq!(bound.redirect_uris, client().redirect_uris());
        assert_eq!(bound.secret, client().secret);
    }

    #[test]
    fn what_somebody_changed_is_noticed() {
        let changes: [fn(&mut Value); 6] = [
            |there| there["directAccessGrantsEnabled"] = json!(true),
            |there| there["publicClient"] = json!(true),
            |there| there["attributes"]["oauth2.device.authorization.grant.enabled"] = json!("true"),
            |there| there["protocolMappers"] = json!([]),
            |there| there["protocolMappers"][0]["config"]["claim.name"] = json!("roles"),
            |there| {
                let more = there["protocolMappers"][0].clone();
                there["protocolMappers"] = json!([more, {"name": "all"}]);
            },
        ];
        for change in changes {
            let mut there = given_back(Some("f1"));
            change(&mut there);
            assert!(!seen(&there).unwrap().1.as_made, "{there}");
        }
    }

    #[test]
    fn a_client_without_our_mark_is_not_ours() {
        let mut there = given_back(None);
        there["attributes"].as_object_mut().unwrap().remove(MANAGED);
        assert_eq!(seen(&there).unwrap().1.entity, None);
        assert_eq!(seen(&json!({"id": "c2", "clientId": "account"})).unwrap().1.entity, None);
        for copy in ["our-own", "coop.wiki.copy", "Copy of coop.wiki"] {
            let mut there = given_back(None);
            there["clientId"] = json!(copy);
            assert_eq!(seen(&there).unwrap().1.entity, None, "{copy}");
        }
    }
}
