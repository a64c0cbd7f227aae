//! The format, and what its authors are told.
//!
//! | module | what lives there |
//! |---|---|
//! | `compile`, `fields` | reads a package; the rules of its own fields |
//! | `operations` | the rules of backup and restore |
//! | `names`, `sample` | whether manifests know what they name; the plans that a package is tried out with |
//! | `directory`, `builtin` | packages from folders, those compiled in |
//! | `offered` | what a package is asked when it is offered, and a revision that runs is not |
//! | `golden` | what a package renders for sample instances, as text |
//! | `schema` | what the API server asks of a ServiceTemplate |
//! | `findings`, `lines` | faults by file and line |
//! | `predecessor` | what instances of an earlier package cannot follow |

pub(crate) mod builtin;
pub(crate) mod compile;
pub(crate) mod directory;
pub(crate) mod fields;
pub(crate) mod findings;
pub(crate) mod golden;
pub(crate) mod lines;
pub(crate) mod names;
pub(crate) mod offered;
pub(crate) mod operations;
pub(crate) mod predecessor;
pub(crate) mod sample;
pub(crate) mod schema;
