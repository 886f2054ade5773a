# build    bin/twinlun, static
# test     all tests, race detector on, and a short `crash` without it; installs (apt) the third-party clients that they use
# lint     gofmt, vet, import rules
# fuzz     every fuzzer for FUZZTIME each
# bench    figures side by side with peers, in one run
# demo     the main job on real data
# crash    power cuts, faults and full disks of the layer store: CRASHRUNS of each test, from the seed CRASHFROM on, on all processors
# soak     SOAKTIME of writers, snapshots, clones, deletes and resizes at once, with kill -9 every few seconds

FUZZTIME ?= 60s
CRASHRUNS ?= 100000
CRASHFROM ?= 1
SOAKTIME ?= 1h
VERSION ?= $(shell git describe --always --dirty 2>/dev/null || echo dev)
GOFILES = $(shell git ls-files '*.go' 2>/dev/null || find . -name '*.go')

.PHONY: build test lint fuzz bench demo crash soak clients

build:
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/twinlun ./cmd/twinlun

clients:
	test/setup/clients.sh

test: clients build
	test/setup/clients.sh kernel
	TWINLUN_REQUIRE_TOOLS=1 go run ./test/report -race -timeout 15m ./...
	$(MAKE) crash CRASHRUNS=250

lint:
	@unformatted=$$(gofmt -l $(GOFILES)); [ -z "$$unformatted" ] || { echo "not gofmt-ed:"; echo "$$unformatted"; exit 1; }
	go vet ./...
	go test ./test/deps

fuzz:
	test/setup/fuzz.sh $(FUZZTIME)

bench: clients build
	test/bench/run.sh

demo: clients build
	test/demo/run.sh

crash:
	TWINLUN_CRASH_RUNS=$(CRASHRUNS) TWINLUN_CRASH_FROM=$(CRASHFROM) go test -count 1 -timeout 0 -run 'Crash|PowerCut|Faults|NoSpace' ./blockdev/...

soak: build
	TWINLUN_BINARY=$(CURDIR)/bin/twinlun TWINLUN_SOAK_TIME=$(SOAKTIME) go test -v -count 1 -timeout 0 -run TestSoak ./test/crash
