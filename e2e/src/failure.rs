//! Why a scenario failed, in words.

use std::fmt;

/// Why a scenario failed. Any error becomes one with `?`.
#[derive(Debug)]
pub struct Failure(String);

/// How a scenario, or a step of one, ends.
pub type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    /// A failure in the given words.
    pub fn new(words: impl Into<String>) -> Self {
        Self(words.into())
    }

    /// The same failure, with what was being done in front.
    #[must_use]
    pub fn during(self, what: &str) -> Self {
        Self(format!("{what}: {}", self.0))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// Ends the scenario with the given words unless the condition holds.
#[macro_export]
macro_rules! ensure {
    ($condition:expr, $($words:tt)+) => {
        if !$condition {
            return Err($crate::Failure::new(format!($($words)+)));
        }
    };
}

/// Ends the scenario unless both sides are equal; shows both.
#[macro_export]
macro_rules! ensure_eq {
    ($left:expr, $right:expr, $($words:tt)+) => {{
        let (left, right) = (&$left, &$right);
        if left != right {
            return Err($crate::Failure::new(format!(
                "{}\n  seen:     {left:?}\n  expected: {right:?}",
                format_args!($($words)+)
            )));
        }
    }};
}
