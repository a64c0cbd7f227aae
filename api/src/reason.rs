//! The reasons of conditions: one word each, with what it means and what to do. `cli/src/status.rs` holds
//! `docs/operations.md` to this table.

use std::fmt;

/// Makes the enum, its list and its texts of one table, so that no reason can lack a line.
macro_rules! reasons {
    ($($reason:ident: $means:literal, $to_do:literal;)+) => {
        /// Why a condition is as it is. What the operator finds by itself is one of these; what a
        /// pod or a claim waits for is told in Kubernetes' own word, such as `ImagePullBackOff`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason {
            $(#[doc = $means] $reason,)+
        }

        impl Reason {
            /// Every reason, in alphabetical order.
            pub const ALL: &'static [Self] = &[$(Self::$reason),+];

            /// The word in `status.conditions[].reason`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$reason => stringify!($reason)),+ }
            }

            /// What it means, in one sentence.
            pub const fn means(self) -> &'static str {
                match self { $(Self::$reason => $means),+ }
            }

            /// What whoever runs the cluster does about it, in one sentence.
            pub const fn to_do(self) -> &'static str {
                match self { $(Self::$reason => $to_do),+ }
            }
        }
    };
}

reasons! {
    AddressBlockInvalid: "A block of addresses in the Platform is none.",
        "The message names field and block: write it as 10.42.0.0/16 or fd00:42::/56.";
    AddressInvalid: "The Platform's `exposure.address` is no IP address.",
        "Correct it in the Platform, or leave it out: then the Ingress's own status is used.";
    AlreadyExists: "An object that was to be made is there already.",
        "Nothing: the operator reads it and goes on. If it stays, look at who made the object.";
    Answers: "The page for health checks answers through the ingress.",
        "Nothing.";
    ApiUnavailable: "The API server did not take a write: it is overloaded, starting, or not reached.",
        "Nothing while it lasts seconds; else look at the API server. What runs goes on.";
    BaseDomainInvalid: "The Platform's `baseDomain` is no host name.",
        "Correct it in the Platform; no service gets an address before.";
    CaBundleInvalid: "The Platform's `exposure.caBundle` holds no certificates in PEM.",
        "Correct it in the Platform, or leave it out when public authorities sign.";
    ClassUnknown: "It is not known whether the storage class enforces sizes.",
        "Add the class to `storageClasses` of the Platform, with `enforcesSize`.";
    ClocksDisagree: "The clocks of the API server and of the operator's machine disagree, so no date counts as passed.",
        "Correct the clocks (NTP), then restart the operator; until then nothing becomes due.";
    Conflict: "An object changed between reading and writing it.",
        "Nothing: the operator reads it again.";
    ContainerFailed: "A container of the application ended.",
        "The message has its last line; `kubectl logs --previous` has the others.";
    DataBeingMade: "The volumes and Secrets are being made, or no application was ready on them yet.",
        "Look at the status of the service; if it is gone already, nothing.";
    DataOfAnother: "Data under this name belongs to an earlier Entity with another display name, domains or managers.",
        "If it is the same organisation, add the uid from the message to `spec.adopt` of the Entity; otherwise choose another name.";
    DataRestoring: "The volumes and Secrets of the service are being replaced (`spec.restoring` of its ServiceData); nothing is made meanwhile.",
        "Restore them, then run `commonscloud data rebind ENTITY/INSTANCE`.";
    Deleting: "It is being deleted; the message says since when, and what is waited for.",
        "Nothing for minutes; then look at what the message names. A finalizer belongs to the tool that put it there.";
    DeletionBlocked: "It is being deleted, and a step that has to come first is refused.",
        "The message is the refusal: mend the policy, or the operator's rights. It goes on by itself; nothing is lost meanwhile.";
    Enforced: "The storage class enforces the size of volumes: the quota is what the volume holds.",
        "Nothing.";
    EntityDiffers: "A service was changed by hand, and its Entity says something else.",
        "Change `spec.services` of the Entity: the operator puts back what differs.";
    EntityNotFound: "The namespace belongs to an Entity that is not there.",
        "Apply the Entity; what is stored comes back with it.";
    ExtraBlocksTooMany: "`extraBlocks` is more than the Tariff sells.",
        "Lower it, or write a Tariff with a larger `maximum`; what runs keeps its size.";
    FailedCreate: "A workload cannot make its pods.",
        "The message is the API server's: a policy, or a limit of the namespace.";
    FeedFailing: "The operator does not see what changes in a part of the cluster; the message is the API server's.",
        "Give back the right that the message names, mostly by `helm upgrade`, or look at the API server. What runs goes on.";
    FieldContested: "Somebody else changes a field back each time; the message names who.",
        "Stop the other manager (an autoscaler, a webhook, a person's script): the field is repaired half a minute after its last write, later if it undid that before.";
    Forbidden: "The operator lacks a right: the API server says that it `cannot` do something.",
        "Nothing while it lasts seconds; else `helm upgrade` the chart, whose roles may be older than the operator.";
    HostnameForeign: "The host name lies in none of the Entity's `domains`.",
        "Choose another, or add the domain to the Entity once you know that it is theirs.";
    HostnameInvalid: "The host name is none.",
        "Correct `hostname` of the service; without it, the Platform's pattern makes one.";
    HostnameTaken: "Another resource, which the message names, serves at the host name or asked for it earlier.",
        "Choose another, or take it from that resource first.";
    ImageKept: "The service runs an image whose tag is not that of its version, as it did before; nothing moves it unasked.",
        "To move it, name the image for that version under `versions` in `images` of the Platform; a later version of the service that brings another moves it too.";
    ImageOverrideUnused: "The Platform names an image whose tag is not that of the version that runs: the package's own is used.",
        "In `images` of the Platform set `mirror` in the place of `reference`, or name the version under `versions`.";
    InitFailed: "The step before the application's start ended with an error.",
        "The message has its last line; `kubectl logs POD --container prepare` has the others. It is tried again by itself.";
    InternalError: "The operator met a fault of its own while it worked on the resource; the message has its words.",
        "Report it to the operator's developers, with the lines of its log that say `panicked at`. Everything else goes on, and this is tried again ever more rarely.";
    JobFailed: "A Job of the package failed for good.",
        "Read its log, mend the cause, then delete the Job: it is made again.";
    LimitRangeViolated: "A `LimitRange` of the namespace does not allow the size of an object.",
        "The message says which limit: change the LimitRange, or `resources` of the Platform; then edit the resource, or wait up to an hour.";
    Measured: "The space in use is known, as the kubelet measures it.",
        "Nothing.";
    NameInvalid: "The Entity's name is reserved for the cluster itself, or is no name.",
        "Make the Entity under another name.";
    NameTaken: "The name, or an object's name, belongs to another instance or to data that is kept.",
        "Choose another name, or apply the resource that the data belongs to.";
    NamespaceForeign: "The namespace exists and is not the Entity's, or belongs to no Entity.",
        "Choose another name, or label the namespace as the message says, if it is to become the Entity's.";
    NamespaceKept: "An Event: the Entity is gone and its namespace stays; the message says why.",
        "Nothing while it holds data. Otherwise it is the operator's no longer: delete it yourself once nobody needs it.";
    NamespaceNotReady: "The Entity's namespace, or the operator's rights in it, are not there yet.",
        "Nothing while it lasts seconds; else look at the status of the Entity.";
    NamespaceTerminating: "The namespace is being deleted.",
        "Nothing: it is made again afterwards. If it does not end, `kubectl describe namespace` names what holds it.";
    NotAsked: "The page was not asked for yet: the pods are not ready, or have only just become so.",
        "Nothing.";
    NotCanonical: "The API server's answer differs from what was sent, at the path that the message names.",
        "Mend the package, or the webhook of the cluster that changes it.";
    NotEnforced: "The storage class does not enforce the size of volumes: a full quota stops nothing.",
        "Move to a class that does, or watch the sizes yourself.";
    NotFound: "An object that was to be changed is not there.",
        "Nothing: the operator makes it again.";
    NotReadyOnRevision: "The service was Ready before the template's newest revision, and is not: other services of the template stay on theirs.",
        "Mend the service, or the package; `spec.revision` takes it back, and `spec.paused` lets the others go on without it.";
    NotReported: "The kubelet reports no usage of the volume, at least not yet.",
        "Nothing for minutes after a start. Some storage classes are never measured.";
    PackageInvalid: "The ServiceTemplate, or the revision that the instance is pinned to, breaks a rule of the format.",
        "`commonscloud template lint` on the package names file and line; what runs stays as it is.";
    ParametersInvalid: "A parameter breaks the package's schema.",
        "The message names it and what is allowed; what runs stays as it is.";
    Paused: "`spec.paused` is true and changes wait; the message names them.",
        "Take `paused` away.";
    PeerNotFound: "A peer in the Platform's `network` names namespaces by labels that none has.",
        "Correct `namespaceSelector` in the Platform, or install what it names; what services send there, or expect from there, is dropped.";
    PlatformNotFound: "There is no Platform named `default`.",
        "Apply it; nothing else is needed.";
    PlatformSecretNotFound: "A Secret that the Platform names is not in the operator's namespace.",
        "Make it there, or correct the name in the Platform; pods that run keep the copy that they have.";
    ProbeFailing: "A container runs and does not answer its probe.",
        "The message is the probe's; then `kubectl logs`. After an upgrade it may still be migrating.";
    QuotaExceeded: "The namespace's quota has no room for what is to be made.",
        "Data that is kept counts too: `kubectl describe resourcequota`. It is made by itself once there is room.";
    Ready: "It does what its spec says.",
        "Nothing.";
    Refused: "The API server, a policy or a webhook refuses an object as it is.",
        "The message is the refusal: mend the package, or the policy. It is tried again when something changes; else after ten minutes, then ever more rarely, up to an hour.";
    RenderFailed: "The package does not render for this instance.",
        "The message names manifest and line: mend the package, or the parameter that leads there.";
    RevisionForeign: "`spec.revision` is a revision of another template.",
        "Name one of this template: `kubectl get servicetemplaterevisions`.";
    RevisionNotFound: "The revision is not there.",
        "Correct `spec.revision`, or leave it out.";
    RevisionWaits: "The template's newest revision comes once the services that the message names are Ready on it.",
        "Nothing for minutes; then look at those services, which have condition `HoldsRollout`.";
    RollingOut: "A workload's pods are being replaced, or are not all ready yet.",
        "Nothing for minutes; then look at its pods.";
    SecretBeingDeleted: "A generated Secret is being deleted; a finalizer still holds it.",
        "Save what it holds before the finalizer goes: the data cannot be opened without it.";
    SecretMissing: "A generated Secret is gone, and data was made with it.",
        "Restore the Secret: a new password would not open the old data.";
    SecretNotForService: "A parameter names a Secret that was not made for this service.",
        "Make it in the Entity's namespace with label `commonscloud.coop/for: SERVICE`; generated Secrets and the Platform's are never named by parameters.";
    SecretNotFound: "The Platform names a Secret that is not in the operator's namespace.",
        "Make it there, or correct the name in the Platform.";
    ServicesNotReady: "A service of the Entity is not ready; the message has its name and reason.",
        "Look up that reason here.";
    SettingsApplied: "What the package applies while the application runs is applied.",
        "Nothing.";
    SettingsFailed: "The application serves, but a setting could not be applied: sign-in, the editor, quotas, or the first administrator.",
        "The message is the container's own: mostly a parameter, a Secret that it names, or a provider that is not reached. It is tried again each minute.";
    Starting: "A pod is starting, and nothing is wrong with it so far.",
        "Nothing for minutes; a first installation or a migration takes its time.";
    StorageClassNotFound: "The Platform names a StorageClass that the cluster does not have.",
        "Make the class, or correct the name.";
    TariffInvalid: "The Tariff holds an amount that is none.",
        "Write a new Tariff and name it in the Entity.";
    TariffNotFound: "The Entity's Tariff is not there.",
        "Apply it, or name another in the Entity; nothing else is needed.";
    TemplateNotFound: "The ServiceTemplate is not there, or has no revision yet.",
        "Apply the package; the built-in ones are registered when the operator starts.";
    TierUnknown: "The Tariff has no such tier, or not for this service.",
        "The message lists those there are; what runs keeps its size.";
    Undecodable: "An object is not what this release of the operator can read; the message names it and the field.",
        "Correct the field, or run the release that wrote it. Nothing that depends on the object is changed before.";
    Unreachable: "The pods are ready, and the page does not answer through the ingress.",
        "The message says how it fails: DNS, the certificate, the ingress, or the package's network rules.";
    Unschedulable: "No node has room for a pod, or none may take its volume.",
        "The message counts why: a node more, or smaller requests in `resources` of the Platform.";
    Unverified: "A record of an earlier release names a volume or a Secret that is not there.",
        "Restore it; if it never existed, `commonscloud data rebind ENTITY/INSTANCE --without NAME` has it made.";
    UpgradeNotAllowed: "No single step leads from the version that runs to the one asked for.",
        "Take the versions in between, one after the other; there is no step backwards.";
    VersionUnknown: "The revision has no such version of the application.",
        "The message lists those there are.";
    VolumeAtMaximum: "A volume outside the quota is nearly full, and has grown as far as its package lets it.",
        "Remove data, sell a larger quota, or raise `growth.maximum` in the package.";
    VolumeBeingDeleted: "The claim of a volume is being deleted: its data goes as soon as no pod uses it.",
        "Back the data up now, while the service still runs; keep its pods from restarting.";
    VolumeGrowing: "A volume is being enlarged.",
        "Nothing for minutes; then the message is the storage driver's.";
    VolumeGrowthFailed: "The storage cannot give a volume the size that was asked for.",
        "Ask for less, fewer `extraBlocks` or a smaller tier: then the request is taken back; or give the storage more room.";
    VolumeLarger: "A smaller quota was asked for; the volume keeps its size, nothing is lost, and more than the quota can be stored.",
        "Nothing; only a new service on a new volume is smaller.";
    VolumeLost: "A claim has lost its volume.",
        "Restore it; nothing empty is put in its place.";
    VolumeMissing: "A volume that holds data is gone, or another claim has its name; nothing empty takes its place.",
        "Restore the volume, then run `commonscloud data rebind ENTITY/INSTANCE`.";
    VolumeNearlyFull: "A volume outside the quota that its package lets not grow is nearly full: once it is full, the service cannot write.",
        "Remove what is not needed on it, or set `spec.revision` to one whose package gives it `growth` or a larger `size`.";
    VolumeNotExpandable: "A volume is to grow, and its storage class lets no volume grow.",
        "Set `allowVolumeExpansion` on the StorageClass if its driver can; else go back to the smaller tier, or remove data.";
    VolumeNotGrown: "A volume outside the quota is nearly full, and its growth was not taken.",
        "The message is the API server's: a quota of the namespace, or a policy.";
    VolumePending: "The storage class has not made the volume yet.",
        "`kubectl describe persistentvolumeclaim`; then the storage driver's log.";
    VolumeSizeInvalid: "A volume has no usable size for this quota.",
        "Mend the size expression of the package, or sell a larger tier.";
}

impl Reason {
    /// The reason of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.name() == name)
    }
}

/// The reason's word.
impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_in_order_and_found_by_their_name() {
        let names: Vec<&str> = Reason::ALL.iter().map(|reason| reason.name()).collect();
        assert!(names.is_sorted(), "{names:?}");
        assert_eq!(Reason::named("TierUnknown"), Some(Reason::TierUnknown));
        assert_eq!(Reason::named("ImagePullBackOff"), None);
    }
}
