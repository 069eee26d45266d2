# The one door. Each target installs what it lacks; what it cannot install it names, with what to do.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help install redis demo up down test soak test-real e2e-real bench verify

BIN := ./node_modules/.bin
NODE := $(BIN)/node

help: ## what there is
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

install: ## packages, by the lockfile, with Node 26 among them
	@scripts/install.sh

redis:
	@scripts/ensure-redis.sh

demo: install redis ## the main job on the embedded default, told step by step
	@$(NODE) e2e/demo.ts

up: install redis ## the whole system, left running; .shoto/ holds clouds.yaml, kubeconfig and env
	@$(NODE) packages/supervisor/src/main.ts up

down: install ## ends what `make up` started
	@$(NODE) packages/supervisor/src/main.ts down

test: install redis ## all checks and tests that need no more than Node and Redis
	@$(NODE) scripts/test.ts

soak: install redis ## the model-based test with RUNS=1000 sequences, and every kill point; SEED= for the same again
	@PATH=$(CURDIR)/$(BIN):$$PATH RUNS=$(or $(RUNS),1000) SEED=$(or $(SEED),$$RANDOM) POINTS=$(or $(POINTS),all) $(BIN)/vitest run e2e/model

test-real: install redis ## the same stories on real etcd, kube-apiserver and OpenStack (root, Debian 12)
	@$(NODE) e2e/test-real.ts

e2e-real: install redis ## a cluster on machines that run kubeadm (root, Debian 12); VARIANT=default|ha|artifacts|floating-ip|machine-address|cattle|addons
	@E2E_VARIANT=$(or $(VARIANT),$(E2E_VARIANT),default) $(NODE) e2e/e2e-real.ts

bench: install redis ## figures; CLUSTERS=50 WORKERS=3 KUBE=simulated|real LATENCY=none|realistic SCENARIO=clusters|replace|storm|addons
	@$(NODE) bench/main.ts

verify: install ## regenerates all that is generated, then fails on a dirty tree
	@scripts/verify.sh
