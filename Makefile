# Everything that is done with this repository, by name. `make` lists it.
.DEFAULT_GOAL := help
.PHONY: help demo demo-down test slow bench bench-quick bench-10k lint crds images

# In release, as the operator in its image is: what both need is compiled once.
COMMONSCLOUD := cargo run --quiet --release --package commonscloud-cli --

help: ## This list
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## A real Kubernetes on this machine, the operator, and the services of examples/ over HTTPS
	@$(COMMONSCLOUD) demo up

demo-down: ## Take all of the demo away again
	@$(COMMONSCLOUD) demo down

test: ## All tests: without a cluster, on a control plane, on a real node
	@.ci/test

slow: ## Every fault at every request of six operations (target/slow/summary.md); sixty backups in a window; large uploads and killed backups on a real node; restic and its servers
	@cargo test --release --workspace --test slow
	@cargo test --release --workspace --test control_plane -- --ignored
	@cargo test --release --workspace --test node -- --ignored
	@cargo test --release --package commonscloud-backup --test restic -- --include-ignored

# The operator is measured as it is published; the harness around it is what CI has compiled.
BENCH := cargo test --quiet --release --workspace --test fleet --

bench: ## Figures beside their targets, on simulated nodes: target/bench/report.json, docs/performance.md (ARGS=create: a part)
	@$(BENCH) $(ARGS)

bench-quick: ## The same on small fleets, in less than five minutes once everything is built
	@$(BENCH) --quick

bench-10k: ## Ten thousand instances of 15 objects; says first how long that takes
	@$(BENCH) --10k

lint: ## Formatting and clippy, warnings refused
	@.ci/lint

crds: ## Write crds/ and what the chart has of them and of the RBAC from the Rust types
	@$(COMMONSCLOUD) crds crds --chart charts/commonscloud

images: ## Build the OCI images that the demo and the tests use
	@$(COMMONSCLOUD) images build
