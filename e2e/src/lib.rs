//! Scenarios on real clusters.
