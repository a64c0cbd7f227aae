//! The kinds that the operator writes: what packages may render, and what is its own.

use kube::core::ApiResource;

use crate::api::{GROUP, VERSION};
use crate::template::{AllowedKind, allowed_kinds};

const fn builtin(group: &'static str, kind: &'static str, plural: &'static str) -> AllowedKind {
    AllowedKind { group, version: "v1", kind, plural }
}

const fn custom(kind: &'static str, plural: &'static str) -> AllowedKind {
    AllowedKind { group: GROUP, version: VERSION, kind, plural }
}

/// Built-in kinds that the operator makes beside what packages render.
pub const OWN: [AllowedKind; 6] = [
    ROLE,
    builtin("rbac.authorization.k8s.io", "RoleBinding", "rolebindings"),
    builtin("", "ResourceQuota", "resourcequotas"),
    builtin("", "LimitRange", "limitranges"),
    VOLUME,
    SECRET,
];
/// What somebody may do in a namespace.
pub const ROLE: AllowedKind = builtin("rbac.authorization.k8s.io", "Role", "roles");
/// A claim to a volume: holds data.
pub const VOLUME: AllowedKind = builtin("", "PersistentVolumeClaim", "persistentvolumeclaims");
/// A Secret: generated ones belong to data.
pub const SECRET: AllowedKind = builtin("", "Secret", "secrets");
/// A pod: never made by the operator, deleted where its StatefulSet cannot get out of it.
pub const POD: AllowedKind = builtin("", "Pod", "pods");
/// A namespace.
pub const NAMESPACE: AllowedKind = builtin("", "Namespace", "namespaces");
/// An organisation, with its services.
pub const ENTITY: AllowedKind = custom("Entity", "entities");
/// The record of data.
pub const SERVICE_DATA: AllowedKind = custom("ServiceData", "servicedata");
/// One run of a backup.
pub const SERVICE_BACKUP: AllowedKind = custom("ServiceBackup", "servicebackups");
/// One restore.
pub const SERVICE_RESTORE: AllowedKind = custom("ServiceRestore", "servicerestores");
/// An Entity's consent that another one restores a snapshot: the operator reports on it.
pub const RESTORE_CONSENT: AllowedKind = custom("RestoreConsent", "restoreconsents");
/// Who belongs to an Entity.
pub const COLLECTIVE: AllowedKind = custom("Collective", "collectives");
/// Who may enter a service.
pub const ACCESS: AllowedKind = custom("Access", "accesses");
/// Who gave or took what of either.
pub const ACCESS_HISTORY: AllowedKind = custom("AccessHistory", "accesshistories");
/// A member's wish to leave: the operator carries it out.
pub const LEAVE_REQUEST: AllowedKind = custom("LeaveRequest", "leaverequests");
/// The project's kinds that the operator writes.
pub const CUSTOM: [AllowedKind; 13] = [
    custom("Platform", "platforms"),
    custom("Tariff", "tariffs"),
    custom("ServiceTemplate", "servicetemplates"),
    custom("ServiceTemplateRevision", "servicetemplaterevisions"),
    ENTITY,
    SERVICE_DATA,
    SERVICE_BACKUP,
    SERVICE_RESTORE,
    RESTORE_CONSENT,
    COLLECTIVE,
    ACCESS,
    ACCESS_HISTORY,
    LEAVE_REQUEST,
];
/// Kinds of instances.
pub const DEDICATED: [AllowedKind; 4] = [
    custom("DedicatedOffice", "dedicatedoffices"),
    custom("DedicatedAgora", "dedicatedagoras"),
    custom("DedicatedProjects", "dedicatedprojects"),
    custom("DedicatedService", "dedicatedservices"),
];
/// Kinds that hold data: never owned, never pruned.
pub const DATA: [&str; 4] = ["PersistentVolumeClaim", "Secret", "ServiceData", "Namespace"];

/// The kinds whose objects are watched as a whole to find drift: everything owned but Secrets.
pub fn watched() -> impl Iterator<Item = &'static AllowedKind> {
    static OWN_KINDS: [AllowedKind; 6] = OWN;
    allowed_kinds().iter().chain(OWN_KINDS.iter().filter(|kind| kind.kind != SECRET.kind))
}

/// Every kind that the operator writes.
pub fn written() -> impl Iterator<Item = &'static AllowedKind> {
    static SECRET_KIND: [AllowedKind; 2] = [SECRET, NAMESPACE];
    static CUSTOM_KINDS: [AllowedKind; 13] = CUSTOM;
    static DEDICATED_KINDS: [AllowedKind; 4] = DEDICATED;
    watched().chain(SECRET_KIND.iter()).chain(CUSTOM_KINDS.iter()).chain(DEDICATED_KINDS.iter())
}

/// How the API server is asked for a kind.
pub fn resource_of(kind: &AllowedKind) -> ApiResource {
    ApiResource {
        group: kind.group.to_owned(),
        version: kind.version.to_owned(),
        api_version: kind.api_version(),
        kind: kind.kind.to_owned(),
        plural: kind.plural.to_owned(),
    }
}

/// How the API server is asked for a kind of this name, if the operator writes or deletes it.
pub fn resource(kind: &str) -> Option<ApiResource> {
    static POD_KIND: [AllowedKind; 1] = [POD];
    written().chain(POD_KIND.iter()).find(|known| known.kind == kind).map(resource_of)
}
