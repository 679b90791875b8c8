"""A model small enough to train on two cores, for the mini desk: the whole of training in minutes."""
