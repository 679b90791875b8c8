"""What a written thought must not do: peek, parrot, boast or babble; named predicates with thresholds."""
