"""In a large fabric the switches with hosts answer ARP; in a small one nobody has to."""

from controller.rules import AnswerArp, resident_rules
from topologies.addressing import MAX_LISTED_HOSTS
from topologies.leaf_spine import leaf_spine


def answering(hosts_a_leaf: int) -> list[str]:
    return [rule.switch for rule in resident_rules(leaf_spine(4, 2, hosts_a_leaf)) if AnswerArp() in rule.actions]


def test_hosts_that_hold_lists_need_no_answers():
    assert answering(MAX_LISTED_HOSTS // 4) == []


def test_above_that_every_switch_with_hosts_answers_by_one_rule():
    assert answering(MAX_LISTED_HOSTS // 4 + 1) == ["leaf1", "leaf2", "leaf3", "leaf4"]


def test_a_rule_that_answers_says_so():
    [rule, *_] = [rule for rule in resident_rules(leaf_spine(4, 2, 40)) if AnswerArp() in rule.actions]
    assert str(rule) == "leaf1 priority 10 eth_type=2054,arp_op=1: answer"
