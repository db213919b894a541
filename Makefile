# wireplane: "make help" lists the targets. Nothing but Go (and make) is needed.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --warn-undefined-variables --no-builtin-rules --no-print-directory
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

export GOWORK := off
EACH := internal/ci/each.sh

# Settings, each may be given on the command line.
FUZZTIME ?= 20s# how long each fuzz target runs
FUZZCAP ?=# time for all fuzz targets together, empty for no cap
JSON ?=# file that bench-codec and bench-floor also write, one object a line
FILE ?=# what demo streams, the README where empty
ARGS ?=# more arguments for demo, bench-codec and bench-floor

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 16

.PHONY: go
go:
	@internal/ci/need-go.sh

##@ for everybody

.PHONY: demo
demo: go ## stream FILE (the README) over the multiplexed plane and check it
	@cd planes/cmd && go run ./wireplane demo $(ARGS) $(if $(FILE),$(abspath $(FILE)))

.PHONY: test
test: go ## all tests of all modules, with the invariant checks on
	@$(EACH) go test -shuffle=on -tags invariants ./...

.PHONY: build
build: go ## compile every package of every module
	@$(EACH) go build ./...

.PHONY: install
install: go ## put wiregen and wireplane where go install puts commands
	go install ./gen/cmd/wiregen
	cd planes/cmd && go install ./wireplane

##@ for contributors

.PHONY: generate
generate: go ## run wiregen over the specs; rewrite goldens and tables
	@$(EACH) go generate ./...
	go test -count=1 ./internal/lint -run TestDepsGolden -update
	cd planes/cmd && go test -count=1 ./internal/matrix -run TestEveryCombination -update

.PHONY: check-generate
check-generate: go ## delete what is generated, generate, and require no difference
	@internal/ci/check-generate.sh

.PHONY: fmt
fmt: go ## gofmt every file, format the specs
	gofmt -w $$(git ls-files '*.go')
	go run ./gen/cmd/wiregen fmt -w $$(git ls-files 'spec/*.wire')

.PHONY: lint
lint: go ## gofmt, golangci-lint and the repository's own rules
	@internal/ci/lint.sh

.PHONY: test-race
test-race: go ## all tests of the root module and the commands under the race detector
	@$(EACH) go test -race -shuffle=on ./...

.PHONY: conform
conform: go ## every combination of transports and every store of discovery, each by its suite; an endpoint that is switched under load
	go test -count=1 -v ./planes/planetest | grep -v '^=== '
	cd internal/integration && go test -count=1 -v ./conform | grep -v '^=== '
	go test -count=1 -v -run 'Conform' ./discovery/... | grep -v '^=== '
	cd internal/integration && go test -count=1 -v -run 'EtcdConforms' . | grep -v '^=== '
	cd internal/integration && go test -count=1 -v -run 'TestAMixedDeployment' ./faults | grep -v '^=== '

.PHONY: walkthrough
walkthrough: go ## the README's worker, caller and curl as a transcript, each step checked
	@internal/ci/walkthrough.sh

.PHONY: conform-nginx
conform-nginx: go ## the HTTP plane through a real nginx, installed from Debian if missing
	@internal/ci/nginx.sh

.PHONY: test-386
test-386: go ## the packages that count bytes, with 32-bit int
	GOARCH=386 CGO_ENABLED=0 go vet ./...
	GOARCH=386 CGO_ENABLED=0 go test -shuffle=on ./spec/... ./gen/... ./codec/... ./framing/... ./planes/internal/mux/...

.PHONY: cross
cross: go ## go vet for the other systems
	@internal/ci/cross.sh

.PHONY: gates
gates: go ## the allocation, size and dependency figures, in a release build
	@internal/ci/gates.sh

.PHONY: fuzz
fuzz: go ## every fuzz target for FUZZTIME each, FUZZCAP in total, one a processor
	@go run ./internal/ci/fuzz -each $(FUZZTIME) $(if $(FUZZCAP),-total $(FUZZCAP))

.PHONY: bench-codec
bench-codec: go ## generated codecs beside hand-written ones; JSON=FILE
	@go run ./codec/internal/benchcodec $(if $(JSON),-json $(abspath $(JSON))) $(ARGS)

.PHONY: bench-floor
bench-floor: go ## the multiplexed plane beside a raw epoll floor; JSON=FILE
	@cd planes/cmd && go run ./wireplane bench --suite floor $(if $(JSON),--json-lines $(abspath $(JSON))) $(ARGS)

.PHONY: bench-combinations
bench-combinations: go ## pool off and on, churn, HTTP beside TCP responses, a cold target; JSON=FILE
	@cd planes/cmd && go run ./wireplane bench --suite combinations $(if $(JSON),--json-lines $(abspath $(JSON))) $(ARGS)

.PHONY: bench-smoke
bench-smoke: go ## every micro-benchmark once
	@$(EACH) go test -run '^$$' -bench . -benchtime 1x -short ./...

.PHONY: tidy-check
tidy-check: go ## go.mod and go.sum of every module are tidy
	@$(EACH) go mod tidy -diff

.PHONY: docs
docs: go ## the links, code blocks and anchors of the prose
	go test -count=1 ./internal/lint -run 'Docs|README|Links|Anchors'

.PHONY: ci
ci: go ## everything that .ci/run runs, with the time of each step
	@internal/ci/ci.sh
