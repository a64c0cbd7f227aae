//! Service packages: checked, compiled, rendered.

/// A package that passed every rule of the format.
#[derive(Clone, Debug)]
pub struct Package {}
