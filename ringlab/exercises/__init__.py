"""Sixteen exercises: predict a number, write a few lines, and let a check hold both against what was measured."""
