"""Mutation testing of the parts that judge: one small change at a time, which some unit test has to notice."""
