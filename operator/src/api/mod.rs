//! The custom resources of group `commonscloud.coop`.
