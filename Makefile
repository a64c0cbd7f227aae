# Everything that is done with this repository, by name. `make` lists it.
.DEFAULT_GOAL := help
.PHONY: help demo demo-down test slow bench lint crds images

# In release, as the operator in its image is: what both need is compiled once.
COMMONSCLOUD := cargo run --quiet --release --package commonscloud-cli --

help: ## This list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## A real Kubernetes on this machine, the operator, and the services of examples/ over HTTPS
	@$(COMMONSCLOUD) demo up

demo-down: ## Take all of the demo away again
	@$(COMMONSCLOUD) demo down

test: ## All tests: without a cluster, on a control plane, on a real node
	@.ci/test

slow: ## Every fault at every request of six operations, on simulated nodes; target/slow/summary.md
	@cargo test --release --workspace --test slow

bench: ## Fleets of 20 and 200 entities on simulated nodes, against a bare client; prints tables
	@cargo test --release --workspace --test fleet

lint: ## Formatting and clippy, warnings refused
	@.ci/lint

crds: ## Write crds/ and what the chart has of them and of the RBAC from the Rust types
	@$(COMMONSCLOUD) crds crds --chart charts/commonscloud

images: ## Build the OCI images that the demo and the tests use
	@$(COMMONSCLOUD) images build
