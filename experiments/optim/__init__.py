"""Update rules, learning rates over time, and steps that are taken back."""
