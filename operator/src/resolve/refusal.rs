//! Why there is no plan: each reason typed, with what to do.

use crate::api::{ListedTemplate, Platform, Reason};
use crate::core::{Bytes, BytesError, ExpressionError, HostnameError, PriceError};
use crate::template::ParameterError;

/// Why an instance has no plan.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The Entity is not there (yet).
    #[error("Entity {0} does not exist (yet); create it")]
    EntityNotFound(String),
    /// The Entity's namespace is not ready yet.
    #[error("namespace {0} is not prepared yet; see the status of its Entity")]
    NamespaceNotReady(String),
    /// The namespace belongs to no Entity.
    #[error("namespace {0} belongs to no Entity; put the resource into the namespace of its Entity")]
    NamespaceForeign(String),
    /// It was made by its Entity, which says something else.
    #[error("the spec is not what Entity {entity} says; edit it there, in spec.services")]
    EntityDiffers {
        /// The Entity.
        entity: String,
    },
    /// There is no Platform.
    #[error("there is no Platform named default (yet); create it")]
    PlatformNotFound,
    /// There is no such Tariff.
    #[error("Tariff {name} does not exist (yet); create it, or name another in the Entity; there are: {known}")]
    TariffNotFound {
        /// What the Entity names.
        name: String,
        /// The Tariffs there are.
        known: String,
    },
    /// There is no such template, or it has no revision.
    #[error(
        "ServiceTemplate {name} does not exist (yet) or has no revision; there are: {known}; see `kubectl get servicetemplates`"
    )]
    TemplateNotFound {
        /// What the instance names.
        name: String,
        /// The templates there are.
        known: String,
    },
    /// The template is there and refused.
    #[error("ServiceTemplate {template} is refused: {message}")]
    TemplateRefused {
        /// The template.
        template: String,
        /// What is wrong with it.
        message: String,
    },
    /// There is no such revision.
    #[error("ServiceTemplateRevision {name} does not exist (yet); there are of {template}: {known}")]
    RevisionNotFound {
        /// What the instance names, or was on.
        name: String,
        /// Its template.
        template: String,
        /// The revisions there are.
        known: String,
    },
    /// The revision is of another template.
    #[error("spec.revision: {revision} is a revision of template {of}, not of {template}")]
    RevisionForeign {
        /// The revision.
        revision: String,
        /// The template it is of.
        of: String,
        /// The template it should be of.
        template: String,
    },
    /// The revision's package breaks a rule of the format.
    #[error("ServiceTemplateRevision {revision}: {message}")]
    PackageInvalid {
        /// The revision.
        revision: String,
        /// Every fault.
        message: String,
    },
    /// The package has no such version.
    #[error("spec.version: {version} is not in {revision}; allowed: {allowed}")]
    VersionUnknown {
        /// What was asked for.
        version: String,
        /// The revision.
        revision: String,
        /// The versions there are.
        allowed: String,
    },
    /// The version cannot follow the one that runs.
    #[error("spec.version: {to} cannot follow {from} in one step; {instead}")]
    UpgradeNotAllowed {
        /// What runs.
        from: String,
        /// What was asked for.
        to: String,
        /// Which versions to take instead, or why there are none.
        instead: String,
    },
    /// The Tariff has no such tier for this template.
    #[error("spec.tier: {tier} is not in Tariff {tariff} for template {template}; allowed: {allowed}")]
    TierUnknown {
        /// What was asked for.
        tier: String,
        /// The Tariff.
        tariff: String,
        /// The template.
        template: String,
        /// The tiers there are.
        allowed: String,
    },
    /// More blocks than the Tariff sells.
    #[error("spec.extraBlocks: {blocks} is more than the {maximum} that Tariff {tariff} sells")]
    ExtraBlocksTooMany {
        /// What was asked for.
        blocks: u32,
        /// The most there may be.
        maximum: u32,
        /// The Tariff.
        tariff: String,
    },
    /// The Tariff contains an amount that is not valid.
    #[error("Tariff {tariff}: {message}")]
    TariffInvalid {
        /// The Tariff.
        tariff: String,
        /// What is wrong.
        message: String,
    },
    /// The host name is not valid.
    #[error("spec.hostname: {0}")]
    HostnameInvalid(#[from] HostnameError),
    /// The host name is outside the Entity's domains.
    #[error("spec.hostname: {hostname} does not lie at or below a domain of the Entity; allowed: {allowed}")]
    HostnameForeign {
        /// What was asked for.
        hostname: String,
        /// The domains there are.
        allowed: String,
    },
    /// Another resource has the host name.
    #[error("spec.hostname: {hostname} is held by {holder}; choose another")]
    HostnameTaken {
        /// The host name.
        hostname: String,
        /// Who has it.
        holder: String,
    },
    /// Another instance has, or had, the name.
    #[error("the name {name} belongs to the data of {holder}; choose another")]
    NameTaken {
        /// The name.
        name: String,
        /// Who has it.
        holder: String,
    },
    /// The data under the name is another organisation's.
    #[error(
        "the data under the name {name} belongs to Entity {former} (uid {uid}), whose {differs} differ; if it is the same organisation: kubectl patch entity {entity} --type json --patch '[{{\"op\": \"add\", \"path\": \"/spec/adopt\", \"value\": [\"{uid}\"]}}]'"
    )]
    DataOfAnother {
        /// The instance's name.
        name: String,
        /// The Entity that the data belongs to, as people write it.
        former: String,
        /// Its uid, or that of the resource that last used the data.
        uid: String,
        /// What differs.
        differs: String,
        /// The Entity that there is now.
        entity: String,
    },
    /// The parameters break the package's schema.
    #[error("spec.parameters: {0}")]
    ParametersInvalid(#[from] ParameterError),
    /// A parameter names a Secret that nobody made for the service.
    #[error(
        "spec.parameters: no Secret {secret} in namespace {namespace} is labelled for {service} (yet); make it there, then: kubectl label secret {secret} --namespace {namespace} commonscloud.coop/for={service}"
    )]
    SecretNotForService {
        /// The Secret.
        secret: String,
        /// Where it should be.
        namespace: String,
        /// The instance's name.
        service: String,
    },
    /// A parameter names a Secret that is somebody else's.
    #[error("spec.parameters: Secret {secret} is {whose}; name one that is made for this service alone")]
    SecretOfAnother {
        /// The Secret.
        secret: String,
        /// Whose it is.
        whose: String,
    },
    /// A volume has no size for this quota.
    #[error("volume {volume}: {source}")]
    VolumeSize {
        /// The volume.
        volume: String,
        /// Why.
        source: ExpressionError,
    },
    /// An amount does not fit.
    #[error("volume {volume} of {usable} and its overhead is larger than can be counted")]
    VolumeTooLarge {
        /// The volume.
        volume: String,
        /// What one file should take.
        usable: Bytes,
    },
}

