# The commands people type. `make` lists them.
export PATH := $(CURDIR)/.tools/bin:$(CURDIR)/node_modules/.bin:$(PATH)

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

.PHONY: demo
demo: ## the whole job: a pull request becomes an installable bundle (KEEP=1 leaves everything running)
	@scripts/setup.sh
	@node examples/demo.ts

.PHONY: demo-down
demo-down: ## end what `make demo KEEP=1` left running
	@node examples/demo.ts down

.PHONY: test
test: ## install what is needed, then every check and every test
	@scripts/setup.sh test
	@npm run --silent check

.PHONY: test-long
test-long: ## long repeats of what `make test` tries once
	@scripts/setup.sh test
	@npm run --silent test:long

.PHONY: cluster
cluster: ## a real Kubernetes with Tekton and OLM on this machine (docs/guides/cluster.md); root
	@test/cluster/possible.sh
	@scripts/setup.sh cluster
	@flock --close /run/tributary-cluster.lock node test/cluster/main.ts

.PHONY: cluster-down
cluster-down: ## end it, and all that runs on it
	@flock --close /run/tributary-cluster.lock node test/cluster/main.ts down

.PHONY: e2e
e2e: ## the tests on a cluster: that of E2E_KUBECONFIG, else the one that `make cluster` starts
	@if [ -n "$$E2E_KUBECONFIG" ]; then scripts/setup.sh test; else $(MAKE) --silent cluster; fi
	@npm run --silent test:e2e

.PHONY: e2e-long
e2e-long: ## the same cluster, and what breaks it for all others meanwhile
	@if [ -n "$$E2E_KUBECONFIG" ]; then scripts/setup.sh test; else $(MAKE) --silent cluster; fi
	@npm run --silent test:e2e-long

.PHONY: image
image: ## the container image of service and steps, with buildah: make image IMAGE=NAME [BASE=a Node 24 image]
	@scripts/setup.sh image
	@buildah bud $(if $(BASE),--build-arg BASE=$(BASE)) --tag $(or $(IMAGE),tributary) --file deploy/Containerfile .

.PHONY: bench
bench: ## measure it against the product's own Makefile and ko (docs/benchmarks.md), on an otherwise quiet machine
	@scripts/setup.sh test
	@node test/bench/main.ts $(BENCH)

.PHONY: setup
setup: ## install what is needed, only
	@scripts/setup.sh test

.PHONY: generate
generate: ## write the generated files anew (OpenAPI, references, folder graph)
	@node scripts/generate.ts
