"""What differs: two texts word by word, two trajectories turn by turn, the rollouts of one prompt side by side."""
