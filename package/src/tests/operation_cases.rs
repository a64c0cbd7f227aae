//! Faults of operations: a case for each rule, for `scaffold.rs`.

use super::scaffold::{Case, PACKAGE, case};
use super::*;

const MANIFESTS: &str = "  manifests:\n";
const NO_DUMP: &str = "  operations:\n    dumped: [data]\n  manifests:\n";
const NOTHING: &str = "  operations:\n    files: []\n  manifests:\n";
const CALLED_AS_A_PART: &str = "carriesQuota: true}\n    - {name: state, size: 1Gi}\n  operations:\n    files: [{volume: data}, {volume: state}]\n";
const LONE: &str = "  operations:\n    files: [{volume: data}]\n    quiesce: {component: app, image: app, script: prepare, timeoutSeconds: 60}\n  manifests:\n";
const MISNAMED: &str = "  operations:\n    files: [{volume: data}]\n    quiesce: {component: app, image: app, script: prepare, timeoutSeconds: 60}\n    unquiesce: {component: app, image: app, script: prepar, timeoutSeconds: 60}\n  manifests:\n";
const HIDING: &str = "  operations:\n    files: [{volume: data}]\n    unquiesce: {component: app, image: app, script: prepare, timeoutSeconds: 60}\n    quiesce:\n      component: app\n      image: app\n      script: prepare\n      timeoutSeconds: 60\n      scratch: [{path: /tmp/mine, size: 1Mi}]\n  manifests:\n";

pub(super) const CASES: &[Case] = &[
    case(Rule::OperationVolume, (PACKAGE, MANIFESTS, NO_DUMP), (PACKAGE, "dumped:")),
    case(Rule::OperationVolume, (PACKAGE, MANIFESTS, NOTHING), (PACKAGE, "operations:")),
    case(Rule::OperationVolume, (PACKAGE, "carriesQuota: true}\n", CALLED_AS_A_PART), (PACKAGE, "name: state")),
    case(Rule::OperationPair, (PACKAGE, MANIFESTS, LONE), (PACKAGE, "quiesce:")),
    case(Rule::OperationPart, (PACKAGE, MANIFESTS, MISNAMED), (PACKAGE, "prepar,")),
    case(Rule::OperationPath, (PACKAGE, MANIFESTS, HIDING), (PACKAGE, "/tmp/mine")),
];
