// Only Cilium's operator imports this module, which the module proxy does not have.
// The agent needs no more of it than that it exists.
module sigs.k8s.io/mcs-api/controllers

go 1.26.0
