# Two commands are all a user needs: `make run` and `make test`. Each prepares .venv by itself.
#   make run PYTHON=/path/to/python3.12   another Python (3.11 or newer)
#   make run TORCH=DIR                    the torch and torchvision wheels in DIR (TORCH=registry: the lock's again)

TORCH ?=
PYTHON ?=
READY := .venv/.ready

ifneq ($(strip $(TORCH)),)
ifneq ($(strip $(TORCH)),$(strip $(shell cat .venv/.torch 2>/dev/null)))
REMAKE := remake
endif
endif

.PHONY: run test check bench bench-gpu fields proof lock remake
.DEFAULT_GOAL := run

# A shell does not know .venv: how to call ablate is the last thing said, whatever the run came to,
# and after Ctrl-C, which the trap leaves to ablate.
run: $(READY)
	@trap : INT; .venv/bin/ablate run quickstart; code=$$?; \
	printf '%s\n' 'continue with: .venv/bin/ablate list' 'or, for `ablate` alone: source .venv/bin/activate'; \
	exit $$code

test: $(READY)
	@OMP_NUM_THREADS=1 .venv/bin/python -m pytest -n 2

check: $(READY)
	@sh .ci/check

# PART=loss proves that part alone, PART=show says what is proven here and runs nothing.
proof: $(READY)
	@PART="$(PART)" .venv/bin/python tests/proof

bench: $(READY)
	@for name in views losses evaluation planning 'records --quick' speed 'engine --quick'; do \
	set -- $$name; PYTHONPATH=. .venv/bin/python tests/benchmarks/$$1.py $$2 || exit 1; done

# ONLY=packs,peer times those alone; JSON=FILE names the file of all numbers; OPTIONS=--miniature tries it without a GPU.
bench-gpu: $(READY)
	@.venv/bin/python tests/benchmarks/gpu $(if $(ONLY),--only $(ONLY)) $(if $(JSON),--json $(JSON)) $(OPTIONS)

# The page of all fields, from the models.
fields: $(READY)
	@.venv/bin/ablate fields --markdown > ablations/FIELDS.new && mv ablations/FIELDS.new ablations/FIELDS.md

lock: $(READY)
	@sh .ci/lock

$(READY): requirements.lock pyproject.toml .ci/uv.txt $(REMAKE)
	@TORCH="$(TORCH)" PYTHON="$(PYTHON)" sh .ci/set-up
