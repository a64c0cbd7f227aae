//! The texts that fields take: each a regular expression, and what the API server says is allowed in
//! the place of it.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{JSONSchemaProps, ValidationRule};

/// Makes the constants and their list of one table, so that no pattern can lack its words.
macro_rules! patterns {
    ($($(#[$doc:meta])* $name:ident = $pattern:literal, $allowed:literal;)+) => {
        $($(#[$doc])* pub(crate) const $name: &str = $pattern;)+

        const ALL: &[(&str, &str)] = &[$(($name, $allowed)),+];
    };
}

patterns! {
    /// Names of Entities, instances and templates.
    NAME_PATTERN = "^[a-z]([-a-z0-9]*[a-z0-9])?$",
        "allowed: a-z, 0-9 and -, beginning with a letter, not ending with -, for example wiki";
    /// Names of tiers.
    TIER_PATTERN = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        "allowed: a-z, 0-9 and -, beginning and ending with a letter or digit, for example 5gb";
    /// Names of objects, as Kubernetes takes them.
    OBJECT_NAME_PATTERN = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
        "allowed: a-z, 0-9, - and dots, beginning and ending with a letter or digit, for example office-2026";
    /// Short names of people.
    PERSON_PATTERN = "^[a-z0-9]([-a-z0-9._]*[a-z0-9])?$",
        "allowed: a-z, 0-9, -, dots and _, beginning and ending with a letter or digit, for example anna.maria";
    /// Host names: lower case, at least one dot, no trailing dot.
    HOSTNAME_PATTERN = r"^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)+[a-z]{2,}$",
        "allowed: a host name in lower case, labels of a-z, 0-9 and - joined by dots, without https:// and *, not ending with a dot, for example office.example.org";
    /// Byte quantities as this API takes them: a positive whole number and a unit.
    BYTES_PATTERN = "^[1-9][0-9]{0,8}(Ki|Mi|Gi|Ti|k|M|G|T)?$",
        "allowed: a whole number above 0 with one of the units Ki, Mi, Gi, Ti, k, M, G and T, for example 5Gi";
    /// Mail addresses. No quotes, commas or backslashes: applications write it to their configuration,
    /// some of them into lists.
    MAIL_PATTERN = r"^[^@\s'\x22\\,]+@[^@\s'\x22\\,]+$",
        "allowed: one mail address without blanks, quotes, commas and backslashes, for example anna@example.org";
    /// Names as people write them: one line, nothing invisible but blanks.
    LINE_PATTERN = r"^[^\x00-\x1f\x7f]+$",
        "allowed: one line of text without tabs and other control characters, for example La Llum";
    /// An application's version.
    VERSION_PATTERN = "^[0-9A-Za-z]([-0-9A-Za-z._+]*[0-9A-Za-z])?$",
        "allowed: letters, digits, -, dots, _ and +, beginning and ending with a letter or digit, for example 34.0.1";
    /// Prices: a decimal string, at most two places.
    PRICE_PATTERN = r"^(0|[1-9][0-9]{0,8})(\.[0-9]{1,2})?$",
        "allowed: a decimal number with a dot and at most two places, not negative, for example 10.00";
    /// Currencies (ISO 4217).
    CURRENCY_PATTERN = "^[A-Z]{3}$",
        "allowed: three capital letters (ISO 4217), for example EUR";
    /// Countries (ISO 3166-1).
    COUNTRY_PATTERN = "^[A-Z]{2}$",
        "allowed: two capital letters (ISO 3166-1), for example ES";
    /// Uids as Kubernetes gives them.
    UID_PATTERN = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
        "allowed: a uid as Kubernetes gives it, in lower case, for example 6f7b2c1e-0000-4000-8000-000000000000";
    /// Names of groups and claims at an identity provider.
    GROUP_PATTERN = "^[A-Za-z0-9_-]+$",
        "allowed: letters, digits, _ and -, for example members";
    /// Issuers (OpenID Connect).
    ISSUER_PATTERN = r"^https://[^\s'\x22\\]+$",
        "allowed: a URL that begins with https://, without blanks, quotes and backslashes, for example https://id.example.org/realms/garden";
    /// What the API server puts before a subject.
    USER_PREFIX_PATTERN = "^([A-Za-z0-9][-A-Za-z0-9._:/#@]*)?$",
        "allowed: nothing, or letters, digits and - . _ : / # @, beginning with a letter or digit, for example oidc:";
    /// Addresses of a server, without a path.
    ORIGIN_PATTERN = r"^https://[-a-z0-9.]+(:[0-9]{1,5})?$",
        "allowed: https://, a host name in lower case and perhaps a port, without a path, for example https://editor.example.org";
    /// References of images.
    IMAGE_PATTERN = "^[a-z0-9]([-a-zA-Z0-9._/:@]*[a-zA-Z0-9])?$",
        "allowed: an image's name with tag or digest, of letters, digits and - . _ / : @, for example registry.example.org/postgres:15";
    /// Names by which manifests refer to images, components and files.
    WORD_PATTERN = "^[a-z][a-z0-9_]*$",
        "allowed: a-z, 0-9 and _, beginning with a letter, for example postgres";
    /// Names by which manifests refer to volumes and Secrets.
    PART_PATTERN = "^[a-z][a-z0-9]*$",
        "allowed: a-z and 0-9, beginning with a letter, for example data";
    /// Keys of a Secret.
    KEY_PATTERN = "^[-._a-zA-Z0-9]+$",
        "allowed: letters, digits, -, dots and _, for example password";
    /// Paths of a page.
    PATH_PATTERN = r"^/[-a-zA-Z0-9._~!$&'()*+,;=:@%/?]*$",
        "allowed: a path that begins with /, of the characters of a URL, for example /status.php";
    /// Dates: RFC 3339 with a time zone, of a year that every reader can represent.
    DATE_PATTERN = r"^([1-8][0-9]{3}|9[0-8][0-9]{2}|99[0-8][0-9]|999[0-8])-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$",
        "allowed: a day and time with its zone (RFC 3339), years 1000 to 9998, for example 2027-01-31T00:00:00Z";
    /// When something happens, as five fields of cron.
    CRON_PATTERN = r"^[-0-9A-Za-z*/,]+( [-0-9A-Za-z*/,]+){4}$",
        "allowed: five fields of cron with one blank between them (minute, hour, day, month, day of the week), for example 30 1 * * *";
    /// Time zones by their IANA names.
    TIME_ZONE_PATTERN = "^[A-Z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$",
        "allowed: an IANA time zone, for example Europe/Madrid";
    /// Public keys of age.
    RECIPIENT_PATTERN = "^age1[02-9ac-hj-np-z]{58}$",
        "allowed: an age public key, as age-keygen prints it, for example age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    /// Snapshots of restic by their whole ids.
    SNAPSHOT_PATTERN = "^[0-9a-f]{64}$",
        "allowed: the whole id of a snapshot, 64 of 0-9 and a-f, as status.snapshot of a ServiceBackup has it, for example kubectl get sbackup -o wide";
    /// Addresses of an S3 server.
    ENDPOINT_PATTERN = r"^https?://[-a-z0-9.]+(:[0-9]{1,5})?$",
        "allowed: https:// or http://, a host name in lower case and perhaps a port, without a path, for example https://s3.example.org";
    /// URLs of a server of restic's own protocol.
    REPOSITORY_URL_PATTERN = r"^https?://[-a-z0-9.]+(:[0-9]{1,5})?(/[-A-Za-z0-9_]+(\.[-A-Za-z0-9_]+)*)*/?$",
        "allowed: https:// or http://, a host name in lower case, perhaps a port and a path, without user and password, for example https://backup.example.org/cloud";
    /// Buckets of an S3 server.
    BUCKET_PATTERN = r"^[a-z0-9][-a-z0-9.]{1,61}[a-z0-9]$",
        "allowed: 3 to 63 of a-z, 0-9, - and dots, beginning and ending with a letter or digit, for example cloud-backups";
    /// Folders and files below another folder: no way leads out of it.
    RELATIVE_PATH_PATTERN = r"^[^/\x00-\x1f\x7f.][^/\x00-\x1f\x7f]*(/([^/\x00-\x1f\x7f.]|\.[^/\x00-\x1f\x7f.])[^/\x00-\x1f\x7f]*)*$",
        "allowed: a path that does not begin with / or a dot and has no part . or .., for example anna/files/Documents";
    /// Folders and files by their whole path.
    ABSOLUTE_PATH_PATTERN = r"^(/[-A-Za-z0-9_]+(\.[-A-Za-z0-9_]+)*)+$",
        "allowed: a path that begins with /, of letters, digits, -, _ and single dots, without a part . or .., for example /var/lib/wiki";
    /// Requests and limits.
    FIGURE_PATTERN = r"^[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi|T|Ti)?$",
        "allowed: a number with one of the units m, k, Ki, M, Mi, G, Gi, T and Ti or none, for example 100m or 256Mi";
}

/// What a pattern of a schema here allows, in words and with an example.
pub fn allowed_by(pattern: &str) -> Option<&'static str> {
    ALL.iter().find(|(known, _)| *known == pattern).map(|(_, allowed)| *allowed)
}

/// Makes a rule of a pattern: where the API server would show the regular expression, it says what is
/// allowed. A pattern that has no words here stays, and a test names it. So does the one of requests and
/// limits: before 1.34 the API server takes `x-kubernetes-int-or-string` to be as long as a request may be,
/// whatever `maxLength` says, and refuses a CRD with a rule about it for what that could cost.
pub(crate) fn into_rule(schema: &mut JSONSchemaProps) {
    if schema.x_kubernetes_int_or_string == Some(true) {
        return;
    }
    let Some(pattern) = &schema.pattern else { return };
    let Some(allowed) = allowed_by(pattern) else { return };
    let matches = format!("self.matches(r\"{pattern}\")");
    let rule = if schema.format.as_deref() == Some("date-time") {
        // In CEL a text of this format is a time, whose text is not to be had; `timestamp` refuses 30 February.
        format!("{matches} && timestamp(self).getFullYear() > 0")
    } else {
        matches
    };
    let rule = ValidationRule { rule, message: Some(allowed.to_owned()), ..ValidationRule::default() };
    schema.x_kubernetes_validations.get_or_insert_default().insert(0, rule);
    // What the rule refuses too would be refused twice, in other words.
    schema.pattern = None;
    schema.format = None;
    schema.min_length = schema.min_length.filter(|least| *least > 1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pattern_has_words_of_its_own_with_an_example() {
        for (index, (pattern, allowed)) in ALL.iter().enumerate() {
            assert!(!pattern.contains('"'), "{pattern}: ends the CEL text that it stands in");
            assert!(allowed.starts_with("allowed: ") && allowed.contains("for example "), "{allowed}");
            assert!(ALL.iter().skip(index + 1).all(|(other, _)| other != pattern), "{pattern} stands here twice");
        }
    }

    #[test]
    fn a_pattern_becomes_a_rule_and_says_nothing_beside_it() {
        let mut schema = JSONSchemaProps {
            type_: Some("string".to_owned()),
            format: Some("hostname".to_owned()),
            min_length: Some(1),
            max_length: Some(253),
            pattern: Some(PART_PATTERN.to_owned()),
            ..JSONSchemaProps::default()
        };
        into_rule(&mut schema);
        assert_eq!(
            (schema.pattern, schema.format, schema.min_length, schema.max_length),
            (None, None, None, Some(253))
        );
        let rules = schema.x_kubernetes_validations.unwrap();
        assert_eq!(rules.len(), 1);
        assert_eq!(rules[0].rule, "self.matches(r\"^[a-z][a-z0-9]*$\")");
        assert_eq!(
            rules[0].message.as_deref(),
            Some("allowed: a-z and 0-9, beginning with a letter, for example data")
        );
    }
}
