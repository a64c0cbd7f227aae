//! The schema of what a container may use.

use super::pattern::FIGURE_PATTERN;

/// Requests and limits with patterns, as the API server itself takes them.
pub(super) fn resource_requirements(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let quantity = schemars::json_schema!({
        "anyOf": [{"type": "integer"}, {"type": "string"}],
        "x-kubernetes-int-or-string": true,
        "maxLength": 24,
        "pattern": FIGURE_PATTERN,
    });
    schemars::json_schema!({
        "type": "object",
        "description": "Requests and limits of each container of the component.",
        "properties": {
            "requests": {"type": "object", "maxProperties": 16, "additionalProperties": quantity, "description": "What the scheduler reserves, for example cpu: 100m, memory: 256Mi."},
            "limits": {"type": "object", "maxProperties": 16, "additionalProperties": quantity, "description": "What the container may use at most."},
        },
    })
}
