//! Every rule of the package format, by name. What checks them is in `format/` (a package's own fields)
//! and `security/` (rendered objects); `tests/scaffold.rs` has a case for each, and
//! `cli/src/template/lint.rs` holds `docs/writing-a-package.md` to this table.

use std::fmt;

/// Makes the enum, its list and its texts of one table, so that none of them can lack a rule.
macro_rules! rules {
    ($($(#[doc = $doc:literal])+ $rule:ident = $name:literal: $asks:literal;)+) => {
        /// A rule of the package format.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Rule {
            $($(#[doc = $doc])+ $rule,)+
        }

        impl Rule {
            /// Every rule, in the order in which a package is read.
            pub const ALL: &'static [Rule] = &[$(Rule::$rule),+];

            /// The name that findings end with, for example `image-tag`.
            pub fn name(self) -> &'static str {
                match self { $(Rule::$rule => $name),+ }
            }

            /// What the rule asks for, in one sentence.
            pub fn asks(self) -> &'static str {
                match self { $(Rule::$rule => $asks),+ }
            }
        }
    };
}

rules! {
    /// The text of `package.yaml`.
    Yaml = "yaml": "`package.yaml` is strict YAML: no key twice, no anchor, alias or tag, at most 48 levels deep.";
    /// What `package.yaml` holds.
    Document = "document": "`package.yaml` is one document: a `ServiceTemplate` of `commonscloud.coop/v1alpha1`.";
    /// Where named files lie.
    File = "file": "A `file:` lies in the package's folder and can be read.";
    /// The schema of ServiceTemplate.
    Schema = "schema": "Each field has the type, length, range and pattern that `kubectl explain servicetemplate.spec` gives it.";
    /// Fields that nobody knows.
    UnknownField = "unknown-field": "No field that a ServiceTemplate, or the kind of a rendered object, does not have.";
    /// The package's name.
    PackageName = "package-name": "`metadata.name` is at most 30 of a-z, 0-9 and -, begins with a letter and does not end with -.";
    /// Names within a list.
    Unique = "unique": "Names are unique in each list; those of objects by their kind.";
    /// Images of versions.
    VersionImages = "version-images": "Each version has images of the same names.";
    /// Tags of images.
    ImageTag = "image-tag": "An image has a tag that names a version (so none like `latest` or `stable`), or a digest.";
    /// Bases of PostgreSQL's images.
    ImageBase = "image-base": "The tag of a PostgreSQL image names the release of the system below it, such as `16-trixie`: another C library sorts otherwise, and finds half of what its indexes hold.";
    /// Requests and limits of components.
    Figures = "figures": "A component requests no more than its limit, and has no limit of CPU, which slows it down on an idle node; a Platform may give it one.";
    /// What a version can be upgraded from.
    UpgradeStep = "upgrade-step": "The newest version stands first, and `upgradesFrom` names older ones: neither the version itself nor one listed before it, and `*` only at the end.";
    /// Whether versions can be left.
    UpgradePath = "upgrade-path": "Each older version of the list can be upgraded to one listed before it.";
    /// Sizes of volumes.
    VolumeSize = "volume-size": "A volume's `size` is an expression of `quota` with a positive result from 1 GiB to 10 TiB.";
    /// The volume with the quota.
    VolumeQuota = "volume-quota": "At most one volume says `carriesQuota`, and its size is `quota`.";
    /// Growth of volumes.
    VolumeGrowth = "volume-growth": "A volume's `growth` is not for the one that `carriesQuota`; its `maximum` is an expression of `quota` and never less than its `size`.";
    /// Keys of generated Secrets.
    SecretKey = "secret-key": "A key of a generated Secret has one of `value` and `length`.";
    /// The schema of parameters.
    ParameterSchema = "parameter-schema": "`parameters` is a JSON schema of `type: object` whose patterns need no backtracking.";
    /// Unknown parameters.
    ParametersClosed = "parameters-closed": "Each object in the schema of `parameters` says `additionalProperties`: a misspelt parameter is refused, not ignored.";
    /// Examples of parameters.
    ParameterExample = "parameter-example": "Each of the schema's `examples` follows it, and there is one where parameters are required.";
    /// Kinds of objects.
    Kind = "kind": "An object is of an allowed kind; none is cluster-wide, and claims and Secrets are declared as `volumes` and `secrets`.";
    /// Names of objects.
    ObjectName = "object-name": "A declared name has at most 30 characters, 21 for a CronJob or StatefulSet, whose names Kubernetes extends.";
    /// Volumes that are backed up.
    OperationVolume = "operation-volume": "With `operations` each volume is in one of `files`, `dumped` and `leftOut`; what is `dumped` has a `dump`; no volume is called `dump`, `state` or `secrets`.";
    /// Operations that come together.
    OperationPair = "operation-pair": "`quiesce` and `unquiesce` come together, and so do `dump`, `load` and `verify`; `dump` and `verify` are of one component, and `marksBegin` is theirs alone.";
    /// What an operation names.
    OperationPart = "operation-part": "An operation names a component with pods and a user other than root for it or its own, an image, a text of `files`, volumes, keys of generated Secrets and ConfigMaps that the package has; a volume is one that pods of its component mount, `compatibleRevisions` are names of revisions.";
    /// Where an operation has its files.
    OperationPath = "operation-path": "The paths of an operation are each their own, and none lies at, above or below `/tmp`, `/stream` and `/volumes`.";
    /// Exceptions from *restricted*.
    Exception = "exception": "A `podSecurityExceptions` entry names, as `workload/container`, a container that is rendered.";
    /// Syntax of templates.
    TeraSyntax = "tera-syntax": "A manifest is a Tera template that can be read.";
    /// Tags of templates.
    TeraTag = "tera-tag": "Tera's tags are `for`, `if`, `break`, `continue` and comments; nothing takes in other text.";
    /// Functions and filters of templates.
    TeraName = "tera-name": "Functions and filters are the format's: none knows the time, chance, the environment or files, none prints without quotes.";
    /// Values of templates.
    TeraValue = "tera-value": "Each value is known in every version, with each example, on a platform with and without mail, issuer and peers.";
    /// Size and work of a rendering.
    TeraBounds = "tera-bounds": "A manifest takes at most 2000 turns of loops and becomes at most 512 KiB.";
    /// Rendered text.
    RenderedYaml = "rendered-yaml": "A manifest renders to strict YAML documents, each with `kind` and `metadata.name`.";
    /// Names of rendered objects.
    NamePrefix = "name-prefix": "An object is called `{{ instance.name ~ \"-NAME\" }}`.";
    /// Objects that are rendered.
    Undeclared = "undeclared": "A manifest renders no object that its `objects` do not declare.";
    /// Objects that are declared.
    Unrendered = "unrendered": "A manifest renders each object that its `objects` declare once; one that some parameters leave out is `optional`.";
    /// Versions of kinds.
    ApiVersion = "api-version": "An object has the `apiVersion` of its kind in the allow-list.";
    /// Namespaces of objects.
    Namespace = "namespace": "An object lies in the instance's namespace: leave `metadata.namespace` out.";
    /// Fields of the API server and the operator.
    Metadata = "metadata": "An object has only names, labels and annotations of the package's own; status, owners, finalizers and `commonscloud.coop/` labels are set by others.";
    /// Types of fields.
    FieldType = "field-type": "Each field of a rendered object has the type of its kind.";
    /// Selectors.
    Selector = "selector": "A selector is `{{ selector(component=\"...\") }}`: the three well-known labels and nothing else.";
    /// Labels of pods.
    PodLabels = "pod-labels": "A workload's pods have `{{ labels(component=\"...\") }}` of the component that it selects.";
    /// The policy that closes all.
    Closed = "closed": "A package with pods has a NetworkPolicy for `{{ selector() }}` with both policy types and no rule; others open by name.";
    /// Directions of policies.
    PolicyTypes = "policy-types": "A NetworkPolicy lists a direction in `policyTypes` exactly when it has rules, or `[]`, for it.";
    /// Peers of policies.
    Peers = "peers": "A rule names its peers: `network.ingress`, `network.dns`, `network.public`, `network.identity_provider`, `network.mail`, the instance's own pods, or an address block of at most a /20 (IPv6: /48); a larger one only outgoing, at the mail server's ports alone.";
    /// Ports of policies.
    Ports = "ports": "A rule of a NetworkPolicy names its ports.";
    /// Ports of whom the Platform names.
    PlatformPorts = "platform-ports": "A rule to whom the Platform names has the ports that it names, `{{ network.ports.NAME | json_encode }}`: their pods listen at others in other clusters.";
    /// Ports of the package's own pods.
    ContainerPort = "container-port": "A Service, a probe and a NetworkPolicy lead to pods that the package renders, at a port that one of their containers has in `ports`, by its name or number.";
    /// Services.
    ServiceInside = "service-inside": "A Service is a ClusterIP without addresses or ports outside the cluster.";
    /// Hosts of Ingresses.
    IngressHost = "ingress-host": "An Ingress answers for `{{ hostname }}` and for no other host.";
    /// Certificates of Ingresses.
    IngressTls = "ingress-tls": "An Ingress has TLS for `{{ hostname }}` and for no other host, with `{{ exposure.tls_secret }}` and `{{ exposure.cluster_issuer }}` where there are any.";
    /// Classes of Ingresses.
    IngressClass = "ingress-class": "An Ingress is of class `{{ exposure.ingress_class }}`, and of none where the Platform names none.";
    /// Sizes of requests.
    RequestSize = "request-size": "An Ingress says how large a request may be (`nginx.ingress.kubernetes.io/proxy-body-size`): ingress-nginx refuses what is above 1 MiB by itself, whatever the quota.";
    /// Backends of Ingresses.
    IngressBackend = "ingress-backend": "An Ingress forwards to Services that the package declares, at a port that they have.";
    /// Annotations of Ingresses.
    IngressAnnotation = "ingress-annotation": "An Ingress has no annotations but `cert-manager.io/cluster-issuer: {{ exposure.cluster_issuer }}` and those of ingress-nginx for sizes, buffers and time-outs.";
    /// Labels and annotations of other domains.
    Orders = "orders": "Labels and annotations, but an Ingress's annotations, have no domain but `app.kubernetes.io/` and `commonscloud.coop/`: a network plug-in, a DNS or a service mesh takes its own for orders.";
    /// Pods of workloads.
    Pod = "pod": "A workload has a pod template with containers.";
    /// Tokens.
    Token = "token": "Pods and ServiceAccounts say `automountServiceAccountToken: false`, and no volume projects a token.";
    /// ServiceAccounts of pods.
    ServiceAccount = "service-account": "A pod's ServiceAccount is one that the package declares, or none.";
    /// Fields of pods that the cluster's administrator decides.
    PodField = "pod-field": "A pod does not choose its node, scheduler, priority or runtime class.";
    /// Claims.
    Claim = "claim": "A pod's claim is `{{ volumes.NAME }}`, a volume of the package; no `volumeClaimTemplates`.";
    /// Writers of volumes.
    OneWriter = "one-writer": "A Deployment with a ReadWriteOnce volume says `strategy: {type: Recreate}` and has at most one replica.";
    /// ConfigMaps.
    ConfigMap = "config-map": "A pod's ConfigMap, in volumes and in variables, is one that the package declares.";
    /// Secrets.
    Secret = "secret": "A pod's Secret is `{{ secrets.NAME }}`, one that a parameter names, or the Platform's.";
    /// Secrets that parameters name.
    NamedSecret = "named-secret": "A Secret that a parameter names is mounted, and in no variable: files follow a change of it, variables never.";
    /// Secrets in arguments.
    SecretInArguments = "secret-in-arguments": "No secret stands in `command` or `args`, nor is given to an option such as `--password` in a script: the process list shows it.";
    /// Secrets in the open.
    SecretInOpen = "secret-in-open": "An environment variable that sounds like a secret comes from a Secret or names a file.";
    /// Images of containers.
    Image = "image": "A container's image is `{{ images.NAME }}`.";
    /// Requests and limits.
    Resources = "resources": "A container requests CPU and memory and has a memory limit: `{{ resources.NAME | json_encode }}`.";
    /// Shares of a node's disk.
    Scratch = "scratch": "A container requests and limits `ephemeral-storage`, and the limits of a pod's containers together are above what its `emptyDir` on disk may hold: a node's disk is everybody's.";
    /// Addresses in texts.
    AddressRange = "address-range": "No script, setting, variable or argument writes out a range that pods usually have, such as `10.0.0.0/8`: whom to believe is `exposure.trusted_proxies`.";
    /// Probes.
    Probes = "probes": "One of the containers that a Service leads to has a readiness probe; one with a liveness probe has a start-up probe, so that a migration is not killed; one that runs a `command` of the package's has a probe of some kind.";
    /// Containers that apply settings.
    ConfiguredBy = "configured-by": "A `configuredBy` entry names, as `workload/container`, a container whose liveness probe is an `exec` with a `failureThreshold` of 1000000: what it prints is told, and nothing is killed.";
    /// Last words of containers.
    TerminationMessage = "termination-message": "A container says `terminationMessagePolicy: FallbackToLogsOnError`: when it fails, the status shows its last line.";
    /// Pod Security *baseline*.
    Baseline = "baseline": "Pods keep to Pod Security *baseline*: no host network, processes, ports or paths, nothing privileged; nothing lifts this.";
    /// Types of volumes.
    VolumeType = "volume-type": "A pod's volumes are of the types configMap, secret, emptyDir, persistentVolumeClaim, projected, downwardAPI.";
    /// Sizes of temporary folders.
    EmptyDir = "empty-dir": "An `emptyDir` has a `sizeLimit`, in memory too: one that fills up ends its own pod, not its neighbours on the node.";
    /// Pod Security *restricted*.
    Restricted = "restricted": "Containers keep to Pod Security *restricted*, but those in `podSecurityExceptions`, each with its reason.";
}

/// The rule's name.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
