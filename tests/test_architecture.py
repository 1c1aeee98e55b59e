"""The rules of the house, as import-linter contracts in setup.cfg, checked here one by one."""

from importlib.util import find_spec
from pathlib import Path

import pytest
from importlinter import api
from importlinter.application import use_cases
from importlinter.application.user_options import UserOptions

ROOT = Path(__file__).parents[1]
CONFIG = str(ROOT / "setup.cfg")
CONTRACTS = {contract["id"]: contract for contract in api.read_configuration(CONFIG)["contracts_options"]}


@pytest.fixture(scope="module")
def report():
    options = use_cases.read_user_options(CONFIG)
    assert isinstance(options, UserOptions)
    use_cases._register_contract_types(options)
    return use_cases.create_report(options, cache_dir=None)


def test_the_contracts_are_there():
    assert {"layers", "pure", "framework"} <= set(CONTRACTS)


@pytest.mark.parametrize("contract", CONTRACTS)
def test_contract(report, contract):
    name = CONTRACTS[contract]["name"]
    (check,) = [check for _, check in report.get_contracts_and_checks() if _.name == name]
    assert check.kept, f"broken: {name}: {check.metadata}"


def test_the_modules_that_must_be_pure_exist():
    listed = CONTRACTS["pure"]["source_modules"]
    missing = [module for module in listed if not find_spec(module)]
    assert not missing, f"setup.cfg names modules that are gone: {missing}"
