# The commands people type. `make` lists them.
export PATH := $(CURDIR)/.tools/bin:$(CURDIR)/node_modules/.bin:$(PATH)

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

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