impl Refusal {
    /// The condition's reason.
    pub const fn reason(&self) -> Reason {
        match self {
            Self::EntityNotFound(_) => Reason::EntityNotFound,
            Self::NamespaceNotReady(_) => Reason::NamespaceNotReady,
            Self::NamespaceForeign(_) => Reason::NamespaceForeign,
            Self::EntityDiffers { .. } => Reason::EntityDiffers,
            Self::PlatformNotFound => Reason::PlatformNotFound,
            Self::TariffNotFound { .. } => Reason::TariffNotFound,
            Self::TemplateNotFound { .. } => Reason::TemplateNotFound,
            Self::RevisionNotFound { .. } => Reason::RevisionNotFound,
            Self::RevisionForeign { .. } => Reason::RevisionForeign,
            Self::PackageInvalid { .. } | Self::TemplateRefused { .. } => Reason::PackageInvalid,
            Self::VersionUnknown { .. } => Reason::VersionUnknown,
            Self::UpgradeNotAllowed { .. } => Reason::UpgradeNotAllowed,
            Self::TierUnknown { .. } => Reason::TierUnknown,
            Self::ExtraBlocksTooMany { .. } => Reason::ExtraBlocksTooMany,
            Self::TariffInvalid { .. } => Reason::TariffInvalid,
            Self::HostnameInvalid(_) => Reason::HostnameInvalid,
            Self::HostnameForeign { .. } => Reason::HostnameForeign,
            Self::HostnameTaken { .. } => Reason::HostnameTaken,
            Self::NameTaken { .. } => Reason::NameTaken,
            Self::DataOfAnother { .. } => Reason::DataOfAnother,
            Self::ParametersInvalid(_) => Reason::ParametersInvalid,
            Self::SecretNotForService { .. } | Self::SecretOfAnother { .. } => Reason::SecretNotForService,
            Self::VolumeSize { .. } | Self::VolumeTooLarge { .. } => Reason::VolumeSizeInvalid,
        }
    }

    /// Whether what is missing may still come by itself; otherwise somebody must change something.
    pub const fn waits(&self) -> bool {
        matches!(
            self,
            Self::EntityNotFound(_)
                | Self::NamespaceNotReady(_)
                | Self::EntityDiffers { .. }
                | Self::PlatformNotFound
                | Self::TariffNotFound { .. }
                | Self::TemplateNotFound { .. }
                | Self::RevisionNotFound { .. }
                | Self::SecretNotForService { .. }
        )
    }
}

/// There is no such Tariff.
pub fn tariff_not_found(name: &str, platform: Option<&Platform>) -> Refusal {
    let status = platform.and_then(|platform| platform.status.as_ref());
    let known = in_words(status.into_iter().flat_map(|status| &status.tariffs).map(|tariff| &tariff.name));
    Refusal::TariffNotFound { name: name.to_owned(), known }
}

/// There is no such template, or it has no revision.
pub(super) fn template_not_found(name: &str, platform: Option<&Platform>) -> Refusal {
    let known = in_words(templates(platform).map(|template| &template.name));
    Refusal::TemplateNotFound { name: name.to_owned(), known }
}

/// There is no such revision.
pub(super) fn revision_not_found(name: &str, template: &str, platform: Option<&Platform>) -> Refusal {
    let listed = templates(platform).filter(|listed| listed.name == template);
    let known = in_words(listed.flat_map(|listed| &listed.revisions));
    Refusal::RevisionNotFound { name: name.to_owned(), template: template.to_owned(), known }
}

fn templates(platform: Option<&Platform>) -> impl Iterator<Item = &ListedTemplate> {
    platform.and_then(|platform| platform.status.as_ref()).into_iter().flat_map(|status| &status.templates)
}

/// What the Platform's status lists.
fn in_words<'a>(names: impl Iterator<Item = &'a String>) -> String {
    let names: Vec<&str> = names.map(String::as_str).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// What a Tariff says that is not a valid amount.
pub(super) fn tariff_invalid(tariff: &str, field: &str, message: &dyn std::fmt::Display) -> Refusal {
    Refusal::TariffInvalid { tariff: tariff.to_owned(), message: format!("{field}: {message}") }
}

impl Refusal {
    pub(super) fn storage(tariff: &str, field: &str, error: &BytesError) -> Self {
        tariff_invalid(tariff, field, error)
    }

    pub(super) fn price(tariff: &str, field: &str, error: &PriceError) -> Self {
        tariff_invalid(tariff, field, error)
    }
}
