//! What a subcommand makes of words, for tests.

/// Its arguments, or what clap says of them.
pub(crate) fn parsed<A: clap::Args>(words: &[&str]) -> Result<A, String> {
    let command = A::augment_args(clap::Command::new("commonscloud"));
    let matches = command.try_get_matches_from(std::iter::once(&"commonscloud").chain(words));
    matches.and_then(|matches| A::from_arg_matches(&matches)).map_err(|error| error.to_string())
}
