# These do everything, host packages and Python environment included:
#   make image   build a real image set for the release and mirror that this host is configured with, and show it
#   make test    pass all tests
#   make torture try every fault, often, and write docs/reliability.rst: hours; EXAMPLES=n,
#                PART=expression: a part of it, as pytest's -m names it, beside what was tried before
#   make bench   compare the speed with that of others: an hour and more; ROUNDS=n, ONLY=name,name
# All run as root; the first three on Debian, Ubuntu and (with dnf) EL hosts, bench on Debian.

VENV := .venv
OUTPUT ?= $(CURDIR)/build/images
TEST_CACHE := $(CURDIR)/build/test-cache
PYTHON ?= python3
ROUNDS ?= 3
EXAMPLES ?= 100000
# Where pyenv is in use, tox is told of every Python that it has: its shims show one.
PYTHONS := $(wildcard $(shell pyenv root 2>/dev/null)/versions/3.*/bin/python)

.PHONY: image test torture bench rpm host-packages host-rpm-packages host-test-packages clean

image: $(VENV)/bin/fuel-image
	mkdir -p build
	$(VENV)/bin/fuel-image sample --output $(OUTPUT) > build/request.json
	$(VENV)/bin/fuel-image --work-dir build/work --cache-dir build/cache --log-file build/fuel-image.log build/request.json
	ls -l $(OUTPUT)

# What one environment has built serves the next; nothing of an earlier run does.
test: $(VENV)/bin/tox host-test-packages
	rm -rf $(TEST_CACHE)
	FUEL_IMAGE_TEST_CACHE=$${FUEL_IMAGE_TEST_CACHE:-$(TEST_CACHE)} $(VENV)/bin/tox run $(if $(PYTHONS),--discover $(PYTHONS))

torture: $(VENV)/bin/tox host-test-packages
	FUEL_IMAGE_EXAMPLES=$(EXAMPLES) $(VENV)/bin/tox run -e torture -- \
		--thorough -p tests.torture.page --page $(CURDIR)/docs/reliability.rst $(if $(PART),--page-part -m '$(PART)')

bench: host-packages
	PYTHON=$(PYTHON) bench/install .bench
	.bench/venv/bin/python -m bench --rounds $(ROUNDS) --only '$(ONLY)'

rpm: host-rpm-packages
	rpm/build.sh dist

$(VENV)/bin/fuel-image: setup.py | host-packages
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --editable .
	touch $@

$(VENV)/bin/tox: $(VENV)/bin/fuel-image
	$(VENV)/bin/pip install --quiet tox
	touch $@

host-packages:
	.ci/host-packages run

host-rpm-packages:
	.ci/host-packages rpm

host-test-packages: host-packages
	.ci/host-packages test

clean:
	rm -rf build dist .bench $(VENV) .tox .mypy_cache .pytest_cache .ruff_cache *.egg-info
