"""Training on cached rollouts. Home of torch and trl; nothing else in the project imports this package."""
