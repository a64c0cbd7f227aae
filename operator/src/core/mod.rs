//! Quotas, tariffs and names: knows no Kubernetes types.
