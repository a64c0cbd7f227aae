//! Brings up real Kubernetes clusters on this machine.
