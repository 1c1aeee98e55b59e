"""The rules of the house, as import-linter contracts in setup.cfg, checked here one by one."""

from importlib.util import find_spec
from pathlib import Path

import pytest
from importlinter import api
from importlinter.application.use_cases import lint_imports

ROOT = Path(__file__).parents[1]
CONFIG = str(ROOT / "setup.cfg")
CONTRACTS = {contract["id"]: contract for contract in api.read_configuration(CONFIG)["contracts_options"]}


def test_the_contracts_are_there():
    assert {"layers", "pure", "framework"} <= set(CONTRACTS)


@pytest.mark.parametrize("contract", CONTRACTS)
def test_contract(contract, capsys):
    kept = lint_imports(config_filename=CONFIG, limit_to_contracts=(contract,), cache_dir=None)
    assert kept, capsys.readouterr().out


def test_the_modules_that_must_be_pure_exist():
    listed = CONTRACTS["pure"]["source_modules"]
    missing = [module for module in listed if not find_spec(module)]
    assert not missing, f"setup.cfg names modules that are gone: {missing}"
