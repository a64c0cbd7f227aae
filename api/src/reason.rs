//! The reasons of conditions: one word each, with what it means and what to do. `cli/src/status.rs` holds
//! `docs/operations.md` to this table.

use std::fmt;

/// Generates the enum, its list and its texts from one table, so that no reason can lack a text.
macro_rules! reasons {
    ($($reason:ident: $means:literal, $to_do:literal;)+) => {
        /// Why a condition is as it is. What the operator finds by itself is one of these; what a
        /// pod or a claim waits for has Kubernetes' own word, such as `ImagePullBackOff`.
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
    AddressBlockInvalid: "An address range in the Platform is not valid.",
        "The message names the field and the range: write it like 10.42.0.0/16 or fd00:42::/56.";
    AddressInvalid: "The Platform's `exposure.address` is not an IP address.",
        "Correct it in the Platform, or leave it out to use the address in the Ingress's own status.";
    AlreadyExists: "An object that was to be created exists already.",
        "Nothing: the operator reads it and goes on. If the reason stays, find out who created the object.";
    Answers: "The page for health checks answers through the ingress.",
        "Nothing.";
    ApiUnavailable: "The API server did not accept a write: it is overloaded, starting, or cannot be reached.",
        "Nothing if it lasts only seconds; otherwise look at the API server. What is running keeps running.";
    BackupFailed: "A step of a backup or a restore ended with an error; the message quotes it.",
        "Fix what the message names, then make another: one that was asked for is not tried again, a scheduled one is made again in its window. Earlier backups are still there.";
    BackupMissed: "The newest backup is older than the schedule says, or there is none.",
        "The message says why no run began, or which one has not ended: look at that ServiceBackup.";
    BackupRuns: "A backup is running; the message says how far it has got.",
        "Nothing; `kubectl get jobs` shows the step.";
    BackupScheduleInvalid: "A backup schedule is not valid, or not within the Platform's bounds.",
        "The message names the field and what is allowed: correct it. Until then the Platform's own schedule is used, if that one is valid.";
    BackupServerNotReady: "The server of a backup target that is a volume does not answer; backups to it wait.",
        "Nothing for a few minutes; then the message says what it waits for: usually its claim, or its image (`backup.server.image` of the chart).";
    BackupUnsupported: "The package, or the revision that the service is pinned to, does not say how it is backed up.",
        "Move the service to a revision with `operations`, or list its revision in `compatibleRevisions` of a newer one.";
    BackupVolumeDiffers: "The Platform asks for a smaller volume of a backup target, or another storage class, than it has; it stays as it is.",
        "The message says what it has: write that, or name another target.";
    BackupVolumeKept: "The volume of a backup target that the Platform no longer names is kept, with all backups on it.",
        "Name the target again to use it; to give the backups up, delete the claim that the message names.";
    BackupsNotOffSite: "Every backup target is a volume of the cluster: whoever loses the cluster loses the backups.",
        "Add a target that is elsewhere: `s3`, `sftp` or `rest`.";
    BaseDomainInvalid: "The Platform's `baseDomain` is not a host name.",
        "Correct it in the Platform; until then no service gets an address.";
    CaBundleInvalid: "The Platform's `exposure.caBundle` contains no certificates in PEM format.",
        "Correct it in the Platform, or leave it out if public authorities sign your certificates.";
    ClassUnknown: "It is not known whether the storage class enforces sizes.",
        "Add the class to `storageClasses` of the Platform, with `enforcesSize`.";
    ClocksDisagree: "The clocks of the API server and of the operator's machine disagree, so no date is taken as passed.",
        "Correct the clocks (NTP), then restart the operator; until then nothing becomes due.";
    Conflict: "An object changed between reading and writing it.",
        "Nothing: the operator reads it again.";
    ConsentExpired: "The date until which the consent holds has passed.",
        "If it was not used and still should be, make another RestoreConsent with a later `until`; otherwise delete it.";
    ConsentMissing: "The restore is of another Entity's snapshot, and no consent of that Entity covers it; nothing was copied.",
        "A manager of the other Entity creates a RestoreConsent with the service, the snapshot and the Entity that the message names: the restore goes on by itself.";
    ContainerFailed: "A container of the application exited.",
        "The message is its last line; `kubectl logs --previous` shows the rest.";
    DataBeingMade: "The volumes and Secrets are being created, or no application has been ready on them yet.",
        "Look at the status of the service; if the service is gone already, nothing.";
    DataOfAnother: "Data under this name belongs to an earlier Entity with another display name, domains or managers.",
        "If it is the same organisation, add the uid from the message to `spec.adopt` of the Entity; otherwise choose another name.";
    DataRestoring: "The volumes and Secrets of the service are being replaced (`spec.restoring` of its ServiceData), or a ServiceRestore brings its first data; nothing is created meanwhile.",
        "Restore them, then run `commonscloud data rebind ENTITY/INSTANCE`; of one that waits for a ServiceRestore, see that one, or make another.";
    Deleting: "It is being deleted; the message says since when, and what it is waiting for.",
        "Nothing for a few minutes; then look at what the message names. A finalizer belongs to the tool that put it there.";
    DeletionBlocked: "It is being deleted, and a step that has to come first is refused.",
        "The message is the refusal: mend the policy, or the operator's rights. It goes on by itself; nothing is lost meanwhile.";
    DrillFailed: "The newest drill of the service failed: a backup was not restored, did not start, or was not what had been backed up. The service itself was not touched.",
        "The message names the ServiceRestore, and what is left of it to be looked at; then `commonscloud drill clear`.";
    DrillNamespaceMissing: "The namespace of drills is not there, or is being deleted: no restore is proven.",
        "It is part of the chart: `helm upgrade`; or turn `spec.backup.drills.enabled` of the Platform off.";
    DrillTooLarge: "The volumes of the service request more than `spec.backup.drills.largest` of the Platform: its restores are not proven.",
        "Raise it, and `drills.quota` of the chart, where the storage has room for a second copy; or restore it by hand into a cluster of its own now and then.";
    Enforced: "The storage class enforces the size of volumes: the quota is what the volume holds.",
        "Nothing.";
    EntityDiffers: "A service was changed by hand, and its Entity says something else.",
        "Change `spec.services` of the Entity: the operator reverts whatever differs from it.";
    EntityNotFound: "The namespace belongs to an Entity that does not exist.",
        "Apply the Entity; the stored data comes back with it.";
    ExtraBlocksTooMany: "`extraBlocks` is more than the Tariff sells.",
        "Lower it, or write a Tariff with a larger `maximum`; running services keep their size.";
    FailedCreate: "A workload cannot create its pods.",
        "The message is the API server's: a policy, or a limit of the namespace.";
    FeedFailing: "The operator cannot see changes in a part of the cluster; the message is the API server's.",
        "Restore the right that the message names, usually with `helm upgrade`, or look at the API server. What is running keeps running.";
    FieldContested: "Somebody else keeps changing a field back; the message names who.",
        "Stop the other manager (an autoscaler, a webhook, a person's script): the field is repaired half a minute after its last write, later if it has undone a repair before.";
    Forbidden: "The operator lacks a right: the API server says that it `cannot` do something.",
        "Nothing if it lasts only seconds; otherwise `helm upgrade` the chart, whose roles may be older than the operator.";
    HostnameForeign: "The host name is not in any of the Entity's `domains`.",
        "Choose another, or add the domain to the Entity once you know that it is theirs.";
    HostnameInvalid: "The host name is not valid.",
        "Correct `hostname` of the service, or leave it out: the Platform's pattern then gives it one.";
    HostnameTaken: "Another resource, which the message names, serves under the host name or asked for it first.",
        "Choose another, or remove it from that resource first.";
    IdentityIncomplete: "Something of a service or an Entity cannot be as it is to be at the identity provider; everything else is.",
        "The message says what stands in the way, and what helps.";
    IdentityNotSet: "The Platform has no `identity` (any more): nobody keeps the collective, and it gives no rights.",
        "Set `identity` of the Platform; what stands in the collective is kept.";
    IdentityProviderFailing: "The identity provider does not do what it is asked, or does not answer; who may enter what is changed there once it does.",
        "The message is its answer: look at the service that `identity.keycloak` of the Platform names. Services go on meanwhile, with whom they let in now.";
    IdentityProviderNotFound: "The service that `identity.keycloak` of the Platform names is not there, or is not the one that the issuer belongs to.",
        "The message says what was found: correct `identity` of the Platform, or apply that service; until then nothing is changed at the issuer.";
    ImageKept: "The service runs an image whose tag is not that of its version, as it did before; it is not moved unless you ask for it.",
        "To move it, name the image for that version under `versions` in `images` of the Platform; a later version of the service that brings another moves it too.";
    ImageOverrideUnknown: "An entry in the Platform's `images` names a template, an image or a version that does not exist: nothing uses it.",
        "The message names each, and what exists: correct or remove it. Running services keep the package's own image.";
    ImageOverrideUnused: "The Platform names an image whose tag is not that of the running version: the package's own is used.",
        "In `images` of the Platform, set `mirror` instead of `reference`, or name the version under `versions`.";
    IngressClassAmbiguous: "The Platform names no IngressClass, and the cluster has several defaults.",
        "Set `exposure.ingressClass` of the Platform to one of those that the message lists.";
    IngressClassNotFound: "The IngressClass that the Platform names does not exist, or it names none and the cluster has no default.",
        "The message says which ones exist: correct `exposure.ingressClass` of the Platform, or install the ingress controller.";
    InitFailed: "A step that runs before the application starts ended with an error.",
        "The message is its last line; `kubectl logs POD --container prepare` shows the rest. It is tried again automatically.";
    InternalError: "The operator failed while it worked on the resource, through a fault of its own; the message quotes it.",
        "Report it to the operator's developers, with the lines of its log that say `panicked at`. Everything else carries on; this resource is tried again at growing intervals.";
    IssuerNotFound: "The Platform's `exposure.tls.clusterIssuer` names a ClusterIssuer that does not exist, or cert-manager is not installed.",
        "Create the ClusterIssuer, install cert-manager, or correct the name; until then no service gets a certificate.";
    IssuerNotReady: "cert-manager reports that the Platform's ClusterIssuer is not ready.",
        "The message is cert-manager's, usually about the account at the certificate authority: `kubectl describe clusterissuer`.";
    JobFailed: "A Job of the package failed and is not retried.",
        "Read its log, fix the cause, then delete the Job: it is created again.";
    KeyNotEscrowed: "The key of the Entity's backups is not yet at the target, encrypted to the Platform's `recipients`; until it is, no backup runs.",
        "Nothing for a few minutes; then the message is the Job's: usually the target, or a recipient that is not an age public key.";
    KeyWrong: "The Entity's key does not open the repository at the target.",
        "Check whether the Secret that the message names was replaced, and restore it, or whose repository this is. Until then nothing is written.";
    LastManager: "Whoever wants to leave is the last manager of the collective, which would have none.",
        "Another manager is named in the Collective first, by them or by DevOps of the platform; then it goes on by itself.";
    LimitRangeViolated: "A `LimitRange` of the namespace does not allow the size of an object.",
        "The message says which limit: change the LimitRange, or `resources` of the Platform; then edit the resource, or wait up to an hour.";
    ManagersDiffer: "The managers that an Entity or a service names are not those of its Collective or Access: they were taken in once, and are not changed by it.",
        "The message names who differs: change the Collective or Access, or the list in the Entity.";
    Measured: "The space in use is known, as the kubelet measures it.",
        "Nothing.";
    NameInvalid: "The Entity's name is reserved for the cluster itself, or is not a valid name.",
        "Create the Entity under another name.";
    NameTaken: "The name, or an object's name, belongs to another instance or to data that is kept.",
        "Choose another name, or apply the resource that the data belongs to.";
    NamespaceForeign: "The namespace exists and is not the Entity's, or belongs to no Entity.",
        "Choose another name, or label the namespace as the message says, if it is to become the Entity's.";
    NamespaceKept: "An Event: the Entity is gone and its namespace stays; the message says why.",
        "Nothing while it holds data. Otherwise it no longer belongs to the operator: delete it yourself once nobody needs it.";
    NamespaceNotReady: "The Entity's namespace, or the operator's rights in it, are not there yet.",
        "Nothing if it lasts only seconds; otherwise look at the status of the Entity.";
    NamespaceTerminating: "The namespace is being deleted.",
        "Nothing: it is created again afterwards. If it does not end, `kubectl describe namespace` names what holds it up.";
    NoRoom: "The namespace's quota has no room for a restore, which keeps what it replaces until it has succeeded, or a volume, as the tier gives it, has none for what was to come back. Nothing was written.",
        "The message names the quota, the tier or the volume: raise it, or remove what nobody needs. A restore that waits then starts by itself; after one that failed make another.";
    NotAsked: "The page has not been requested yet: the pods are not ready, or have only just become so.",
        "Nothing.";
    NotCanonical: "The API server's answer differs from what was sent, at the path that the message names.",
        "Fix the package, or the webhook in the cluster that changes the object.";
    NotEnforced: "The storage class does not enforce the size of volumes: a full quota stops nothing.",
        "Move to a class that does, or watch the sizes yourself.";
    NotFound: "An object that was to be changed does not exist.",
        "Nothing: the operator creates it again.";
    NotReadyOnRevision: "The service was Ready before it moved to the template's newest revision, and is not Ready on it: the template's other services stay where they are.",
        "Fix the service, or the package; `spec.revision` takes it back, and `spec.paused` lets the others go on without it.";
    NotReported: "The kubelet reports no usage of the volume, at least not yet.",
        "Nothing for the first minutes after a start. Some storage classes are never measured.";
    PackageInvalid: "The ServiceTemplate, or the revision that the instance is pinned to, breaks a rule of the format.",
        "`commonscloud template lint` on the package names file and line; what runs stays as it is.";
    ParametersInvalid: "A parameter breaks the package's schema.",
        "The message names it and what is allowed; what runs stays as it is.";
    Paused: "`spec.paused` is true and changes wait; the message names them.",
        "Remove `paused`.";
    PeerNotFound: "A peer in the Platform's `network` matches nothing: no namespace, or no pod in it, has those labels; or no peer is named at all.",
        "Correct the selectors that the message names, or install what they are meant to select; until then traffic to and from there is dropped.";
    PeerPortNotFound: "The pods of a peer in the Platform's `network` listen on other ports than the Platform gives.",
        "Set `network.ports` of the Platform to the ports in the message: most networks judge a connection by the pod's port, not the Service's.";
    PlatformNotFound: "There is no Platform named `default`.",
        "Apply it; nothing else is needed.";
    PlatformSecretNotFound: "A Secret that the Platform names is not in the operator's namespace.",
        "Create it there, or correct the name in the Platform; running pods keep the copy that they have.";
    ProbeFailing: "A container is running but does not answer its probe.",
        "The message is the probe's; then `kubectl logs`. After an upgrade it may still be migrating.";
    QuiesceFailed: "The service could not be made quiet, so there is no backup; it was opened again.",
        "The message is the operation's own: usually the application or its database did not answer. Make another once it does.";
    QuotaExceeded: "The namespace's quota has no room for what is to be created.",
        "Kept data counts too: `kubectl describe resourcequota`. The object is created automatically once there is room.";
    Ready: "It does what its spec says.",
        "Nothing.";
    RecipientRefused: "The recipient of an exit package is no key that its Entity can open it with; nothing was touched.",
        "The message says why: make another ServiceBackup with the Entity's own public key of age, which `age-keygen` shows.";
    RecordsNotStored: "The platform's own records (Platform, Tariffs, templates, Entities, and where backups are) could not be stored at a target.",
        "The message names the target and why: mend it, and it is tried again by itself. Until then a lost cluster comes back as it was before.";
    Refused: "The API server, a policy or a webhook refuses an object as it is.",
        "The message is the refusal: mend the package, or the policy. It is tried again when something changes; else after ten minutes, then ever more rarely, up to an hour.";
    Removing: "Somebody was removed, and is not gone everywhere yet; the message says what it waits for.",
        "Nothing for a few seconds; then look at what the message names.";
    RenderFailed: "The package does not render for this instance.",
        "The message names manifest and line: mend the package, or the parameter that leads there.";
    RepositoryDamaged: "A check read a part of the repository, and what it read is not what was written.",
        "`docs/operations/repository-damaged.md`: make a backup at another target first, then repair it.";
    RepositoryInUse: "The repository is being pruned or checked, or snapshots of it are being forgotten; the message names the Job.",
        "Nothing: the backup begins by itself afterwards, and takes nobody's turn until then.";
    RepositoryLocked: "Somebody holds the repository's lock at the target, or died with it.",
        "Nothing: it is taken away once nobody of this cluster has been at work for a minute. If it stays, look who else writes there.";
    RepositoryReplaced: "The repository at the target is not the one that earlier backups went to, or there is none.",
        "Find out who removed or replaced it. If that was intended, delete the ServiceBackups of the former one (those with a snapshot need annotation `commonscloud.coop/allow-deletion=true` first): the next backup creates a new one.";
    RestoreDiffers: "What was restored is not what was backed up; the data from before is in use again.",
        "`status.differences` lists the first differences: restore another backup, and report it to the package's author.";
    RestoreFailed: "A restore failed; the data from before is in use as it was.",
        "The message gives the cause: fix it, then create another ServiceRestore.";
    RestoreNotSupported: "The restore asks for what this release does not do; nothing was touched.",
        "The message says what is asked and what can be: make another ServiceRestore.";
    RestoreUnproven: "No restore of the service was proven for twice as long as `spec.backup.drills.everyDays` of the Platform says.",
        "The message says since when; `kubectl get servicerestores --namespace commonscloud-drill-scratch-namespace` shows what is at work before it.";
    Restoring: "A ServiceRestore replaces the data of the service; the message names it, and how far it is.",
        "Nothing: it starts the service again, with what was there before if it fails; `kubectl get servicerestores` shows how far it is.";
    RevisionForeign: "`spec.revision` is a revision of another template.",
        "Name one of this template: `kubectl get servicetemplaterevisions`.";
    RevisionNotFound: "The revision does not exist.",
        "Correct `spec.revision`, or leave it out.";
    RevisionWaits: "The service moves to the template's newest revision once the services that the message names are Ready on it.",
        "Nothing for a few minutes; then look at those services, which have condition `HoldsRollout`.";
    RollingOut: "A workload's pods are being replaced, or are not all ready yet.",
        "Nothing for a few minutes; then look at its pods.";
    SecretBeingDeleted: "A generated Secret is being deleted; a finalizer still holds it.",
        "Save what it holds before the finalizer goes: the data cannot be opened without it.";
    SecretMissing: "A generated Secret is gone, and data was made with it.",
        "Restore the Secret: a new password would not open the old data.";
    SecretNotForService: "A parameter names a Secret that was not created for this service.",
        "Create it in the Entity's namespace with label `commonscloud.coop/for: SERVICE`; parameters cannot name generated Secrets or the Platform's.";
    SecretNotFound: "The Platform names a Secret that is not in the operator's namespace.",
        "Create it there, or correct the name in the Platform.";
    ServiceHasData: "A restore was to bring the first data of a service that has data already; nothing was touched.",
        "Make a service of another name, with `paused: true`, then the ServiceRestore into it, then take `paused` away.";
    ServicesNotReady: "A service of the Entity is not ready; the message gives its name and reason.",
        "Look up that reason here.";
    SettingsApplied: "The settings that the package applies to the running application are applied.",
        "Nothing.";
    SettingsFailed: "The application is serving, but a setting could not be applied: sign-in, the editor, quotas, or the first administrator.",
        "The message is the container's own: usually a parameter, a Secret that it names, or a provider that cannot be reached. It is tried again every minute.";
    SnapshotForgotten: "The snapshot was forgotten, as `backup.keep` of the Platform says; of a restore: the copy of another Entity's backup that it was made from.",
        "Nothing; a longer `keep` applies only to snapshots that still exist.";
    SnapshotGivenUp: "`backup.keep` of the Platform no longer keeps the snapshot, and it is being removed at the target; of a restore that is deleted: the copy of another Entity's backup that it was made from.",
        "Nothing for a few minutes; then look at the Jobs `forget-...` in the operator's namespace: usually the target, or `careSecretName`.";
    SnapshotIncomplete: "A backup ended without all of its parts, so it does not count as a backup.",
        "The message names the missing parts: look at the Jobs of the service, then make another.";
    SnapshotKept: "A snapshot is no longer kept by `backup.keep`, or the copy that was restored is not needed any more, but the target removes nothing: it is still there.",
        "Nothing if the target is meant to be append-only; otherwise name an account that may delete as `careSecretName`.";
    SnapshotNotFound: "There is no complete backup of the service that matches the restore; nothing was touched.",
        "`kubectl get servicebackups` lists the existing ones: name one, or make one.";
    Starting: "A pod is starting, and nothing has gone wrong so far.",
        "Nothing for a few minutes; a first installation or a migration takes time.";
    StillQuiet: "A backup made the service quiet, and it is not known to be open again: people may not be able to write.",
        "The message is the operation's own; it is tried again, at least every five minutes, until it succeeds. `unquiesce` of the package says what it takes back.";
    StorageClassNotFound: "The Platform names a StorageClass that the cluster does not have.",
        "Create the class, or correct the name.";
    TargetCredentialsRefused: "The target refuses the credentials that the Platform names.",
        "Correct the Secret that the message names in the operator's namespace; then make another backup.";
    TargetFull: "The target has no room left.",
        "Make room there, or keep fewer backups; then make another.";
    TargetNotFound: "The Platform has no backup target, or none with the name that was asked for.",
        "The message lists the existing ones: add one to `backup.targets` of the Platform, or name another.";
    TargetUnreachable: "The target does not answer, or not with the certificate or host key that it should have.",
        "The message quotes the error: check the address, the network (`network.peers` of the target) and the certificates; then make another backup.";
    TariffInvalid: "The Tariff contains an amount that is not valid.",
        "Write a new Tariff and name it in the Entity.";
    TariffNotFound: "The Entity's Tariff does not exist.",
        "Apply it, or name another in the Entity; nothing else is needed.";
    TemplateNotFound: "The ServiceTemplate does not exist, or has no revision yet.",
        "Apply the package; the built-in ones are registered when the operator starts.";
    TierUnknown: "The Tariff has no such tier, or does not offer it for this service.",
        "The message lists the existing ones; running services keep their size.";
    Undecodable: "This release of the operator cannot read an object; the message names it and the field.",
        "Correct the field, or run the release that wrote it. Until then nothing that depends on the object is changed.";
    Unreachable: "The pods are ready, but the page does not answer through the ingress.",
        "The message says how it fails: DNS, the certificate, the ingress, or the package's network rules.";
    Unschedulable: "No node has room for a pod, or none can use its volume.",
        "The message says why for how many nodes: add a node, or lower the requests in `resources` of the Platform.";
    Unverified: "A record from an earlier release names a volume or a Secret that does not exist.",
        "Restore it; if it never existed, `commonscloud data rebind ENTITY/INSTANCE --without NAME` has it created.";
    UpgradeNotAllowed: "No single step leads from the running version to the one asked for.",
        "Take the versions in between, one after the other; there is no way back to an earlier one.";
    VersionUnknown: "The revision has no such version of the application.",
        "The message lists the existing ones.";
    VersionsDiffer: "The backup is of another version, revision or service than the existing data; nothing was touched.",
        "The message names both: bring the service to that version first, or restore another backup.";
    VolumeAtMaximum: "A volume outside the quota is nearly full, and has grown as far as its package lets it.",
        "Remove data, sell a larger quota, or raise `growth.maximum` in the package.";
    VolumeBeingDeleted: "The claim of a volume is being deleted: its data goes as soon as no pod uses it.",
        "Back the data up now, while the service still runs; keep its pods from restarting.";
    VolumeGrowing: "A volume is being enlarged.",
        "Nothing for a few minutes; then the message is the storage driver's.";
    VolumeGrowthFailed: "The storage cannot give a volume the size that was asked for.",
        "Ask for less, fewer `extraBlocks` or a smaller tier: then the request is taken back; or give the storage more room.";
    VolumeLarger: "A smaller quota was asked for; the volume keeps its size, nothing is lost, and more than the quota can be stored.",
        "Nothing; only a new service on a new volume is smaller.";
    VolumeLost: "A claim has lost its volume.",
        "Restore it; nothing empty is put in its place.";
    VolumeMissing: "A volume that holds data is gone, or another claim has its name; nothing empty takes its place.",
        "Restore the volume, then run `commonscloud data rebind ENTITY/INSTANCE`.";
    VolumeNearlyFull: "A volume outside the quota, which its package does not let grow, is nearly full: once it is full, the service cannot write.",
        "Remove what is not needed on it, or set `spec.revision` to one whose package gives it `growth` or a larger `size`.";
    VolumeNotExpandable: "A volume has to grow, but its storage class does not allow that.",
        "Set `allowVolumeExpansion` on the StorageClass if its driver can; else go back to the smaller tier, or remove data.";
    VolumeNotGrown: "A volume outside the quota is nearly full, and enlarging it was refused.",
        "The message is the API server's: a quota of the namespace, or a policy.";
    VolumePending: "The storage class has not provisioned the volume yet.",
        "`kubectl describe persistentvolumeclaim`; then the storage driver's log.";
    VolumeSizeInvalid: "A volume has no usable size for this quota.",
        "Mend the size expression of the package, or sell a larger tier.";
    WaitsForTurn: "Another backup or restore of the service comes first, or as many run in the cluster as may; the message says which.",
        "Nothing: it begins by itself afterwards. Of a ServiceRestore that waits itself the message has the command that ends it.";
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
