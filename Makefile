# make help lists what there is. Everything works from a fresh clone with git, make and Go; as root on Debian or Ubuntu
# the real servers and clients that the tests use are installed by themselves.
GO ?= go
FUZZTIME ?= 10s
DIST = dist
MEASURE = measure
SITE = site
PLATFORMS = linux/amd64 linux/arm64 windows/amd64 windows/arm64 darwin/amd64 darwin/arm64
export CGO_ENABLED = 0

# Go puts the commit into the binary. Where git will not tell it (another owner's clone, an archive), build without.
ifneq ($(shell git rev-parse --is-inside-work-tree 2>/dev/null),true)
export GOFLAGS += -buildvcs=false
endif
# For every command, not for the binaries alone: what lint and the tests compile for a system is then what its binary needs.
export GOFLAGS += -trimpath
BUILD = $(GO) build -ldflags '-s -w'

# What Windows shows of the program: VERSION, the last tag, or 0.0.0. SIGN is a program that signs the file it is given.
SHOWN = $(or $(VERSION),$(shell git describe --tags --abbrev=0 --match 'v[0-9]*' 2>/dev/null | sed -n 's/^v\([0-9.]*\).*/\1/p'),0.0.0)
WINRES = $(GO) tool go-winres make --in packaging/windows/winres.json --product-version $(SHOWN) --file-version $(SHOWN)
SIGN ?= :

# The packages whose functions the program has to reach. Not among them: those that only tests import; cli, part of which is
# only for Windows; format/regfile, whose files other packages' tests read back; model, whose order of claims they check.
JUDGED = ^ipcguard/(cmd|scripts|internal/(apply|audit|catalog|change|dcerpc|export|fleet|gateway|kerberos|ntlm|observe|plan|report|scan|smb|status|store|web)(/|$$)|internal/format/([^r]|reg[^f]|rs))

# What a release's files carry: one time for all of them, that of the commit, so that the same commit gives the same bytes.
export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
ARCHES = amd64 arm64
RELEASE = ARCHES="$(ARCHES)" GO="$(GO)" VERSION="$(SHOWN)" DIST="$(DIST)"

.PHONY: help build binary binaries release packages windows changelog test test-wine test-long bench measure site lint vet-linux vet-windows demo fuzz setup clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

binary: ## build bin/ipcguard for this system
	@mkdir -p bin
	@$(BUILD) -o bin/ ./cmd/ipcguard

build: binary binaries ## build static binaries for every system into dist/

binaries: # those of PLATFORMS into DIST
	@mkdir -p $(DIST)
	@set -e; for platform in $(PLATFORMS); do \
	  os=$${platform%/*} arch=$${platform#*/} suffix=; \
	  [ $$os != windows ] || suffix=.exe; \
	  file=$(DIST)/ipcguard-$$os-$$arch$$suffix resource=cmd/ipcguard/rsrc_windows_$$arch.syso; \
	  [ $$os != windows ] || $(WINRES) --arch $$arch --out cmd/ipcguard/rsrc; \
	  GOOS=$$os GOARCH=$$arch $(BUILD) -o $$file ./cmd/ipcguard || { rm -f $$resource; exit 1; }; \
	  rm -f $$resource; \
	  [ $$os != windows ] || $(SIGN) $$file; \
	  echo $$file; \
	done

release: ## build what is published: binaries, deb, rpm, container image, bill of materials, checksums
	@rm -f $(DIST)/ipcguard-* $(DIST)/SHA256SUMS
	@$(MAKE) --no-print-directory binaries packages
	@cd $(DIST) && sha256sum ipcguard-* >SHA256SUMS && echo $(DIST)/SHA256SUMS

packages: # of the Linux programs in DIST
	@$(RELEASE) scripts/linux.sh

windows: ## build the installer, and manifests for winget and Chocolatey, as URL=https://… of the release's files
	@$(MAKE) --no-print-directory binaries PLATFORMS=windows/amd64
	@GO="$(GO)" VERSION="$(SHOWN)" URL="$(URL)" SIGN="$(SIGN)" DIST="$(DIST)" scripts/windows.sh

setup: ## install the servers and clients that the tests stand on
	@scripts/setup.sh

test: setup ## run every test, against real peers where they can be had
	$(GO) test $(TESTFLAGS) -timeout 25m ./...

test-wine: # the Windows build under Wine, which make test runs too
	$(GO) test $(TESTFLAGS) -timeout 25m -run '^TestApplyUnderWine$$' ./internal/cli

test-long: ## run every test with all of its variants, some ten minutes more
	IPCGUARD_LONG=1 scripts/setup.sh
	IPCGUARD_LONG=1 $(GO) test -timeout 40m ./...

bench: setup ## measure speed and cost, side by side with other tools
	$(GO) test -run '^$$' -bench . -benchmem -timeout 30m ./...

measure: binary ## scan real servers of other releases in chroots and virtual machines, and write docs/measured (root, half an hour)
	@scripts/measure.sh $(MEASURE) $(RELEASES)
	$(GO) run ./scripts/measure $(MEASURE)/results docs/measured

site: ## write SITE/index.html and explained.html: what was measured, and every text of explain, as static pages
	$(GO) run ./scripts/site docs/measured/measured.json $(SITE)

fuzz: ## run every fuzz target for FUZZTIME
	@scripts/fuzz.sh $(FUZZTIME)

lint: vet-linux vet-windows ## vet, staticcheck, dead code, formatting, change files, go.mod
	GOOS=darwin $(GO) vet ./internal/apply/... ./internal/audit/... ./internal/observe/... ./internal/scan/... # the rest is alike; make build makes it all
	$(GO) tool staticcheck ./...
	@unformatted=$$($(GO) tool gofumpt -l cmd internal scripts packaging); [ -z "$$unformatted" ] || { echo "not formatted by gofumpt:" $$unformatted; exit 1; }
	@dead=$$($(GO) tool deadcode -filter '$(JUDGED)' ./cmd/... ./scripts/...) || exit 1; [ -z "$$dead" ] || { echo "reached by no program:"; echo "$$dead"; exit 1; }
	@for script in scripts/*.sh packaging/linux/*.sh .ci/run; do bash -n $$script || exit 1; done
	$(GO) run ./scripts/changelog check
	$(GO) mod tidy -diff
	$(GO) -C packaging mod tidy -diff
	$(GO) -C packaging vet ./...

vet-linux vet-windows: # every package for a system
	GOOS=$(@:vet-%=%) $(GO) vet ./...

changelog: ## join changelog/unreleased into CHANGELOG.md, as VERSION=1.2.0
	$(GO) run ./scripts/changelog release "$(VERSION)"

demo: binary ## scan a real server, close it, and scan it again
	@scripts/setup.sh demo
	@scripts/demo.sh

clean: ## remove what was built
	rm -rf bin dist measure site
