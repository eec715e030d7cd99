# `make help` lists the targets.

GO ?= go
CLANG_MAJOR := 19
GO_NEEDED := $(shell awk '$$1 == "go" { print $$2 }' go.mod)

# Without cgo a model's threads are made by the Go runtime, whose stacks can be walked, and weft is one file.
export CGO_ENABLED := 0

# Debian keeps asm/types.h in a directory a machine type.
export BPF2GO_CFLAGS := -I/usr/include/$(shell uname -m)-linux-gnu

# Debian's, of the models in Python.
PYTHON_PACKAGES := python3-requests python3-gevent python3-aiohttp

.PHONY: help run build test lint generate bench article-check vm-test clean go

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-13s %s\n", $$1, $$2 }' Makefile

run: build python ## compare the models with the defaults: the main job (as root)
	./weft compare

build: go ## build ./weft
	$(GO) build -o weft ./cmd/weft

# One at a time where what the kernel saw is compared to the millisecond, which wants a quiet machine. The others, and
# their compiler, have what that leaves of the CPUs: who is scheduled as idle gives way at once. `make lint` vets.
measuring = ./bpf ./cmd/weft ./collector ./collector/cost
idle = $(shell command -v chrt >/dev/null && echo chrt --idle 0)
test: go ## run all tests; as root, those of the probes too
	@$(call need,chromium) || echo "the tests of report.html in a browser are skipped, each says so with -v"
	@[ "$$(id -u)" = 0 ] || echo "not root: the tests that load probes are skipped, each says so with -v"
	$(idle) $(GO) test -vet=off -timeout 15m $$($(GO) list ./... | grep -vxF "$$($(GO) list $(measuring))") & others=$$!; \
	failed=0; for package in $(measuring); do $(GO) test -vet=off -timeout 15m $$package || failed=1; done; \
	wait $$others && exit $$failed

lint: go ## gofmt, go vet, staticcheck, and the import rules (.depguard.json)
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$unformatted" ] || { echo "gofmt: $$unformatted"; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	$(GO) tool depguard ./...

generate: go clang ## compile bpf/*.bpf.c again (wants clang of the pinned major)
	clang-$(CLANG_MAJOR) --version | head -n 1
	$(GO) generate ./bpf

# The benchmarks of the command are whole runs: once each. All output is kept in docs/bench.txt, of which
# docs/overhead.md is made; the lines of the budgets come again at the end. All is compiled before: go test compiles the
# next package beside the benchmarks of one.
bench: go ## measure what weft itself costs, against the budgets (as root, about 3 minutes)
	@$(GO) list -test -export ./... >/dev/null
	@{ { echo "kernel: $$(uname -sr)"; $(GO) version; \
	$(GO) test -run '^$$' -bench . -benchmem $$($(GO) list ./... | grep -v /cmd/weft$$); \
	$(GO) test -run '^$$' -bench . -benchtime 1x ./cmd/weft; } | tee docs/bench.txt | awk '{ print; fflush() } \
		sub(/^.*budget \| /, "") { lines = lines "\n" $$0 } \
		/^(--- )?FAIL/ { failed = 1 } \
		END { print "\nbudget | measured | limit | ok/OVER | how" lines; exit failed }' && budgets=0 || budgets=1; \
	$(GO) test -run TestOverheadDoc ./cmd/weft -update >/dev/null && exit $$budgets; }

article-check: go ## what the article's instrument, memory_profiler, adds to each Python model (about 1 minute)
	@$(MAKE) --no-print-directory python PYTHON_PACKAGES="$(PYTHON_PACKAGES) python3-memory-profiler"
	WEFT_ARTICLE_CHECK=1 $(GO) test ./workload -run TestArticleCheck -count 1 -v

vm-test: go ## run the tests of the probes and of memory's cost on Debian 12's kernel, in qemu
	.ci/vm 6.1 ./bpf ./collector/cost

clean: ## remove what was built
	rm -f weft

# Says in one line when Go is missing or too old.
go:
	@found=$$($(GO) env GOVERSION 2>/dev/null | sed 's/^go//'); \
	[ -n "$$found" ] || { echo "Go $(GO_NEEDED) or newer is needed, none was found: see https://go.dev/doc/install"; exit 1; }; \
	oldest=$$(printf '%s\n' "$$found" "$(GO_NEEDED)" | sort -V | head -n 1); \
	[ "$$oldest" = "$(GO_NEEDED)" ] || { echo "Go $$found was found, $(GO_NEEDED) or newer is needed: see https://go.dev/doc/install"; exit 1; }

# What the models in Python need. Without it weft leaves them out, and says so.
.PHONY: python
python:
	@{ $(call need,$(PYTHON_PACKAGES)); } || echo "or some models are left out: ./weft compare --list"

# Installs Debian packages that are missing where it can, and else names them.
define need
missing=; for package in $(1); do dpkg -s $$package >/dev/null 2>&1 || missing="$$missing $$package"; done; \
	[ -z "$$missing" ] || { [ "$$(id -u)" = 0 ] && apt-get update -q && \
		DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -qy --no-install-recommends $$missing; } || \
		{ echo "install:$$missing"; false; }
endef

.PHONY: clang
clang:
	@$(call need,clang-$(CLANG_MAJOR) llvm-$(CLANG_MAJOR) libbpf-dev linux-libc-dev)
